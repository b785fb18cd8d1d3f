"""Opening a position of liquidity by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.widgets import Input

from app.tui.screens.form import FormDialog
from app.tui.widgets.lines import Line, wrapped
from app.tui.widgets.pick import Pick

if TYPE_CHECKING:
    from app.engine.provision import Provision
    from app.engine.ticket import Problem
    from app.venues.evm.chain import Chain

_FIELDS: Final = (
    ("symbol", "instrument", "such as ETH-USDC"),
    ("fee", "pool's fee", ""),
    ("lower", "lower price", "earns from here on"),
    ("upper", "upper price", "up to here"),
    ("base", "base, at most", "such as 0.5"),
    ("quote", "quote, at most", "such as 1000"),
)


class ProvideDialog(FormDialog):
    """One position."""

    topic = "provide"
    SCOPED_CSS = False
    DEFAULT_CSS = """
    ProvideDialog #fields { width: 37; }
    ProvideDialog Label { width: 15; }
    ProvideDialog Judged { height: 14; }
    """
    labels: ClassVar[Mapping[str, str]] = {name: label for name, label, _ in _FIELDS}

    def fields(self) -> Sequence[tuple[str, Input | Pick]]:
        """A pool's fee is chosen among those of the chain's exchanges."""
        return [(label, self._field(name, hint)) for name, label, hint in _FIELDS]

    def heading(self) -> tuple[str, str]:
        """The range is what is missing most."""
        return "Open a position of liquidity", "lower"

    def _field(self, name: str, hint: str) -> Input | Pick:
        tiers = self._tiers() if name == "fee" else ()
        if tiers:
            return Pick(tiers, "0.3%", id=f"field-{name}")
        desk = self.host.desk
        first = next(iter(desk.instruments), "") if name == "symbol" and desk is not None else ""
        return Input(value=first, placeholder=hint, id=f"field-{name}", max_length=40)

    def _tiers(self) -> tuple[str, ...]:
        from app.act_commands import tiers  # noqa: PLC0415 -- the engine behind it, after the first frame
        from app.engine.provision import percents  # noqa: PLC0415 -- as above

        chain = self._chain
        found = percents(tiers(chain)) if chain is not None else ""
        return tuple(found.split(", ")) if found else ()

    @property
    def _chain(self) -> Chain | None:
        """The chain that the session trades on, once it does."""
        from app.venues.evm.venue import EvmVenue  # noqa: PLC0415 -- loaded with the session on a chain

        trader = self.host.trader
        venue = None if trader is None or self.host.desk is None else trader.session.venue
        return venue.chain if isinstance(venue, EvmVenue) else None

    def typed(self) -> dict[str, str]:
        """Fields as typed."""
        return {name: self.value(name) for name, _, _ in _FIELDS}

    def judge(self) -> tuple[Sequence[Problem], Any] | None:
        """The fields judged now."""
        from app.act_commands import decimals, tiers  # noqa: PLC0415 -- the engine behind it, after the first frame
        from app.engine.provision import read  # noqa: PLC0415 -- as above

        chain, desk = self._chain, self.host.desk
        if chain is None or desk is None:
            return None
        seen = read(self.typed(), desk.instruments, tiers(chain), decimals(chain))
        return (seen, None) if isinstance(seen, tuple) else ((), seen)

    def verdict(self, told: Provision | None, width: int) -> list[Line]:
        """Whether it would earn at once, and of what it takes."""
        return [] if told is None else self._would(told, width)

    def _would(self, seen: Provision, width: int) -> list[Line]:
        desk, act = self.host.desk, seen.act
        quote = None if desk is None else desk.market.quote(seen.symbol)
        if quote is None:
            return wrapped("The market has not spoken yet.", width, "warn")
        if act.lower <= quote.bid and quote.ask <= act.upper:
            lines = wrapped(
                "The range holds the price of now: it earns at once, and takes of both assets.", width, "ok"
            )
        else:
            one = "the base" if quote.ask < act.lower else "the quote asset"
            what = f"The price of now is outside of the range: it earns nothing yet, and takes of {one} alone."
            lines = wrapped(what, width, "warn")
        more = "What it takes to the unit is in the text that you confirm: never more than you type here."
        return [*lines, *wrapped(more, width, "label")]

    async def propose(self) -> str | None:
        """As the command line does."""
        answer = await self.app.do.ask("liquidity_open", position=self.typed())
        return None if answer is None or answer["id"] is None else str(answer["id"])
