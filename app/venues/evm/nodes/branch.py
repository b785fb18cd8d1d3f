"""The chain as we follow it: which block comes next, which are missing, which were dropped. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from app.venues.evm.nodes.health import Block


@dataclass(frozen=True, slots=True)
class NewBlock:
    """The next block of the chain."""

    block: Block


@dataclass(frozen=True, slots=True)
class Reorganised:
    """Blocks we told of are no longer in the chain. `NewBlock`s of those in their place follow.

    Attributes:
        ancestor: the last block that both have; None: it lies further back than we remember, and whoever follows
            the chain reads its state afresh.
        dropped: highest first, the order in which to undo them.
    """

    ancestor: Block | None
    dropped: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Skipped:
    """Too many blocks were missed to be told one by one: whoever follows the chain reads its state afresh.

    Attributes:
        first, last: numbers of the blocks not told.
    """

    first: int
    last: int


ChainEvent = NewBlock | Reorganised | Skipped


class Branch:
    """The last blocks of the chain, linked by parent hash.

    Args:
        depth: blocks remembered; a reorganisation deeper than that is told without its ancestor.
        most_missing: blocks that are fetched to close a gap.
    """

    def __init__(self, depth: int = 256, most_missing: int = 256) -> None:
        self._depth = depth
        self._most_missing = most_missing
        self._blocks: list[Block] = []
        self._places: dict[bytes, int] = {}

    @property
    def tip(self) -> Block | None:
        """The last block told."""
        return self._blocks[-1] if self._blocks else None

    def knows(self, block: Block) -> bool:
        """Whether there is nothing to tell of `block`: it was told, or it lies below all we remember. The latter says a
        node that is behind, which must not look like a reorganisation."""
        return block.hash in self._places or bool(self._blocks and block.number < self._blocks[0].number)

    def missing(self, fresh: list[Block]) -> bytes | None:
        """The parent to fetch before `fresh` can be joined, or None: join it.

        Args:
            fresh: a new head and the ancestors of it fetched so far, lowest first; each the parent of the next.
        """
        lowest, tip = fresh[0], self.tip
        if tip is None or fresh[-1].number - tip.number > self._most_missing:
            return None
        if lowest.parent in self._places or lowest.hash in self._places:
            return None
        oldest = self._blocks[0].number
        if lowest.number <= oldest or len(fresh) > self._most_missing:
            return None
        return lowest.parent

    def join(self, fresh: list[Block]) -> list[ChainEvent]:
        """Take `fresh` in, as `missing` has it. What is to be told, in order; a block known already tells nothing."""
        if self.knows(fresh[-1]):
            return []
        events: list[ChainEvent] = []
        tip = self.tip
        place = self._places.get(fresh[0].parent)
        if tip is not None and place is None:
            events += self._unlinked(tip, fresh)
        elif place is not None and place < len(self._blocks) - 1:
            dropped = tuple(reversed(self._blocks[place + 1 :]))
            events.append(Reorganised(self._blocks[place], dropped))
            self._keep(self._blocks[: place + 1])
        self._keep([*self._blocks, *fresh])
        return [*events, *(NewBlock(each) for each in fresh)]

    def _unlinked(self, tip: Block, fresh: list[Block]) -> list[ChainEvent]:
        """The new blocks do not reach down to what we know."""
        known = tuple(reversed(self._blocks))
        self._keep([])
        if fresh[0].number > tip.number + 1:
            return [Skipped(tip.number + 1, fresh[0].number - 1)]
        return [Reorganised(None, known)]

    def _keep(self, blocks: list[Block]) -> None:
        self._blocks = blocks[-self._depth :]
        self._places = {each.hash: place for place, each in enumerate(self._blocks)}
