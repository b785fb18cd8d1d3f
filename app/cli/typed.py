"""What a device needs typed on the computer, asked for on a terminal, shown nowhere and kept nowhere."""

from __future__ import annotations

import getpass
import signal
import sys
from typing import Final

from signers.base import Question
from signers.person import Alone

_PROMPTS: Final = {
    Question.PIN_POSITIONS: (
        "The device shows nine digits in a square. Type where your PIN's digits stand, not the digits:\n"
        "    7 8 9\n    4 5 6\n    1 2 3\nPositions (not shown): "
    ),
    Question.PASSPHRASE: "Passphrase of the hidden wallet; another spelling is another, empty one (not shown): ",
    Question.PAIRING_CODE: "The six digits on the device's screen (not shown): ",
}


async def typed(question: Question) -> str:
    """What the person typed. It holds the loop, on which nothing else runs: a command does one thing.

    Raises:
        NotReady: there is no terminal, or Ctrl-C or the end of the input gave up.
    """
    if not sys.stdin.isatty():
        return Alone().ask(question)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio's own would wait for this line
    try:
        return getpass.getpass(_PROMPTS[question])
    except (KeyboardInterrupt, EOFError, OSError, UnicodeDecodeError):
        return Alone().ask(question)
    finally:
        signal.signal(signal.SIGINT, before)
