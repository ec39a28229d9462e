# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Mutated frames for `fuzz.py`, between good ones, through the pipeline as a worker drives it."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from tiny_scene import tiny_config

from ineus_core.errors import SourceError
from ineus_core.pipeline import NullSink, Pipeline, PipelineConfig
from ineus_core.reconstruction import Reconstructor
from ineus_core.types import Camera, Frame

_SIZE = (48, 64)
_LENGTHS = (1e-300, 1e-6, 0.5, 2.0, 1e4, 1e12, 1e300)
_PLACES = (5.0, 50.0, 400.0, 1e5, 6.4e6, 1e9, 1e30, 1e39, 1e300)
_DEPTHS = (0.0, 1e-30, 0.05, 0.11, 9.99, 60.0, 1e38)
_SIZES = ((1, 1), (1, 2000), (2000, 1), (5, 7), (3, 64), (240, 320))
_FIRST_SHARE = 0.25
"""Of the mutated frames come first: they decide the box and the voxels."""


class Frames:
    """Cases by number: what is wrong with a frame, and whether it is the first."""

    honest = 1

    def __init__(self, seed: int) -> None:
        """Hold nothing; each case has a map of its own."""
        self._seed = seed

    def run_honest(self, number: int) -> str:
        """Take good frames only."""
        good = [_good(i) for i in range(5)]
        return self._drive(good, good)

    def run(self, number: int) -> str:
        """Take good frames and a mutated one; the good ones must be taken all the same."""
        rng = np.random.default_rng((self._seed, number))
        good = [_good(i) for i in range(5)]
        at = 0 if rng.random() < _FIRST_SHARE else 2
        try:
            mutated = _mutated(at, rng)
        except (SourceError, ValueError):
            return "refused by Frame or Camera"
        # The next good one may be where the mutated one was.
        return self._drive([*good[:at], mutated, *good[at:]], good[at + 1 :])

    def _drive(self, frames: list[Frame], needed: list[Frame]) -> str:
        config = tiny_config(training={"rays_per_step": 64})
        pipeline = Pipeline(
            Reconstructor(config, torch.device("cpu")),
            NullSink(),
            PipelineConfig(),
            is_live=True,
            steps_per_tick=1,
        )
        for k, frame in enumerate(frames):
            pipeline.submit(frame)
            pipeline.tick(k * 10**8)
        pipeline.update_mesh(everything=True)
        mesh = pipeline.reconstructor.current_mesh()
        if not np.isfinite(mesh.vertices).all():
            raise AssertionError("vertices of the mesh are not finite")
        if pipeline.reconstructor.steps == 0:
            raise AssertionError(f"no step was taken: {dict(pipeline.counters)}")
        held = pipeline.reconstructor.keyframe_poses()
        missing = [f.stamp_ns for f in needed if (f.stamp_ns, 0) not in held]
        if missing:
            raise AssertionError(f"good frames at {missing} ns are no keyframes")
        counters = pipeline.counters
        if counters["frames_used"] + counters["frames_dropped"] != len(frames):
            raise AssertionError(f"a frame is neither used nor dropped: {dict(counters)}")
        return "dropped and counted" if counters["frames_dropped"] else "taken"


def _good(index: int) -> Frame:
    # Odd stamps, which the mutated one's are not.
    return replace(_frame(index, _camera(), _pose(0.15 * index), 2.0), stamp_ns=index * 10**8 + 1)


def _mutated(index: int, rng: np.random.Generator) -> Frame:
    def one_of(values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    camera, pose, depth = _camera(), _pose(0.15 * index), 2.0
    match int(rng.integers(7)):
        case 0:
            camera = _camera(fx=one_of(_LENGTHS))
        case 1:
            camera = _camera(fx=one_of(_LENGTHS), fy=one_of(_LENGTHS), cx=one_of(_PLACES))
        case 2:
            count = one_of((1, 4, 5, 8, 12, 14))
            numbers = tuple(
                float(10.0 ** rng.uniform(-3, 9)) * one_of((-1, 1)) for _ in range(count)
            )
            model = one_of(("plumb_bob", "rational_polynomial", "equidistant"))
            camera = _camera(distortion_model=model, distortion=numbers)
        case 3:
            pose[int(rng.integers(3)), 3] = one_of(_PLACES) * one_of((-1, 1))
        case 4:
            depth = one_of(_DEPTHS)
        case 5:
            height, width = one_of(_SIZES)
            camera = _camera(width_px=width, height_px=height, cx=width / 2, cy=height / 2)
        case _:
            pose[:3, :3] *= one_of((1e-3, 0.5, -1.0, 2.0))
    frame = _frame(index, camera, pose, depth)
    if rng.random() < 0.2 and frame.depth_m is not None:
        frame.depth_m[rng.random(frame.depth_m.shape) < 0.5] = one_of(_DEPTHS)
    return frame


def _camera(**changes: Any) -> Camera:
    size = {"width_px": _SIZE[1], "height_px": _SIZE[0]}
    return Camera(**{**size, "fx": 60.0, "fy": 60.0, "cx": 32.0, "cy": 24.0, **changes})


def _pose(x_m: float) -> np.ndarray:
    pose = np.eye(4)
    pose[0, 3] = x_m
    return pose


def _frame(index: int, camera: Camera, pose: np.ndarray, depth_m: float) -> Frame:
    size = (camera.height_px, camera.width_px)
    rgb = np.random.default_rng(index).integers(0, 255, (*size, 3), dtype=np.uint8)
    return Frame(index * 10**8, camera, pose, rgb, np.full(size, depth_m, np.float32))
