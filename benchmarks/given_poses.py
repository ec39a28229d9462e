# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How far given relative poses are from those that a sensor's depth and two pictures tell.

Points that two keyframes share have their place from the first one's depth; where the second one
sees them gives its pose (perspective-n-point, RANSAC). By the number of keyframes between both:
turn and shift by which the given motion is off, the length of that motion, and by how much it is
longer or shorter than it was given.

Run: python benchmarks/given_poses.py FOLDER [--keyframes N]
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice

import cv2
import numpy as np
from depth_from_motion import Gate
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from ineus_core.geometry import rigid_inverse
from ineus_core.pose_refinement.features import FeatureView, matches, view_of
from ineus_core.sources import open_source
from ineus_core.types import Frame

_SHIFT_M, _TURN_DEG = 0.1, 8.0
_APART = (1, 2, 3)
_FEWEST = 30
_WITHIN_PX, _TRIES = 2.0, 500


def keyframes(folder: str) -> Iterator[Frame]:
    """Yield frames that are some way from each other."""
    gate = Gate(_SHIFT_M, _TURN_DEG)
    return (frame for frame in open_source(folder) if gate.passes(frame.world_from_camera))


def told_motion(
    frame: Frame, ours: FeatureView, theirs: FeatureView
) -> Float[np.ndarray, "4 4"] | None:
    """Return where another view is from a frame with depth; None if too little tells."""
    pairs = np.array(matches(ours.descriptors, theirs.descriptors)).reshape(-1, 2)
    camera, seen = frame.camera, theirs.plane_xy[pairs[:, 1]]
    assert frame.depth_m is not None
    at = ours.plane_xy[pairs[:, 0]]
    pixels = at * (camera.fx, camera.fy) + (camera.cx, camera.cy)
    column, row = np.floor(pixels).astype(int).T
    depth_m = frame.depth_m[row.clip(0, camera.height_px - 1), column.clip(0, camera.width_px - 1)]
    known = depth_m > 0
    if known.sum() < _FEWEST:
        return None
    points = np.column_stack((at, np.ones(len(at))))[known] * depth_m[known, None]
    within = _WITHIN_PX / camera.fx
    found, turn, shift_m, right = cv2.solvePnPRansac(
        points, seen[known], np.eye(3), None, reprojectionError=within, iterationsCount=_TRIES
    )
    if not found or len(right) < _FEWEST:
        return None
    their_from_ours = np.eye(4)
    their_from_ours[:3, :3], their_from_ours[:3, 3] = cv2.Rodrigues(turn)[0], shift_m[:, 0]
    return rigid_inverse(their_from_ours)


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder")
    parser.add_argument("--keyframes", type=int, default=40)
    arguments = parser.parse_args()
    cv2.setRNGSeed(0)
    frames = list(islice(keyframes(arguments.folder), arguments.keyframes))
    views = [view_of(frame) for frame in frames]
    rows = defaultdict(list)
    for apart in _APART:
        for number in range(len(frames) - apart):
            told = told_motion(frames[number], views[number], views[number + apart])
            if told is None:
                continue
            first, second = frames[number].world_from_camera, frames[number + apart]
            given = rigid_inverse(first) @ second.world_from_camera
            off = rigid_inverse(given) @ told
            lengths_m = [float(np.linalg.norm(motion[:3, 3])) for motion in (given, told)]
            shift_m = float(np.linalg.norm(told[:3, 3] - given[:3, 3]))
            turn_deg = float(np.degrees(Rotation.from_matrix(off[:3, :3]).magnitude()))
            rows[apart].append((turn_deg, shift_m, lengths_m[0], lengths_m[1] / lengths_m[0]))
    for apart, found in rows.items():
        turn, shift_m, length_m, _ = np.median(found, axis=0)
        low, middle, high = np.percentile([row[3] for row in found], (10, 50, 90))
        print(
            f"{apart} apart, {len(found)} pairs: off by {turn:.2f} degrees and "
            f"{1e3 * shift_m:.1f} mm of {1e3 * length_m:.0f} mm; longer by {low:.2f}, "
            f"{middle:.2f}, {high:.2f} (at 10, 50, 90 % of the pairs)"
        )


if __name__ == "__main__":
    main()
