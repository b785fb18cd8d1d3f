"""The words beside a chain trade's transactions: what must be loud is loud, nothing is claimed that is not there."""

from __future__ import annotations

from typing import Any

from app.execution.chain_preview import Said, lines, money, of_chain

FOUND: dict[str, Any] = {
    "chain": "anvil",
    "block": 1234,
    "transactions": 2,
    "simulated": True,
    "changes": [["USDC", "-15.02"], ["ETH", "0.006"]],
    "quoted": "15.02",
    "quoted_asset": "USDC",
    "bound": "15.09",
    "bound_is": "most",
    "gas": "0.002",
    "gas_most": "0.004",
    "gas_asset": "ETH",
    "gas_rate": "2500",
    "impact_bps": "1",
    "pool_fee_bps": "5",
    "allowances": [["USDC", "0xabc", "0.07"]],
    "covered": False,
}


def _with(**changes: Any) -> list[Said]:
    return lines({**FOUND, **changes})


def test_an_entry_says_first_that_nothing_guards_it_and_a_close_does_not() -> None:
    assert _with()[0].role == "alarm"
    assert "UNCOVERED" in _with()[0].text
    assert not any("UNCOVERED" in said.text for said in _with(covered=True))


def test_changes_bear_their_sign_and_say_who_gets() -> None:
    assert Said("  +0.006 ETH", "up") in _with()
    assert Said("  -15.02 USDC", "down") in _with()


def test_quote_bound_and_gas_are_told_in_coin_and_money() -> None:
    text = "\n".join(said.text for said in _with())
    assert "Quoted: pays 15.02 USDC; the transaction allows at most 15.09 USDC." in text
    assert "Gas of all 2 transactions, on top: about 0.002 ETH ($5.00), at most 0.004 ETH ($10.00)." in text
    sold = "\n".join(said.text for said in _with(bound_is="least", covered=True))
    assert "Quoted: brings 15.02 USDC; the transaction allows at least 15.09 USDC." in sold
    assert "$" not in "\n".join(said.text for said in _with(gas_rate=None))


def test_what_nobody_has_tried_is_an_alarm_and_shows_no_changes() -> None:
    said = _with(simulated=False, not_simulated="The node has no eth_simulateV1.")
    (loud,) = (each for each in said if "NOT SIMULATED" in each.text)
    assert loud.role == "alarm"
    assert "The node has no eth_simulateV1." in loud.text
    assert not any(each.role in {"up", "down"} for each in said)
    missing = {key: value for key, value in FOUND.items() if key != "simulated"}
    assert any("NOT SIMULATED" in each.text for each in lines(missing)), "in doubt it was not"


def test_an_allowance_that_is_left_warns_and_none_is_said_to_be_none() -> None:
    assert Said("ALLOWANCE LEFT: 0xabc may take 0.07 USDC more.", "warn") in _with()
    assert Said("No allowance is left afterwards.") in _with(allowances=[["USDC", "0xabc", "0"]])
    assert not any("llowance" in said.text for said in _with(allowances=[]))


def test_findings_about_a_token_are_told_and_its_words_can_not_draw() -> None:
    safety = {"score": 40, "findings": [{"words": "owner\x1b[2J can mint"}], "more": 2}
    text = [said.text for said in _with(safety=safety)]
    assert "Token safety 40 of 100: findings, never a promise." in text
    assert "  owner\\x1b[2J can mint" in text
    assert "  and 2 more" in text


def test_how_many_nodes_said_it_is_told() -> None:
    assert Said("2 nodes agree on it.") in _with(nodes=["a", "b"])
    assert Said("One node alone says so: b did not answer.", "warn") in _with(nodes=["a"], alone="b did not answer.")


def test_small_money_is_not_nothing() -> None:
    assert money("0.000001", "2500") == " (<$0.01)"
    assert money("0", "2500") == " ($0.00)"
    assert money("1", None) == ""


def test_a_preview_of_the_book_is_none_of_a_chain() -> None:
    assert of_chain(FOUND)
    assert not of_chain({"filled": "1", "average": "2"})
