# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The services of the node: each hands its work to the worker and answers when it is done."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from std_srvs.srv import SetBool, Trigger

from ineus_core.errors import ConfigError
from ineus_core.ros_config import RosConfig
from ineus_ros.engine import Engine
from ineus_ros.inputs import Inputs
from ineus_ros.jobs import finished


class Services:
    """Offers ~/save_mesh, ~/save_checkpoint, ~/load_checkpoint, ~/reset and ~/pause."""

    def __init__(
        self, node: Node, config: Callable[[], RosConfig], engine: Engine, inputs: Inputs
    ) -> None:
        """Advertise the services."""
        self._node = node
        self._config = config
        self._engine = engine
        self._inputs = inputs
        # A service that waits in the node's own group would keep all other callbacks waiting.
        group = ReentrantCallbackGroup()
        begin = {
            "save_mesh": lambda: engine.save_mesh(self._path(config().save.mesh_path)),
            "save_checkpoint": lambda: engine.save_checkpoint(self._checkpoint_path()),
            "load_checkpoint": lambda: engine.load_checkpoint(self._checkpoint_path()),
            "reset": self._reset,
        }
        for name, job in begin.items():
            answer = self._callback(name, job)
            node.create_service(Trigger, f"~/{name}", answer, callback_group=group)
        node.create_service(SetBool, "~/pause", self._pause, callback_group=group)

    def _callback(self, name: str, begin: Callable[[], "Future[str]"]) -> Any:
        async def answer(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            return await self._answer(name, begin, response)

        return answer

    def _reset(self) -> "Future[str]":
        # What waits was seen before the reset, and must not begin the new map.
        self._inputs.clear()
        return self._engine.reset()

    def _pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        (self._inputs.hold if request.data else self._inputs.release)("paused")
        # Not by the request alone: a node that is not active stays at rest.
        self._engine.set_paused(not self._inputs.is_active)
        response.success = True
        response.message = "paused" if request.data else "going on"
        return response

    async def _answer(
        self, name: str, begin: Callable[[], "Future[str]"], response: Trigger.Response
    ) -> Trigger.Response:
        """Wait for the job without holding up the executor; an error becomes the message."""
        try:
            done = await finished(self._node, begin())
            response.message = done.result()
            response.success = True
        # A client waits for an answer, whatever went wrong.
        except Exception as error:
            response.message = str(error) or type(error).__name__
            response.success = False
            self._node.get_logger().error(f"{name}: {response.message}")
        else:
            self._node.get_logger().info(f"{name}: {response.message}")
        return response

    def _checkpoint_path(self) -> Path:
        return self._path(self._config().save.checkpoint_path)

    def _path(self, relative: str) -> Path:
        return confined_path(self._config().output_dir, relative)


def confined_path(folder: str, relative: str) -> Path:
    """Return a path inside a folder.

    Raises:
        ConfigError: If it would lie outside.
    """
    # A link counts as what it leads to, so that none leads out.
    root = Path(folder).expanduser().resolve()
    path = (root / relative).resolve()
    # The folder itself neither: a checkpoint would take the place of all that is in it.
    if path == root or not path.is_relative_to(root):
        raise ConfigError(f"path {relative!r}: expected one inside output_dir {root}")
    return path
