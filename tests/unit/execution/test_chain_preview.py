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


def test_pools_that_were_left_out_are_told() -> None:
    told = Said("Pools left out, whose liquidity was not read far enough: 3.", "warn")
    assert told in _with(unread_pools=3)
    assert not any("left out" in said.text for said in [*_with(), *_with(unread_pools=0)])


def test_what_changes_nothing_says_so() -> None:
    (said,) = (each.text for each in _with(changes=[]) if each.text.startswith("Simulated"))
    assert said.endswith("; it would move nothing but gas.")


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


SANDWICH = {"asset": "USDC", "lost": "1.23", "bps": "12", "most": "5", "keeps": [["WETH", "0.0003"]], "gas_known": True}
WAY = {"host": "rpc.flashbots.net", "kind": "rpc", "blocks": 25, "fallback": "ask"}


def test_a_public_transaction_says_who_sees_it_and_what_that_could_cost() -> None:
    found = _with(private=None, sandwich=SANDWICH)
    assert Said("Sent to the public mempool: others can see it before it is mined.", "warn") in found
    text = "A sandwich could take up to 1.23 USDC (12 bps); its maker would keep 0.0003 WETH after gas."
    assert Said(text, "warn") in found
    unknown = _with(private=None, sandwich={**SANDWICH, "gas_known": False})
    assert any(said.text.endswith("0.0003 WETH before gas.") for said in unknown)


def test_where_none_pays_it_says_so_and_what_the_bound_is() -> None:
    none = {**SANDWICH, "lost": "0", "bps": "0", "keeps": []}
    text = "No sandwich of it pays in these pools; its bound would let go of 5 USDC."
    assert Said(text) in _with(private=None, sandwich=none)
    assert not any("sandwich" in said.text for said in _with(private=None, sandwich=None))


def test_a_private_one_names_its_host_and_what_happens_when_no_block_takes_it() -> None:
    found = _with(private=WAY, sandwich=SANDWICH)
    assert Said("Sent privately through rpc.flashbots.net: not visible to others before it is mined.") in found
    then = "If no block of the next 25 takes it: it stays private, you are told, and may publish it."
    assert Said(then) in found
    assert any(said.text.startswith("Were it seen, a sandwich could take") and not said.role for said in found)
    assert any(
        "PUBLISHED by itself" in s.text and s.role == "warn" for s in _with(private={**WAY, "fallback": "public"})
    )
    assert any("it stays private and you are told" in said.text for said in _with(private={**WAY, "fallback": "never"}))


def test_what_an_older_version_confirmed_says_nothing_of_it() -> None:
    assert not any("mempool" in said.text or "rivately" in said.text for said in _with())


def test_what_does_nothing_has_nothing_to_be_seen() -> None:
    found = _with(private=None, sandwich=None, empty=True)
    assert Said("Sent to the public mempool: it does nothing that others could use.") in found
