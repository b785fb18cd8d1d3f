"""The command palette: every action by name, those that can be done now. What asks on its key asks here too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from app import wish_words
from app.tui import themes
from app.tui.ramp import ramp

if TYPE_CHECKING:
    from app.execution.desk import Desk
    from app.tui.app import Terminal


_KEPT: Final = "now, and in the settings file"


class Command(NamedTuple):
    """One action. `key` is shown beside it where it has one."""

    title: str
    text: str
    act: Callable[[], object]


def commands(app: Terminal) -> Iterator[Command]:
    """What can be done now."""
    from app.tui.app import VIEWS  # noqa: PLC0415 -- it imports this module

    do, host = app.do, app.host
    yield Command("Emergency stop  (!)", "cancel entries, send nothing new, keep exits; at once", do.emergency)
    desk = host.desk
    words = "the emergency stop, then every position at market; asks for a typed word"
    yield Command("Sell everything  (F)", words, do.sell_everything)
    if desk is not None and desk.stop.raised():
        yield Command("Lift the emergency stop", "asks for a typed word", do.lift_stop)
    if desk is not None and host.trader is not None:
        for trade in host.trader.session.pipeline.proposals.waiting()[:9]:
            name = f"{wish_words.short(trade.intent)} ({trade.intent.module})"
            yield Command(f"Read and confirm: {name}  (Enter)", trade.intent.reason, partial(do.read, trade.id))
            yield Command(f"Decline: {name}  (x)", "nothing is sent", partial(do.refuse, trade.id))
    if desk is not None:
        yield from _trading(app, desk)
    for name, number in VIEWS.items():
        yield Command(f"Screen: {name.capitalize()}  ({number})", "show it", partial(do.show, name))
    yield Command("Verify the journal  (v)", "on its screen; leaving that cancels it", do.verify_journal)
    yield Command("Screen: demo device  (9)", "what it shows, approve or refuse", do.device_dialog)
    yield Command("Jump to a pane  (Ctrl+O)", "letters on the panes", do.jump)
    for name in themes.NAMES:
        if name != app.theme:
            yield Command(f"Theme: {name}", _KEPT, partial(do.choose_look, "terminal.theme", name))
    plain = app.has_class("-ascii")
    name, wanted = ("Unicode characters", "false") if plain else ("Plain ASCII characters", "true")
    yield Command(name, _KEPT, partial(do.choose_look, "terminal.ascii", wanted))
    yield Command("Help  (?)", "keys of this screen", do.help)
    exits = host.request.exits.rstrip(".")
    exits = f"{exits[:1].lower()}{exits[1:]}"
    if host.over:
        yield Command("Start the engine again  (R)", "after it stopped", host.start)
    yield Command("Quit  (q)", f"{exits}; all is where it was when you come back", do.leave)


def _private(app: Terminal) -> Iterator[Command]:
    """Private transactions that wait."""
    from app.chain_commands import publication  # noqa: PLC0415 -- the engine behind it, after the first frame
    from app.tui.screens import publish  # noqa: PLC0415 -- as above

    trader = app.host.trader
    made = None if trader is None else publication(trader.session)
    for trade, order in [] if made is None else made.waiting()[:9]:
        client_id, words = order.request.client_id, f"{order.role.value} of {trade.intent.symbol}"
        text = "others can see it then before it is mined; asks for a typed word"
        yield Command(f"Publish: {words} ({client_id[:10]})", text, partial(publish.ask, app, client_id, words))


def _trading(app: Terminal, desk: Desk) -> Iterator[Command]:
    """By hand, and the modules."""
    do, host = app.do, app.host
    yield Command("Buy by hand  (b)", "a ticket; it is read and confirmed like every trade", partial(do.ticket, "buy"))
    yield Command("Sell by hand  (s)", "what your own hand holds", partial(do.ticket, "sell"))
    for holding in desk.state.positions.open_holdings()[:9]:
        yield Command(
            f"Close {holding.symbol} ({holding.module})  (C)",
            "propose it",
            partial(do.close, holding.symbol, holding.module),
        )
        if app.host.request.chain is not None:
            name = f"Cover {holding.symbol} ({holding.module})  (V)"
            yield Command(name, "propose its standing exit", partial(do.cover, holding.symbol, holding.module))
    if host.launch is not None and host.launch.plan.chain is not None:
        yield from _acts(app, desk)
        words = "their breakers are closed, and each is asked for its chain anew"
        yield Command("Believe all nodes to be well again", words, partial(do.command, "nodes_reset"))
        yield from _private(app)
    yield Command("Compare venue and ledger  (d on 7)", "what differs can be adjusted; asks for a word", do.reconcile)
    if desk.rules.notes:
        words = "your typed word, a week after the first live trade or the last word at the earliest"
        yield Command("Double the pilot caps", words, partial(ramp, app))
    yield Command("What became of the proposals  (w)", "counted; what the missed would have made", do.became)
    yield Command("Pause all modules  (P)", "no new entries; exits stay managed", do.pause_all)
    yield Command("Resume all modules", "those that are paused", partial(do.command, "module_resume", all=True))
    for seen in host.trader.manager.views() if host.trader is not None else ():
        if seen.state == "running":
            act = partial(do.command, "module_pause", name=seen.name)
            yield Command(f"Pause {seen.name}  (space)", "no new entries; exits stay managed", act)
        elif seen.paused or seen.state == "failed":
            act = partial(do.command, "module_resume", name=seen.name)
            yield Command(f"Resume {seen.name}  (space)", seen.reason, act)


def _acts(app: Terminal, desk: Desk) -> Iterator[Command]:
    """On a chain: what waits to be taken into a block, liquidity, allowances."""
    from app.tui.screens.liquidity import provide  # noqa: PLC0415 -- when it is wanted
    from app.venues.base import OrderKind, OrderState  # noqa: PLC0415 -- the engine behind it

    do, waits = app.do, {OrderState.OPEN, OrderState.UNKNOWN}
    for trade in desk.state.in_flight():
        for order in trade.orders.values():
            if order.request.kind is OrderKind.TRANSACTION and order.state in waits:
                name, where = order.request.client_id, wish_words.short(trade.intent)
                text = "propose nothing in its place"
                yield Command(f"Cancel {name[:10]}: {where}  (c)", text, partial(do.take_back, name))
                text = "propose the same with higher fees"
                yield Command(f"Bump {name[:10]}: {where}  (b)", text, partial(do.propose, "bump", id=name))
    text = "a dialog; it is read and confirmed like every trade"
    yield Command("Open a position of liquidity  (o)", text, partial(provide, app))
    for stake in list(desk.state.stakes.open.values())[:9]:
        for verb, op, key in (("Collect fees of", "collect", "f"), ("Withdraw", "withdraw", "w")):
            act = partial(do.propose, f"liquidity_{op}", position=stake.position)
            yield Command(f"{verb} {stake.position} ({stake.module})  ({key})", "propose it", act)
    text = "on the Wallets screen; r proposes to take one back"
    yield Command("Allowances: what may be taken, and by whom", text, partial(_allowances, app))


def _allowances(app: Terminal) -> None:
    app.do.show("wallets")

    def there() -> None:
        if app.view is not None and app.current == "wallets" and app.view.is_mounted:
            app.view.show_pane("allowances")

    app.call_after_refresh(there)
