# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The live page of the node in a browser, where `viewer.port` asks for one."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from rclpy.node import Node

from ineus_core.config import Config
from ineus_core.viewer import LivePage, RunLink
from ineus_ros.engine import Engine
from ineus_ros.inputs import Inputs
from ineus_ros.services import confined_path


def offer_live_page(
    node: Node, config: Config, engine: Engine, inputs: Inputs, device_type: str
) -> LivePage | None:
    """Serve the page and have the engine show itself on it; None without a port.

    Its buttons do what the services ~/pause, ~/reset, ~/save_mesh and ~/save_checkpoint do.
    """
    if not config.viewer.port:
        return None

    def on_executor(function: Callable[[], object]) -> None:
        # Inputs belong to the executor's thread.
        if node.executor is not None:
            node.executor.create_task(function)

    def set_paused(is_paused: bool) -> None:
        (inputs.hold if is_paused else inputs.release)("paused")
        engine.set_paused(not inputs.is_active)

    def reset() -> None:
        # Before the map: what waits was seen before the reset, and must not begin the new one.
        inputs.clear()
        engine.reset()

    def save() -> "Future[Any]":
        checkpoint = confined_path(config.output_dir, config.save.checkpoint_path)
        engine.save_checkpoint(checkpoint)
        # The worker does one after the other, so that the mesh tells when both are written.
        return engine.save_mesh(confined_path(config.output_dir, config.save.mesh_path))

    link = RunLink(
        lambda function, key: engine.worker.call(lambda p: function(p.reconstructor), key),
        lambda is_paused: on_executor(lambda: set_paused(is_paused)),
        lambda: engine.worker.paused,
        lambda: on_executor(reset),
        save,
        lambda: inputs.drops.snapshot() | {"training": engine.counters()["frames_dropped"]},
    )
    page = LivePage(config.viewer, link, node.get_fully_qualified_name(), device_type)
    engine.show_on(page)
    node.get_logger().info(f"live page: {page.url}")
    return page
