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
        self.listener = Listener(f"{namespace}/ineus")
        settings = {**SMALL, "output_dir": self.output_dir, **parameters}
        words = [sys.executable, "-m", "ineus_ros.node", "--ros-args"]
        words += [word for item in settings.items() for word in ("-p", f"{item[0]}:={item[1]}")]
        words += ["-r", f"__ns:={namespace}"] if namespace else []
        self.process = ChildProcess(words, environment, self.log)
        self.wait(lambda: bool(self.listener.status) or not waits_for_status)

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
