# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Renderings that succeed, fail or are overtaken, and where that is counted."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Header

from ineus_core.types import Camera, RenderedImage
from ineus_ros.outputs.renderings import Renderings, rendered_camera

pytestmark = pytest.mark.ros

CAMERA = Camera(64, 48, 60.0, 60.0, 32.0, 24.0, "plumb_bob", (0.1, 0.0, 0.0, 0.0, 0.0))


@pytest.fixture
def renderings(ros: Callable[..., Any]) -> tuple[Renderings, list[Future[RenderedImage]]]:
    """Make renderings whose jobs the test itself ends."""
    jobs: list[Future[RenderedImage]] = []

    def ask(camera: Camera, world_from_camera: np.ndarray) -> Future[RenderedImage]:
        jobs.append(Future())
        return jobs[-1]

    node = ros(lambda context: LifecycleNode("ineus", context=context))
    return Renderings(node, "~/", ask, lambda: 32), jobs


def image() -> RenderedImage:
    pixels = np.zeros((24, 32, 3), np.uint8)
    depth_m = np.ones((24, 32), np.float32)
    return RenderedImage(pixels, depth_m, np.zeros((24, 32, 3), np.float32), depth_m)


def test_a_rendering_that_fails_is_counted_among_the_renderings(
    renderings: tuple[Renderings, list[Future[RenderedImage]]],
) -> None:
    made, jobs = renderings
    made.begin(CAMERA, np.eye(4), Header())
    assert made.is_busy
    jobs[0].set_exception(RuntimeError("no memory"))
    made.begin(CAMERA, np.eye(4), Header())
    jobs[1].set_result(image())
    status = made.status("images")
    assert dict(status.values) == {"rendered": 1, "dropped.render_failed": 1}
    assert not made.is_busy


def test_a_rendering_that_has_not_begun_can_be_overtaken(
    renderings: tuple[Renderings, list[Future[RenderedImage]]],
) -> None:
    made, jobs = renderings
    assert not made.overtake()
    made.begin(CAMERA, np.eye(4), Header())
    assert made.overtake() and jobs[0].cancelled()
    assert not made.drops.counts and not made.counters["rendered"]


def test_the_rendered_camera_has_no_distortion_and_the_width_that_is_asked_for() -> None:
    small = rendered_camera(CAMERA, 32)
    assert (small.width_px, small.height_px, small.fx, small.cx) == (32, 24, 30.0, 16.0)
    assert small.distortion_model == "none" and rendered_camera(CAMERA, 0).width_px == 64
