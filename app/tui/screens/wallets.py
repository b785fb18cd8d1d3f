"""The Wallets screen: every kind of signer as it is now, what each shows of what it would sign, the registered
addresses; an address shown on the device, a test text signed. On a chain also what may be taken from the account."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from app.tui.host import aside
from app.tui.screens.allowances import AllowancePane
from app.tui.screens.history import History
from app.tui.screens.split import Split
from app.tui.widgets.lines import Line, wrapped
from app.tui.widgets.table import Table

if TYPE_CHECKING:
    from app.accounts import Account
    from app.snapshots.signers import SignerView, Signs
    from app.wallets import Which
    from signers.base import DeviceInfo, SignerKind
    from signers.payloads import Chain
    from storage.database import Reader

_NO_ENGINE: Final = "The engine does not run, so no device is asked. R starts it again once it has stopped."
_NO_ACCOUNTS: Final = (
    "No address is registered. A session registers the one that it signs with; others: countersign signers address "
    "--register"
)

What = Literal["address", "test"]


class WalletsView(Split):
    """What can countersign."""

    name_shown = "Wallets"
    topic = "wallets"
    SCOPED_CSS = False
    DEFAULT_CSS = """
    WalletsView #devices { height: 10; }
    WalletsView #accounts { height: 1fr; }
    WalletsView #allowances { height: 1fr; }
    .-narrow WalletsView #devices { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "address", "show its address", show=False),
        Binding("t", "test", "sign a test text", show=False),
        Binding("l", "look", "look for devices", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- Textual's name
        super().__init__(id=id)
        self._seen: tuple[SignerView, ...] = ()
        self._stored: History[None, tuple[Account, ...]] = History(self, _stored)
        self._signs: dict[DeviceInfo, tuple[Signs, ...]] = {}
        self._working = False

    def lists(self) -> list[Widget]:
        """Signers, then addresses."""
        from app.tui.screens import wallet_text as text  # noqa: PLC0415 -- the signers, after the first frame

        devices = Table(text.DEVICES, empty=_NO_ENGINE, id="devices")
        accounts = Table(text.ACCOUNTS, empty=_NO_ACCOUNTS, id="accounts")
        for table, title in ((devices, "Signers"), (accounts, "Registered addresses")):
            table.add_class("pane")
            table.border_title = title
        return [devices, accounts, *([AllowancePane()] if self.host.request.chain is not None else [])]

    def hints(self) -> list[tuple[str, str]]:
        """Of the focused pane."""
        if self.detail.has_focus:
            return [("Esc", "back")]
        names = {"devices": "signers", "accounts": "addresses", "allowances": "allowances"}
        panes = [each for each in names if self.query(f"#{each}")]
        other = names[panes[(panes.index(self.current) + 1) % len(panes)]]
        if self.current == "allowances":
            keys = [("Enter", "detail"), ("r", "revoke"), ("l", "look again")]
            return [*keys, ("Tab", other if self.narrow else "next pane")]
        keys = [("Enter", "detail"), ("a", "address"), ("t", "test"), ("l", "look")]
        return [*keys, ("Tab", other if self.narrow else "next pane")]

    # -- what it shows ----------------------------------------------------------------------------------------------

    def draw(self) -> None:
        """Both lists, and the detail of the row under the cursor."""
        from app.tui.screens import wallet_text as text  # noqa: PLC0415 -- as above

        host = self.host
        devices, accounts = self.query_one("#devices", Table), self.query_one("#accounts", Table)
        self._seen = () if host.desk is None or host.trader is None else self._views()
        first = not devices.keys
        devices.set_rows([text.device(each) for each in self._seen])
        if first:  # the one in use is what is looked at mostly
            devices.mark(next((each.kind for each in self._seen if each.chosen), ""))
        devices.entitle("Signers  * the one in use" if self._seen else "Signers")
        self._stored.want(None)
        found = self._stored.result or ()
        accounts.set_rows(
            [text.account(each, in_use=self._in_use(each)) for each in found],
            empty=self._stored.words or (_NO_ACCOUNTS if self._stored.result is not None else "reading"),
        )
        accounts.entitle(f"Registered addresses ({len(found)})" if found else "Registered addresses")
        for pane in self.query(AllowancePane):
            if self.current == "allowances" or not self.narrow:  # nobody is asked for what nobody sees
                pane.show_rows()
        if self.detail_seen():
            self._work_out()
            self.detail.show()

    def _views(self) -> tuple[SignerView, ...]:
        from app.snapshots.signers import signers  # noqa: PLC0415 -- as above

        trader = self.host.trader
        assert trader is not None
        return signers(trader.session.devices, trader.session.device.signer.kind)

    def _in_use(self, each: Account) -> bool:
        desk = self.host.desk
        return desk is not None and desk.terms.account == (each.signer, each.chain, str(each.path))

    @property
    def _device(self) -> SignerView | None:
        cursor = self.query_one("#devices", Table).cursor
        return next((each for each in self._seen if each.kind == cursor), None)

    @property
    def _account(self) -> Account | None:
        from app.tui.screens import wallet_text as text  # noqa: PLC0415 -- as above

        cursor = self.query_one("#accounts", Table).cursor
        return next((each for each in self._stored.result or () if text.key(each) == cursor), None)

    def document(self, width: int) -> list[Line]:
        """Of the signer under the cursor, or of the address."""
        from app.tui.screens import wallet_text as text  # noqa: PLC0415 -- as above

        if self.current == "allowances":
            return self.query_one(AllowancePane).detail_lines(width)
        if self.current == "accounts":
            account = self._account
            empty = wrapped(_NO_ACCOUNTS, width, "dim")
            return empty if account is None else text.account_lines(account, width, in_use=self._in_use(account))
        seen = self._device
        if seen is None:
            return wrapped(_NO_ENGINE, width, "dim")
        return text.device_lines(seen, self._signs.get(seen.info) if seen.info is not None else None, width)

    def _work_out(self) -> None:
        """What the device under the cursor shows of what it would sign; aside, for it loads what reads payloads."""
        from signers.base import SignerKind  # noqa: PLC0415 -- as above

        seen = self._device if self.current == "devices" else None
        if seen is None or seen.info is None or seen.kind is SignerKind.KEYRING:
            return
        if not self._working and seen.info not in self._signs:
            self._working = True
            self.app.keep(self._work(seen.kind, seen.info))

    async def _work(self, kind: SignerKind, info: DeviceInfo) -> None:
        trader = self.host.trader
        assert trader is not None
        signer = trader.session.devices.of(kind).signer

        def job() -> tuple[Signs, ...]:
            from app.snapshots.samples import samples  # noqa: PLC0415 -- eth-account and solders, half a second
            from app.snapshots.signers import signs  # noqa: PLC0415 -- with it

            return signs(signer, info, samples())

        try:
            self._signs[info] = await aside(job)
        finally:
            self._working = False
        self.refresh_view()

    # -- keys, on the lists -----------------------------------------------------------------------------------------

    @on(Table.RowMarked)
    def _another_row(self) -> None:
        self.detail.set_document(self.document)
        self.refresh_view()

    @on(Table.RowOpened)
    def _opened(self) -> None:
        self.open_detail()

    def action_look(self) -> None:
        """Look for every kind of device; they are watched from then on."""
        if self.table.has_focus and self._runs():
            from app.devices import LISTED  # noqa: PLC0415 -- as above

            self.app.notify("Looking for devices.")
            self.app.do.command("signers", look=list(LISTED))

    def action_address(self) -> None:
        """Show an address on the device, to compare."""
        self._ask("address")

    def action_test(self) -> None:
        """Have the device sign a harmless text."""
        self._ask("test")

    def _runs(self) -> bool:
        if self.host.desk is None:
            self.app.notify("The engine does not run.", severity="warning")
        return self.host.desk is not None

    def _ask(self, what: What) -> None:
        if self.current == "allowances" or not self.table.has_focus or not self._runs():
            return
        from app.wallets import Which  # noqa: PLC0415 -- as above
        from signers.base import SignerKind  # noqa: PLC0415 -- as above

        account, seen = self._account, self._device
        kind = None if seen is None else seen.kind
        if self.current == "accounts":
            kind = None if account is None else account.signer
        if kind is SignerKind.KEYRING:
            self.app.notify("A hot key is on no device: it has no screen to show anything on.", severity="warning")
        elif self.current == "accounts" and account is not None:
            self._open(what, Which(account.signer, account.chain, account.path))
        elif self.current == "devices" and seen is not None:
            self._which_chain(what, seen)

    def _which_chain(self, what: What, seen: SignerView) -> None:
        from app.tui.screens.ask import QuestionDialog  # noqa: PLC0415 -- when it is wanted
        from signers.payloads import Chain  # noqa: PLC0415 -- as above

        trader = self.host.trader
        assert trader is not None
        path = trader.session.devices.path

        def open_(chain: Chain) -> None:
            from app.wallets import Which  # noqa: PLC0415 -- as above

            self._open(what, Which(seen.kind, chain, path(chain)))

        text = "Which address shall it show?" if what == "address" else "It signs a harmless text. For which chain?"
        self.app.push_screen(
            QuestionDialog(
                f"{seen.kind.capitalize()}",
                [(text, ""), (f"Other paths: countersign signers {what} --path P", "dim"), ("", "")],
                [
                    ("n", "none", lambda: None),
                    ("e", f"EVM, {path(Chain.EVM)}", partial(open_, Chain.EVM)),
                    ("s", f"Solana, {path(Chain.SOLANA)}", partial(open_, Chain.SOLANA)),
                ],
                topic="wallets",
            )
        )

    def _open(self, what: What, one: Which) -> None:
        from app.tui.screens.wallet_act import WalletDialog  # noqa: PLC0415 -- when it is wanted

        self.app.push_screen(WalletDialog(what, one))


def _stored(reader: Reader, _wanted: None) -> tuple[Account, ...]:
    from app.accounts import stored  # noqa: PLC0415 -- the engine behind it, after the first frame

    return stored(reader.rows)
