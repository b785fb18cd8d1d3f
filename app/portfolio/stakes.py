"""Positions of liquidity as the ledger has them: what was put in and not taken out, at cost. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from app.money import ZERO, add, sub
from app.venues.base import Move, MoveKind


@dataclass(slots=True)
class Stake:
    """One position of liquidity.

    Attributes:
        assets: what was put in, less what was taken out.
        worth: what would come out now, fees included, by asset; None while nobody has looked.
    """

    module: str
    symbol: str
    position: str
    assets: dict[str, Decimal] = field(default_factory=dict)
    worth: dict[str, Decimal] | None = None

    def change(self) -> dict[str, Decimal]:
        """What it has won or lost so far, by asset; nothing while nobody has looked."""
        if self.worth is None:
            return {}
        names = self.assets.keys() | self.worth.keys()
        return {name: sub(self.worth.get(name, ZERO), self.assets.get(name, ZERO)) for name in sorted(names)}

    def held(self) -> dict[str, Decimal]:
        """What is in it, by asset: as somebody last saw it, else what was put in."""
        return self.assets if self.worth is None else self.worth


class Stakes:
    """All of them, and what acts have won altogether."""

    def __init__(self) -> None:
        self.open: dict[tuple[str, str], Stake] = {}
        """By module and position."""
        self.gains: dict[str, Decimal] = {}
        """What acts have won (negative: lost), by asset, positions that are still open not counted."""

    def apply(self, module: str, symbol: str, move: Move, *, back: bool = False) -> None:
        """What an act moved; `back`: it is taken back."""
        amount = sub(ZERO, move.amount) if back else move.amount
        if move.kind is not MoveKind.STAKE:
            self.gains[move.asset] = add(self.gains.get(move.asset, ZERO), amount)
        if move.kind is MoveKind.GAIN:
            return
        key = (module, move.position)
        stake = self.open.setdefault(key, Stake(module, symbol, move.position))
        left = (
            sub(stake.assets.get(move.asset, ZERO), amount)
            if move.kind is MoveKind.STAKE
            else add(stake.assets.get(move.asset, ZERO), amount)
        )
        if left:
            stake.assets[move.asset] = left
        else:
            stake.assets.pop(move.asset, None)
        if not stake.assets:
            del self.open[key]

    def left(self, module: str, position: str, moves: tuple[Move, ...]) -> tuple[Move, ...]:
        """What `moves`, which end a position, leave of it: the change of its assets against what was put in."""
        stake = self.open.get((module, position))
        assets = dict(stake.assets) if stake is not None else {}
        for move in moves:
            if move.kind is MoveKind.STAKE:
                assets[move.asset] = sub(assets.get(move.asset, ZERO), move.amount)
        return tuple(
            Move(name, sub(ZERO, left), MoveKind.CHANGE, position) for name, left in sorted(assets.items()) if left
        )

    def earned(self) -> dict[str, Decimal]:
        """What acts have won, open positions at what they are worth."""
        found = dict(self.gains)
        for stake in self.open.values():
            for name, amount in stake.change().items():
                found[name] = add(found.get(name, ZERO), amount)
        return found
