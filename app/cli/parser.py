"""The command line's words. Only argparse here; the handlers live in the other files of this package."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

TYPE_CHECKING = False  # mypy knows the name; importing typing would cost `--help` 5 % of its time
if TYPE_CHECKING:
    from typing import NoReturn

_MOST_ROWS = 1_000_000
REASONS = ("too-late", "dislike", "too-large", "bad-price", "duplicate")
"""`app.execution.proposals.Refusal`, which the help must not load."""
SIGNERS = ("ledger", "trezor", "demo")
"""`app.devices.KINDS`, likewise."""
SCHEMES = ("bip44", "ledger-live", "legacy")
"""Of `signers.paths.SCHEMES`, likewise."""

_HOT_ACTIONS = ("list", "generate", "import", "register", "rotate", "retire")

_HELP = ("-h", "--help")


class WrongUse(Exception):
    """The arguments make no command. `usage` shows what would."""

    def __init__(self, usage: str, what: str) -> None:
        super().__init__(what)
        self.usage = usage


class _Parser(argparse.ArgumentParser):
    """One that raises instead of ending the process, so that ``--json`` gets its document."""

    def error(self, message: str) -> NoReturn:
        raise WrongUse(self.format_usage(), message)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:  # noqa: ARG002 -- only --help ends here
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except OSError as error:
            from app.cli import streams  # noqa: PLC0415 -- only when nobody reads the help

            streams.forget_output()
            if not isinstance(error, BrokenPipeError):
                streams.tell(f"countersign: The help can not be written: {error.strerror}.")
            status = 1
        raise SystemExit(status)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the arguments.

    Raises:
        WrongUse: an unknown command or option, a value that is none, a word too many.
        SystemExit: ``--help`` was printed.
    """
    try:
        return _parse(build(arguments), arguments)
    except WrongUse:
        return _parse(build(), arguments)  # which names every command there is


def _parse(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    options, rest = parser.parse_known_args(list(arguments))
    if rest and options.command in {"secrets", "hotkey"}:
        # Not repeated: it is the secret, typed where the shell's history keeps it.
        parser.error(f"{options.command} takes no value on the command line; it asks for it, or reads it from a pipe")
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    for name in ("db", "config", "profile", "replay"):
        if getattr(options, name, None) == "":
            parser.error(f"--{name} is empty (an unset variable of a script?)")
    return options


def build(given: Sequence[str] = _HELP) -> argparse.ArgumentParser:
    """The parser. Global options are accepted before and after the command.

    Args:
        given: the arguments: a command that none of them names is left out, which saves a start 10 ms. All commands
            are there when help is wanted.
    """
    parser = _Parser(
        prog="countersign",
        description="A trading terminal whose every trade is read on screen and countersigned by a hardware wallet.",
        epilog="Exit codes: 0 done, 2 wrong use or bad input, 3 refused by a safety rule, 1 anything else, 130 Ctrl-C.",
        allow_abbrev=False,
    )
    _globals(parser, default=None)
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    shared = _Parser(add_help=False, allow_abbrev=False)
    _globals(shared, default=argparse.SUPPRESS)
    every = any(each in _HELP for each in given)
    for name, text, fill in _COMMANDS:
        if every or name in given:
            fill(commands.add_parser(name, help=text, description=text, parents=[shared], allow_abbrev=False))
    return parser


def _globals(parser: argparse.ArgumentParser, default: object) -> None:
    group = parser.add_argument_group("global options")
    group.add_argument("--db", metavar="FILE", default=default, help="database (COUNTERSIGN_DB)")
    group.add_argument("--config", metavar="FILE", default=default, help="settings file (COUNTERSIGN_CONFIG)")
    group.add_argument(
        "--profile", metavar="NAME", default=default, help="paper, testnet or live (COUNTERSIGN_PROFILE)"
    )
    flag = False if default is None else default
    group.add_argument("--json", action="store_true", default=flag, help="one JSON document on standard output")


def _run(run: argparse.ArgumentParser) -> None:
    run.add_argument("--headless", action="store_true", help="no screen: lines on standard error instead")
    run.add_argument("--ascii", action="store_true", help="the terminal in plain ASCII characters")
    run.add_argument("--for", dest="seconds", metavar="SECONDS", help="stop after this many seconds")
    run.add_argument("--signer", choices=["auto", "ledger", "trezor", "keyring", "demo"], help="what countersigns")
    run.add_argument("--market", choices=["practice"], help="where prices come from")
    run.add_argument("--replay", metavar="FILE|DIR", help="recorded data instead of the practice market")
    run.add_argument("--speed", metavar="N|max", help="market seconds per second; a replay runs at max unless told")
    run.add_argument("--instrument", metavar="BASE-QUOTE", help="instrument of files whose name does not say it")
    run.add_argument("--timeframe", metavar="1m", help="bar length of files whose name does not say it")
    run.add_argument("--chain", metavar="NAME", help="trade on this network; anvil: one that runs on this machine")
    run.add_argument("--seed", metavar="N", help="seed of the practice market")
    run.add_argument(
        "--auto-confirm",
        action="store_true",
        help="confirm by itself: paper, or a chain on this machine with the demo device",
    )
    run.add_argument(
        "--set", dest="overrides", metavar="KEY=VALUE", action="append", default=[], help="a setting, for this run"
    )


def _plain(_parser: argparse.ArgumentParser) -> None:
    """Nothing but global options."""


def _health(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ready", action="store_true", help="ready to take trades")
    parser.add_argument("--live", action="store_true", help="the trader process answers")
    what = "of a chain: believe this node, or all, to be well again and ask it anew"
    parser.add_argument("--reset", nargs="?", const="", metavar="NODE", help=what)


def _errors(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=["list", "ack"], default="list")
    parser.add_argument("id", nargs="?", metavar="ID")
    _paged(parser)


def _alerts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=["list", "test", "deliveries"], default="list")
    parser.add_argument("--channel", metavar="NAME", help="test: this one only")
    _paged(parser)


def _journal(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=["show", "verify", "seal"], default="show")
    _paged(parser)


def _proposals(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stats", action="store_true", help="what became of all, and what the missed would have made")


def _confirm(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the trade's id, or its beginning")


def _decline(parser: argparse.ArgumentParser) -> None:
    _confirm(parser)
    parser.add_argument("--reason", choices=REASONS, help="why, for the statistics")


def _stop(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--emergency", action="store_true", help="cancel entries, keep exits, refuse new trades")
    which.add_argument("--reset", action="store_true", help="lift the emergency stop; asks for a typed word")
    parser.add_argument("--flatten", action="store_true", help="with --emergency: also sell what is held")


def _buy(parser: argparse.ArgumentParser) -> None:
    _trade(parser)
    parser.add_argument("--stop", metavar="P", help="needed: where the position is sold at market")
    parser.add_argument("--target", metavar="P", help="where it is sold with a gain")
    _prices(parser)


def _sell(parser: argparse.ArgumentParser) -> None:
    _trade(parser)
    _prices(parser)


def _trade(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("symbol", metavar="SYMBOL", help="instrument, such as ETH-USDT")
    parser.add_argument("quantity", metavar="QUANTITY", help="units of the base; with --value, US dollars")
    parser.add_argument("--value", action="store_true", help="QUANTITY is a value in account currency")


def _close(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("position", nargs="?", metavar="POSITION", help="SYMBOL, or SYMBOL:MODULE")
    parser.add_argument("quantity", nargs="?", metavar="QUANTITY", help="a part of it; all of it unless told")
    parser.add_argument("--all", action="store_true", help="every open position")
    _prices(parser)


def _cover(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("position", metavar="POSITION", help="SYMBOL, or SYMBOL:MODULE")


def _cancel(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "id", metavar="ORDER", help="its id, or a trade's (of a basket: all legs), or the beginning of it"
    )


def _publish(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ORDER", help="its transaction's hash, or the beginning of it")


def _order(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ORDER", help="the transaction's hash, or its trade's id, or the beginning of it")


def _revoke(parser: argparse.ArgumentParser) -> None:
    what = "its symbol in the settings, or its address; of positions of liquidity EXCHANGE:NUMBER or EXCHANGE:all"
    parser.add_argument("token", metavar="TOKEN", help=what)
    parser.add_argument("spender", metavar="SPENDER", help="its address, or its name as allowances shows it")
    parser.add_argument("--permit2", action="store_true", help="what it may take through Permit2")


def _liquidity(parser: argparse.ArgumentParser) -> None:
    actions = ["list", "open", "collect", "withdraw"]
    parser.add_argument("action", nargs="?", choices=actions, default="list")
    parser.add_argument("name", nargs="?", metavar="NAME", help="open: SYMBOL; collect, withdraw: EXCHANGE:NUMBER")
    parser.add_argument("--fee", metavar="FEE", help="open: the pool's fee, such as 0.3%%")
    parser.add_argument("--lower", metavar="P", help="open: it earns from this price on")
    parser.add_argument("--upper", metavar="P", help="open: up to this price")
    parser.add_argument("--base", metavar="N", help="open: most of the base that goes in")
    parser.add_argument("--quote", metavar="N", help="open: most of the quote asset that goes in")


def _prices(parser: argparse.ArgumentParser) -> None:
    price = parser.add_mutually_exclusive_group()
    price.add_argument("--limit", metavar="P", help="wait for this price or a better one")
    price.add_argument("--worst", metavar="P", help="trade at once, no worse than this; else by the slippage setting")
    parser.add_argument("--for", dest="seconds", metavar="SECONDS", help="how long the order may stay open")


def _config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=["show", "set", "check"], default="show")
    parser.add_argument("key", nargs="?", metavar="KEY")
    parser.add_argument("value", nargs="?", metavar="VALUE")


def _modules(parser: argparse.ArgumentParser) -> None:
    actions = ["list", "pause", "resume", "enable", "disable", "allocate"]
    parser.add_argument("action", nargs="?", choices=actions, default="list")
    parser.add_argument("name", nargs="?", metavar="NAME")
    parser.add_argument("amount", nargs="?", metavar="AMOUNT", help="of allocate, account currency")
    parser.add_argument("--all", action="store_true", help="pause or resume every module")


def _secrets(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["set", "list", "rm", "rotate"])
    parser.add_argument("name", nargs="?", metavar="NAME")


def _signers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=["list", "address", "test"], default="list")
    parser.add_argument("--signer", choices=SIGNERS, help="which one; else the one that a session would use")
    parser.add_argument("--chain", choices=["evm", "solana"], default="evm", help="evm unless told")
    parser.add_argument("--path", metavar="P", help="derivation path; else the settings' one")
    parser.add_argument("--account", type=_count, metavar="N", help="account N, from 0, instead of a path")
    parser.add_argument("--scheme", choices=SCHEMES, help="with --account: how wallets number them (bip44)")
    showing = parser.add_mutually_exclusive_group()
    showing.add_argument(
        "--show", action="store_true", help="address: show it on the device too (unless told otherwise)"
    )
    showing.add_argument("--no-show", action="store_true", help="address: only read it")
    parser.add_argument("--register", action="store_true", help="address: remember it once you approved it there")
    parser.add_argument("--signs", action="store_true", help="list: what each can show of what it signs")


def _reconcile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--adjust", metavar="ASSET", help="post what differs of it; asks for a reason and a typed word")
    parser.add_argument("--reason", metavar="TEXT", help="with --adjust: why, for the journal; asked for unless given")


def _doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--udev", action="store_true", help="print the udev rules for hardware wallets")
    parser.add_argument("--live", action="store_true", help="what live trading lacks; exit 3 while it is refused")
    parser.add_argument("--override", metavar="CONDITION", help="with --live: your word in the place of a condition")
    parser.add_argument("--ramp", action="store_true", help="with --live: your word that doubles the pilot caps")


def _hotkey(parser: argparse.ArgumentParser) -> None:
    actions = ", ".join(_HOT_ACTIONS)
    parser.add_argument("action", nargs="?", type=_hot_action, default="list", metavar="ACTION", help=actions)
    parser.add_argument("--chain", choices=["evm", "solana"], default="evm", help="of which chain (evm)")


def _hot_action(text: str) -> str:
    # Not by `choices`, which would repeat what was typed: whoever leaves out the action has put the key here.
    if text in _HOT_ACTIONS:
        return text
    raise argparse.ArgumentTypeError(f"that is none of {', '.join(_HOT_ACTIONS)}")


def _file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE")


def _paged(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=_count, default=50, metavar="N", help="rows (50)")
    parser.add_argument("--offset", type=_count, default=0, metavar="N", help="rows to skip (0)")


def _count(text: str) -> int:
    # int() also reads "1_0" and other scripts' digits, and refuses 4301 of them with words about a limit.
    if text.isascii() and text.isdecimal() and len(text) <= 7 and int(text) <= _MOST_ROWS:
        return int(text)
    shown = text if len(text) <= 40 else f"{text[:40]}..."
    raise argparse.ArgumentTypeError(f"{shown} is no whole number from 0 to {_MOST_ROWS}")


_COMMANDS: tuple[tuple[str, str, Callable[[argparse.ArgumentParser], None]], ...] = (
    ("run", "trade: in the terminal, or with --headless without a screen", _run),
    ("status", "what the trader is doing", _plain),
    ("health", "whether everything works; exit 1 when not", _health),
    ("positions", "open positions and their exits", _plain),
    ("orders", "orders, newest first", _paged),
    ("pnl", "profit and loss, exact", _plain),
    ("risk", "every limit and how much of it is used", _plain),
    ("errors", "stored errors, newest first; ack ID marks one as seen", _errors),
    ("alerts", "stored alerts, newest first; test sends one over each channel, deliveries says what arrived", _alerts),
    ("journal", "show the journal, verify that nothing in it was changed, or seal it on the device", _journal),
    ("proposals", "trades that wait for your answer, most deserving first", _proposals),
    ("confirm", "read a waiting trade and confirm it", _confirm),
    ("decline", "decline a waiting trade, at once", _decline),
    ("buy", "propose a purchase by hand; it waits for your confirmation like any trade", _buy),
    ("sell", "propose a sale of what was bought by hand", _sell),
    ("close", "propose the sale of a position, whichever module holds it", _close),
    ("cover", "propose the standing exit of a position on a chain, to be signed and kept", _cover),
    ("cancel", "take back an order that rests; exits of an open position stay", _cancel),
    ("publish", "show a private transaction that waits to the public mempool; asks for a typed word", _publish),
    ("bump", "of a chain: the same trade with higher fees in the place of a transaction that waits", _order),
    ("allowances", "of a chain: what may be taken from the account, and by whom", _plain),
    ("revoke", "of a chain: propose to take an allowance back", _revoke),
    ("liquidity", "of a chain: positions of liquidity: list them, open, collect, withdraw", _liquidity),
    ("stop", "end the trader; --emergency stops all trading, --reset lifts that", _stop),
    ("config", "show the settings and where each comes from, set one, or check them", _config),
    ("modules", "trading modules: list them, pause or resume, switch on or off, give them capital", _modules),
    ("signers", "hardware wallets: list them, show or register an address, sign a test text", _signers),
    ("secrets", "keys in the operating system's keyring: set, list, rm, rotate", _secrets),
    ("hotkey", "keys of the hot signer, in the keyring: generate, import, register, rotate, retire", _hotkey),
    ("reconcile", "what venue and ledger say differently; --adjust posts it; exit 1 while they differ", _reconcile),
    ("backup", "copy the database, consistently, beside a running trader", _file),
    ("restore", "put a backup in place of the database; the old one is kept", _file),
    ("doctor", "check this machine: Python, disk, folders, clock, keyring, database, signers", _doctor),
)
"""In the order of the help."""
