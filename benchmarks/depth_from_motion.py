# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth from motion against true depth, or a sensor's: coverage, errors, confidence, cost.

Of the pixels whose depth is known: the share that gets measured depth, its median error, the share
of that within 1, 2 and 5 %, at once (from earlier keyframes alone) and for good; the same share of
sure depth, which has a confidence of 0.6, and of depth on planes of plain regions. Then, by
confidence, the share of all measured pixels and how many of them are right within 2 %. Cost is the
time that a keyframe takes by the wall clock and on all cores together.

Run: python benchmarks/depth_from_motion.py room --width 640
     python benchmarks/depth_from_motion.py FOLDER --translation 0.03 --grey-noise 2
"""

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

# As in `ineus_core`, which is imported after torch here.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from jaxtyping import Float, UInt8

from ineus_core.pose_refinement import PictureRefiner, PoseRefinementConfig
from ineus_core.sources import SCENES, SyntheticConfig, SyntheticSource, open_source
from ineus_core.stereo import DepthFromMotion, PlainWalls, StereoConfig, StereoDepth
from ineus_core.types import Frame

_STEPS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0)
"""Upper ends of the bins of confidence."""
_WITHIN = (0.01, 0.02, 0.05)
_SURE = 0.6


class Gate:
    """Passes a frame where the camera has moved or turned far enough."""

    def __init__(self, translation_m: float, rotation_deg: float) -> None:
        """Pass the first one."""
        self._translation_m, self._rotation_deg = translation_m, rotation_deg
        self._last: Float[np.ndarray, "4 4"] | None = None

    def passes(self, pose: Float[np.ndarray, "4 4"]) -> bool:
        """Tell whether a pose is far enough from the last that passed, and remember it."""
        if self._last is not None:
            moved_m = np.linalg.norm(pose[:3, 3] - self._last[:3, 3])
            cosine = (np.trace(self._last[:3, :3].T @ pose[:3, :3]) - 1) / 2
            turned_deg = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
            if moved_m < self._translation_m and turned_deg < self._rotation_deg:
                return False
        self._last = pose
        return True


def keyframes(arguments: argparse.Namespace) -> Iterator[Frame]:
    """Yield the frames that pass the gate; of a built-in scene only these are rendered."""
    gate = Gate(arguments.translation, arguments.rotation)
    if arguments.what in SCENES:
        size = arguments.width, arguments.width * 3 // 4
        scene = SyntheticConfig(
            scene=arguments.what, frames=arguments.frames, rate_hz=30, width_px=size[0],
            height_px=size[1],
        )  # fmt: skip
        source = SyntheticSource(scene)
        for index, pose in enumerate(source.world_from_camera[arguments.skip :]):
            if gate.passes(pose):
                yield source.frame(index + arguments.skip)
        return
    frames = islice(iter(open_source(arguments.what)), arguments.skip, None)
    yield from (frame for frame in frames if gate.passes(frame.world_from_camera))


def disturbed(frame: Frame, arguments: argparse.Namespace, rng: np.random.Generator) -> Frame:
    """Return a frame with noise on its pose and its picture."""
    pose = frame.world_from_camera.copy()
    pose[:3, 3] += rng.normal(0, arguments.pose_noise_mm / 1000, 3)
    axis = rng.normal(0, np.radians(arguments.pose_noise_deg), 3)
    angle = float(np.linalg.norm(axis))
    if angle > 0:
        x, y, z = axis / angle
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
        pose[:3, :3] = pose[:3, :3] @ turn
    rgb = frame.rgb + rng.normal(0, arguments.grey_noise, frame.rgb.shape)
    rgb8 = np.clip(np.round(rgb), 0, 255).astype(np.uint8)
    return replace(frame, world_from_camera=pose, rgb=rgb8, depth_m=None)


class Tally:
    """Adds up what depth is like against the truth."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._rows: list[tuple[float, ...]] = []
        self._sure: list[tuple[float, float]] = []
        self._filled: list[tuple[float, float]] = []
        self._walls = PlainWalls()
        self._confidence: list[Float[np.ndarray, " n"]] = []
        self._right: list[Float[np.ndarray, " n"]] = []

    def add(
        self,
        depth: StereoDepth,
        true_m: Float[np.ndarray, "h w"],
        rgb: UInt8[np.ndarray, "h w 3"],
    ) -> None:
        """Compare one keyframe."""
        height, width = depth.depth_m.shape
        at_rows = (2 * np.arange(height) + 1) * true_m.shape[0] // (2 * height)
        columns = (2 * np.arange(width) + 1) * true_m.shape[1] // (2 * width)
        true_m = true_m[at_rows[:, None], columns]
        known = true_m > 0
        kept = known & (depth.depth_m > 0)
        filled_m, _ = depth.with_plain_regions(rgb, _SURE, self._walls)
        for rows, part, found_m in (
            (self._sure, kept & (depth.confidence >= _SURE), depth.depth_m),
            (self._filled, known & (filled_m != depth.depth_m), filled_m),
        ):
            off = np.abs(found_m - true_m) / np.maximum(true_m, 1e-9)
            right = float((off[part] < 0.02).mean()) if part.any() else np.nan
            rows.append((part.sum() / max(1, known.sum()), right))
        off_m = np.abs(depth.depth_m - true_m)[kept]
        share = off_m / true_m[kept]
        self._rows.append(
            (
                kept.sum() / max(1, known.sum()),
                float(np.median(off_m)) if len(off_m) else np.nan,
                *(float(np.mean(share < limit)) if len(off_m) else np.nan for limit in _WITHIN),
            )
        )
        self._confidence.append(depth.confidence[kept])
        self._right.append((share < 0.02).astype(np.float32))

    def show(self, name: str, keyframes: int) -> None:
        """Print the means over all keyframes, and the bins of confidence."""
        if not self._rows:
            print(f"{name}: no depth")
            return
        found, median_m, *within = np.nanmean(self._rows, axis=0)
        shares = " / ".join(f"{100 * share:.1f}" for share in within)
        covered = found * len(self._rows) / keyframes
        print(
            f"{name}: depth of {len(self._rows)} of {keyframes} keyframes, coverage "
            f"{100 * found:.1f} % (of all keyframes {100 * covered:.1f} %), median error "
            f"{100 * median_m:.2f} cm, within 1 / 2 / 5 %: {shares} %"
        )
        for what, parts in (("sure", self._sure), ("filled", self._filled)):
            share, correct = np.mean([p[0] for p in parts]), _mean([p[1] for p in parts])
            print(f"  {what}: {100 * share:.1f} %, right within 2 %: {100 * correct:.1f} %")
        confidence, right = np.concatenate(self._confidence), np.concatenate(self._right)
        for low, high in zip((0.0, *_STEPS), _STEPS, strict=False):
            in_bin = (confidence > low) & (confidence <= high)
            if in_bin.any():
                print(
                    f"  confidence {low:.2f} to {high:.2f}: {100 * in_bin.mean():5.1f} % of them, "
                    f"said {100 * confidence[in_bin].mean():.1f} %, "
                    f"right {100 * right[in_bin].mean():.1f} %"
                )


def _mean(values: list[float]) -> float:
    """Mean of what is known."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else np.nan


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("what", help=f"a folder with depth, or one of {', '.join(SCENES)}")
    parser.add_argument("--width", type=int, default=320, help="of a built-in scene's pictures")
    parser.add_argument("--frames", type=int, default=600, help="of a built-in scene")
    parser.add_argument("--skip", type=int, default=0, help="frames left out at the beginning")
    parser.add_argument("--keyframes", type=int, default=40, help="most keyframes")
    parser.add_argument("--translation", type=float, default=0.1, help="between keyframes, m")
    parser.add_argument("--rotation", type=float, default=8.0, help="between keyframes, degrees")
    parser.add_argument("--pose-noise-mm", type=float, default=0.0)
    parser.add_argument("--pose-noise-deg", type=float, default=0.0)
    parser.add_argument("--grey-noise", type=float, default=0.0)
    parser.add_argument("--refine", action="store_true", help="poses by pictures, beforehand")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--set", action="append", default=[], metavar="stereo.KEY=VALUE")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    stereo = DepthFromMotion(_stereo_config(arguments.set), torch.device(arguments.device))
    refiner = PictureRefiner(PoseRefinementConfig()) if arguments.refine else None
    tallies, true_m, rgb = {True: Tally(), False: Tally()}, {}, {}
    wall_s, cores_s = [], []

    def take(found: list[StereoDepth]) -> None:
        for depth in found:
            tallies[depth.is_final].add(depth, true_m[depth.keyframe], rgb[depth.keyframe])

    for frame in islice(keyframes(arguments), arguments.keyframes):
        assert frame.depth_m is not None
        true_m[frame.stamp_ns, frame.camera_id] = frame.depth_m
        given = disturbed(frame, arguments, rng)
        rgb[frame.stamp_ns, frame.camera_id] = given.rgb
        wall, cores = time.perf_counter(), time.process_time()
        if refiner is not None:
            moves = refiner.add(given)
            stereo.move(moves)
            pose = moves.get((given.stamp_ns, given.camera_id), given.world_from_camera)
            given = replace(given, world_from_camera=pose)
        found = stereo.add(given)
        wall_s.append(time.perf_counter() - wall)
        cores_s.append(time.process_time() - cores)
        take(found)
    take(stereo.finish())
    tallies[False].show("at once", len(true_m))
    tallies[True].show("for good", len(true_m))
    # The first keyframes wait for compilation, or for nothing to be measured.
    print(
        f"a keyframe: {np.median(wall_s[5:]):.3f} s, "
        f"{np.median(cores_s[5:]):.3f} s on all cores together"
    )


def _stereo_config(settings: list[str]) -> StereoConfig:
    values = dict(setting.removeprefix("stereo.").split("=", 1) for setting in settings)
    return StereoConfig.model_validate(values)


if __name__ == "__main__":
    main()
