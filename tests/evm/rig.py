"""A session that trades on a local chain: the real pipeline, nodes layer and settlement, anvil as the judge."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from operator import eq
from pathlib import Path
from typing import Any, Final

from app.config.load import load as load_config
from app.engine.clock import WallClock
from app.errors import VenueUnknown
from app.execution.records import Trade
from app.execution.standing import StandingExits
from app.execution.verify import verify
from app.ids import intent_id
from app.market.events import News
from app.market.live import LiveSource
from app.session import Session
from app.session_plan import ChainPlan, SessionPlan
from app.venues.evm.chain import Approvals
from app.venues.evm.nodes.settings import NodesSettings
from app.venues.evm.private.way import PrivateWay
from app.venues.evm.venue import EvmVenue
from signers.demo import DemoSigner
from signers.paths import of_scheme
from signers.payloads import Chain as Family
from storage.journal import read_mirror
from strategies.model import Exits, Instrument, Intent, Side
from tests.evm.chain import LocalChain, endpoint
from tests.execution.harness import WIDE
from tests.execution.memory import assert_memory_is_disk
from tests.unit.signers.told import Told

PATIENCE_S: Final = 30
_TICK, _LOT = Decimal("0.000001"), Decimal("0.000001")
INSTRUMENTS: Final = (
    Instrument("ETH-USDC", "ETH", "USDC", _TICK, _LOT),
    Instrument("WBTC-USDC", "WBTC", "USDC", _TICK, _LOT),
    Instrument("PUP-WETH", "PUP", "WETH", Decimal("0.000000000001"), _LOT),
)


class ChainRig:
    """One open session on one chain. Use `chain_rig`."""

    def __init__(self, session: Session, chain: LocalChain, source: LiveSource) -> None:
        self.session, self.chain, self.source = session, chain, source
        self.standing = False
        """Whether positions are kept covered by standing exits."""
        self.worse: list[Trade] = []
        self._numbers = itertools.count(1)
        self._wall = WallClock()
        self.changed = asyncio.Event()

    @property
    def desk(self) -> Any:
        return self.session.desk

    @property
    def venue(self) -> EvmVenue:
        venue = self.session.venue
        assert isinstance(venue, EvmVenue)
        return venue

    @property
    def keeper(self) -> StandingExits:
        """Of standing exits."""
        assert self.session.standing is not None
        return self.session.standing

    @property
    def head(self) -> int:
        """The newest block that was heard of."""
        tip = self.venue.heads().tip
        return 0 if tip is None else tip.number

    @property
    def me(self) -> bytes:
        return self.venue.account

    # -- the market -------------------------------------------------------------------------------------------------

    def pump(self) -> None:
        """What the trader does with what came from the chain."""
        clock = self.session.clock
        clock.advance(max(self._wall.now_ms(), clock.now_ms()))
        while (event := self.source.take()) is not None:
            if isinstance(event, News):
                continue  # no module listens here
            self.desk.market.apply(event, self.session.synthetic)
            if self.standing:
                self.keeper.saw(event)

    async def until(self, holds: Callable[[], bool], what: str | Callable[[], str] = "") -> None:
        """Until `holds`, while the chain is followed."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    self.pump()
                    if holds():
                        return
                    self.changed.clear()
                    try:
                        async with asyncio.timeout(0.05):
                            await self.changed.wait()
                    except TimeoutError:
                        pass
        except TimeoutError:
            raise AssertionError(f"waited {PATIENCE_S} s: {what() if callable(what) else what}") from None

    async def quoted(self, symbol: str = "ETH-USDC") -> None:
        await self.until(lambda: self.desk.market.quote(symbol) is not None, f"a quote of {symbol}")

    # -- trades -----------------------------------------------------------------------------------------------------

    def intent(
        self, side: Side = Side.BUY, quantity: str = "0.1", *, symbol: str = "ETH-USDC", worst: str | None = None
    ) -> Intent:
        quote, now = self.desk.market.quote(symbol), self.session.clock.now_ms()
        touch = quote.ask * Decimal("1.009") if side is Side.BUY else quote.bid * Decimal("0.991")
        price = Decimal(worst) if worst else touch.quantize(self.desk.instruments[symbol].tick)
        return Intent(
            id=intent_id(self.session.run, "m", next(self._numbers)),
            module="m",
            symbol=symbol,
            side=side,
            quantity=Decimal(quantity),
            worst_price=price,
            max_fee=Decimal(0),
            exits=Exits(price / 2) if side is Side.BUY else None,
            reason="test",
            created_ms=now,
            expires_ms=now + 600_000,
            config_version=1,
            reduce_only=side is Side.SELL,
            max_gas=self.desk.max_gas(),
        )

    async def propose(self, *args: Any, **terms: Any) -> Trade:
        await self.quoted("ETH-USDC")  # values the gas
        await self.quoted(terms.get("symbol", "ETH-USDC"))
        trade = self.session.pipeline.propose(self.intent(*args, **terms))
        assert trade is not None, self.desk.counters.by_rule
        return trade

    async def reached(self, trade: Trade, *states: str) -> None:
        await self.until(
            lambda: self.state(trade) in states, lambda: f"{states}, it is {trade.state}: {self.told(trade)}"
        )

    def told(self, trade: Trade) -> list[Any]:
        """What helps to understand why a trade is where it is."""
        errors = [row["what"] for row in self.rows("SELECT what FROM errors")]
        return [
            [r["text"] for r in self.rows("SELECT text FROM alerts")],
            trade.reason,
            self.orders(trade),
            errors,
            self.desk.halted,
            self.session.pipeline.work.of(trade.id),
        ]

    def state(self, trade: Trade) -> str:
        """As it is on disk."""
        rows = self.rows("SELECT state FROM trades WHERE id = ?", trade.id)
        return str(rows[0]["state"]) if rows else ""

    def orders(self, trade: Trade) -> list[tuple[str, str]]:
        rows = self.rows("SELECT role, state FROM orders WHERE trade_id = ? ORDER BY rowid", trade.id)
        return [(row["role"], row["state"]) for row in rows]

    def rows(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        return self.session.reader.rows(sql, parameters)

    # -- what must hold ---------------------------------------------------------------------------------------------

    def on_chain(self, symbol: str) -> Decimal:
        token = self.chain.token(symbol)
        return token.amount(self.chain.balance(self.me) if token.native else self.chain.held(token.address, self.me))

    def booked(self, symbol: str) -> Decimal:
        found: Decimal = self.desk.state.purse.balance(symbol)
        return found

    async def assert_agrees(self) -> None:
        """The ledger is the chain, to the last unit; nothing is held for trades that ended; everything verifies."""
        symbols = ["ETH", *(token.symbol for token in self.chain.chain.tokens)]

        def both() -> tuple[dict[str, Decimal], dict[str, Decimal]]:
            return {s: self.booked(s) for s in symbols}, {s: self.on_chain(s) for s in symbols}

        # A module may be trading at this very moment: its block is there before it is heard of.
        await self.until(lambda: eq(*both()), lambda: f"ledger and chain: {both()}")
        assert_memory_is_disk(self.session)
        in_flight = {trade.id for trade in self.desk.state.in_flight()}
        assert {hold.partition(":")[0] for hold in self.desk.state.purse.holds} <= in_flight
        findings = list(verify(self.session.reader, read_mirror(self.session.plan.db)))
        assert findings == [], findings

    def sent(self) -> int:
        """Transactions of the account that the chain has taken."""
        return self.chain.nonce(self.me)


def plan_of(
    folder: Path,
    chain: LocalChain,
    *,
    urls: tuple[tuple[str, str], ...] = (),
    auto_confirm: bool = True,
    confirmations: int = 1,
    private: PrivateWay | None = None,
    approvals: Approvals = Approvals.ROUTER,
    settings: Mapping[str, str] | None = None,
    timeout_ms: int = 5_000,
) -> SessionPlan:
    nodes = tuple(endpoint(url, ws, timeout_ms=timeout_ms) for url, ws in urls or ((chain.url, chain.ws_url),))
    described = replace(chain.chain, confirmations=confirmations, private=private, approvals=approvals)
    made = NodesSettings(described.chain_id, nodes, described.block_ms, confirmations, stale_blocks=100_000)
    return session_plan(
        folder,
        lambda source: ChainPlan(described.name, source, chain=described, nodes=made),
        auto_confirm=auto_confirm,
        settings=settings,
    )


def session_plan(
    folder: Path,
    chain: Callable[[LiveSource], ChainPlan],
    *,
    auto_confirm: bool = True,
    settings: Mapping[str, str] | None = None,
) -> SessionPlan:
    """A session on what `chain` makes of the market that it feeds."""
    config = folder / "config.toml"
    config.touch()
    source = LiveSource("chain:test", INSTRUMENTS, 60_000)
    return SessionPlan(
        db=folder / "a.db",
        loaded=load_config(config, {}, {**WIDE, "profile": "testnet", **(settings or {})}),
        source_id=source.source_id,
        instruments=source.instruments,
        start_ms=WallClock().now_ms(),
        auto_confirm=auto_confirm,
        lockstep=False,
        chain=chain(source),
    )


@asynccontextmanager
async def chain_rig(
    folder: Path, chain: LocalChain, *, standing: bool = False, **options: Any
) -> AsyncIterator[ChainRig]:
    """An open session; the same folder opened again is a restart. The account is funded before the first."""
    plan = plan_of(folder, chain, **options)
    worse: list[Trade] = []
    made: list[ChainRig] = []

    def progressed(_trade: Trade) -> None:
        if made:
            made[0].changed.set()

    session = Session(plan, progressed, worse.append)
    if not plan.db.exists():
        chain.fund(demo_address())
    await session.open()
    assert plan.chain is not None
    rig = ChainRig(session, chain, plan.chain.source)
    rig.worse, rig.standing = worse, standing
    made.append(rig)
    try:
        yield rig
        assert not session.desk.halted.startswith("a fault in the pipeline"), session.desk.halted
    finally:
        await session.close("test ended")


def demo_address() -> bytes:
    """The demo device's usual account."""
    return bytes.fromhex(DemoSigner().address(Family.EVM, of_scheme("evm", "bip44", 0), Told())[2:])


def losing_answers(rig: ChainRig, *, sent: bool) -> list[bytes]:
    """The network loses the answer to the first sending of each transaction, or (not `sent`) the transaction; which
    those were."""
    send, lost = rig.venue.nodes.send_raw, []

    async def losing(raw: bytes) -> None:
        if raw in lost:
            return await send(raw)
        lost.append(raw)
        if sent:
            await send(raw)
        raise VenueUnknown("test.lost", "No answer.")

    rig.venue.nodes.send_raw = losing  # type: ignore[method-assign]  # the network between us and the nodes
    return lost
