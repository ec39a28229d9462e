# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Points of pictures that are found again in others, as tracks through keyframes."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int

from ineus_core.geometry import undistort_pixels
from ineus_core.types import Camera, Frame, KeyframeId

_WIDTH_PX = 400
"""Pictures of 640 pixels give the same poses in twice the time (benchmarks/README.md)."""
_FEATURES = 800
_CONTRAST = 0.02
_RATIO = 0.8
"""A match is clear if its second best is so much farther away (Lowe 2004)."""
_MATCHED_WITH = 4
"""Earlier keyframes, the newest, that are searched for the points of a new one."""
_FLATTEST_Z = 0.1
"""Rays of a wide lens that are nearly across its axis have no place on the plane z = 1."""


@dataclass
class FeatureView:
    """A keyframe by its points."""

    id: KeyframeId
    given: Float[np.ndarray, "4 4"]
    pose: Float[np.ndarray, "4 4"]
    pixel: float
    """Side of a pixel in which points are found, on the plane z = 1."""
    plane_xy: Float[np.ndarray, "n 2"]
    """Where the rays of the points meet the plane z = 1."""
    descriptors: Float[np.ndarray, "n 128"]
    tracks: Int[np.ndarray, " n"]
    """Number of each point, the same in all views that show it."""


def view_of(frame: Frame) -> FeatureView:
    """Find the points of a frame (SIFT, Lowe 2004); each begins a track of its own."""
    grey = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY)
    camera = frame.camera
    if camera.width_px > _WIDTH_PX:
        height_px = round(camera.height_px * _WIDTH_PX / camera.width_px)
        size = camera.no_narrower(_WIDTH_PX, height_px)
        camera = camera.resized(*size)
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    sift = cv2.SIFT_create(nfeatures=_FEATURES, contrastThreshold=_CONTRAST)
    points, descriptors = sift.detectAndCompute(grey, None)
    pose = frame.world_from_camera.astype(np.float64)
    plane_xy = _on_plane(camera, points)
    found = np.zeros((0, 128), np.float32) if descriptors is None else descriptors
    kept = np.linalg.norm(plane_xy, axis=1) < 1 / _FLATTEST_Z
    return FeatureView(
        (frame.stamp_ns, frame.camera_id),
        pose,
        pose,
        1 / min(camera.fx, camera.fy),
        plane_xy[kept],
        found[kept],
        np.full(int(kept.sum()), -1),
    )


def _on_plane(camera: Camera, points: Sequence[cv2.KeyPoint]) -> Float[np.ndarray, "n 2"]:
    # OpenCV counts pixels from the centre of the first one.
    pixels = np.array([point.pt for point in points], np.float64).reshape(-1, 2) + 0.5
    return undistort_pixels(camera, pixels) if len(pixels) else pixels


def continue_tracks(view: FeatureView, earlier: Sequence[FeatureView], next_track: int) -> int:
    """Give the points of a view the tracks of what they show in earlier ones; the next new one."""
    # The newest first, which look most alike.
    for other in list(earlier)[::-1][:_MATCHED_WITH]:
        for ours, theirs in matches(view.descriptors, other.descriptors):
            track = other.tracks[theirs]
            # One point of a view for each track, or a repeated pattern would tie places together.
            if view.tracks[ours] < 0 and track not in view.tracks:
                view.tracks[ours] = track
    fresh = view.tracks < 0
    view.tracks[fresh] = next_track + np.arange(int(fresh.sum()))
    return next_track + int(fresh.sum())


def matches(
    ours: Float[np.ndarray, "n 128"], theirs: Float[np.ndarray, "m 128"]
) -> list[tuple[int, int]]:
    """Match descriptors that are nearest to each other, and clearly so."""
    if len(ours) < 2 or len(theirs) < 2:
        return []
    # Squared distances by one product for both ways, in half the time of two searches.
    squares = [np.einsum("ij,ij->i", of, of) for of in (ours, theirs)]
    apart = squares[0][:, None] + squares[1] - 2 * (ours @ theirs.T)
    best, back = apart.argmin(axis=1), apart.argmin(axis=0)
    each = np.arange(len(ours))
    nearest = apart[each, best]
    apart[each, best] = np.inf
    # Both ways: repeated texture passes one of the two tests.
    is_match = (nearest < _RATIO**2 * apart.min(axis=1)) & (back[best] == each)
    return list(zip(each[is_match].tolist(), best[is_match].tolist(), strict=True))
