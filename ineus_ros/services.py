# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The services of the node: each hands its work to the worker and answers when it is done."""

from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol, TypeVar

from rclpy.node import Node
from rclpy.task import Future as RosFuture
from std_srvs.srv import SetBool, Trigger

from ineus_core.errors import ConfigError
from ineus_core.ros_config import RosConfig

Result = TypeVar("Result")
Answer = TypeVar("Answer", Trigger.Response, SetBool.Response)


class Jobs(Protocol):
    """What the services can have done; each job runs on the worker's thread."""

    def save_mesh(self, path: Path) -> "Future[str]":
        """Write the mesh; the result says what was written."""
        ...

    def save_checkpoint(self, path: Path) -> "Future[str]":
        """Write a checkpoint."""
        ...

    def load_checkpoint(self, path: Path) -> "Future[str]":
        """Go on from a checkpoint."""
        ...

    def reset(self) -> "Future[str]":
        """Forget everything."""
        ...

    def pause(self, paused: bool) -> "Future[str]":
        """Stop or go on."""
        ...


class Services:
    """Offers ~/save_mesh, ~/save_checkpoint, ~/load_checkpoint, ~/reset and ~/pause."""

    def __init__(self, node: Node, config: Callable[[], RosConfig], jobs: Jobs) -> None:
        """Advertise the services."""
        self._node = node
        self._config = config
        self._jobs = jobs
        triggers = {
            "save_mesh": lambda: jobs.save_mesh(self._path(config().save.mesh_path)),
            "save_checkpoint": lambda: jobs.save_checkpoint(
                self._path(config().save.checkpoint_path)
            ),
            "load_checkpoint": lambda: jobs.load_checkpoint(
                self._path(config().save.checkpoint_path)
            ),
            "reset": jobs.reset,
        }
        for name, begin in triggers.items():
            node.create_service(Trigger, f"~/{name}", self._callback(name, begin))
        node.create_service(SetBool, "~/pause", self._pause)

    def _callback(self, name: str, begin: Callable[[], "Future[str]"]) -> Any:
        async def answer(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            return await self._answer(name, begin, response)

        return answer

    async def _pause(self, request: SetBool.Request, response: SetBool.Response) -> Any:
        return await self._answer("pause", lambda: self._jobs.pause(request.data), response)

    async def _answer(
        self, name: str, begin: Callable[[], "Future[str]"], response: Answer
    ) -> Answer:
        """Wait for the job without holding up the executor; an error becomes the message."""
        try:
            done = await self._finished(begin())
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

    def _finished(self, job: "Future[Result]") -> Coroutine[Any, Any, "Future[Result]"]:
        """An awaitable of ROS that ends when the job does."""
        bridge = RosFuture(executor=self._node.executor)
        # Without a callback of its own, a finished future would not wake the executor.
        bridge.add_done_callback(lambda _: None)
        job.add_done_callback(bridge.set_result)
        return bridge

    def _path(self, relative: str) -> Path:
        return confined_path(self._config().output_dir, relative)


def confined_path(folder: str, relative: str) -> Path:
    """A path inside a folder.

    Raises:
        ConfigError: If it would lie outside.
    """
    root = Path(folder).expanduser().resolve()
    path = (root / relative).resolve()
    if path == root or not path.is_relative_to(root):
        raise ConfigError(f"path {relative!r}: expected one inside output_dir {root}")
    return path
