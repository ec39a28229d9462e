# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which views another one is matched with, by geometry alone."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ineus_core.geometry import project, rigid_inverse
from ineus_core.stereo.view import StereoView

_PARALLAX = ((0.0, 0.01, 0.04, 0.12, 0.3), (0.0, 0.0, 1.0, 1.0, 0.0))
"""Worth of a baseline by its share of the depth: too short says little, too long looks unlike."""
_ANGLE_DEG = ((0.0, 15.0, 40.0), (1.0, 1.0, 0.0))
"""Worth by the angle between the optical axes."""
_SAME_SIDE = 0.5
"""What a source loses by another one on its very side: what hides for one does for both."""
_SAME_PLACE, _APART = 0.3, 0.02
"""Worth of another view's depth from the same place, and the share of the depth away where it
is worth all."""
_LEAST_SHOWN = 0.1
LEAST_WORTH = 0.05
"""Sources that are worth less are none."""


def worth(reference: StereoView, source: StereoView, points_m: Float[np.ndarray, "n 3"]) -> float:
    """Return what a source is worth for a reference, 0 to 1.

    Args:
        points_m: On surfaces that the reference sees, world.
    """
    if len(points_m) == 0:
        return 0.0
    depth = _depth_before(reference, points_m)
    baseline = float(np.linalg.norm(source.position_m - reference.position_m))
    parallax = baseline / float(np.median(depth))
    # Against the reference: a scene without texture is not blurred.
    sharpness = min(1.0, source.sharpness / max(reference.sharpness, 1e-6))
    return float(
        np.interp(parallax, *_PARALLAX)
        * np.interp(angle_deg(reference, source), *_ANGLE_DEG)
        * visible(source, points_m).mean()
        * sharpness
    )


def pick_sources(
    reference: StereoView,
    others: Sequence[StereoView],
    points_m: Float[np.ndarray, "n 3"],
    most: int,
) -> list[StereoView]:
    """Pick the views that tell most of a reference's depth together, best first.

    Args:
        points_m: On surfaces that the reference sees, world.
        most: How many at most.
    """
    left = [(worth(reference, other, points_m), other) for other in others]
    left = [(value, other) for value, other in left if value > LEAST_WORTH]
    picked: list[StereoView] = []
    while left and len(picked) < most:
        values = [value * _apart(reference, other, picked) for value, other in left]
        _, best = left.pop(int(np.argmax(values)))
        picked.append(best)
    return picked


def pick_partners(
    reference: StereoView,
    others: Sequence[StereoView],
    points_m: Float[np.ndarray, "n 3"],
    most: int,
) -> list[StereoView]:
    """Pick the views whose depth shows most of the surfaces of a reference again, best first.

    Their pictures are not compared, so that angle and sharpness do not matter, and a baseline
    only as two views from one place make the same mistakes.
    """
    if len(points_m) == 0:
        return []
    depth = float(np.median(_depth_before(reference, points_m)))
    values = []
    for other in others:
        baseline = float(np.linalg.norm(other.position_m - reference.position_m))
        apart = min(1.0, _SAME_PLACE + baseline / (_APART * depth))
        values.append(apart * visible(other, points_m).mean())
    order = np.argsort(values)[::-1][:most]
    return [others[i] for i in order if values[i] > _LEAST_SHOWN]


def _apart(reference: StereoView, source: StereoView, picked: Sequence[StereoView]) -> float:
    """Return what is left of a source's worth beside those that were picked before."""
    share = 1.0
    for other in picked:
        a, b = source.position_m - reference.position_m, other.position_m - reference.position_m
        cosine = float(a @ b) / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12)
        # Sources on opposite sides see behind an edge each.
        share *= 1 - _SAME_SIDE * max(0.0, cosine)
    return share


def angle_deg(a: StereoView, b: StereoView) -> float:
    """Return the angle between the optical axes."""
    cosine = float(a.world_from_camera[:3, 2] @ b.world_from_camera[:3, 2])
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def visible(view: StereoView, points_m: Float[np.ndarray, "n 3"]) -> np.ndarray:
    """Tell which points lie before a view and in its picture."""
    camera_from_world = rigid_inverse(view.world_from_camera)
    points = points_m @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
    # In no unit: scenes may be of any.
    inside = points[:, 2] > 1e-6 * np.abs(points).max(initial=1e-6)
    pixels = project(view.camera, points[inside])
    size = view.camera.width_px, view.camera.height_px
    inside[inside] = ((pixels >= 0) & (pixels < size)).all(axis=1)
    return inside


def _depth_before(view: StereoView, points_m: Float[np.ndarray, "n 3"]) -> np.ndarray:
    return (points_m - view.position_m) @ view.world_from_camera[:3, 2]


def seen_points(
    view: StereoView, points_m: Float[np.ndarray, "n 3"]
) -> tuple[Float[np.ndarray, "m 3"], Float[np.ndarray, " m"]]:
    """Return the points that a view sees, and their inverse depths."""
    seen = points_m[visible(view, points_m)]
    return seen, 1 / _depth_before(view, seen)
