# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Plain walls that reach beyond the picture: known by signs on them that keyframes have shown."""

import numpy as np
import pytest
from jaxtyping import Float

from ineus_core.stereo import PlainWalls
from ineus_core.stereo.plain_regions import PlainPicture, depth_on_planes
from ineus_core.types import Camera

CAMERA = Camera(320, 240, 190.0, 190.0, 160.0, 120.0)
V, U = np.mgrid[:240, :320] + 0.5
PLANE_XY = np.stack(((U - 160) / 190, (V - 120) / 190), axis=-1)
KEYFRAMES = 12
SIGNS = ((-1.6, -0.9), (0.5, -0.2), (2.3, 0.1))
"""Left upper corners of squares of 0.9 m, on the wall."""


def pose(number: int) -> Float[np.ndarray, "4 4"]:
    result = np.eye(4)
    result[:3, 3] = 0.08 * number, 0.05 * (number % 3), 0.04 * number
    return result


def view(number: int, behind_m: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a picture of a plain wall with signs on it, its depth, and where that is sure.

    Args:
        behind_m: How far the last sign lies behind the wall.
    """
    eye = pose(number)[:3, 3]
    depth = on_wall(eye, 0.0)
    rgb, is_sure = np.full((240, 320, 3), 130, np.uint8), np.zeros((240, 320), np.bool_)
    for index, corner in enumerate(SIGNS):
        sign_depth = on_wall(eye, behind_m if index == len(SIGNS) - 1 else 0.0)
        across, down = np.moveaxis(PLANE_XY * sign_depth[..., None] + eye[:2] - corner, -1, 0)
        inside = (across >= 0) & (across < 0.9) & (down >= 0) & (down < 0.9)
        tiles = np.random.default_rng(index).integers(0, 100, (18, 18))
        at = (down[inside] / 0.05).astype(int), (across[inside] / 0.05).astype(int)
        rgb[inside] = tiles[at][:, None]
        depth[inside], is_sure[inside] = sign_depth[inside], True
    return rgb, depth, is_sure


def on_wall(eye: Float[np.ndarray, " 3"], behind_m: float) -> Float[np.ndarray, "h w"]:
    """Return depth of the wall z = 4 + 0.3 x."""
    return (4 + behind_m + 0.3 * eye[0] - eye[2]) / (1 - 0.3 * PLANE_XY[..., 0])


def planes(
    walls: PlainWalls, number: int, at: Float[np.ndarray, "4 4"], behind_m: float = 0.0
) -> Float[np.ndarray, "h w"]:
    rgb, depth, is_sure = view(number, behind_m)
    picture = PlainPicture.of(rgb, np.where(is_sure, depth, 0), is_sure, PLANE_XY)
    within, shared = walls.add((number, 0), CAMERA, at, picture)
    return depth_on_planes([*shared, *within], PLANE_XY)


def test_a_wall_is_known_beyond_its_signs_when_keyframes_have_shown_them() -> None:
    walls = PlainWalls()
    first, *_, last = (planes(walls, number, pose(number)) for number in range(KEYFRAMES))
    _, depth, is_sure = view(KEYFRAMES - 1)
    assert (last > 0)[~is_sure].mean() > 0.7
    assert (last > 0)[:, :20].any()
    np.testing.assert_allclose(last[last > 0], depth[last > 0], rtol=0.004)
    # By itself a keyframe says at most what lies between its signs.
    assert (first > 0).mean() < 0.6 * (last > 0).mean()
    assert not (first > 0)[:, :20].any()


def test_no_wall_is_before_what_is_seen_behind_it() -> None:
    walls = PlainWalls()
    for number in range(KEYFRAMES):
        found = planes(walls, number, pose(number), behind_m=0.6)
        eye = pose(number)[:3, 3]
        behind = on_wall(eye, 0.6)
        away = PLANE_XY * behind[..., None] + eye[:2] - SIGNS[-1] - 0.45
        around = (np.abs(away).max(axis=-1) < 0.6) & (found > 0)
        # It may lie on a plane with the sign that is farthest, and with no nearer one.
        assert (found > 0.97 * behind)[around].all()


@pytest.mark.parametrize("are_corrected", [False, True])
def test_edges_follow_corrected_poses(are_corrected: bool) -> None:
    walls = PlainWalls()
    off = np.eye(4)
    off[2, 3] = 1.0
    for number in range(KEYFRAMES - 1):
        planes(walls, number, off @ pose(number))
    if are_corrected:
        walls.move({(number, 0): pose(number) for number in range(KEYFRAMES - 1)})
    last = planes(walls, KEYFRAMES - 1, pose(KEYFRAMES - 1))
    assert (last > 0)[:, :20].any() == are_corrected


def test_without_plain_regions_nothing_is_found() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (240, 320, 3)).astype(np.uint8)
    nothing = np.zeros((240, 320))
    picture = PlainPicture.of(rgb, nothing, nothing > 0, PLANE_XY)
    walls = PlainWalls()
    assert walls.add((0, 0), CAMERA, pose(0), picture) == ([], [])
    assert walls.add((1, 0), CAMERA, pose(1), picture) == ([], [])


def first_told(least_told: int, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("ineus_core.stereo.plain_walls._LEAST_TOLD", least_told)
    walls = PlainWalls()
    found = [planes(walls, n, pose(n))[:, :20].max() > 0 for n in range(KEYFRAMES)]
    return int(np.argmax(found))


def test_two_keyframes_have_to_tell_of_a_plane_before_one_uses_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert first_told(2, monkeypatch) == first_told(0, monkeypatch) + 2
