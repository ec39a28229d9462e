# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Colour meets its depth, or goes alone where there is none; every image is accounted for."""

from types import SimpleNamespace
from typing import Any

import pytest

from ineus_core.ros_config import RosConfig

pytest.importorskip("rclpy", reason="needs rclpy")

from ineus_ros.drops import Drops
from ineus_ros.inputs.pairing import ImagePairing, Images

pytestmark = pytest.mark.ros

SILENT = SimpleNamespace(warning=lambda message: None)


def image(stamp_s: float) -> Any:
    seconds, rest = divmod(round(stamp_s * 1e9), 1_000_000_000)
    return SimpleNamespace(
        header=SimpleNamespace(stamp=SimpleNamespace(sec=seconds, nanosec=rest))
    )


def pairing(offered: tuple[str, ...] = (), **settings: Any) -> tuple[ImagePairing, Drops]:
    drops = Drops(SILENT)
    given = RosConfig(**settings)
    return ImagePairing(given, lambda name: name in offered, drops), drops


def test_colour_meets_the_depth_of_its_stamp() -> None:
    pair, drops = pairing(offered=("depth",))
    color, depth = image(1.0), image(1.0)
    assert pair.add_color(color) == []
    assert pair.add_depth(depth) == [Images(color, depth)]
    assert not drops.counts


def test_colour_goes_alone_at_once_if_depth_is_not_wanted() -> None:
    pair, _ = pairing(depth_input="none")
    color = image(1.0)
    assert pair.add_color(color) == [Images(color)]


def test_colour_waits_for_an_offer_of_depth_and_then_goes_alone_in_order() -> None:
    now_s, drops = [100.0], Drops(SILENT)
    given = RosConfig(depth_wait_s=0.5)
    pair = ImagePairing(given, lambda name: False, drops, lambda: now_s[0])
    first, second = image(1.0), image(2.0)
    assert pair.add_color(first) == [] and pair.uses_depth is None
    now_s[0] += 0.4
    assert pair.poll() == []
    now_s[0] += 0.1
    assert pair.add_color(second) == [Images(first), Images(second)]
    assert pair.uses_depth is False and not drops.counts


def test_depth_that_comes_late_is_taken_from_then_on() -> None:
    pair, _ = pairing(depth_wait_s=0.0)
    color = image(1.0)
    assert pair.add_color(color) == [Images(color)]
    color, depth = image(2.0), image(2.0)
    assert pair.add_depth(depth) == []
    assert pair.add_color(color) == [Images(color, depth)]


def test_masks_that_are_offered_are_waited_for_from_the_first_image_on() -> None:
    pair, drops = pairing(offered=("mask",), depth_input="none")
    color, mask = image(1.0), image(1.0)
    assert pair.add_color(color) == [] and pair.uses_mask
    assert pair.add_mask(mask) == [Images(color, None, mask)]
    assert not drops.counts


def test_masks_that_come_late_are_waited_for_from_then_on() -> None:
    offered: list[str] = []
    drops = Drops(SILENT)
    given = RosConfig(depth_input="none", input_queue_size=2)
    pair = ImagePairing(given, lambda name: name in offered, drops)
    first = image(1.0)
    assert pair.add_color(first) == [Images(first)]
    offered.append("mask")
    pair.look_for_masks()
    for second in range(2, 6):
        assert pair.add_color(image(float(second))) == []
    assert drops.counts == {"color_without_mask": 2}


def test_masks_that_are_not_wanted_change_nothing() -> None:
    pair, _ = pairing(offered=("mask",), depth_input="none", mask_input="none")
    color = image(1.0)
    assert pair.add_mask(image(1.0)) == [] and pair.add_color(color) == [Images(color)]


def test_required_depth_that_does_not_come_costs_counted_colour() -> None:
    pair, drops = pairing(depth_input="required", input_queue_size=3)
    for second in range(5):
        assert pair.add_color(image(float(second))) == []
    assert drops.counts["color_without_depth"] == 2
    pair.clear()
    assert drops.counts["color_without_depth"] == 5


def test_what_waits_for_the_decision_is_bounded_and_counted() -> None:
    pair, drops = pairing(depth_wait_s=60.0, input_queue_size=2)
    for second in range(5):
        assert pair.add_color(image(float(second))) == []
    assert drops.counts["sync_queue_full"] == 3
    pair.clear()
    assert drops.counts["cleared"] == 2
