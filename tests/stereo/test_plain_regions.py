# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Planes in plain regions: where sure depth within them says so, and nowhere else."""

import numpy as np
import pytest
from jaxtyping import Float

from ineus_core.stereo.plain_regions import PlainPicture, depth_on_planes, plane_within

HEIGHT, WIDTH = 120, 160
Y, X = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
PLANE_XY = np.stack(((X + 0.5 - WIDTH / 2) / 130, (Y + 0.5 - HEIGHT / 2) / 130), axis=-1)
WALL = 1 / (0.5 + 0.1 * PLANE_XY[..., 0] - 0.05 * PLANE_XY[..., 1])
PLAIN = slice(30, 90), slice(40, 120)
"""The one plain region of the picture."""
RIM = np.zeros((HEIGHT, WIDTH), np.bool_)
RIM[30:90, 40:120] = True
RIM[33:87, 43:117] = False


def picture() -> np.ndarray:
    rgb = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    rgb[PLAIN] = 120
    return rgb


def planes(
    depth: Float[np.ndarray, "h w"], is_sure: np.ndarray, rgb: np.ndarray | None = None
) -> Float[np.ndarray, "h w"]:
    given = np.where(is_sure, depth, 0).astype(np.float32)
    return planes_of(picture() if rgb is None else rgb, given, is_sure, PLANE_XY)


def planes_of(
    rgb: np.ndarray, depth: np.ndarray, is_sure: np.ndarray, plane_xy: np.ndarray
) -> Float[np.ndarray, "h w"]:
    small = PlainPicture.of(rgb, depth, is_sure, plane_xy)
    found = [plane_within(region, small) for region in small.regions]
    return depth_on_planes([plane for plane in found if plane is not None], plane_xy)


def test_a_plain_part_of_a_wall_lies_on_the_wall() -> None:
    found = planes(WALL, RIM)
    inside = np.zeros_like(RIM)
    inside[33:87, 43:117] = True
    np.testing.assert_allclose(found[inside], WALL[inside], rtol=1e-3)
    assert not found[:29].any()
    assert not found[:, :39].any()


@pytest.mark.parametrize("unit", [0.01, 50.0])
def test_the_unit_of_length_does_not_matter(unit: float) -> None:
    np.testing.assert_allclose(planes(unit * WALL, RIM) / unit, planes(WALL, RIM), rtol=1e-4)


def test_texture_is_left_to_be_matched() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    assert not planes(WALL, RIM, rgb).any()


def test_what_is_seen_behind_says_that_there_is_no_plane() -> None:
    behind = WALL.copy()
    behind[:, 43:46] *= 1.2
    is_sure = RIM.copy()
    is_sure[40:80, 43:46] = True
    assert planes(WALL, is_sure).any()
    assert not planes(behind, is_sure).any()


def test_a_rim_of_two_depths_says_nothing() -> None:
    assert not planes(np.where(X < WIDTH / 2, WALL, 0.7 * WALL), RIM).any()


def test_nothing_is_told_beyond_what_is_sure() -> None:
    mark = np.zeros_like(RIM)
    mark[50:70, 60:90] = True
    found = planes(WALL, mark)
    assert (found[mark] > 0).all()
    assert not found[~mark].any()


def test_a_wall_of_another_shade_is_another_region() -> None:
    # From 120 to 138 in steps that are no edge.
    shade = np.clip(120 + np.floor(0.6 * (X - 110)), 120, 138).astype(np.uint8)
    rgb = np.repeat(shade[..., None], 3, axis=2)
    regions = PlainPicture.of(rgb, WALL, RIM, PLANE_XY).regions
    assert [region.colour.tolist() for region in regions] == [[120.0] * 3]
    assert regions[0].pixels[:, 10:105].all()
    assert not regions[0].pixels[:, 130:].any()


def test_nothing_sure_tells_nothing() -> None:
    assert not planes(WALL, np.zeros_like(RIM)).any()


def test_a_large_picture_is_looked_at_in_a_smaller_one() -> None:
    big = [np.kron(of, np.ones((4, 4))) for of in (WALL, RIM)]
    y, x = (np.mgrid[: 4 * HEIGHT, : 4 * WIDTH] + 0.5) / 4
    plane_xy = np.stack(((x - WIDTH / 2) / 130, (y - HEIGHT / 2) / 130), axis=-1)
    rgb = np.repeat(np.repeat(picture(), 4, axis=0), 4, axis=1)
    wall = 1 / (0.5 + 0.1 * plane_xy[..., 0] - 0.05 * plane_xy[..., 1])
    is_sure = big[1] > 0
    found = planes_of(rgb, np.where(is_sure, wall, 0), is_sure, plane_xy)
    inside = found[4 * 35 : 4 * 85, 4 * 45 : 4 * 115]
    np.testing.assert_allclose(inside, wall[4 * 35 : 4 * 85, 4 * 45 : 4 * 115], rtol=1e-3)
