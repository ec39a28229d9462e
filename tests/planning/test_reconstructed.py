# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A reconstruction as a planner sees it: nothing at first, then a wall, then a corrected wall."""

import numpy as np
import pytest
from tiny_scene import CPU, pose, tiny_config, wall_frame

from ineus_core.planning import FREE, OCCUPIED, UNKNOWN
from ineus_core.reconstruction import Reconstructor

HERE = [0.0, 0.0, 0.0]


@pytest.fixture
def wall() -> Reconstructor:
    """Reconstruct a wall at z = 2 m, seen from the origin along z."""
    made = Reconstructor(tiny_config(ray_sampling={"truncation_m": 0.1}), CPU)
    made.add_frame(wall_frame(depth_m=2.0))
    for _ in range(100):
        made.step()
    made.extract_mesh(everything=True)
    return made


def test_before_the_first_frame_nothing_is_known() -> None:
    made = Reconstructor(tiny_config(), CPU)
    answer = made.query(np.array([HERE]))
    assert answer.distance_m.tolist() == [np.inf] and not answer.observed.any()
    assert made.occupancy_slice(0.0, 1.0) is None and made.esdf_slice(0.5) is None
    assert made.keyframe_poses() == {} and made.move_keyframes({(0, 0): pose()}) == 0


def test_the_way_to_a_wall_is_free_and_what_is_behind_it_unknown(wall: Reconstructor) -> None:
    points = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.97], [0.0, 0.0, 2.27], [5.0, 5.0, 5.0]])
    answer = wall.query(points)
    assert answer.distance_m[0] == pytest.approx(1.0, abs=0.08)
    assert answer.distance_m[1] == pytest.approx(0.03, abs=0.08)
    assert answer.observed.tolist() == [True, True, False, False]
    np.testing.assert_allclose(answer.gradient[0], (0, 0, -1), atol=0.2)


def test_a_slice_through_the_wall(wall: Reconstructor) -> None:
    columns = wall.occupancy_slice(1.9, 2.1)
    assert columns is not None
    row, column = (int((0.0 - origin) / columns.cell_m) for origin in columns.origin_m[::-1])
    assert columns.cells[row, column] == OCCUPIED
    before = wall.occupancy_slice(0.9, 1.1)
    behind = wall.occupancy_slice(2.27, 2.28)
    assert before is not None and behind is not None
    assert (before.cells[row, column], behind.cells[row, column]) == (FREE, UNKNOWN)
    distances = wall.esdf_slice(1.0)
    assert distances is not None and distances.observed[row, column]
    assert distances.distance_m[row, column] == pytest.approx(1.0, abs=0.08)


def test_a_wall_is_no_thicker_than_it_is(wall: Reconstructor) -> None:
    """Returns count for a cell and a half on both sides; the mesh tells where the wall is."""
    assert wall.reconstruction.grid.cell_m == pytest.approx(0.16)
    in_front, at_it = wall.occupancy_slice(1.78, 1.9), wall.occupancy_slice(1.94, 2.06)
    assert in_front is not None and at_it is not None
    row, column = (int((0.0 - origin) / at_it.cell_m) for origin in at_it.origin_m[::-1])
    layers = (wall.reconstruction.grid.log_odds > 0).flatten(0, 1).any(dim=0)
    assert int(layers.sum()) == 2, "else there is nothing to be made thinner"
    assert (in_front.cells[row, column], at_it.cells[row, column]) == (FREE, OCCUPIED)


def test_voxels_are_the_cells_of_the_wall_and_no_others(wall: Reconstructor) -> None:
    cell_m = wall.reconstruction.grid.cell_m
    centres = wall.occupied_voxels()
    assert len(centres) > 20
    # The wall stands at z = 2; no cell beside the one that it goes through.
    assert (np.abs(centres[:, 2] - 2.0) < 1.01 * cell_m).all()
    columns = wall.occupancy_slice(1.78, 2.2)
    assert columns is not None
    origin = np.array(columns.origin_m)
    found = np.floor((centres[:, :2] - origin) / columns.cell_m).astype(int)
    assert (columns.cells[found[:, 1], found[:, 0]] == OCCUPIED).all()
    assert len(np.unique(found, axis=0)) == (columns.cells == OCCUPIED).sum()


def test_without_a_frame_there_are_no_voxels() -> None:
    assert Reconstructor(tiny_config(), CPU).occupied_voxels().shape == (0, 3)


def test_what_a_mask_takes_out_is_neither_seen_through_nor_surface() -> None:
    mask = np.ones((30, 40), dtype=bool)
    mask[:, :20] = False
    made = Reconstructor(tiny_config(), CPU)
    made.add_frame(wall_frame(depth_m=2.0, mask=mask))
    # To the left of the optical axis stands a person.
    answer = made.query(np.array([[-0.3, 0.0, 1.0], [0.3, 0.0, 1.0], [-0.6, 0, 2], [0.6, 0, 2]]))
    assert answer.observed.tolist() == [False, True, False, True]


def test_a_return_counts_at_once_where_there_is_no_mesh_yet() -> None:
    made = Reconstructor(tiny_config(), CPU)
    made.add_frame(wall_frame(depth_m=2.0))
    found = made.occupancy_slice(1.78, 1.9)
    assert found is not None and (found.cells == OCCUPIED).any()


def test_without_depth_the_views_tell_what_is_free_and_what_was_seen() -> None:
    """A field of colour alone begins as the inside of a ball around the cameras."""
    made = Reconstructor(tiny_config(bounds={"frames_to_start": 4}), CPU)
    for i in range(4):
        made.add_frame(wall_frame(i, None, pose(0.3 * i, yaw_deg=4.0 * i)))
    answer = made.query(np.array([[0.4, 0.0, 1.0], [0.4, 0.0, -2.0]]))
    assert answer.observed.tolist() == [True, False], "ahead of the cameras, and behind them"
    columns = made.occupancy_slice(-0.1, 0.1)
    assert columns is not None and (columns.cells == FREE).any()
    assert not made.reconstruction.grid.log_odds.any()


def test_without_depth_a_live_mesh_is_renewed_block_by_block() -> None:
    config = tiny_config(bounds={"frames_to_start": 4}, meshing={"blocks_per_update": 7})
    made = Reconstructor(config, CPU)
    for i in range(4):
        made.add_frame(wall_frame(i, None, pose(0.3 * i, yaw_deg=4.0 * i)))
    assert not made.extract_mesh().upserts
    made.revisit_surface()
    assert 0 < len(made.extract_mesh().upserts) <= 7


def test_a_corrected_pose_is_seen_anew_and_the_surface_follows(wall: Reconstructor) -> None:
    corrected = pose(z=0.5)
    assert wall.move_keyframes({(0, 0): corrected, (77, 0): corrected}) == 1
    np.testing.assert_array_equal(wall.keyframe_poses()[0, 0], corrected)
    assert wall.query(np.array([[0.0, 0.0, 2.5]])).observed.all()
    for _ in range(300):
        wall.step()
    wall.extract_mesh()
    distance_m = wall.query(np.array([[0.0, 0.0, 2.2]])).distance_m
    assert distance_m[0] == pytest.approx(0.3, abs=0.1)
