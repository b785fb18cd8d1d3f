"""The chain as it is followed. A consumer that applies what it is told is the judge: it undoes what is dropped, and may
never be told a block that does not continue what it has."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from app.venues.evm.nodes.branch import Branch, ChainEvent, NewBlock, Reorganised, Skipped
from app.venues.evm.nodes.health import Block


def block(number: int, fork: int = 0, parent: Block | None = None) -> Block:
    name = number.to_bytes(8) + fork.to_bytes(8) + bytes(16)
    return Block(number, name, parent.hash if parent else bytes(32), number * 12)


def chain(length: int, fork: int = 0, parent: Block | None = None) -> list[Block]:
    """`length` blocks on top of `parent`."""
    found: list[Block] = []
    for _ in range(length):
        parent = block(parent.number + 1 if parent else 1, fork, parent)
        found.append(parent)
    return found


class Consumer:
    """Applies events and objects to what makes no sense."""

    def __init__(self, branch: Branch, *known: Block) -> None:
        self.branch = branch
        self.known = {each.hash: each for each in known}
        self.blocks: list[Block] = []
        self.fetched = 0

    def head(self, head: Block) -> list[ChainEvent]:
        """As `Heads` does with a new head."""
        fresh = [head]
        while (parent := self.branch.missing(fresh)) is not None:
            self.fetched += 1
            fresh.insert(0, self.known[parent])
        events = self.branch.join(fresh)
        for event in events:
            self.apply(event)
        return events

    def apply(self, event: ChainEvent) -> None:
        if isinstance(event, NewBlock):
            assert not self.blocks or event.block.parent == self.blocks[-1].hash
            self.blocks.append(event.block)
        elif isinstance(event, Reorganised):
            for each in event.dropped:
                assert self.blocks.pop() == each
            if event.ancestor is None:
                self.blocks = []
            else:
                assert event.ancestor == self.blocks[-1]
        else:
            assert event.first == self.blocks[-1].number + 1
            assert event.last >= event.first
            self.blocks = []


def test_blocks_in_order_and_repeated_are_told_once() -> None:
    blocks = chain(5)
    consumer = Consumer(Branch(), *blocks)
    for each in blocks:
        assert consumer.head(each) == [NewBlock(each)]
        assert consumer.head(each) == []
    assert consumer.head(blocks[2]) == [], "a node that is behind"
    assert consumer.fetched == 0


def test_a_gap_is_filled_in_order() -> None:
    blocks = chain(9)
    consumer = Consumer(Branch(), *blocks)
    consumer.head(blocks[0])
    assert consumer.head(blocks[8]) == [NewBlock(each) for each in blocks[1:]]
    assert consumer.fetched == 7


def test_a_reorganisation_of_each_depth_names_ancestor_and_dropped() -> None:
    for depth in range(1, 6):
        old = chain(10)
        new = chain(depth + 1, fork=1, parent=old[9 - depth])
        consumer = Consumer(Branch(), *old, *new)
        for each in old:
            consumer.head(each)
        events = consumer.head(new[-1])
        assert events[0] == Reorganised(old[9 - depth], tuple(reversed(old[10 - depth :])))
        assert events[1:] == [NewBlock(each) for each in new]
        assert consumer.blocks == [*old[: 10 - depth], *new]


def test_a_reorganisation_of_the_same_height_is_one() -> None:
    old = chain(3)
    other = block(3, fork=1, parent=old[1])
    consumer = Consumer(Branch(), *old, other)
    for each in old:
        consumer.head(each)
    assert consumer.head(other) == [Reorganised(old[1], (old[2],)), NewBlock(other)]


def test_a_reorganisation_deeper_than_what_is_remembered_drops_all_of_it() -> None:
    old = chain(20)
    new = chain(19, fork=1, parent=old[1])
    consumer = Consumer(Branch(depth=8), *old, *new)
    for each in old:
        consumer.head(each)
    events = consumer.head(new[-1])
    assert events[0] == Reorganised(None, tuple(reversed(old[12:])))
    assert consumer.branch.tip == new[-1]


def test_too_wide_a_gap_is_told_and_not_fetched() -> None:
    blocks = chain(50)
    consumer = Consumer(Branch(most_missing=10), *blocks)
    consumer.head(blocks[0])
    assert consumer.head(blocks[49]) == [Skipped(2, 49), NewBlock(blocks[49])]
    assert consumer.fetched == 0


def test_a_node_behind_all_that_is_remembered_is_no_reorganisation() -> None:
    blocks = chain(5)
    consumer = Consumer(Branch(), *blocks)
    consumer.head(blocks[4])
    assert consumer.head(blocks[1]) == []
    assert consumer.branch.tip == blocks[4]


@settings(max_examples=300)
@given(st.data())
def test_whatever_heads_come_the_consumer_ends_on_the_last_new_one(data: st.DataObject) -> None:
    blocks = chain(3)
    for fork in range(1, data.draw(st.integers(2, 6))):
        parent = data.draw(st.sampled_from(blocks))
        blocks += chain(data.draw(st.integers(1, 12)), fork, parent)
    branch = Branch(depth=data.draw(st.integers(2, 12)), most_missing=data.draw(st.integers(1, 8)))
    consumer = Consumer(branch, *blocks)
    for head in data.draw(st.lists(st.sampled_from(blocks), max_size=25)):
        quiet = branch.knows(head)
        events = consumer.head(head)
        assert (events == []) == quiet
        if events:
            assert branch.tip == head
            assert consumer.blocks[-1] == head
