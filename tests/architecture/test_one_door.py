"""Promise 1: one file can cause a venue to be sent anything, or a signer to sign. Found by reading the source, so that
a second door is seen when it is written, not when it is used."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.execution.authorisation import parse as parse_authorisation
from app.execution.authorisation import permits
from app.execution.prepare import permitted_orders
from app.seal_text import Seal, render
from app.seal_text import parse as parse_seal
from app.venues.base import OrderKind, OrderRequest
from strategies.model import Side
from tests.architecture.source import Source, calls, dotted, parse, sources

DOOR = "app/execution/pipeline.py"
TRIAL = "app/trial_signature.py"
"""Has a device sign a test text. No second door: what it signs is made there from the time alone, begins with
"countersign signer test", and the parser of authorisations refuses whatever begins so (tests/unit/cli/test_signers.py),
so that no order can be derived from it. Below it is seen that it signs in one place, and nothing but that text."""
SEALING = "app/sealing.py"
"""Has the device sign the head of the journal. No second door: what it signs permits no order, see below."""
ORDER = OrderRequest("1" * 32, "ETH-USDT", Side.SELL, OrderKind.MARKET, Decimal(1), 10**15, reduce_only=True)
SEND = {"submit", "cancel"}


def sends(source: Source) -> list[str]:
    """Calls of `submit` or `cancel` on something called venue, and bound methods taken for later."""
    found = []
    for node in source.nodes:
        if isinstance(node, ast.Attribute) and node.attr in SEND:
            receiver = dotted(node.value).rpartition(".")[2].lower()
            if receiver.endswith("venue"):
                found.append(f"{source.name}:{node.lineno} {receiver}.{node.attr}")
    return found


def signs(source: Source) -> list[str]:
    """Calls of `sign` on anything."""
    return [f"{source.name}:{line} {name}" for line, name in calls(source) if name.endswith(".sign") or name == "sign"]


def reflections(source: Source) -> Iterator[str]:
    """`getattr(x, "submit")` and the like would be a door that the other scans do not see."""
    for node in source.nodes:
        if isinstance(node, ast.Constant) and node.value in {*SEND, "sign"}:
            yield f"{source.name}:{node.lineno} {node.value!r}"


def test_only_the_pipeline_sends_to_a_venue() -> None:
    found = [each for source in sources() for each in sends(source)]
    assert [each for each in found if not each.startswith(DOOR)] == []
    assert {each.rpartition(".")[2] for each in found} == SEND, "the pipeline does send: the scan sees it"


def test_the_key_that_a_relay_knows_us_by_is_made_from_chance_alone() -> None:
    """No second signer: it is made where it is used, and signs nothing but the hash of a request."""
    using = [source for source in sources() if source.name.startswith("app/") and "softkey" in source.text]
    (only,) = using
    assert only.name == "app/venues/evm/private/reputation.py"
    assert "self._key = secrets.token_bytes(32)" in only.text
    assert only.text.count("self._key =") == 1
    (signed,) = [ast.unparse(node) for node in ast.walk(only.tree) if "softkey.signature" in ast.unparse(node)
                 and isinstance(node, ast.Call)]  # fmt: skip
    assert signed == "softkey.signature(PersonalMessage(f'0x{keccak(body).hex()}'), self._key)"


def test_only_the_pipeline_asks_a_signer() -> None:
    """And `TRIAL` and `SEALING`, which each ask for one kind of text that permits no order: see the tests below."""
    found = [each for source in sources() if not source.name.startswith("signers/") for each in signs(source)]
    assert [each for each in found if not each.startswith((DOOR, TRIAL, SEALING))] == []
    assert any(each.startswith(DOOR) for each in found), "the pipeline does ask: the scan sees it"


def test_the_trial_signs_its_own_text_and_nothing_else() -> None:
    (trial,) = (source for source in sources() if source.name == TRIAL)
    assert len(signs(trial)) == 1
    payloads = {"PersonalMessage", "OffchainMessage", "EvmTransaction", "TypedData", "SolanaMessage"}
    made = [
        [ast.unparse(argument) for argument in node.args[:1]]
        for node in trial.nodes
        if isinstance(node, ast.Call) and dotted(node.func) in payloads
    ]
    assert made == [["text"], ["text"]]
    texts = [
        ast.unparse(node.value)
        for node in trial.nodes
        if isinstance(node, ast.Assign) and "text" in map(ast.unparse, node.targets)
    ]
    assert texts == ["text_of(one.chain, clock.now_ms())"]
    (text_of,) = (n for n in trial.nodes if isinstance(n, ast.FunctionDef) and n.name == "text_of")
    assert "(BEGINS, " in ast.unparse(text_of.body[-1])


def test_what_seals_the_journal_reaches_no_venue_and_signs_nothing_that_permits_an_order() -> None:
    """The exception stands on two legs: its file knows no venue, order or text of a trade, and asks once, for what
    `app.seal_text.render` made; and no text that it makes is one that an order could be made from."""
    source = next(each for each in sources() if each.name == SEALING)
    assert len(signs(source)) == 1
    assert sends(source) == []
    imported = {node.module for node in source.nodes if isinstance(node, ast.ImportFrom)}
    ours = {name for name in imported if name and name.split(".")[0] in {"app", "storage", "strategies"}}
    assert ours == {"app.accounts", "app.errors", "app.seal_text", "storage.journal"}
    (made,) = [line for line, name in calls(source) if name == "PersonalMessage"]
    assert "PersonalMessage(text)" in source.lines[made - 1]
    assert "    text = render(what)" in source.lines


@settings(max_examples=200)
@given(
    st.builds(
        Seal,
        seq=st.integers(1, 10**15),
        hash=st.binary(min_size=32, max_size=32).map(bytes.hex),
        profile=st.sampled_from(["paper", "testnet", "live"]),
        run=st.binary(min_size=16, max_size=16).map(bytes.hex),
        sealed_ms=st.integers(10**9, 4 * 10**9).map(lambda seconds: seconds * 1000),
    )
)
def test_no_seal_is_an_authorisation(seal: Seal) -> None:
    text = render(seal)
    assert parse_seal(text) == seal
    with pytest.raises(ValueError, match="authorisation"):
        parse_authorisation(text)
    for kind in (OrderKind.LIMIT, OrderKind.MARKET):
        assert not permits(text, replace(ORDER, kind=kind))
    with pytest.raises(ValueError, match="authorisation"):
        permitted_orders(text, 0, "paper")


def test_within_signers_only_the_session_asks_a_device() -> None:
    found = [each for source in sources() if source.name.startswith("signers/") for each in signs(source)]
    assert [each for each in found if not each.startswith("signers/session.py")] == []


def test_no_door_by_name() -> None:
    allowed = {
        DOOR,
        # The wire's own words: the client names the operation, the venue's process reads it.
        "app/venues/paper.py",
        "app/practice/server.py",
        "app/practice/venue.py",
        # The trader's word for it, on command line, screen and control socket; it goes through the pipeline.
        "app/cli/dispatch.py",
        "app/cli/parser.py",
        "app/cli/ticket.py",
        "app/tui/actions.py",
        "app/ticket_commands.py",
        # Names of a trade's steps, for a table of times.
        "app/reports_execution.py",
        "app/execution/signing.py",
        # What one of the acts is called: a transaction of its own, through the pipeline.
        "app/execution/act_rows.py",
        "app/wish_words.py",
    }
    found = {each.partition(":")[0] for source in sources() for each in reflections(source)}
    assert found - allowed == set()


def test_nothing_else_opens_a_venue_s_socket() -> None:
    """Beside the client of the paper venue, the control socket's two ends and the venue's own server."""
    allowed = {
        "app/venues/paper.py", "app/practice/server.py", "app/practice/__main__.py",
        "app/execution/control.py", "app/cli/context.py",
        "signers/ledger/tcp.py",  # an emulator's, with APDUs on it
        "app/practice/chain/node.py",  # the practice chain's process, to the node it started
    }  # fmt: skip
    words = (
        "create_unix_connection", "open_unix_connection", "open_connection", "create_connection", "socket.socket",
        "start_unix_server", "create_unix_server", "start_server", "create_server", "urlopen", "HTTPConnection",
    )  # fmt: skip
    found = {
        source.name for source in sources() for _, name in calls(source) if any(name.endswith(word) for word in words)
    }
    assert found - allowed == set()
    assert found, "the scan sees them"


CHAIN_VENUE = "app/venues/evm/venue.py"
NODES = "app/venues/evm/nodes/"
PRIVATE = "app/venues/evm/private/sends.py"
FORMATS = "app/venues/evm/private/formats.py"


def _callers(name: str) -> dict[str, set[str]]:
    """Functions that call something of that name, by file."""
    found: dict[str, set[str]] = {}
    for source in sources():
        for function in ast.walk(source.tree):
            if isinstance(function, ast.AsyncFunctionDef | ast.FunctionDef):
                called = {dotted(each.func) for each in ast.walk(function) if isinstance(each, ast.Call)}
                if any(each.rpartition(".")[2] == name for each in called):
                    found.setdefault(source.name, set()).add(function.name)
    return {each: functions for each, functions in found.items() if not each.startswith(NODES)}


def test_only_a_chain_s_venue_gives_bytes_away_and_by_one_place() -> None:
    """`submit`, which the pipeline alone calls; and to whom, a node or a private endpoint, is decided by what was
    confirmed, in one function: else private bytes could leak."""
    assert _callers("give") == {CHAIN_VENUE: {"submit"}}
    assert _callers("send_raw") == {PRIVATE: {"give"}}
    assert _callers("_hand_over") == {PRIVATE: {"give"}}
    tree = next(source.tree for source in sources() if source.name == PRIVATE)
    (hand_over,) = (n for n in ast.walk(tree) if isinstance(n, ast.AsyncFunctionDef) and n.name == "_hand_over")
    assert "self._client.send(" in ast.unparse(hand_over)
    assert ast.unparse(tree).count("_client.send(") == 1


def test_only_the_nodes_know_how_a_transaction_is_sent() -> None:
    """No call by name goes round `send_raw`; what only reads refuses such names (tests/evm/nodes)."""
    words = ("eth_sendRawTransaction", "eth_sendTransaction", "eth_sendPrivateTransaction", "eth_sendBundle")
    said = {
        source.name
        for source in sources()
        for node in source.nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and any(word in node.value for word in words)
    }
    assert {each for each in said if not each.startswith((NODES, FORMATS, "app/practice/chain/"))} == set()
    assert any(each.startswith(NODES) for each in said), "the scan sees it"


def test_only_the_nodes_and_the_courier_speak_http() -> None:
    allowed = (NODES, "app/alerts/", "app/clock_check.py")
    found = {
        source.name
        for source in sources()
        for node in source.nodes
        if isinstance(node, ast.Import | ast.ImportFrom) and "aiohttp" in ast.unparse(node)
    }
    assert {each for each in found if not each.startswith(allowed)} == set()
    assert found, "the scan sees them"


def test_the_scan_sees_what_it_must() -> None:
    hidden = parse(
        "app/x.py",
        "async def f(desk, venue, orders):\n"
        "    await venue.submit(orders, None)\n"
        "    send = desk.venue.cancel\n"
        "    await self._venue.submit(orders, None)\n"
        "    await desk.writer.submit(orders)\n"
        "    task.cancel()\n"
        "    await desk.signer.sign(request)\n"
        "    getattr(desk.venue, 'submit')(orders)\n",
    )
    assert len(sends(hidden)) == 3
    assert len(signs(hidden)) == 1
    assert len(list(reflections(hidden))) == 1
