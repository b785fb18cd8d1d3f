"""Changing one setting: judged while it is typed, by the schema and by what a session would refuse; a looser limit
needs a typed word. Enter here saves a setting; it never submits a trade."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widgets import Input

from app.errors import CountersignError
from app.settings_change import WORD, Change, consider, write
from app.text import escape_untrusted
from app.tui.host import aside
from app.tui.screens import settings_rows as rows
from app.tui.screens.dialog import Dialog
from app.tui.screens.facts import fact
from app.tui.widgets.lines import Line, Lines, wrapped
from app.tui.widgets.status import KeyLine, StatusLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.reports_settings import SettingView


class _Words(Lines):
    """Lines of the dialog; as high as they are."""

    DEFAULT_CSS = "_Words { height: auto; }"
    dialog: EditDialog

    def __init__(self, dialog: EditDialog, *, id: str) -> None:  # noqa: A002 -- Textual's name
        super().__init__(id=id)
        self.dialog = dialog

    def get_content_height(self, container: object, viewport: object, width: int) -> int:  # noqa: ARG002 -- Textual's
        return len(self.content(width, 0))

    def content(self, width: int, height: int) -> list[Line]:  # noqa: ARG002 -- it is as high as it must be
        return self.dialog.about(width) if self.id == "about" else self.dialog.verdict(width)


class EditDialog(Dialog):
    """One setting.

    Args:
        saved: called after the file was written.
    """

    DEFAULT_CSS = """
    EditDialog Input, EditDialog Input:focus { border: none; height: 1; padding: 0 1; margin: 1 0; background: $panel; }
    EditDialog #typed-word { display: none; }
    EditDialog.-asks #typed-word { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("tab,shift+tab", "other", "other line", show=False, priority=True)]

    def __init__(self, setting: SettingView, path: Path, saved: Callable[[], None]) -> None:
        super().__init__()
        self.help_topic = "settings"
        self._setting, self._path, self._saved = setting, path, saved
        self._text = setting.value
        self._judged: str | None = None
        self._change: Change | None = None
        self._wrong = ""
        self._judging = False
        self._submitted = False
        self._writing = False

    def compose(self) -> ComposeResult:
        """What it is, a line to type on, what that would do, and a line for the word."""
        yield StatusLine()
        with Container(classes="frame -small", id="edit"):
            yield _Words(self, id="about")
            yield Input(self._setting.value, id="value")
            yield _Words(self, id="verdict")
            yield Input(id="typed-word", placeholder=f"type {WORD} and Enter")
        yield KeyLine()

    def on_mount(self) -> None:
        """Ready to type."""
        self.query_one("#edit").border_title = self._setting.key
        self.query_one("#value", Input).focus()

    def hints(self) -> list[tuple[str, str]]:
        """Keys of this dialog."""
        return [("Enter", "save the setting"), ("Esc", "leave it as it is"), ("!", "STOP")]

    # -- what it shows ----------------------------------------------------------------------------------------------

    def draw(self) -> None:
        """Draw."""
        self.set_class(self._change is not None and self._change.loosens, "-asks")
        for each in self.query(_Words):
            each.show()

    def about(self, width: int) -> list[Line]:
        """What the setting is."""
        seen = self._setting
        lines = [*wrapped(escape_untrusted(seen.about), width), *fact("allowed", seen.allowed, width, "dim")]
        lines += fact("now", f"{seen.value} ({seen.source})", width, "dim")
        covered = rows.covered(seen)
        return lines + (wrapped(escape_untrusted(covered), width, "warn") if covered else [])

    def verdict(self, width: int) -> list[Line]:
        """What saving would do."""
        change = self._change
        if self._wrong:
            return wrapped(escape_untrusted(self._wrong), width, "error")
        if change is None:
            return [Line()]
        lines = [line for doubt in change.doubts for line in wrapped(escape_untrusted(doubt), width, "warn")]
        if change.old == change.new:
            return [*lines, *wrapped("The file says so already.", width, "dim")]
        text = f"{change.old or 'not set'} -> {change.new}"
        if change.loosens:
            text += f" LOOSENS A LIMIT. It counts at the next start. Type {WORD} below and Enter."
            return lines + wrapped(escape_untrusted(text), width, "error")
        when = "at once" if self._setting.tightens_at_once else self._setting.takes_effect
        return lines + wrapped(escape_untrusted(f"{text}; it counts {when}. Enter saves."), width, "ok")

    def _redraw(self) -> None:
        for each in self.query(_Words):
            each.refresh(layout=True)  # its height may be another
        self.call_after_refresh(self.refresh_view)
        self.draw()

    # -- judging ----------------------------------------------------------------------------------------------------

    @on(Input.Changed, "#value")
    def _typed(self, event: Input.Changed) -> None:
        self._text = event.value
        self._submitted = False
        self.query_one("#typed-word", Input).value = ""
        if not self._judging:
            self._judging = True
            self.app.keep(self._judge())

    async def _judge(self) -> None:
        """Until what stands there is judged: typing goes on meanwhile."""
        try:
            while self._judged != self._text and self.is_attached:
                text, change, wrong = self._text, None, ""
                try:
                    change = await aside(lambda text=text: consider(self._path, self._setting.key, text))  # type: ignore[misc]  # binds now
                except CountersignError as error:
                    wrong = error.what.removeprefix("command line: ")
                self._judged, self._change, self._wrong = text, change, wrong
        finally:
            self._judging = False
        if self.is_attached:
            self._redraw()
            if self._submitted:
                self._save_or_ask()

    # -- saving -----------------------------------------------------------------------------------------------------

    def action_other(self) -> None:
        """To the other line, where there is one."""
        word = self.query_one("#typed-word", Input)
        (word if self.has_class("-asks") and not word.has_focus else self.query_one("#value", Input)).focus()

    @on(Input.Submitted, "#value")
    def _value_entered(self) -> None:
        if self._judging or self._judged != self._text:
            self._submitted = True  # once it is judged
        else:
            self._save_or_ask()

    @on(Input.Submitted, "#typed-word")
    def _word_entered(self, event: Input.Submitted) -> None:
        change = self._change
        if event.value.strip() != WORD:
            event.input.value = ""
            event.input.placeholder = f"that was not {WORD}"
        elif change is not None and not self._judging and self._judged == self._text:
            self._save(change)

    def _save_or_ask(self) -> None:
        self._submitted = False
        change = self._change
        if change is None:
            return
        if change.loosens:
            self.query_one("#typed-word", Input).focus()
        elif change.old == change.new:
            self.dismiss(None)
        else:
            self._save(change)

    def _save(self, change: Change) -> None:
        if not self._writing:
            self._writing = True
            self.app.keep(self._write(change))

    async def _write(self, change: Change) -> None:
        app = self.app
        try:
            await aside(lambda: write(change))
        except CountersignError as error:
            self._change, self._judged, self._wrong = None, None, str(error)
            self._redraw()
            return
        finally:
            self._writing = False
        taken = await app.do.ask("tighten") if "tighten" in app.host.commands else None
        now = taken is not None and change.key in taken["keys"]
        looks = change.key.startswith("terminal.")
        if looks:
            app.do.look_at_once(change.key, change.new)
        holds = "holds now" if now or looks else "counts at the next start"
        app.notify(escape_untrusted(f"{change.key}: {change.old or 'not set'} -> {change.new}; it {holds}."))
        self._saved()
        if self.is_attached and self.is_current:
            self.dismiss(None)
