"""Promise 1: one file can cause a venue to be sent anything, or a signer to sign. Found by reading the source, so that
a second door is seen when it is written, not when it is used."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.architecture.source import Source, calls, dotted, parse, sources

DOOR = "app/execution/pipeline.py"
TRIAL = "app/trial_signature.py"
"""Has a device sign a test text. No second door: what it signs is made there from the time alone, begins with
"countersign signer test", and the parser of authorisations refuses whatever begins so (tests/unit/cli/test_signers.py),
so that no order can be derived from it. Below it is seen that it signs in one place, and nothing but that text."""
SEND = {"submit", "cancel"}


def sends(source: Source) -> list[str]:
    """Calls of `submit` or `cancel` on something called venue, and bound methods taken for later."""
    found = []
    for node in ast.walk(source.tree):
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
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and node.value in {*SEND, "sign"}:
            yield f"{source.name}:{node.lineno} {node.value!r}"


def test_only_the_pipeline_sends_to_a_venue() -> None:
    found = [each for source in sources() for each in sends(source)]
    assert [each for each in found if not each.startswith(DOOR)] == []
    assert {each.rpartition(".")[2] for each in found} == SEND, "the pipeline does send: the scan sees it"


def test_only_the_pipeline_asks_a_signer() -> None:
    found = [each for source in sources() if not source.name.startswith("signers/") for each in signs(source)]
    assert [each for each in found if not each.startswith((DOOR, TRIAL))] == []
    assert any(each.startswith(DOOR) for each in found), "the pipeline does ask: the scan sees it"


def test_the_trial_signs_its_own_text_and_nothing_else() -> None:
    (trial,) = (source for source in sources() if source.name == TRIAL)
    assert len(signs(trial)) == 1
    payloads = {"PersonalMessage", "OffchainMessage", "EvmTransaction", "TypedData", "SolanaMessage"}
    made = [
        [ast.unparse(argument) for argument in node.args[:1]]
        for node in ast.walk(trial.tree)
        if isinstance(node, ast.Call) and dotted(node.func) in payloads
    ]
    assert made == [["text"], ["text"]]
    texts = [
        ast.unparse(node.value)
        for node in ast.walk(trial.tree)
        if isinstance(node, ast.Assign) and "text" in map(ast.unparse, node.targets)
    ]
    assert texts == ["text_of(one.chain, clock.now_ms())"]
    (text_of,) = (n for n in ast.walk(trial.tree) if isinstance(n, ast.FunctionDef) and n.name == "text_of")
    assert "(BEGINS, " in ast.unparse(text_of.body[-1])


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
    }
    found = {each.partition(":")[0] for source in sources() for each in reflections(source)}
    assert found - allowed == set()


def test_nothing_else_opens_a_venue_s_socket() -> None:
    """Beside the client of the paper venue, the control socket's two ends and the venue's own server."""
    allowed = {
        "app/venues/paper.py", "app/practice/server.py", "app/practice/__main__.py",
        "app/execution/control.py", "app/cli/context.py",
        "signers/ledger/tcp.py",  # an emulator's, with APDUs on it
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
