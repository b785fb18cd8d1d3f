"""``python -m app.practice chain --state DIR``: the practice chain; it ends when its standard input ends."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from app.practice.chain.parts import DEFAULT, ChainFault, Parts


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m app.practice chain",
        description="A local EVM chain with Uniswap's own contracts. It prints one line of JSON when it is ready and "
        "ends when its standard input ends.",
    )
    parser.add_argument("--state", required=True, type=Path, metavar="DIR", help="kept here, and gone on with")
    parser.add_argument("--port", type=_whole(0, 65_535), default=0, help="0, the default, takes a free one")
    parser.add_argument("--chain-id", type=_whole(1, 2**53 - 1), help="default: the kept chain's, else 31337")
    parser.add_argument(
        "--block-time", type=_whole(0, 3_600), default=2, metavar="SECONDS", help="0: a block for each transaction"
    )
    parser.add_argument(
        "--fund", action="append", default=[], metavar="ADDRESS", help="give it coins and tokens, once; repeatable"
    )
    parser.add_argument("--traders", type=_whole(0, 2**63), metavar="SEED", help="other accounts trade as well")
    parser.add_argument("--every", type=_whole(1, 10_000), default=3, metavar="BLOCKS", help="between their turns")
    parser.add_argument("--parts", type=Path, default=DEFAULT, metavar="DIR", help="where its npm packages are")
    return parser


def _whole(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not between {least} and {most}")
        return value

    return number


def main(arguments: Sequence[str]) -> int:
    """Serve until the owner is gone."""
    parser = _parser()
    options = parser.parse_args(arguments)
    # eth_abi and its grammar take a third of a second: not for --help.
    from app.practice.chain.service import Service, Wanted, address_of  # noqa: PLC0415 -- see above

    fund = []
    for text in options.fund:
        try:
            fund.append(address_of(text))
        except ValueError:
            parser.error(f"--fund {text}: an address is 0x and 40 hexadecimal digits, and its capitals must be right")
    if options.traders is not None and not options.block_time:
        parser.error("--traders needs a --block-time above 0")
    if not sys.stdin.isatty():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the owner's to handle; it ends us by closing our input
    wanted = Wanted(
        options.state, options.port, options.chain_id, options.block_time, tuple(fund), options.traders, options.every
    )
    try:
        Service(wanted, Parts(options.parts)).run(sys.stdin.fileno(), lambda line: print(line, flush=True))
    except (ChainFault, OSError) as error:
        print(f"practice chain, {options.state}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
