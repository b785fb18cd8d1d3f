"""Somebody at the screen, who writes down what the device does and types what the test says."""

from __future__ import annotations

from collections.abc import Callable

from signers.base import DeviceState, Question
from signers.person import Alone


class Told(Alone):
    def __init__(self, on_state: Callable[[DeviceState], None] = lambda _: None, **answers: str) -> None:
        self.states: list[DeviceState] = []
        self.questions: list[Question] = []
        self._on_state, self._answers = on_state, answers

    def told(self, state: DeviceState) -> None:
        self.states.append(state)
        self._on_state(state)

    def ask(self, question: Question) -> str:
        self.questions.append(question)
        return self._answers[question.lower()] if question.lower() in self._answers else super().ask(question)
