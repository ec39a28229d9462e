# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Poses that drift along a way of many metres, and what their refinement makes of them.

A walk through a built-in scene, several times over, by a camera with the depth noise of a Kinect;
every other frame of it in one lap, and those between in the next. Each step of the way is told
too long by a share, and turned by an angle a metre, so that errors add up. All frames are
keyframes. How far they are off in the end, as given and as refined, and how far each one was when
it had just come, without the field and the map.

Run: python benchmarks/drift.py [--scene corridor --laps 2]
"""

import argparse
import json
import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
from jaxtyping import Float
from real_sensor import pose_errors
from rgbd_room import rendered_frames
from scipy.spatial.transform import Rotation

from ineus_core.geometry import rigid_inverse
from ineus_core.pose_refinement import PoseRefinementConfig, PoseRefiner
from ineus_core.sources import SyntheticConfig
from ineus_core.types import Frame


def laps_of(frames: list[Frame], laps: int, turns_back: bool) -> list[Frame]:
    """Go the same way several times, through the other half of the frames each time."""
    way = []
    for lap in range(laps):
        half = frames[lap % 2 :: 2]
        way += half[::-1] if turns_back and lap % 2 else half
    return [replace(frame, stamp_ns=200_000_000 * number) for number, frame in enumerate(way)]


def drifted(
    poses: list[Float[np.ndarray, "4 4"]], share: float, deg_per_m: float
) -> tuple[list[Float[np.ndarray, "4 4"]], float]:
    """Return where odometry has the poses, and the length of the way in m."""
    given, length_m = [poses[0]], 0.0
    for before, after in pairwise(poses):
        step = rigid_inverse(before) @ after
        step_m = float(np.linalg.norm(step[:3, 3]))
        length_m += step_m
        step[:3, 3] *= 1 + share
        pose = given[-1] @ step
        turn = Rotation.from_rotvec((0, 0, np.radians(deg_per_m) * step_m)).as_matrix()
        pose[:3, :3] = turn @ pose[:3, :3]
        given.append(pose)
    return given, length_m


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--scene", default="room")
    parser.add_argument("--frames", type=int, default=160, help="of two laps")
    parser.add_argument("--laps", type=int, default=4)
    parser.add_argument("--width-px", type=int, default=320)
    parser.add_argument("--share", type=float, default=0.01)
    parser.add_argument("--deg-per-m", type=float, default=0.3)
    arguments = parser.parse_args()
    size = arguments.width_px, arguments.width_px * 3 // 4
    config = SyntheticConfig(
        scene=arguments.scene, frames=arguments.frames, width_px=size[0], height_px=size[1],
        noise=1.0,
    )  # fmt: skip
    way = laps_of(rendered_frames(config), arguments.laps, arguments.scene != "room")
    truth = {frame.stamp_ns: frame.world_from_camera for frame in way}
    poses, length_m = drifted(list(truth.values()), arguments.share, arguments.deg_per_m)
    refiner = PoseRefiner(PoseRefinementConfig(), len(way), 0.1, 10.0)
    given, refined, as_they_came = dict(zip(truth, poses, strict=True)), {}, {}
    begin_s = time.thread_time()
    for frame, pose in zip(way, poses, strict=True):
        refined[frame.stamp_ns] = pose
        for key, better in refiner.add(replace(frame, world_from_camera=pose)).items():
            refined[key[0]] = better
        as_they_came[frame.stamp_ns] = refined[frame.stamp_ns]
    row = {"length_m": round(length_m, 1), "keyframes": len(way)}
    row["ms_a_keyframe"] = round(1e3 * (time.thread_time() - begin_s) / len(way), 1)
    kinds = {"given": given, "as_they_came": as_they_came, "refined": refined}
    print(json.dumps(row | {name: pose_errors(found, truth) for name, found in kinds.items()}))


if __name__ == "__main__":
    main()
