# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The status of the parts tells when something is wrong with them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from rclpy.lifecycle import LifecycleNode
from tiny_scene import CPU, tiny_config, wall_frame

from ineus_core.pipeline import PipelineConfig
from ineus_core.reconstruction import Reconstructor
from ineus_core.ros_config import RosConfig
from ineus_ros.engine import Engine
from ineus_ros.health import STALLED_S, Health, Stall
from ineus_ros.inputs import Inputs
from ineus_ros.outputs import MeshPublisher, OriginFrame, PartStatus

pytestmark = pytest.mark.ros


@pytest.fixture
def engine(ros: Callable[..., Any]) -> tuple[LifecycleNode, Engine]:
    """Make the reconstruction behind a node whose worker has not begun."""
    node = ros(lambda context: LifecycleNode("ineus", context=context))

    def publisher(publish_all: Callable[[], None]) -> MeshPublisher:
        origin = OriginFrame(node, lambda: "odom")
        return MeshPublisher(node, RosConfig, lambda: "odom", origin, lambda: 0, publish_all)

    return node, Engine(Reconstructor(tiny_config(), CPU), PipelineConfig(), lambda: 0, publisher)


@pytest.fixture
def inputs(engine: tuple[LifecycleNode, Engine]) -> Iterator[Inputs]:
    made = Inputs(engine[0], RosConfig(), engine[1].submit)
    yield made
    made.close()


def test_frames_that_wait_while_no_step_is_taken_are_a_warning(
    engine: tuple[LifecycleNode, Engine], inputs: Inputs
) -> None:
    reconstruction, now_s = engine[1], [0.0]
    health = Health(inputs, reconstruction, "cpu", now_s=lambda: now_s[0])

    def training() -> PartStatus:
        return next(part for part in health.parts() if part.name == "training")

    now_s[0] = 100.0
    assert training().level == "ok"
    reconstruction.submit(wall_frame())
    now_s[0] += STALLED_S
    assert training().level == "ok"
    now_s[0] += 1.0
    assert training().level == "warning"
    assert training().message == "no step for 6 s while 1 frames wait"
    reconstruction.worker.ticks += 1
    assert training().level == "ok"
    now_s[0] += 100.0
    reconstruction.set_paused(True)
    assert training().level == "ok"


def test_a_worker_that_died_is_an_error_until_it_is_reset(
    engine: tuple[LifecycleNode, Engine], inputs: Inputs
) -> None:
    health = Health(inputs, engine[1], "cpu")

    def training() -> PartStatus:
        return next(part for part in health.parts() if part.name == "training")

    def fail() -> None:
        raise RuntimeError("device lost")

    engine[1].worker.start()
    step = engine[1].worker._pipeline.reconstructor.step
    engine[1].worker._pipeline.reconstructor.step = fail  # type: ignore[method-assign]
    engine[1].submit(wall_frame())
    with pytest.raises(RuntimeError, match="device lost"):
        engine[1].worker.call(lambda p: p.tick(0)).result(60.0)
    engine[1].worker._thread.join(60.0)
    assert training().level == "error"
    assert (
        training().message == "the worker died: RuntimeError('device lost'); ~/reset begins anew"
    )
    engine[1].worker._pipeline.reconstructor.step = step  # type: ignore[method-assign]
    assert engine[1].reset().result(60.0) == "forgot everything"
    assert training().level == "ok"
    assert engine[1].stop(60.0)


def test_a_stall_begins_when_the_count_is_due() -> None:
    now_s = [0.0]
    stall = Stall(lambda: now_s[0])
    assert stall.seconds(3, is_due=True) == 0.0
    now_s[0] = 2.0
    assert stall.seconds(3, is_due=True) == 2.0
    assert stall.seconds(3, is_due=False) == 0.0
    now_s[0] = 5.0
    assert stall.seconds(3, is_due=True) == 3.0
    assert stall.seconds(4, is_due=True) == 0.0
