"""Small questions: quit, what to start, a typed word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.events import Key
from textual.widgets import Input

from app.tui.screens.dialog import Dialog
from app.tui.widgets.choice import Choice
from app.tui.widgets.lines import Line, Lines, wrapped
from app.tui.widgets.status import KeyLine, StatusLine


class Words(Lines):
    """Paragraphs."""

    def __init__(self, paragraphs: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._paragraphs = paragraphs

    def tell(self, paragraphs: Sequence[tuple[str, str]]) -> None:
        """Other ones; it becomes as high as they are."""
        if list(paragraphs) != list(self._paragraphs):
            self._paragraphs = list(paragraphs)
            self.refresh(layout=True)
        self.show()

    def get_content_height(self, container: object, viewport: object, width: int) -> int:  # noqa: ARG002 -- Textual's
        """As many lines as the words take."""
        return len(self.content(width, 0))

    def content(self, width: int, height: int) -> list[Line]:  # noqa: ARG002 -- it is as high as it must be
        """The words, broken at the width."""
        lines: list[Line] = []
        for text, role in self._paragraphs:
            lines += wrapped(text, max(width, 8), role) if text else [Line()]
        return lines

    DEFAULT_CSS = "Words { height: auto; }"


class QuestionDialog(Dialog):
    """A few answers, each with its key. The first one has the focus, so it must be the harmless one.

    Args:
        answers: key, label, what to do.
        optional: Escape leaves it unanswered.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab,right,down", "app.focus_next", "next", show=False),
        Binding("shift+tab,left,up", "app.focus_previous", "before", show=False),
    ]

    def __init__(
        self,
        title: str,
        paragraphs: Sequence[tuple[str, str]],
        answers: Sequence[tuple[str, str, Callable[[], None]]],
        *,
        topic: str = "",
    ) -> None:
        super().__init__()
        self._title, self._paragraphs, self._answers = title, paragraphs, answers
        self.help_topic = topic

    def compose(self) -> ComposeResult:
        """Words, then one line an answer."""
        yield StatusLine()
        with Container(classes="frame -small", id="question"):
            yield Words(self._paragraphs)
            for number, (key, label, _) in enumerate(self._answers):
                yield Choice(key, label, id=f"answer-{number}")
        yield KeyLine()

    def on_mount(self) -> None:
        """The first answer has the focus."""
        self.query_one("#question").border_title = self._title
        self.query_one("#answer-0").focus()

    def on_key(self, event: Key) -> None:
        """An answer's own key."""
        for key, _, act in self._answers:
            if event.character == key:
                event.stop()
                self._take(act)
                return

    def draw(self) -> None:
        """Draw."""
        self.query_one(Words).show()
        for choice in self.query(Choice):
            choice.show()

    @on(Choice.Taken)
    def _chosen(self, event: Choice.Taken) -> None:
        self._take(self._answers[int(str(event.choice.id).rpartition("-")[2])][2])

    def _take(self, act: Callable[[], None]) -> None:
        self.dismiss(None)
        act()


class WordDialog(Dialog):
    """Something that needs a typed word: nobody does it by accident.

    Args:
        word: what must be typed; Enter then does it, and with anything else says what is missing.
    """

    DEFAULT_CSS = """
    WordDialog Input, WordDialog Input:focus { border: none; height: 1; padding: 0; margin: 1 0; background: $panel; }
    """

    def __init__(
        self, title: str, paragraphs: Sequence[tuple[str, str]], word: str, act: Callable[[], None], *, topic: str = ""
    ) -> None:
        super().__init__()
        self._title, self._paragraphs, self._word, self._act = title, paragraphs, word, act
        self.help_topic = topic

    def compose(self) -> ComposeResult:
        """Words and a line to type on."""
        yield StatusLine()
        with Container(classes="frame -small", id="word"):
            yield Words([*self._paragraphs, ("", ""), (f"Type {self._word} and Enter. Esc leaves it as it is.", "key")])
            yield Input(id="typed")
        yield KeyLine()

    def on_mount(self) -> None:
        """Ready to type."""
        self.query_one("#word").border_title = self._title
        self.query_one(Input).focus()

    def draw(self) -> None:
        """Draw."""
        self.query_one(Words).show()

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        if event.value.strip() == self._word:
            self.dismiss(None)
            self._act()
        else:
            event.input.value = ""
            event.input.placeholder = f"that was not {self._word}"


class LineDialog(Dialog):
    """One line to type: a setting. Enter takes it; what it may be is checked by whoever gets it."""

    DEFAULT_CSS = """
    LineDialog Input, LineDialog Input:focus { border: none; height: 1; padding: 0; margin: 1 0; background: $panel; }
    """

    def __init__(
        self,
        title: str,
        paragraphs: Sequence[tuple[str, str]],
        value: str,
        act: Callable[[str], None],
        *,
        topic: str = "",
    ) -> None:
        super().__init__()
        self._title, self._paragraphs, self._value, self._act = title, paragraphs, value, act
        self.help_topic = topic

    def compose(self) -> ComposeResult:
        """Words and a line to type on."""
        yield StatusLine()
        with Container(classes="frame -small", id="line"):
            yield Words([*self._paragraphs, ("", ""), ("Enter takes it. Esc leaves it as it is.", "key")])
            yield Input(value=self._value, id="typed")
        yield KeyLine()

    def on_mount(self) -> None:
        """Ready to type."""
        self.query_one("#line").border_title = self._title
        self.query_one(Input).focus()

    def draw(self) -> None:
        """Draw."""
        self.query_one(Words).show()

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        self.dismiss(None)
        self._act(event.value)
