"""Typed data with Ledger's filters: what the device is told, in which order, and what it then shows with blind signing
off.

Types by name, activation (1E), the domain's values, name and number of filters (1E), then the message's values (1C),
each with its filter right before it and a token's description (0A) before that, then the request to sign (0C). Source:
app-ethereum 1.22.0 (commands_712.c, filtering.c, ui_logic.c), its own client, and the screens that its own tests
expect. Unproven: no such exchange was recorded. An app set to show raw messages leaves the filters out and shows every
field.

The app's slots of tokens are walked along here, since a filter names its slot in what Ledger signed: a description is
sent only where the app will put it into that slot, and where it fits every address that the slot is compared with.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from signers.base import Clarity, DeviceInfo, DeviceLine, Shown
from signers.ledger import clearsign_evm, ethereum
from signers.ledger.clearsign import model_of, version_of
from signers.ledger.clearsign_evm import amount, cut, framed, network, text
from signers.ledger.descriptors import Descriptors, Missing
from signers.ledger.eip712 import DOMAIN, Document, Length, Value, document_of, root, showable, sign_command, told
from signers.ledger.filters import ACTIVATE, IN_DOMAIN, Domain, Filter, Filters, FilterSet, Format, domain_of
from signers.paths import Path
from signers.payloads import TypedData

_OLDEST: Final = (1, 12, 0)
"""Apps before it know other filters, and none for empty arrays (its change log; hw-app-eth)."""
_SLOTS: Final = 5
_MOST_JOINED: Final = 25
"""Characters of an amount's name; the app cuts what is longer (ui_logic.c)."""
_UNKNOWN: Final = "???"
_MOST_NAMED: Final = 8
_MOST_PATH: Final = 40
_BASES: Final = {Format.DATETIME: "uint", Format.AMOUNT: "uint", Format.TOKEN: "address"}
_YEAR_10000: Final = 253_402_300_800
_WHY: Final = "Its screens were not recorded with filters; these are as in the app's source and its own tests."


@dataclass(frozen=True, slots=True)
class Filtered:
    """What the device is told of a document, but for the request to sign, and the `lines` that come of it.

    Attributes:
        hidden: the message's fields that the device does not show.
        raw_amounts: why amounts are shown without their token; "" where none is.
    """

    domain: Domain
    told: tuple[bytes, ...]
    lines: tuple[DeviceLine, ...]
    hidden: tuple[str, ...]
    raw_amounts: str

    def commands(self, path: Path) -> list[bytes]:
        """Everything, the request to sign at the end."""
        return [*self.told, sign_command(path)]


def typed(payload: TypedData, info: DeviceInfo, filters: Filters | None) -> tuple[Shown, Filtered | None]:
    """The verdict, and what the device is told for it to hold; None where no filters can be used, and the verdict says
    why. Without a folder of Ledger's package (`filters` None) none are looked for."""
    if filters is None:
        return clearsign_evm.typed(payload, info), None
    try:
        found = plan(payload, info, filters)
    except Missing as missing:
        return clearsign_evm.typed(payload, info, str(missing)), None
    why = _WHY
    if found.hidden:
        named = ", ".join(each[:_MOST_PATH] for each in found.hidden[:_MOST_NAMED])
        rest = len(found.hidden) - _MOST_NAMED
        why += f" Not shown: {named}{f' and {rest} more' if rest > 0 else ''}."
    if found.raw_amounts:
        why += f" Amounts of tokens are shown without names and decimals: {found.raw_amounts}"
    lines = [DeviceLine(each.label, cut(each.value)) for each in found.lines]
    if lines != list(found.lines):
        why = f"A value is longer than the device shows. {why}"
    return Shown(Clarity.PARTLY, framed(info, "Review typed message", lines, "typed message"), why), found


def plan(payload: TypedData, info: DeviceInfo, filters: Filters) -> Filtered:
    """What to tell the device.

    Raises:
        Missing: there are no filters, or they can not be used for this document or on this device.
    """
    if model_of(info).code == "nanos" or version_of(info) < _OLDEST:
        raise Missing("This app takes no filters.")
    document, why_not = document_of(payload)
    if document is None:
        raise Missing(why_not)
    domain = domain_of(document)
    found = filters.find(domain)
    walk = _Walk(document, domain, found, filters.tokens)
    walk.run()
    before = [*document.definitions(by_name=True), ACTIVATE, root(DOMAIN)]
    before += [apdu for each in document.domain for apdu in told(each)]
    before += [found.info_command(), root(document.primary)]
    lines = (DeviceLine("Contract", found.name), *network(domain.chain_id), *walk.lines)
    leaves = {each.path: None for each in document.message if isinstance(each, Value)}
    hidden = tuple(path for path in leaves if path not in walk.shown)
    return Filtered(domain, (*before, *walk.told), lines, hidden, walk.raw_amounts)


@dataclass(slots=True)
class _Join:
    """A token and its amount, as far as the device has them: their paths, the amount's bytes and name. `known`: whose
    amount it is has been told, by a field or by the domain."""

    token: str = ""
    amount: str = ""
    units: bytes = b""
    label: str = ""
    known: bool = False


class _Walk:
    """Goes through a message's values as the device does."""

    def __init__(self, document: Document, domain: Domain, found: FilterSet, tokens: Descriptors) -> None:
        self._document = document
        self._domain = domain
        self._filters = {each.path: each for each in found.fields}
        self._tokens = tokens
        self._slots: dict[int, tuple[bytes, str, int]] = {}
        self._next = 0
        self._joins: dict[int, _Join] = {}
        self._sent: set[str] = set()
        self.told: list[bytes] = []
        self.lines: list[DeviceLine] = []
        self.shown: set[str] = set()
        self.raw_amounts = ""

    def run(self) -> None:
        """Fill `told`, `lines` and `shown`.

        Raises:
            Missing: the device would stop in the middle.
        """
        for each in self._document.message:
            if isinstance(each, Length):
                self.told += told(each)
                if not each.count:
                    self._absent(each)
            else:
                self._value(each)
        if self._sent != set(self._filters):
            raise Missing("Ledger's filters name a field that it does not have.")

    def _absent(self, each: Length) -> None:
        for one in self._filters.values():
            if one.path.startswith(f"{each.path}.[]"):
                if one.format is not Format.RAW:  # the app takes these as filters of the next field
                    raise Missing("An array is empty that Ledger's filters format.")
                self.told += [one.absent_path(), one.command(absent=True)]
                self._sent.add(one.path)

    def _value(self, value: Value) -> None:
        one = self._filters.get(value.path)
        if one is not None:
            base = _BASES.get(one.format, value.kind.base)
            if value.kind.base != base or (one.format is Format.RAW and not showable(value.kind)):
                raise Missing("Ledger's filters are for fields of other types.")
            if one.format in {Format.TOKEN, Format.AMOUNT}:
                self._describe(one)
            self.told.append(one.command())
            self._sent.add(one.path)
            self._show(one, value)
        self.told += told(value)

    def _show(self, one: Filter, value: Value) -> None:
        if one.format in {Format.TOKEN, Format.AMOUNT}:
            self._join(one, value)
            return
        shown = text(value) if one.format is Format.RAW else _date(value)
        self.lines.append(DeviceLine(one.label or value.name, shown))
        self.shown.add(value.path)

    # -- tokens and amounts -----------------------------------------------------------------------------------------

    def _describe(self, one: Filter) -> None:
        """Have the token of `one` in its slot, if it can be."""
        if one.index == IN_DOMAIN:
            if self._slot_of(self._domain.contract) is None:
                self._send(self._domain.contract)
        elif one.index >= _SLOTS:
            raise Missing("Ledger's filters name more tokens than the app keeps.")
        elif one.index not in self._slots and one.index not in self._joins:
            try:
                self._send(self._address_for(one.index))
            except Missing as missing:
                self.raw_amounts = self.raw_amounts or str(missing)

    def _send(self, address: bytes) -> None:
        token = self._tokens.erc20(self._domain.chain_id, address)
        self.told.append(ethereum.token_command(token.descriptor))
        self._slots[self._next] = (address, token.ticker, token.decimals)
        self._next = (self._next + 1) % _SLOTS

    def _slot_of(self, address: bytes) -> int | None:
        return next((slot for slot, each in sorted(self._slots.items()) if each[0] == address), None)

    def _address_for(self, index: int) -> bytes:
        """The one token that the slot is for, if it is the slot that the app fills next."""
        paths = {each.path for each in self._filters.values() if (each.format, each.index) == (Format.TOKEN, index)}
        found = {each.data for each in self._document.message if isinstance(each, Value) and each.path in paths}
        if len(found) != 1 or self._next != index:
            raise Missing("They are of several tokens, or in an order that the app does not take.")
        return found.pop()

    def _join(self, one: Filter, value: Value) -> None:
        slot = one.index
        if slot == IN_DOMAIN:
            slot = self._slot_of(self._domain.contract) or 0
        join = self._joins.setdefault(slot, _Join())
        address, ticker, decimals = self._slots.get(slot, (b"", _UNKNOWN, 0))
        if not address and self._next == slot:
            self._next = (slot + 1) % _SLOTS
        if one.format is Format.AMOUNT:
            join.amount, join.units, join.label = value.path, value.data, one.label[:_MOST_JOINED]
            join.known = join.known or one.index == IN_DOMAIN
        else:
            if address not in {b"", value.data}:
                raise Missing("Ledger's filters join an amount with another token than its own.")
            join.token, join.known = value.path, True
        if join.known and join.amount:
            much = "Unlimited" if join.units == b"\xff" * 32 else amount(int.from_bytes(join.units), decimals)
            self.lines.append(DeviceLine(join.label, f"{much} {ticker}"))
            # Of a token the line has its name; where the device knows none, its address is nowhere to be seen.
            self.shown.update([join.amount, join.token] if address else [join.amount])
            del self._joins[slot]


def _date(value: Value) -> str:
    """Seconds since 1970 as the app writes them, on one line; the device breaks it before the time.

    Raises:
        Missing: so far away that it is not known how.
    """
    if len(value.data) >= value.kind.width and not value.data.strip(b"\xff"):
        return "Unlimited"
    seconds = int.from_bytes(value.data)
    if seconds >= _YEAR_10000:
        raise Missing("A date in it is too far away for the device to show it.")
    when = datetime.fromtimestamp(seconds, UTC)
    hour = (when.hour + 11) % 12 + 1
    return f"{when:%Y-%m-%d} {hour:02}:{when:%M:%S} {'AM' if when.hour < 12 else 'PM'} UTC"
