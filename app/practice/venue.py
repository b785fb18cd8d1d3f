"""One trader's operations on the exchange and its record: decoded, checked, done, committed, then answered."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from app.money import to_text
from app.practice.books import Market
from app.practice.checks import Refused
from app.practice.matching import Exchange
from app.practice.record import Record
from app.venues.paper_wire import PaperSettings, events_in, report_out, request_in, settings_in

MALFORMED: Final = (ValueError, TypeError, KeyError, ArithmeticError, RecursionError)
_MOST_BODY: Final = 100_000


class Venue:
    """The account behind the socket. It knows nothing of connections.

    Any error but `Refused` that comes out of it means that memory and disk may differ: the process must end.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self._account, self._markets = record.load()
        self._exchange: Exchange | None = None
        self._pushes: list[str] = []

    def operate(self, op: str, request: dict[str, Any], body: str) -> Any:
        """Do one operation and return its answer, committed.

        Raises:
            Refused: nothing was done; that is committed too.
        """
        match op:
            case "submit":
                return self._submit(request, body)
            case "cancel":
                return self._cancel(request, body)
            case "order":
                return self._order(request, body)
            case "open_orders":
                return [report_out(order.report()) for order in self._account.live_orders()]
            case "balances":
                return {asset: to_text(amount) for asset, amount in sorted(self._account.balances.items()) if amount}
            case "market":
                return self._market(request, body)
        raise self.malformed("unknown", body, ValueError(f"there is no operation {op[:50]!r}"))

    def take_pushes(self) -> list[Any]:
        """Reports of orders that the last operation changed and did not answer with, in order of change."""
        ids, self._pushes = self._pushes, []
        return [report_out(self._account.orders[client_id].report()) for client_id in ids]

    def close(self) -> None:
        """Remember the time, close the record."""
        self._record.close(self._account, self._markets)

    def hello(self, request: dict[str, Any], body: str) -> dict[str, int]:
        """Take the settings of a session. Fees and book are those of the newest session, and the raw line in table
        `requests` says which those were; cash is paid in once per quote asset, later amounts are ignored; instruments
        are added, and a known one may change its tick and lot but never what it trades.

        Raises:
            Refused: malformed, or a symbol that trades something else than before.
        """
        settings = self._settings(request, body)
        account, markets = self._account, self._markets
        for instrument in settings.instruments:
            symbol, known = instrument.symbol, account.instruments.get(instrument.symbol)
            if known is not None and (known.base, known.quote) != (instrument.base, instrument.quote):
                raise self._refused(
                    "hello", body, Refused("symbol.changed", f"{symbol} is {known.base}-{known.quote}.")
                )
        for instrument in settings.instruments:
            account.instruments[instrument.symbol] = instrument
            markets.setdefault(instrument.symbol, Market(instrument)).instrument = instrument
        paid, deposits = self._record.deposited(), []
        for asset in sorted({instrument.quote for instrument in settings.instruments} - paid):
            if settings.cash.get(asset):
                account.move(asset, settings.cash[asset])
                deposits.append((asset, to_text(settings.cash[asset])))
        self._exchange = Exchange(settings, account, markets)
        self._record.commit(account, markets, ("hello", body, "accepted"), deposits)
        return {"now_ms": account.now_ms, "position": account.position}

    def _settings(self, request: dict[str, Any], body: str) -> PaperSettings:
        try:
            return settings_in(request["settings"])
        except MALFORMED as error:
            raise self.malformed("hello", body, error) from error

    def _submit(self, request: dict[str, Any], body: str) -> list[Any]:
        """Place a list, all or none."""
        exchange = self._open()
        try:
            orders = tuple(request_in(order) for order in request["orders"])
            _check_signed(request["authorisation"])
        except MALFORMED as error:
            raise self.malformed("submit", body, error) from error
        repeated = exchange.repeats(orders)
        if repeated is not None:
            self._commit(("submit", body, "repeat"))
            return [report_out(report) for report in repeated]
        try:
            reports = exchange.submit(orders)
        except Refused as no:
            raise self._refused("submit", body, no) from None
        self._commit(("submit", body, "accepted"), [report.client_id for report in reports])
        return [report_out(report) for report in reports]

    def _cancel(self, request: dict[str, Any], body: str) -> list[Any]:
        """Cancel what is unfilled."""
        try:
            report = self._open().cancel(_client_id(request))
        except Refused as no:
            raise self._refused("cancel", body, no) from None
        except MALFORMED as error:
            raise self.malformed("cancel", body, error) from error
        self._commit(("cancel", body, "accepted"), [report.client_id])
        return [report_out(report)]

    def _order(self, request: dict[str, Any], body: str) -> list[Any] | None:
        """Look up in open and in history."""
        try:
            order = self._account.orders.get(_client_id(request))
        except MALFORMED as error:
            raise self.malformed("order", body, error) from error
        return None if order is None else report_out(order.report())

    def _market(self, request: dict[str, Any], body: str) -> None:
        """The next market events. Those before a refused one count."""
        exchange = self._open()
        try:
            events = events_in(request["events"])
        except MALFORMED as error:
            raise self.malformed("market", body, error) from error
        try:
            for position, event in events:
                exchange.market(event, position)
        finally:
            self._commit(None)

    def malformed(self, op: str, body: str, error: BaseException) -> Refused:
        """Note a line that can not be understood; nothing of it was done."""
        words = ascii(error)[:200]
        self._record.commit(self._account, self._markets, (op, _short(body), "malformed"))
        return Refused("malformed", words)

    def _refused(self, op: str, body: str, no: Refused) -> Refused:
        self._record.commit(self._account, self._markets, (op, body, f"refused: {no.code}"))
        return no

    def _open(self) -> Exchange:
        assert self._exchange is not None  # the server lets nobody in before hello
        return self._exchange

    def _commit(self, request: tuple[str, str, str] | None, own: Iterable[str] = ()) -> None:
        answered = set(own)
        self._pushes = [client_id for client_id in self._account.changed if client_id not in answered]
        self._record.commit(self._account, self._markets, request)


def _client_id(request: dict[str, Any]) -> str:
    client_id = request["client_id"]
    if not isinstance(client_id, str):
        raise TypeError(f"expected a client id, not {ascii(client_id)[:100]}")
    return client_id


def _check_signed(authorisation: Any) -> None:
    """Kept as it came; the venue judges orders, not signatures."""
    if authorisation is not None and (
        len(authorisation) != 3 or not all(isinstance(each, str) for each in authorisation)
    ):
        raise TypeError("an authorisation is a text, a signature in hex and an address")


def _short(body: str) -> str:
    return body if len(body) <= _MOST_BODY else f"{body[:_MOST_BODY]} ... {len(body)} characters"


def parse(line: bytes) -> tuple[int, str, dict[str, Any]]:
    """Id, operation and fields of a request line.

    Raises:
        ValueError, TypeError, KeyError, RecursionError: it is none.
    """
    request = json.loads(line.decode())
    if not isinstance(request, dict) or not isinstance(request["op"], str) or type(request["id"]) is not int:
        raise TypeError("expected an object with id and op")
    return request["id"], request["op"], request
