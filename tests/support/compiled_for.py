# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What numba has compiled after the small calls, and after short runs of all kinds: in JSON.

A program of its own, as other tests call kernels with types that no run has.
"""

import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from numba.core.dispatcher import Dispatcher
from tiny_scene import CAMERA, CPU, pose, room_source, tiny_config, wall_frame

import ineus_core.kernels
from ineus_core.kernels.small_calls import SMALL_CALLS
from ineus_core.reconstruction import Reconstructor
from ineus_core.reconstruction.warming import cpu_operators
from ineus_core.sources.bags.ros_messages import decode_compressed_depth
from ineus_core.sources.depth_registration import register_depth
from ineus_core.types import Frame


def compiled() -> dict[str, list[str]]:
    """Types that each kernel is compiled for."""
    found = {}
    for path in sorted(Path(ineus_core.kernels.__file__).parent.glob("*/cpu.py")):
        module = import_module(f"ineus_core.kernels.{path.parent.name}.cpu")
        for name, value in vars(module).items():
            if isinstance(value, Dispatcher) and value.py_func.__module__ == module.__name__:
                found[f"{path.parent.name}.{name}"] = sorted(map(str, value.signatures))
    return found


def _map_of(frames: list[Frame], **sections: dict[str, object]) -> None:
    """Go the way of a frame to meshes, views, slices, answers and a report."""
    made = Reconstructor(tiny_config(**sections), CPU)
    made.expect([frame.world_from_camera for frame in frames])
    for frame in frames:
        made.add_frame(frame)
    made.start()
    for _ in range(3):
        made.step()
    made.reconstruction.update_occupancy()
    made.extract_mesh()
    made.extract_mesh(everything=True)
    made.render(CAMERA, frames[0].world_from_camera)
    made.query(np.zeros((5, 3)))
    made.occupancy_slice(0.0, 1.0)
    made.esdf_slice(0.5)
    made.dynamic_points()
    made.report()


def rgbd() -> None:
    """With poses that are corrected and things that move."""
    moving = [np.full((30, 40), 3.0, np.float32) for _ in range(6)]
    for number in (2, 3):
        moving[number][10:20, 15:25] = 2.0
    frames = [wall_frame(5 * i, d, pose(0.03 * i)) for i, d in enumerate(moving)]  # type: ignore[arg-type]
    _map_of(frames)


def masks() -> None:
    """Pixels that may not be used."""
    unusable = np.zeros((30, 40), bool)
    unusable[5:9, 5:9] = True
    _map_of([wall_frame(5 * i, 2.0, pose(0.2 * i), mask=unusable) for i in range(3)])


def colour_only() -> None:
    """Depth from motion, and pictures alone."""
    frames = [_without_depth(frame) for frame in room_source(5)]
    _map_of(frames, stereo={"enabled": True})


def messages() -> None:
    """Depth of a camera of its own, and in RVL."""
    head = bytes(12) + np.array((4, 2), "<i4").tobytes()
    words = np.array([8 << 28], np.uint32)
    # A run of eight zeros: 0 with more to come, then 1.
    words[0] |= 1 << 24
    data = head + words.tobytes() + bytes(4)
    decode_compressed_depth(SimpleNamespace(format="16UC1; compressedDepth rvl", data=data))
    depth_m = np.frombuffer(np.full((30, 40), 2.0, np.float32).tobytes(), np.float32)
    register_depth(depth_m.reshape(30, 40), CAMERA, CAMERA, np.eye(4))


def _without_depth(frame: Frame) -> Frame:
    return Frame(frame.stamp_ns, frame.camera, frame.world_from_camera, frame.rgb, None)


KINDS: tuple[Callable[[], None], ...] = (rgbd, masks, colour_only, messages)

if __name__ == "__main__":
    config = tiny_config(stereo={"enabled": True})
    for operator in cpu_operators(config, CPU):
        for call in SMALL_CALLS[operator]:
            call()
    result = {"ahead": compiled()}
    for kind in KINDS:
        kind()
        result[kind.__name__] = compiled()
    json.dump(result, sys.stdout)
