"""The venue's socket: one trader session at a time, one operation at a time, committed before it is answered."""

from __future__ import annotations

import asyncio
import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

from app.money import to_text
from app.practice.checks import Refused
from app.practice.matching import Exchange
from app.practice.orders import Account
from app.practice.record import Record
from app.venues.paper_wire import MOST_LINE_BYTES, event_in, report_out, request_in, settings_in
from strategies.model import Instrument

_RECORDED = frozenset({"submit", "cancel"})


class Server:
    """Serves until `done` is set."""

    def __init__(self, record: Record, socket_path: Path) -> None:
        self._record = record
        self._path = socket_path
        self._account = Account({})
        self._exchange: Exchange | None = None
        self._session: asyncio.StreamWriter | None = None
        self._pushes: list[Any] = []
        self.done = asyncio.Event()

    async def run(self) -> None:
        """Bind, serve, clean up."""
        self._path.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            server = await asyncio.start_unix_server(self._serve, path=self._path, limit=MOST_LINE_BYTES)
        finally:
            os.umask(mask)
        print(json.dumps({"ready": True, "pid": os.getpid()}), flush=True)
        await self.done.wait()
        server.close()
        if self._session is not None:
            self._session.transport.abort()
        self._path.unlink(missing_ok=True)
        self._record.close(self._account)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not self.done.is_set():
                line = await reader.readline()
                if not line or writer.transport.is_closing():
                    break
                writer.write(self._handle(line, writer))
                await writer.drain()
        except (OSError, ValueError):
            pass  # the trader went away, or sent a line longer than any of ours: the connection ends here
        finally:
            writer.close()

    def _handle(self, line: bytes, writer: asyncio.StreamWriter) -> bytes:
        """One operation, synchronously: no other can come between its change and its commit."""
        number: Any = None
        try:
            request = json.loads(line)
            number = request["id"]
            answer = {"id": number, "ok": self._operate(request, line, writer)}
        except Refused as no:
            answer = {"id": number, "error": {"code": no.code, "what": no.what}}
        except (ValueError, TypeError, KeyError, ArithmeticError) as error:
            answer = {"id": number, "error": {"code": "malformed", "what": repr(error)[:200]}}
        pushed = self._pushes
        self._pushes = []
        lines = [*({"report": report} for report in pushed), answer]
        return b"".join(json.dumps(each).encode() + b"\n" for each in lines)

    def _operate(self, request: dict[str, Any], line: bytes, writer: asyncio.StreamWriter) -> Any:
        op = request["op"]
        if op == "hello":
            return self._hello(request, writer)
        if self._session is not writer:
            raise Refused("session", "Say hello first.")
        exchange = self._exchange
        assert exchange is not None
        received = (op, line.decode(errors="replace").rstrip("\n")) if op in _RECORDED else None
        try:
            result = self._act(exchange, request, op)
        except Refused as no:
            self._commit(received, f"refused: {no.code}", own=frozenset())
            raise
        own = {report[0] for report in result} if op in _RECORDED else set()
        self._commit(received, "accepted", own=frozenset(own))
        return result

    def _act(self, exchange: Exchange, request: dict[str, Any], op: str) -> Any:
        match op:
            case "submit":
                orders = tuple(request_in(order) for order in request["orders"])
                return [report_out(report) for report in exchange.submit(orders)]
            case "cancel":
                return [report_out(exchange.cancel(str(request["client_id"])))]
            case "order":
                order = self._account.orders.get(str(request["client_id"]))
                return None if order is None else report_out(order.report())
            case "open_orders":
                return [report_out(order.report()) for order in self._account.live_orders()]
            case "balances":
                return {asset: to_text(amount) for asset, amount in sorted(self._account.balances.items()) if amount}
            case "market":
                for position, event in request["events"]:
                    exchange.market(event_in(event), position)
            case "bye":
                self.done.set()
            case _:
                raise Refused("op.unknown", f"There is no operation {op!r}.")
        return None

    def _commit(self, received: tuple[str, str] | None, verdict: str, own: frozenset[str]) -> None:
        """Durable first; then what others of our orders became is pushed."""
        changed = [order for order in self._account.changed.values() if order.request.client_id not in own]
        self._record.commit(self._account, None if received is None else (*received, verdict))
        self._pushes = [report_out(order.report()) for order in changed]

    def _hello(self, request: dict[str, Any], writer: asyncio.StreamWriter) -> Any:
        """Open the session and fence the one before it: whatever it still had to say is discarded unread."""
        settings = settings_in(request["settings"])
        if self._session is not None and self._session is not writer:
            self._session.transport.abort()
        self._session = writer
        base_of = {instrument.symbol: instrument.base for instrument in settings.instruments}
        if self._exchange is None:
            self._account = self._record.load(base_of)
        self._exchange = Exchange(settings, self._account)
        self._pay_in(settings.instruments, settings.cash)
        return {"now_ms": self._account.now_ms, "position": self._account.position}

    def _pay_in(self, instruments: tuple[Instrument, ...], cash: dict[str, Decimal]) -> None:
        deposited = self._record.deposited()
        for asset in sorted({instrument.quote for instrument in instruments}):
            if asset not in deposited and cash.get(asset):
                self._record.deposit(asset, to_text(cash[asset]), self._account)
