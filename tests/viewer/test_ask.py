# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Questions of a page: one at a time, at once when wished, else seldom."""

from concurrent.futures import Future
from typing import Any

from ineus_core.viewer.ask import Ask


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Trainer:
    """Answers when it is told to; each answer takes a quarter of a second."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.open: list[tuple[Any, Future]] = []

    def call(self, function: Any, key: Any) -> Future:
        future: Future = Future()
        self.open.append((function, future))
        return future

    def answer(self) -> None:
        function, future = self.open.pop()
        future.set_result(function(None))


def ask_and_trainer() -> tuple[Any, Trainer]:
    trainer = Trainer()
    ask: Ask[str] = Ask(trainer.call, "key", trainer.clock)

    def question(_: Any) -> str:
        trainer.clock.now_s += 0.25
        return "answer"

    return (lambda wish, version: ask.poll(wish, version, question)), trainer


def test_one_question_at_a_time_and_its_answer_once() -> None:
    poll, trainer = ask_and_trainer()
    assert poll("here", 1) is None and poll("there", 2) is None
    assert len(trainer.open) == 1
    trainer.answer()
    assert poll("here", 1) == "answer"
    assert poll("here", 1) is None
    assert not trainer.open


def test_a_new_wish_is_asked_at_once() -> None:
    poll, trainer = ask_and_trainer()
    poll("here", 1)
    trainer.answer()
    poll("here", 1)
    poll("there", 1)
    assert len(trainer.open) == 1


def test_a_map_that_changes_is_asked_for_only_after_a_hundred_times_the_answer() -> None:
    poll, trainer = ask_and_trainer()
    poll("here", 1)
    trainer.answer()
    assert poll("here", 2) == "answer"
    trainer.clock.now_s += 24.9
    assert poll("here", 3) is None and not trainer.open
    trainer.clock.now_s += 0.2
    poll("here", 3)
    assert len(trainer.open) == 1


def test_what_could_not_be_answered_is_asked_again_a_second_later() -> None:
    poll, trainer = ask_and_trainer()
    poll("here", 1)
    trainer.open.pop()[1].set_exception(RuntimeError("no map yet"))
    assert poll("here", 1) is None and not trainer.open
    assert poll("here", 1) is None and not trainer.open
    trainer.clock.now_s += 1.1
    poll("here", 1)
    assert len(trainer.open) == 1
