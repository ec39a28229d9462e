# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The node as a process with small settings, for tests."""

import dataclasses
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.types import Frame
from ineus_ros.demo.listener import Listener, wait_until
from ineus_ros.demo.processes import ChildProcess

SOURCE = SyntheticSource(SyntheticConfig(frames=16, width_px=64, height_px=48))
FRAMES = list(SOURCE)
SMALL: Mapping[str, object] = {
    "device": "cpu",
    "reliable": "true",
    "depth_input": "required",
    "meshing.voxel_size_m": 0.08,
    "field.levels": 4,
    "field.hidden": 16,
    "training.rays_per_step": 256,
    "pipeline.mesh_rate_hz": 2.0,
    # A busy machine may keep the executor waiting while the first step compiles.
    "image_queue_size": 64,
    "mesh_refresh_s": 1.0,
    "render_width_px": 32,
    "tf_timeout_s": 0.5,
}
STARTED_S = 300.0
"""Only what hangs takes so long: the first step of the first run compiles kernels."""
FOUND_S = 120.0
"""Only what is never found takes so long: imports take seconds."""


def later(frame: Frame, seconds: int) -> Frame:
    """Return the frame, this long after the last of `FRAMES`."""
    return dataclasses.replace(frame, stamp_ns=FRAMES[-1].stamp_ns + seconds * 1_000_000_000)


class Running:
    """A node in a process of its own and what it told."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        waits_for_status: bool = True,
        namespace: str = "",
        **parameters: object,
    ) -> None:
        self.output_dir = folder / "out"
        self.log = folder / "node.log"
        settings = {**SMALL, "output_dir": self.output_dir, **parameters}
        words = [sys.executable, "-m", "ineus_ros.node", "--ros-args"]
        words += [word for item in settings.items() for word in ("-p", f"{item[0]}:={item[1]}")]
        words += ["-r", f"__ns:={namespace}"] if namespace else []
        self._words, self._environment, self._name = words, environment, f"{namespace}/ineus"
        self._begin()
        if not wait_until(self._is_found_or_gone, FOUND_S):
            # On a busy machine DDS may miss a process for good, which is no matter of the node's.
            self.close()
            self._begin()
        self.wait(self._is_found)
        self.wait(lambda: bool(self.listener.status) or not waits_for_status)

    def _begin(self) -> None:
        self.listener = Listener(self._name)
        self.process = ChildProcess(self._words, self._environment, self.log)

    def _is_found(self) -> bool:
        services = self.listener.node.get_service_names_and_types()
        return f"{self._name}/get_state" in (name for name, _ in services)

    def _is_found_or_gone(self) -> bool:
        return self._is_found() or not self.process.is_running

    def wait(self, condition: Callable[[], bool], timeout_s: float = STARTED_S) -> None:
        wait_until(lambda: condition() or not self.process.is_running, timeout_s)
        assert condition(), f"{self.listener.status}\n{self.log.read_text()}"

    def number(self, part: str, name: str) -> int:
        return self.listener.number(part, name)

    def close(self) -> None:
        self.stop()
        self.listener.close()

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """End the node by a signal; return its exit code, which of one that hangs is another."""
        if self.process.is_running:
            self.process.process.send_signal(number)
            wait_until(lambda: not self.process.is_running, STARTED_S)
        return self.process.stop()
