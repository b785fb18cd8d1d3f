"""Real servers on this computer: a webhook, a mail server, a Telegram behind a proxy, and some that behave badly; and a
keyring that a courier's process finds."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.engine.clock import WallClock

ROOT = Path(__file__).resolve().parents[2]

KEYRING = "TEST_KEYRING"
"""The variable that names the file."""
_SITE = """
import json, os

os.nice = lambda _: 0  # a courier that makes way for all other tests comes nowhere in time

def _install(path):
    import keyring
    from keyring.backends import SecretService

    def entries():
        with open(path) as file:
            return json.load(file)

    def save(found):
        with open(path, "w") as file:
            json.dump(found, file)

    SecretService.Keyring.get_password = lambda self, service, name: entries().get(name)
    SecretService.Keyring.set_password = lambda self, service, name, value: save({**entries(), name: value})
    SecretService.Keyring.delete_password = lambda self, service, name: save(
        {key: value for key, value in entries().items() if key != name}
    )
    keyring.set_keyring(SecretService.Keyring())

if os.environ.get("TEST_KEYRING"):
    _install(os.environ["TEST_KEYRING"])
"""
"""An allowed backend whose D-Bus calls are answered from a file, in every Python that starts with this folder in its
path."""


def keyring_in(folder: Path, entries: Mapping[str, str]) -> dict[str, str]:
    """Variables of a process whose keyring holds `entries`."""
    site = folder / "site"
    site.mkdir(parents=True, exist_ok=True)
    (site / "sitecustomize.py").write_text(_SITE, encoding="utf-8")
    file = folder / "keyring.json"
    names = json.dumps(sorted(entries))
    file.write_text(json.dumps({**entries, "@names": names}), encoding="utf-8")
    return {KEYRING: str(file), "PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}


# -- webhooks -------------------------------------------------------------------------------------------------------


@dataclass
class Hits:
    """What a server was sent. `status`: what it answers, one after the other; the last again and again."""

    status: list[int] = field(default_factory=lambda: [200])
    bodies: list[Any] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    answer: str = "{}"
    location: str = ""

    async def serve(self, request: web.Request) -> web.Response:
        """Note it, answer."""
        self.paths.append(request.path_qs)
        self.headers.append(dict(request.headers))
        self.bodies.append(await request.json() if request.can_read_body else None)
        status = self.status.pop(0) if len(self.status) > 1 else self.status[0]
        headers = {"Location": self.location} if self.location else {}
        return web.Response(status=status, text=self.answer, headers=headers, content_type="application/json")


@asynccontextmanager
async def webhook(hits: Hits, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that notes what it is sent; its port."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hits.serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """A server that does what `serve` does; its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except (asyncio.CancelledError, OSError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Takes everything and says nothing."""
    while await reader.read(4096):
        pass
    await asyncio.Event().wait()


def dripping(writes: asyncio.Event) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """Answers a byte at a time, for ever: no time-out between two bytes ever ends that."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while True:
            writer.write(b"x")
            await writer.drain()
            writes.set()
            await asyncio.sleep(0.05)

    return serve


# -- certificates ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Authority:
    """Who a test trusts: `file` is its certificate; `context` has one for each of `names`, signed by it."""

    file: Path
    context: ssl.SSLContext


def authority(folder: Path, *names: str) -> Authority:
    """A fresh one."""

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def alternative(text: str) -> x509.GeneralName:
        try:
            return x509.IPAddress(ipaddress.ip_address(text))
        except ValueError:
            return x509.DNSName(text)

    now = datetime.fromtimestamp(WallClock().now_ms() // 1000, UTC)
    root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def begun(subject: str, key: Any) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(named(subject))
            .issuer_name(named("test authority"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )

    ca = begun("test authority", root).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    others = x509.SubjectAlternativeName([alternative(name) for name in names])
    mine = begun(names[0], leaf).add_extension(others, critical=False)
    pem = serialization.Encoding.PEM
    file, chain = folder / "authority.pem", folder / "server.pem"
    file.write_bytes(ca.sign(root, hashes.SHA256()).public_bytes(pem))
    key = leaf.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain.write_bytes(mine.sign(root, hashes.SHA256()).public_bytes(pem) + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return Authority(file, context)


# -- Telegram -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def proxy(to_port: int, asked: list[str]) -> AsyncIterator[int]:
    """An HTTP proxy that leads every CONNECT to a server of ours, and notes whom it was for."""

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.split(b" ")[1].decode())
        there, back = await asyncio.open_connection("127.0.0.1", to_port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pipe(reader, back), pipe(there, writer))

    async with raw(serve) as port:
        yield port


# -- mail -----------------------------------------------------------------------------------------------------------


@dataclass
class Mails:
    """What a mail server took."""

    password: str = ""
    taken: list[Envelope] = field(default_factory=list)
    tls: list[bool] = field(default_factory=list)

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 -- aiosmtpd's
        """Take it."""
        self.taken.append(envelope)
        self.tls.append(session.ssl is not None)
        return "250 OK"

    def check(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        """Whether the password is right."""
        fine = isinstance(data, LoginPassword) and data.password.decode() == self.password
        return AuthResult(success=fine, handled=False)


@asynccontextmanager
async def mail_server(mails: Mails, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A mail server on this loop; with `context` it wants STARTTLS before a password."""
    loop = asyncio.get_running_loop()
    made: list[SMTP] = []

    def one() -> SMTP:
        secured = {"tls_context": context, "require_starttls": True} if context else {"auth_require_tls": False}
        made.append(SMTP(mails, authenticator=mails.check, loop=loop, enable_SMTPUTF8=True, **secured))
        return made[-1]

    server = await loop.create_server(one, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
        for each in made:
            if each.transport is not None:
                each.transport.close()
