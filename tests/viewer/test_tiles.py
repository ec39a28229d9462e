# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Blocks in tiles: what is taken, in which order, and that nothing piles up."""

import numpy as np
from tile_making import block, update

from ineus_core.viewer.tiles import SurfaceTiles


def test_neighbours_share_a_tile_also_below_zero() -> None:
    tiles = SurfaceTiles()
    tiles.update(
        update(block((0, 0, 0)), block((3, 3, 3), 2), block((4, 0, 0)), block((-1, 0, 0)))
    )
    taken = tiles.take(1000)
    sizes = {index: len(mesh.triangles) for index, mesh in taken.items()}
    assert sizes == {(0, 0, 0): 3, (1, 0, 0): 1, (-1, 0, 0): 1}
    # Each block's triangles refer to its own vertices still.
    assert taken[0, 0, 0].triangles.max() == 8
    assert tiles.triangles == 5


def test_only_what_has_changed_since_is_taken_and_the_newest_of_it() -> None:
    tiles = SurfaceTiles()
    for size in (1, 5, 2):
        tiles.update(update(block((0, 0, 0), size)))
    assert [len(mesh.triangles) for mesh in tiles.take(1000).values()] == [2]
    assert tiles.take(1000) == {}
    assert tiles.triangles == 2


def test_a_bounded_number_is_taken_those_first_that_have_waited_longest() -> None:
    tiles = SurfaceTiles()
    tiles.update(update(block((8, 0, 0), 60)))
    tiles.update(update(block((0, 0, 0), 30)))
    tiles.update(update(block((4, 0, 0), 30)))
    assert list(tiles.take(100)) == [(2, 0, 0), (0, 0, 0)]
    # One at least, however large it is.
    assert list(tiles.take(10)) == [(1, 0, 0)]


def test_a_tile_that_is_gone_is_told_once() -> None:
    tiles = SurfaceTiles()
    tiles.update(update(block((0, 0, 0))))
    tiles.take(1000)
    tiles.update(update(removed=((0, 0, 0),)))
    assert [len(mesh.triangles) for mesh in tiles.take(1000).values()] == [0]
    assert tiles.take(1000) == {} and tiles.triangles == 0 and tiles.extent() is None


def test_a_map_that_begins_anew_voids_all_blocks() -> None:
    tiles = SurfaceTiles()
    tiles.update(update(block((0, 0, 0)), block((9, 0, 0))))
    tiles.take(1000)
    tiles.update(update(block((0, 0, 0), 4), begins_anew=True))
    sizes = {index: len(mesh.triangles) for index, mesh in tiles.take(1000).items()}
    assert sizes == {(0, 0, 0): 4, (2, 0, 0): 0}


def test_the_extent_holds_the_vertices() -> None:
    tiles = SurfaceTiles()
    tiles.update(update(*(block((x, 0, 2)) for x in range(101))))
    extent = tiles.extent()
    np.testing.assert_allclose(extent.low, (1, 0, 2))
    np.testing.assert_allclose(extent.high, (99, 0, 2))
