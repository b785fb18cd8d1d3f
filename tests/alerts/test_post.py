"""What really leaves: couriers, each a process, against real servers on this computer."""

from __future__ import annotations

import asyncio
import email
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from app.alerts import post
from app.alerts.message import Message
from app.alerts.model import Answer, Outcome
from app.errors import Severity
from tests.alerts.servers import (
    ROOT,
    Hits,
    Mails,
    authority,
    closed_port,
    dripping,
    keyring_in,
    mail_server,
    proxy,
    raw,
    silent,
    webhook,
)
from tests.cli.harness import children_of

TOKEN = "123456789:AAExampleTokenOfATelegramBot1234567"
HIGH = Message("countersign PAPER: HIGH health", "12:00:00 UTC HIGH health: <b>not</b> so & any more", Severity.HIGH)

Keep = Callable[..., None]


@pytest.fixture
def keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keep:
    """Put URLs by channel into the keyring that couriers find."""

    def put(**urls: str) -> None:
        for name, value in keyring_in(tmp_path, {f"alert.{name}": url for name, url in urls.items()}).items():
            monkeypatch.setenv(name, value)

    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return put


async def test_a_webhook_gets_the_message_and_its_password(keep: Keep) -> None:
    hits = Hits()
    async with webhook(hits) as port:
        keep(hook=f"json://me:s3cret@127.0.0.1:{port}/desk/one?+X-Mine=yes")
        assert await post.send("hook", HIGH) == Answer(Outcome.DELIVERED)
    assert hits.bodies == [
        {"version": "1.0", "title": HIGH.title, "message": HIGH.body, "attachments": [], "type": "warning"}
    ]
    assert hits.paths == ["/desk/one"]
    assert hits.headers[0]["Authorization"] == "Basic bWU6czNjcmV0"
    assert hits.headers[0]["X-Mine"] == "yes"


@pytest.mark.parametrize(
    ("status", "passing"), [(401, False), (404, False), (429, True), (500, True), (503, True), (302, False)]
)
async def test_a_server_that_says_no_is_named_by_its_number(keep: Keep, status: int, passing: bool) -> None:
    hits = Hits(status=[status])
    async with webhook(hits) as port:
        keep(hook=f"json://127.0.0.1:{port}/?retry=3&wait=0&optional=yes")
        answer = await post.send("hook", HIGH)
    assert answer == Answer(Outcome.HTTP, status)
    assert answer.passing is passing
    assert len(hits.bodies) == 1, "the URL can neither ask for more attempts nor for a failure to count as none"


async def test_a_redirect_is_not_followed_whatever_the_url_asks_for(keep: Keep) -> None:
    hits, other = Hits(status=[307]), Hits()
    async with webhook(hits) as port, webhook(other) as elsewhere:
        hits.location = f"http://127.0.0.1:{elsewhere}/"
        keep(hook=f"json://me:s3cret@127.0.0.1:{port}/?redirect=yes")
        assert await post.send("hook", HIGH) == Answer(Outcome.HTTP, 307)
    assert other.bodies == []


async def test_nobody_listens(keep: Keep) -> None:
    keep(hook=f"json://127.0.0.1:{closed_port()}/", mail=f"mailto://a:b@localhost:{closed_port()}?to=me@example.com")
    assert await post.send("hook", HIGH) == Answer(Outcome.REFUSED)
    assert await post.send("mail", HIGH) == Answer(Outcome.REFUSED)


async def test_a_host_that_is_not_found(keep: Keep) -> None:
    keep(hook="jsons://nowhere.invalid/")
    assert await post.send("hook", HIGH) == Answer(Outcome.UNREACHABLE)


async def test_a_certificate_of_nobody_we_trust_ends_it(keep: Keep, tmp_path: Path) -> None:
    hits, mails, found = Hits(), Mails("pw"), authority(tmp_path, "127.0.0.1", "localhost")
    async with webhook(hits, found.context) as port, mail_server(mails, found.context) as mail:
        keep(
            hook=f"jsons://me:s3cret@127.0.0.1:{port}/",
            mail=f"mailtos://me:pw@localhost:{mail}?mode=starttls&from=me@example.com&to=you@example.com",
        )
        assert await post.send("hook", HIGH) == Answer(Outcome.TLS)
        assert await post.send("mail", HIGH) == Answer(Outcome.TLS)
    assert (hits.bodies, mails.taken) == ([], [])


async def test_a_mail_server_without_encryption_is_sent_no_password(keep: Keep) -> None:
    mails = Mails("pw")
    async with mail_server(mails) as port:
        keep(mail=f"mailtos://me:pw@localhost:{port}?mode=starttls&from=me@example.com&to=you@example.com")
        assert await post.send("mail", HIGH) == Answer(Outcome.TLS)
    assert mails.taken == []


async def test_a_server_that_says_nothing_is_killed_with_its_courier(keep: Keep) -> None:
    drips = asyncio.Event()
    async with raw(silent) as quiet, raw(dripping(drips)) as slow:
        keep(quiet=f"json://127.0.0.1:{quiet}/", slow=f"json://127.0.0.1:{slow}/")
        for patience_s in (4, 16, 60):  # on a busy machine it may not get as far as its server
            assert await post.send("slow", HIGH, deadline_s=patience_s) == Answer(Outcome.TIMEOUT)
            if drips.is_set():
                break
        assert drips.is_set()
        before = set(children_of(os.getpid()))
        assert await post.send("quiet", HIGH, deadline_s=0.5) == Answer(Outcome.TIMEOUT)
    assert set(children_of(os.getpid())) <= before, "no courier outlives its time"


async def test_giving_up_ends_the_courier(keep: Keep) -> None:
    began = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        began.set()
        await silent(reader, writer)

    async with raw(serve) as port:
        keep(hook=f"json://127.0.0.1:{port}/")
        before = set(children_of(os.getpid()))
        sending = asyncio.create_task(post.send("hook", HIGH))
        async with asyncio.timeout(20):
            await began.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
    assert set(children_of(os.getpid())) <= before


async def test_telegram_gets_its_chat_and_escaped_text(
    keep: Keep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, asked = authority(tmp_path, "api.telegram.org"), list[str]()
    hits = Hits(answer='{"ok": true, "result": {}}')
    async with webhook(hits, found.context) as port, proxy(port, asked) as through:
        keep(phone=f"tgram://{TOKEN}/4711")
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{through}")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(found.file))
        assert await post.send("phone", HIGH) == Answer(Outcome.DELIVERED)
        hits.status, hits.answer = [401], '{"ok": false, "description": "Unauthorized"}'
        assert await post.send("phone", HIGH) == Answer(Outcome.HTTP, 401)
    assert asked[0] == "api.telegram.org:443"
    assert hits.paths[0] == f"/bot{TOKEN}/sendMessage"
    assert hits.bodies[0]["chat_id"] == 4711
    assert HIGH.title in hits.bodies[0]["text"]
    assert "&lt;b&gt;not&lt;/b&gt; so &amp; any more" in hits.bodies[0]["text"], "nothing in an alert is markup"


async def test_mail_is_encrypted_before_the_password_is_sent(
    keep: Keep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mails, found = Mails("pw"), authority(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(found.file))
    async with mail_server(mails, found.context) as port:
        to = "mode=starttls&from=me@example.com&to=you@example.com"
        keep(mail=f"mailtos://me:pw@localhost:{port}?{to}", wrong=f"mailtos://me:other@localhost:{port}?{to}")
        monkeypatch.setenv("SSL_CERT_FILE", str(found.file))
        assert await post.send("mail", HIGH) == Answer(Outcome.DELIVERED)
        answer = await post.send("wrong", HIGH)
    assert (answer, answer.passing) == (Answer(Outcome.SMTP, 535), False)
    assert mails.tls == [True]
    (envelope,) = mails.taken
    assert (envelope.mail_from, envelope.rcpt_tos) == ("me@example.com", ["you@example.com"])
    content = envelope.content
    assert isinstance(content, bytes)
    mail = email.message_from_bytes(content)
    assert mail["Subject"] == HIGH.title
    text = next(part for part in mail.walk() if not part.is_multipart()).get_payload(decode=True)
    assert isinstance(text, bytes)
    assert "so" in text.decode()


BAD: Mapping[str, Outcome] = {
    "nonsense": Outcome.NOT_UNDERSTOOD,
    "carrierpigeon://coop/17": Outcome.NOT_UNDERSTOOD,
    "file:///etc/passwd": Outcome.NOT_UNDERSTOOD,
    "json://": Outcome.NOT_UNDERSTOOD,
    "json://example.com/hook": Outcome.IN_CLEAR,
    "JSON://me:pw@example.com/hook": Outcome.IN_CLEAR,
    "json://192.168.1.7/hook": Outcome.IN_CLEAR,
    "jsons://example.com/hook?verify=no": Outcome.IN_CLEAR,
    "mailto://me:pw@example.com": Outcome.IN_CLEAR,
    "mailtos://me:pw@example.com?mode=insecure": Outcome.IN_CLEAR,
    f"tgram://{TOKEN}/": Outcome.NO_CHAT,
    f"tgram://{TOKEN}/4711?verify=no": Outcome.IN_CLEAR,
}
GOOD = (
    "jsons://me:pw@example.com/hook",
    f"tgram://{TOKEN}/4711",
    "mailtos://me:pw@example.com",
    "mailto://me:pw@gmail.com",
    "json://localhost:8000/hook",
    "json://[::1]:8000/hook",
    "discord://1234567890/abcdefghij",
    "ntfys://topic",
)


def test_what_may_be_stored() -> None:
    """Read in a process of its own, as it always is: the library and its warnings stay out of this one."""
    program = (
        "import json, sys\nfrom app.alerts.forms import read\nfrom app.alerts.model import Outcome\n"
        "found = [read(url) for url in json.load(sys.stdin)]\n"
        "print(json.dumps([each.value if isinstance(each, Outcome) else '' for each in found]))"
    )
    urls = [*BAD, *GOOD]
    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(urls), capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert dict(zip(urls, json.loads(done.stdout), strict=True)) == {**BAD, **dict.fromkeys(GOOD, "")}


async def test_it_is_judged_before_it_is_stored_and_as_it_is_stored(keep: Keep) -> None:
    keep(good="jsons://me:pw@example.com/", bad="nonsense")
    assert await post.judge("jsons://me:pw@example.com/") == Answer(Outcome.USABLE)
    assert await post.judge(f"tgram://{TOKEN}/") == Answer(Outcome.NO_CHAT)
    assert [await post.check(name) for name in ("good", "bad", "none")] == [
        Answer(Outcome.USABLE), Answer(Outcome.NOT_UNDERSTOOD), Answer(Outcome.ABSENT),
    ]  # fmt: skip


async def test_a_keyring_that_may_not_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    assert await post.send("hook", HIGH) == Answer(Outcome.KEYRING)


async def test_a_courier_that_can_not_be_started_or_says_nonsense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    assert await post.send("hook", HIGH) == Answer(Outcome.BROKEN)
    monkeypatch.setattr("sys.executable", "/bin/echo")
    assert await post.send("hook", HIGH) == Answer(Outcome.BROKEN)


async def test_a_courier_that_breaks_says_so_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    assert await post._ask({"op": "send"}, 10) == Answer(Outcome.BROKEN)
    assert capfd.readouterr() == ("", ""), "a traceback may hold the URL"
