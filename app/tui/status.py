"""What the status line says, from the most to the least important."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.text import counted, escape_untrusted
from app.tui.glyphs import Glyphs
from app.tui.host import Host, Stage
from app.tui.widgets.lines import Piece

if TYPE_CHECKING:
    from app.snapshots.chain import ChainView

Group = tuple[Piece, ...]
_MODES: Final = {"paper": "mode", "testnet": "testnet"}
"""How loud a profile is; anything else is real money."""


def pieces(host: Host, glyphs: Glyphs) -> list[Group]:
    """Mode and market first; then, once the engine runs, time, money, and what waits."""
    mode = profile(host)
    groups: list[Group] = [((f" {mode.upper()} ", _MODES.get(mode, "alarm")), (f" {market(host)}", "label"))]
    if host.stage is not Stage.RUNNING:
        going_on = "" if host.first_run and not host.started else glyphs.ellipsis
        words = "" if host.over else f"{host.starting()}{going_on}"
        return [*groups, ((words, "warn"),)] if words else groups
    return groups + _running(host, glyphs)


def profile(host: Host) -> str:
    """Where orders go: as the settings say, before they are read as it was asked for."""
    return host.request.mode if host.launch is None else host.launch.loaded.settings.profile


def market(host: Host) -> str:
    """Where prices come from."""
    if host.request.chain is not None:
        return escape_untrusted(host.request.chain)
    return "replay" if host.request.replay is not None else "PRACTICE"


def _running(host: Host, glyphs: Glyphs) -> list[Group]:
    from app.snapshots.account import account, positions  # noqa: PLC0415 -- the engine behind it, after the first frame
    from app.snapshots.chain import chain  # noqa: PLC0415 -- as above
    from app.tui import words  # noqa: PLC0415 -- as above

    trader, desk = host.trader, host.desk
    if trader is None or desk is None:
        return []
    waiting = host.waiting
    seen, on_chain = account(desk), chain(trader.session)
    speed = host.launch.speed if host.launch is not None else None
    pace = "max" if speed is None else f"{host.slower(speed).normalize():f}x"
    pace = pace if on_chain is None else "UTC"
    groups: list[Group] = [
        ((f"{waiting} waiting", "key" if waiting else "dim"),),
        (("equity ", "dim"), (words.money(seen.equity), "")),
        (("today ", "dim"), words.signed(seen.day_profit, glyphs)),
        ((words.clock(desk.clock.now_ms()), "label"), (f" {pace}", "dim")),
        (("held ", "dim"), (f"{words.money(seen.exposure)}/{words.money(seen.exposure_limit, 0)}", "")),
        (("open ", "dim"), (str(seen.open_positions), "")),
    ]
    if on_chain is not None:
        groups[1:1] = _block(on_chain)
    groups.insert(0 if host.device_trade is not None else len(groups), (_device(host),))
    left = host.progress()
    if left is not None:
        done, left_s = left
        time_left = "" if left_s is None else f", {words.span(left_s * 1000)} left"
        groups.insert(1, ((f"{done} %{time_left}", "key"),))
    warming = sum(1 for slot in trader.manager.slots.values() if slot.state == "enabled")
    if warming:
        groups.insert(0, ((f"{counted(warming, 'module')} warming up{glyphs.ellipsis}", "warn"),))
    unknown = desk.state.unknown_orders()
    if unknown:
        groups.insert(0, ((f"{unknown} UNKNOWN", "error"),))
    bare = sum(1 for each in positions(desk) if each.stands and not each.covered)
    if bare:
        groups.insert(0, ((f"{bare} UNCOVERED", "error"),))
    if desk.rules.words:
        groups.insert(0, ((desk.rules.words, "warn"),))
    if desk.terms.signer == "keyring":
        groups.insert(0, ((" HOT KEY ", "error"),))  # before everything else: on 80 columns the last ones have no room
    return groups


def _block(seen: ChainView) -> list[Group]:
    """The newest block and its age; before it what may not be done."""
    from app.tui import words  # noqa: PLC0415 -- the engine behind it, after the first frame

    old = seen.age_ms is None or seen.age_ms >= seen.stale_ms
    number = "none yet" if seen.block is None else f"{seen.block:,}"
    block = (("block ", "dim"), (number, ""), (f" {words.age(seen.age_ms)}", "warn" if old else "dim"))
    limited: list[Group] = [] if seen.mode == "normal" else [((seen.mode.upper(), "error"),)]
    return [*limited, block]


def _device(host: Host) -> Piece:
    from signers.base import DeviceInfo, SignerKind  # noqa: PLC0415 -- the engine behind it, after the first frame
    from signers.faults import SignerFault  # noqa: PLC0415 -- as above

    assert host.desk is not None
    kind, last = host.desk.signer.signer.kind, host.desk.signer.last
    if host.device_trade is not None:
        waits = host.device in {None, "WAIT_BUTTON"}
        state = "waits for you" if waits else str(host.device).lower().replace("_", " ")
        return f"{kind} device: {state}" if kind is SignerKind.DEMO else f"{kind}: {state}", "warn"
    if kind is SignerKind.DEMO:
        return "demo device (no hardware wallet)", "dim"
    if kind is SignerKind.KEYRING:
        return "no device signs", "error"
    if isinstance(last, DeviceInfo):
        return escape_untrusted(last.title), "dim"
    return (
        f"{kind}: {last.state.lower().replace('_', ' ') if isinstance(last, SignerFault) else 'not asked yet'}",
        "warn",
    )
