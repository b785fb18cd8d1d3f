"""Ids: the same run makes the same ids, and nothing else makes them."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from app.ids import client_order_id, intent_id, payload_id, run_id

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def test_ids_are_the_same_in_every_process_and_version() -> None:
    """Written down, because a venue and a database remember them: changing the rule orphans every open order."""
    run = run_id("sha256:ab", "cd", 1)
    assert run == "c7d7c4dfc93df1473bc08226ba071428"
    assert intent_id(run, "momentum", 7) == "0f033d8523d574a6c1638e7f97904825"
    assert client_order_id("0" * 32, "entry") == "8b73d9415149b9fd64a8e63761ae6830"
    assert payload_id("0" * 32, 1) == "82c20ab65291cb7c68fe18d2cd235550"


@given(st.lists(st.tuples(TEXT, TEXT, st.integers(0, 10**6)), min_size=2, max_size=6, unique=True))
def test_different_origins_have_different_ids(origins: list[tuple[str, str, int]]) -> None:
    ids = [make(*origin) for origin in origins for make in (run_id, intent_id)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)


@given(TEXT, TEXT, st.integers(0, 100))
def test_kinds_of_ids_never_meet(one: str, other: str, number: int) -> None:
    ids = [
        payload_id(one, number),
        client_order_id(one, other),
        intent_id(one, other, number),
        run_id(one, other, number),
    ]
    assert len(set(ids)) == len(ids)


def test_where_one_part_ends_and_the_next_begins_counts() -> None:
    assert intent_id("a", "bc", 1) != intent_id("ab", "c", 1)
    assert client_order_id("a", "bc") != client_order_id("ab", "c")
    assert payload_id("a", 11) != payload_id("a1", 1)
