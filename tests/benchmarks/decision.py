"""How long a decision takes, in memory: market event -> signal -> sized intent -> Allow | Deny by every rule.

    python tests/benchmarks/decision.py [FILE ...]

Prints one JSON object. Two deciders run over the same recorded bars, each with its percentiles over all ticks and over
the ticks that made an intent (nearest rank, microseconds; each tick is timed on its own, which adds ~0.1 us):

- `quote`: a decoded quote and a two-average breakout on its mid, the least a decision can be.
- `bar`: the product's momentum module on a finished bar, all its indicators included.

Strategy, sizing, rounding, ids, fee bound, intent and gate are the product's. What the engine reads from its ledger
(`RiskState`, the rooms left) is made up here from constants, so the cost of looking it up is not in these figures; the
intent is put together as `app.engine.intents` does it. The module is always flat, so that one file yields more intents,
and every second intent is denied by the last rule, so both answers are timed. The files are run three times over.
"""

from __future__ import annotations

import csv
import gc
import gzip
import json
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from app.execution.preview import fee_bound  # noqa: E402
from app.ids import intent_id  # noqa: E402
from app.money import CEILING, DOWN, FLOOR, ZERO, add, apply_bps, from_float, quantise, round_to_step, sub  # noqa: E402
from app.risk.gate import check  # noqa: E402
from app.risk.model import Allow, Correlated, Limits, RiskState, Sizing  # noqa: E402
from app.risk.sizing import ModuleRecord, quantity  # noqa: E402
from strategies.indicators import Ema, RollingMax  # noqa: E402
from strategies.model import Bar, Direction, Exits, Instrument, Intent, Quote, Side, Signal  # noqa: E402
from strategies.momentum import Momentum, MomentumParams  # noqa: E402

FILES: Final = tuple(
    f"market/candles/1m/bittrex_{name}.csv.gz" for name in ("ETH-BTC_1m_20180120", "ETC-BTC_1m_20171104")
)
GOALS: Final = {"all_p50_us": 3.0, "intents_p50_us": 15.0, "intents_p99_us": 50.0}
INSTRUMENT: Final = Instrument("ETH-BTC", "ETH", "BTC", Decimal("0.00000001"), Decimal("0.00000001"))
RATE: Final = Decimal(11_500)
LIMITS: Final = Limits()
SIZING: Final = Sizing()
RECORD: Final = ModuleRecord()
EQUITY: Final = Decimal(10_000)
HUNDRED: Final = Decimal(100)
EXPOSURE: Final = Decimal(20)
OTHERS: Final = (
    Correlated("BTC-USDT", Decimal(10), Decimal("0.91")),
    Correlated("SOL-USDT", Decimal(10), Decimal("0.42")),
)
VOLATILITY: Final = Decimal("135.8600")
ROOM: Final = sub(LIMITS.exposure, EXPOSURE)
SLIPPAGE: Final = Decimal(20)
FEE: Final = Decimal(10)
RUN_ID: Final = "00" * 16

Decide = Callable[[int], bool | None]
"""Handles tick n: None without an intent, else whether it was allowed."""


def read_bars(path: Path) -> list[Bar]:
    """The bars of one recorded 1m file, under one symbol."""
    with gzip.open(path, "rt", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        return [Bar(INSTRUMENT.symbol, int(row[0]), 60_000, *(Decimal(text) for text in row[1:6])) for row in rows]


def quote_of(bar: Bar) -> Quote:
    """A synthetic touch 4 bps wide at the close."""
    half = quantise(apply_bps(bar.close, Decimal(2)), 8, DOWN)
    return Quote(bar.symbol, bar.close_ms, sub(bar.close, half), add(bar.close, half), bar.volume, bar.volume, True)


def situation(quote: Quote, sequence: int) -> RiskState:
    """What the gate is told; every second one is past its cool-down, every second one is not (the last rule)."""
    return RiskState(
        now_ms=quote.ts_ms,
        instrument=INSTRUMENT,
        quote=quote,
        bar_ms=60_000,
        rate=RATE,
        position_value=ZERO,
        exposure=EXPOSURE,
        open_positions=2,
        holds=False,
        equity=EQUITY,
        equity_peak=EQUITY,
        day_start_equity=EQUITY,
        trades_today=3,
        losses_in_row=1,
        last_trade_ms=quote.ts_ms - (7_200_000 if sequence % 2 else 60_000),
        stale_marks=(),
        unknown_orders=0,
        halted="",
        asset_value=ZERO,
        venue="paper",
        venue_value=EXPOSURE,
        others=OTHERS,
        volatility_pct=VOLATILITY,
        errors=0,
    )


def propose(signal: Signal, quote: Quote, sequence: int) -> Intent | None:
    """A sized intent, as the engine makes it from a LONG signal."""
    assert signal.stop is not None
    assert signal.target is not None
    worst = round_to_step(add(quote.ask, apply_bps(quote.ask, SLIPPAGE)), INSTRUMENT.tick, DOWN)
    size = quantity(
        SIZING,
        price=worst,
        rate=RATE,
        instrument=INSTRUMENT,
        equity=EQUITY,
        allocation_left=HUNDRED,
        position_room=LIMITS.position,
        exposure_room=ROOM,
        volatility=None,
        record=RECORD,
    )
    if not size:
        return None
    return Intent(
        id=intent_id(RUN_ID, "momentum", sequence),
        module="momentum",
        symbol=signal.symbol,
        side=Side.BUY,
        quantity=size,
        worst_price=worst,
        max_fee=fee_bound(size, worst, FEE),
        exits=Exits(
            round_to_step(from_float(signal.stop), INSTRUMENT.tick, FLOOR),
            round_to_step(from_float(signal.target), INSTRUMENT.tick, CEILING),
        ),
        reason=signal.reason,
        created_ms=quote.ts_ms,
        expires_ms=quote.ts_ms + 60_000,
        config_version=1,
        strength=signal.strength,
        confidence=signal.confidence,
    )


@dataclass(slots=True)
class Answers:
    """Numbers the intents and keeps the nanoseconds of each stage behind a signal."""

    made: int = 0
    stages: dict[str, list[int]] = field(default_factory=lambda: {"intent": [], "situation": [], "gate": []})

    def judge(self, signal: Signal, quote: Quote) -> bool | None:
        """Intent and verdict of one signal."""
        clock, stages = time.perf_counter_ns, self.stages
        start = clock()
        intent = propose(signal, quote, self.made)
        if intent is None:
            return None
        self.made += 1
        built = clock()
        state = situation(quote, self.made)
        described = clock()
        verdict = check(intent, state, LIMITS)
        stages["gate"].append(clock() - described)
        stages["situation"].append(described - built)
        stages["intent"].append(built - start)
        return type(verdict) is Allow


def on_bars(bars: Sequence[Bar], quotes: Sequence[Quote], answers: Answers) -> Decide:
    """The momentum module on bar n."""
    module = Momentum(MomentumParams())

    def decide(n: int) -> bool | None:
        signal = module.on_bar(bars[n], None)
        return None if signal is None else answers.judge(signal, quotes[n])

    return decide


def on_quotes(quotes: Sequence[Quote], answers: Answers) -> Decide:
    """Two averages and a channel on the mid of quote n."""
    fast, slow, channel = Ema(10), Ema(60), RollingMax(60)
    symbol = INSTRUMENT.symbol

    def decide(n: int) -> bool | None:
        quote = quotes[n]
        mid = (float(quote.bid) + float(quote.ask)) * 0.5
        level = channel.value
        channel.update(mid)
        if fast.update(mid) <= slow.update(mid) or mid <= level or n < 60:
            return None
        reason = f"mid {mid:.8g} above {level:.8g}"
        signal = Signal(symbol, Direction.LONG, 1.0, 1.0, reason, mid * 0.99, mid * 1.02)
        return answers.judge(signal, quote)

    return decide


def measure(decide: Decide, ticks: int, into: list[tuple[int, bool | None]]) -> None:
    """Time each tick of one run on its own."""
    clock = time.perf_counter_ns
    for n in range(ticks):
        start = clock()
        answer = decide(n)
        into.append((clock() - start, answer))


def percentile(sorted_ns: Sequence[int], share: float) -> float:
    """Nearest rank, in microseconds."""
    return round(sorted_ns[max(0, math.ceil(share * len(sorted_ns)) - 1)] / 1000, 2)


def summary(samples: Sequence[tuple[int, bool | None]], stages: dict[str, list[int]]) -> dict[str, object]:
    """Counts and percentiles of one decider, with the goals it meets."""
    every = sorted(ns for ns, _ in samples)
    made = sorted(ns for ns, answer in samples if answer is not None)
    figures = {
        "all_p50_us": percentile(every, 0.5),
        "all_p99_us": percentile(every, 0.99),
        "intents_p50_us": percentile(made, 0.5),
        "intents_p99_us": percentile(made, 0.99),
    }
    return {
        "ticks": len(every),
        "allowed": sum(answer is True for _, answer in samples),
        "denied": sum(answer is False for _, answer in samples),
        **figures,
        "stages_p50_us": {stage: percentile(sorted(ns), 0.5) for stage, ns in stages.items()},
        "met": {goal: figures[goal] <= limit for goal, limit in GOALS.items()},
    }


def main(arguments: Sequence[str]) -> int:
    """Measure the files named, or the two recorded ten-day files beside the project."""
    data = Path(os.environ.get("COUNTERSIGN_SHARED", ROOT.parent / "shared")) / "data"
    paths = [Path(name) for name in arguments] or [data / name for name in FILES]
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        print(json.dumps({"benchmark": "decision", "skipped": f"absent: {', '.join(missing)}"}))
        return 0
    results: dict[str, list[tuple[int, bool | None]]] = {"quote": [], "bar": []}
    answers = {"quote": Answers(), "bar": Answers()}
    for path in paths:
        bars = read_bars(path)
        quotes = [quote_of(bar) for bar in bars]
        gc.collect()
        gc.freeze()  # the bars and quotes are the market's memory, not the decision's
        for _ in range(3):
            measure(on_quotes(quotes, answers["quote"]), len(quotes), results["quote"])
            measure(on_bars(bars, quotes, answers["bar"]), len(bars), results["bar"])
    document: dict[str, object] = {
        "benchmark": "decision",
        "python": platform.python_version(),
        "files": [path.name for path in paths],
        "goals_us": GOALS,
    }
    document.update({name: summary(samples, answers[name].stages) for name, samples in results.items()})
    print(json.dumps(document, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
