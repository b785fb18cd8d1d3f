"""What a trade is called: an act is never a purchase or a sale, and its placeholders are never shown as its terms."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Final

import pytest

from app.execution.act_rows import KINDS, act_document, act_of, act_rows
from app.venues.base import Move, MoveKind
from app.wish_words import meant, move_words, short, state_of, terms, title
from strategies.acts import Act, Cancel, Collect, Cycle, Provide, Revoke, Withdraw
from strategies.model import Exits, Intent, Side

ONE = Decimal(1)
HASH = "0x1234567890abcdef"
ACTS: Final[dict[str, Act]] = {
    "ARBITRAGE 1000 USDC": Cycle("USDC", Decimal(1000), Decimal("0.5"), ("0xa", "0xb")),
    "PROVIDE LIQUIDITY ETH-USDC": Provide(ONE, Decimal(2500), 3000, Decimal(2000), Decimal(3000)),
    "COLLECT FEES uniswap-v3:12": Collect("uniswap-v3:12"),
    "WITHDRAW LIQUIDITY uniswap-v3:12": Withdraw("uniswap-v3:12"),
    "REVOKE USDC of 0xabcdef01": Revoke("USDC", "0xabcdef0123"),
    "REVOKE 0xfedcba98 of 0xabcdef01 at Permit2": Revoke("0xfedcba9876", "0xabcdef0123", inner=True),
    "CANCEL 0x12345678": Cancel(),
}
BUY: Final = Intent(
    id="0" * 32,
    module="m",
    symbol="ETH-USDC",
    side=Side.BUY,
    quantity=Decimal("0.1"),
    worst_price=Decimal(2500),
    max_fee=ONE,
    exits=Exits(Decimal(2000)),
    reason="",
    created_ms=0,
    expires_ms=1,
    config_version=1,
)


def wishing(act: Act, side: Side = Side.SELL) -> Intent:
    replaces = HASH if isinstance(act, Cancel) else ""
    return replace(BUY, act=act, side=side, worst_price=ONE, exits=None, replaces=replaces)


def test_a_standing_exit_is_no_sale_of_now() -> None:
    close = replace(BUY, side=Side.SELL, reduce_only=True)
    assert (title(close), short(close)) == ("STANDING EXIT ETH-USDC", "standing exit ETH-USDC")
    assert title(replace(close, exits=None)) == "SELL ETH-USDC"


def test_every_kind_of_act_is_here() -> None:
    assert {type(act) for act in ACTS.values()} == set(KINDS.values())


@pytest.mark.parametrize(("called", "act"), ACTS.items())
@pytest.mark.parametrize("side", Side)
def test_an_act_is_called_by_what_it_does_whatever_its_side_says(called: str, act: Act, side: Side) -> None:
    intent = wishing(act, side)
    assert title(intent) == called
    assert short(intent).lower() == called.lower()
    for words in (title(intent), short(intent), terms(intent), meant(act)):
        assert not {"buy", "sell", "sale"} & set(words.lower().replace(".", " ").split()), words
    assert "or more" not in terms(intent)
    assert "or less" not in terms(intent)


def test_a_purchase_and_one_in_the_place_of_another() -> None:
    assert (title(BUY), short(BUY)) == ("BUY ETH-USDC", "buy ETH-USDC")
    assert terms(BUY) == "0.1 at 2500 or less"
    again = replace(BUY, side=Side.SELL, replaces=HASH)
    assert title(again) == "SELL ETH-USDC, in the place of 0x12345678"
    assert terms(again) == "0.1 at 2500 or more"


def test_what_bounds_an_act() -> None:
    assert terms(wishing(ACTS["ARBITRAGE 1000 USDC"])) == "wins at least 0.5 USDC, before gas"
    assert terms(wishing(ACTS["PROVIDE LIQUIDITY ETH-USDC"])) == "from 2000 to 3000"
    assert terms(wishing(ACTS["CANCEL 0x12345678"])) == ""
    assert "first" in meant(Cancel())


def test_an_act_is_done_and_a_purchase_is_filled() -> None:
    assert state_of(Cancel(), "FILLED") == "done"
    assert state_of(None, "PARTIALLY_FILLED") == "partially filled"
    assert state_of(Cancel(), "DENIED") == "denied"


@pytest.mark.parametrize(
    ("move", "words"),
    [
        (Move("USDC", Decimal("0.5"), MoveKind.GAIN), "+0.5 USDC won"),
        (Move("USDC", Decimal("0.5"), MoveKind.GAIN, "v3:1"), "+0.5 USDC won by v3:1"),
        (Move("USDC", Decimal("-0.5"), MoveKind.GAIN), "-0.5 USDC lost"),
        (Move("ETH", Decimal(-2), MoveKind.STAKE, "v3:1"), "-2 ETH into v3:1"),
        (Move("ETH", Decimal(2), MoveKind.STAKE, "v3:1"), "+2 ETH out of v3:1"),
        (Move("ETH", Decimal(-2), MoveKind.CHANGE, "v3:1"), "-2 ETH less than was put into v3:1"),
        (Move("ETH", Decimal(2), MoveKind.CHANGE, "v3:1"), "+2 ETH more than was put into v3:1"),
    ],
)
def test_what_an_act_moved(move: Move, words: str) -> None:
    assert move_words(move) == words


@pytest.mark.parametrize("act", ACTS.values())
def test_an_act_comes_back_from_its_row_and_its_document_names_its_kind(act: Act) -> None:
    ((_, _, kind, text, _),) = act_rows(wishing(act))
    assert act_of(kind, text) == act
    document = act_document(act)
    assert document is not None
    assert KINDS[document["kind"]] is type(act)
    assert act_document(None) is None
