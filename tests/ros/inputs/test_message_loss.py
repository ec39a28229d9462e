# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Losses are counted from the publisher's numbers, and none is invented."""

import pytest

from ineus_ros.inputs.message_loss import LossCounter


class Topic:
    """Messages with numbers, and how many publish them."""

    def __init__(self) -> None:
        self.publishers = 1
        self.counter = LossCounter(lambda: self.publishers)

    def receive(self, *numbers: int) -> int:
        for number in numbers:
            self.counter.on_message({"publication_sequence_number": number})
        return self.counter.count


def test_gaps_are_losses() -> None:
    assert Topic().receive(1, 2, 3) == 0
    assert Topic().receive(4, 5, 8, 9, 11) == 3


def test_a_publisher_that_starts_anew_has_lost_nothing() -> None:
    topic = Topic()
    assert topic.receive(7, 8, 1, 2) == 0
    assert topic.receive(4) == 1


def test_with_two_publishers_nothing_is_counted_nor_when_one_of_them_goes() -> None:
    topic = Topic()
    topic.receive(500, 501)
    topic.publishers = 2
    assert topic.receive(1, 502, 2, 503, 3) == 0
    topic.publishers = 1
    assert topic.receive(504, 505) == 0
    assert topic.receive(507) == 1


@pytest.mark.parametrize("info", [None, {}, {"publication_sequence_number": 0}, object()])
def test_messages_without_a_number_count_by_event(info: object) -> None:
    topic = Topic()
    topic.counter.on_message(info)
    assert topic.counter.count == 0
