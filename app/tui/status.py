"""What the status line says, from the most to the least important."""

from __future__ import annotations

from app.text import counted, escape_untrusted
from app.tui.glyphs import Glyphs
from app.tui.host import Host, Stage
from app.tui.widgets.lines import Piece

Group = tuple[Piece, ...]


def pieces(host: Host, glyphs: Glyphs) -> list[Group]:
    """Mode and market first; then, once the engine runs, time, money, and what waits."""
    groups: list[Group] = [((" PAPER ", "mode"), (f" {market(host)}", "label"))]
    if host.stage is not Stage.RUNNING:
        going_on = "" if host.first_run and not host.started else glyphs.ellipsis
        words = "" if host.over else f"{host.starting()}{going_on}"
        return [*groups, ((words, "warn"),)] if words else groups
    return groups + _running(host, glyphs)


def market(host: Host) -> str:
    """Where prices come from."""
    return "replay" if host.request.replay is not None else "PRACTICE"


def _running(host: Host, glyphs: Glyphs) -> list[Group]:
    from app.snapshots.account import account  # noqa: PLC0415 -- the engine behind it, after the first frame
    from app.tui import words  # noqa: PLC0415 -- as above

    trader, desk = host.trader, host.desk
    if trader is None or desk is None:
        return []
    waiting = host.waiting
    seen = account(desk)
    speed = host.launch.speed if host.launch is not None else None
    pace = "max" if speed is None else f"{host.slower(speed).normalize():f}x"
    groups: list[Group] = [
        ((f"{waiting} waiting", "key" if waiting else "dim"),),
        (("equity ", "dim"), (words.money(seen.equity), "")),
        (("today ", "dim"), words.signed(seen.day_profit, glyphs)),
        ((words.clock(desk.clock.now_ms()), "label"), (f" {pace}", "dim")),
        (("held ", "dim"), (f"{words.money(seen.exposure)}/{words.money(seen.exposure_limit, 0)}", "")),
        (("open ", "dim"), (str(seen.open_positions), "")),
    ]
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
    if desk.terms.signer == "keyring":
        groups.insert(0, ((" HOT KEY ", "error"),))  # before everything else: on 80 columns the last ones have no room
    return groups


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
