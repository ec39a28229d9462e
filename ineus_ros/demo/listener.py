# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A subscriber to everything that the node tells: its mesh, its status, its services."""

import threading
import time
from collections.abc import Callable
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy._rclpy_pybind11 import InvalidHandle
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import Trigger
from visualization_msgs.msg import MarkerArray

from ineus_core.errors import SourceError
from ineus_ros.demo.mesh_receiver import MeshReceiver

POLL_S = 0.05
_REQUESTS = 3
"""Of one call, at most."""


class Listener:
    """Holds the mesh and the status of a node as they arrive over DDS.

    Args:
        node: Full name of the node that is listened to.
    """

    def __init__(self, node: str = "/ineus") -> None:
        """Join the domain that the environment names; a thread of its own takes the messages."""
        self.receiver = MeshReceiver()
        self.status: dict[str, dict[str, str]] = {}
        """Values by name, by part of the node."""
        self.statuses = 0
        self._name = node
        self._context = rclpy.Context()
        # An interrupt must reach the program, not only this context.
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        # Of several listeners in a process only one could say anything on /rosout.
        self.node: Node = rclpy.create_node(
            "ineus_listener", context=self._context, enable_rosout=False
        )
        # Deep, as a whole mesh comes in many messages one after the other.
        latched = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        create = self.node.create_subscription
        # As bytes: rclpy would make an object of every vertex.
        create(MarkerArray, f"{node}/mesh", self.receiver.on_message, latched, raw=True)
        create(DiagnosticArray, "/diagnostics", self._on_status, 10)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._is_closing = False
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Listener":
        """Use as a context that leaves the domain at its end."""
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the domain."""
        self.close()

    def number(self, part: str, name: str) -> int:
        """Return a count of the node's status; 0 if it is not there."""
        return int(float(self.status.get(part, {}).get(name, "0")))

    def call(
        self, service: str, kind: Any = Trigger, timeout_s: float = 180.0, **fields: Any
    ) -> Any:
        """Call a service of the node and return its response.

        While two processes are still finding each other an answer may be lost for good, so a
        request without one is made again, up to three times in all.

        Args:
            fields: Of the request.
        """
        name = f"{self._name}/{service}"
        client = self.node.create_client(kind, name)
        try:
            if not client.wait_for_service(timeout_s):
                raise SourceError(f"no service {name} within {timeout_s:g} s")
            for _ in range(_REQUESTS):
                done = client.call_async(kind.Request(**fields))
                if wait_until(done.done, timeout_s / _REQUESTS):
                    return done.result()
            raise SourceError(f"no answer from {name} within {timeout_s:g} s")
        finally:
            self.node.destroy_client(client)

    def close(self) -> None:
        """Leave the domain."""
        # An executor that is shut down while it spins may fail on what is gone by then.
        self._is_closing = True
        self._executor.wake()
        self._thread.join(5.0)
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()

    def _spin(self) -> None:
        while not self._is_closing:
            try:
                self._executor.spin_once(POLL_S)
            except InvalidHandle:
                # Another thread has destroyed a client or subscription just now.
                continue
            except ExternalShutdownException:
                return

    def _on_status(self, message: DiagnosticArray) -> None:
        prefix = f"{self._name.lstrip('/')}: "
        for status in message.status:
            if status.name.startswith(prefix):
                values = {item.key: item.value for item in status.values}
                self.status[status.name.removeprefix(prefix)] = values
        self.statuses += 1


def wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Look now and then until a condition holds; whether it came to hold."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(POLL_S)
    return True
