# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The occupancy grid: unseen is not empty, carving, growing, the field's say, marching."""

import pytest
import torch
from tiny_scene import CPU
from torch import Tensor

from ineus_core.errors import CapacityError
from ineus_core.rendering import OccupancyConfig, OccupancyGrid
from ineus_core.rendering.cell_storage import CellStorage
from ineus_core.rendering.marching import march_all, march_first, march_seen

ALONG_X = torch.tensor([[1.0, 0.0, 0.0]])


def make_grid(box: list[list[float]] | None = None, **settings: float) -> OccupancyGrid:
    """Cells of 0.1 m over 2 x 1 x 1 m."""
    aabb = torch.tensor(box or [[0.0, 0.0, 0.0], [2.0, 1.0, 1.0]])
    return OccupancyGrid(OccupancyConfig(**settings), 0.1, aabb, CPU)  # type: ignore[arg-type]


def look(grid: OccupancyGrid, range_m: float) -> None:
    """One ray along x, at the middle of the grid."""
    origin = torch.tensor([0.0, 0.55, 0.55])
    grid.observe(origin, ALONG_X, torch.tensor([range_m]), 0.15)
    assert grid.returned is not None
    for mask in (grid.observed, grid.returned):
        mask.add(origin, ALONG_X, torch.tensor([range_m]), 0.03, 0.0, 5.0)


def far_from_all(points: Tensor) -> Tensor:
    return torch.full((len(points),), 3.0)


def test_what_is_unseen_is_not_empty() -> None:
    grid = make_grid()
    assert grid.occupied.shape == (20, 10, 10)
    assert bool(grid.occupied.all())
    assert not grid.log_odds.any()


def test_the_box_is_rounded_outwards_to_whole_cells() -> None:
    grid = make_grid([[-0.04, 0.0, 0.0], [0.32, 0.1, 0.1]])
    assert tuple(grid.log_odds.shape) == (5, 1, 1)
    torch.testing.assert_close(grid.aabb, torch.tensor([[-0.1, 0, 0], [0.4, 0.1, 0.1]]))


def test_a_ray_carves_free_space_and_leaves_the_rest_unknown() -> None:
    grid = make_grid()
    look(grid, 1.05)
    row = grid.occupied[:, 5, 5]
    # Free to 1.05 - 0.15; the return is in cell 10 and its neighbours; behind is unknown.
    assert not row[:9].any()
    assert bool(row[9:].all())
    assert bool(grid.occupied[:, 2, 2].all())
    assert grid.log_odds[10, 5, 5] > 0
    assert grid.log_odds[3, 5, 5] < 0
    assert grid.log_odds[15, 5, 5] == 0


def test_a_mesh_may_only_be_where_returns_came_from() -> None:
    grid = make_grid()
    look(grid, 1.05)
    points = torch.tensor(
        [[1.05, 0.55, 0.55], [0.5, 0.55, 0.55], [1.5, 0.55, 0.55], [1.05, 0.25, 0.25], [9, 9, 9]]
    )
    assert grid.may_hold_mesh(points).tolist() == [True, False, False, False, False]
    centres = grid.occupied_centres()
    torch.testing.assert_close(centres[:, 1:], torch.full_like(centres[:, 1:], 0.55))
    assert bool((centres[:, 0] - 1.05).abs().max() <= 0.21)


def test_of_what_is_near_returns_a_mesh_is_only_where_a_ray_has_looked() -> None:
    """What is 3 cm around the return was looked at, in cells of 5 cm: from 1.0 to 1.1."""
    grid = make_grid()
    look(grid, 1.06)
    points = torch.tensor([[0.97, 0.55, 0.55], [1.01, 0.55, 0.55], [1.07, 0.55, 0.55]])
    points = torch.cat((points, torch.tensor([[1.13, 0.55, 0.55]])))
    assert (grid.log_odds[9:12, 5, 5] > 0).all()
    assert grid.may_hold_mesh(points).tolist() == [False, True, True, False]
    # A ray that comes back empty has looked at all on its way, and says nothing else.
    lost = torch.tensor([0.0, 0.55, 0.55]), ALONG_X, torch.tensor([-1.0])
    grid.observed.add(*lost, 0.03, 0.0, 5.0)
    assert grid.may_hold_mesh(points).all()


def test_a_large_voxel_may_hold_a_mesh_if_the_middle_of_a_part_may() -> None:
    """What was looked at is from 1.0 to 1.1 along x, and from 0.5 to 0.6 across."""
    grid = make_grid()
    look(grid, 1.06)
    points = torch.tensor([[0.98, 0.55, 0.55], [1.16, 0.55, 0.55], [1.05, 0.44, 0.55]])
    assert not grid.may_hold_mesh(points, voxel_m=0.05).any()
    assert grid.may_hold_mesh(points, voxel_m=0.1).tolist() == [True, False, False]
    assert grid.may_hold_mesh(points, voxel_m=0.2).tolist() == [True, True, True]
    assert grid.has_returned(points, voxel_m=0.1).tolist() == [True, False, False]


def test_what_was_observed_stays_where_it_is_when_the_grid_grows() -> None:
    grid = make_grid()
    look(grid, 1.05)
    assert grid.grow(torch.tensor([[-0.5, -0.2, 0.0], [2.0, 1.0, 1.3]]))
    assert tuple(grid.observed.cells.shape) == (50, 24, 26)
    points = torch.tensor([[1.05, 0.55, 0.55], [0.97, 0.55, 0.55], [1.05, 0.65, 0.55]])
    assert grid.may_hold_mesh(points).tolist() == [True, False, False]


def test_looks_through_a_cell_undo_a_return() -> None:
    grid = make_grid()
    look(grid, 0.55)
    for _ in range(7):
        look(grid, 1.85)
    assert not grid.occupied[5, 5, 5]


def test_growing_keeps_every_cell_where_it_is() -> None:
    grid = make_grid()
    look(grid, 1.05)
    points = torch.rand(500, 3) * torch.tensor([2.0, 1.0, 1.0])
    index, _ = grid._cell_index(points)
    log_odds = grid.log_odds.view(-1)[index]
    opacity = torch.rand(grid.opacity.shape).half()
    grid.opacity.copy_(opacity)
    before = grid.opacity.view(-1)[index]
    assert grid.grow(torch.tensor([[-0.55, -0.2, 0.1], [2.3, 0.5, 1.75]]))
    assert tuple(grid.log_odds.shape) == (29, 12, 18)
    index, inside = grid._cell_index(points)
    assert bool(inside.all())
    assert torch.equal(grid.log_odds.view(-1)[index], log_odds)
    assert torch.equal(grid.opacity.view(-1)[index], before)
    # What is new has not been seen.
    assert bool(grid.occupied[0, 0, 0])
    assert grid.log_odds[0, 0, 0] == 0


def test_a_box_that_is_held_changes_nothing() -> None:
    grid = make_grid()
    assert not grid.grow(torch.tensor([[0.1, 0.1, 0.1], [1.9, 0.9, 0.9]]))


def test_a_grid_that_would_be_too_large_is_refused_and_stays() -> None:
    grid = make_grid(max_cells=4000)
    with pytest.raises(CapacityError, match=r"occupancy\.max_cells 4000"):
        grid.grow(torch.tensor([[0.0, 0.0, 0.0], [5.0, 1.0, 1.0]]))
    assert tuple(grid.log_odds.shape) == (20, 10, 10)
    with pytest.raises(CapacityError):
        make_grid(max_cells=10)


def test_the_field_clears_cells_that_it_says_are_empty() -> None:
    grid = make_grid(decay=0.5)
    for _ in range(80):
        grid.update(far_from_all, torch.tensor(50.0), 1 << 12, torch.Generator().manual_seed(0))
    assert grid.occupied.float().mean() < 0.8


def test_the_field_keeps_cells_that_its_surface_crosses() -> None:
    grid, generator = make_grid(decay=0.5), torch.Generator().manual_seed(0)

    def wall(points: Tensor) -> Tensor:
        return 1.03 - points[:, 0]

    for _ in range(80):
        grid.update(wall, torch.tensor(300.0), 1 << 12, generator)
    assert bool(grid.occupied[10].all())
    assert not grid.occupied[:7].any()
    assert not grid.occupied[14:].any()


def test_returns_stay_occupied_whatever_the_field_says() -> None:
    grid, generator = make_grid(decay=0.5), torch.Generator().manual_seed(0)
    look(grid, 1.05)
    for _ in range(80):
        grid.update(far_from_all, torch.tensor(50.0), 1 << 12, generator)
    assert grid.occupied[10, 5, 5]
    assert grid.occupied.any()


def test_a_field_that_is_not_finite_poisons_nothing() -> None:
    grid, generator = make_grid(decay=0.5), torch.Generator().manual_seed(0)
    grid.update(lambda p: torch.full((len(p),), torch.nan), torch.tensor(50.0), 1 << 13, generator)
    assert bool(grid.opacity.isfinite().all())
    assert grid.occupied.any()


def test_march_takes_the_nearest_occupied_steps() -> None:
    grid = make_grid()
    look(grid, 1.05)
    origins = torch.tensor([[-0.5, 0.55, 0.55]])
    samples = march_seen(grid, origins, ALONG_X, 6)
    assert samples.valid.tolist() == [True] * 6
    # Steps of half a cell from where the returns begin, at 0.9 behind the face of the grid
    assert samples.t_starts[0].item() == pytest.approx(1.4, abs=0.06)
    torch.testing.assert_close(samples.t_ends - samples.t_starts, torch.full((6,), 0.05))
    assert samples.count.tolist() == [6]


def test_inactive_rays_get_no_samples() -> None:
    grid = make_grid()
    origins = torch.tensor([[0.0, 0.55, 0.55]]).expand(3, 3)
    active = torch.tensor([True, False, True])
    samples = march_first(grid, origins, ALONG_X.expand(3, 3), active, 4, torch.Generator())
    assert samples.count.tolist() == [4, 0, 4]
    assert samples.valid.view(3, 4)[1].any() == 0
    assert samples.ray_index.tolist() == [0] * 4 + [1] * 4 + [2] * 4


@pytest.mark.parametrize(
    ("max_steps", "count"),
    [
        # 2 m of half cells of 0.05 m, as a fortieth of the diagonal of 2.449 m would be longer.
        (40, 40),
        # 2 m of steps of 2.449 m / 64, counted by their middles: without depth, steps are fine.
        (64, 52),
    ],
)
def test_all_steps_in_one_budget(max_steps: int, count: int) -> None:
    grid = make_grid(max_steps=max_steps)
    samples = march_all(grid, torch.tensor([[0.0, 0.55, 0.55]]), ALONG_X, 64, torch.zeros(1))
    assert samples.count.tolist() == [count]


@pytest.mark.parametrize("shift_m", [0.0, -64.03, 1000.07])
def test_state_and_back(shift_m: float) -> None:
    box = [[shift_m, 0.0, 0.0], [shift_m + 2.0, 1.0, 1.0]]
    grid = make_grid(box)
    ray = torch.tensor([shift_m, 0.55, 0.55]), ALONG_X, torch.tensor([1.05])
    grid.observe(*ray, 0.15)
    grid.observed.add(*ray, 0.03, 0.0, 5.0)
    assert grid.returned is not None
    grid.returned.cells[3, 2, 1] = True
    tensors, meta = grid.state()
    assert tensors["observed"].numel() == grid.log_odds.numel(), "eight cells of a bit each"
    again = OccupancyGrid.from_state(OccupancyConfig(), tensors, meta, CPU)
    assert torch.equal(again.log_odds, grid.log_odds)
    assert torch.equal(again.occupied, grid.occupied)
    assert torch.equal(again.aabb, grid.aabb)
    assert torch.equal(again.observed.cells, grid.observed.cells) and grid.observed.cells.any()
    assert again.returned is not None and again.returned.cells.nonzero().tolist() == [[3, 2, 1]]
    assert again.has_sensor
    # It goes on where it was.
    again.observe(*ray, 0.15)
    assert again.log_odds.max() == 12


def test_a_state_from_before_the_observed_mask_trims_nothing() -> None:
    grid = make_grid()
    look(grid, 1.05)
    tensors, meta = grid.state()
    del tensors["observed"], tensors["returned"]
    again = OccupancyGrid.from_state(OccupancyConfig(), tensors, meta, CPU)
    points = torch.tensor([[0.95, 0.55, 0.55], [1.05, 0.55, 0.55]])
    assert grid.may_hold_mesh(points).tolist() == [False, True]
    assert again.may_hold_mesh(points).all()
    assert again.has_returned(points, voxel_m=0.05).all()


def test_a_state_has_the_cells_it_had_whatever_rounding_says() -> None:
    for low in range(-2000, 2000, 7):
        state = {
            "log_odds": torch.zeros((3, 2, 1), dtype=torch.int8),
            "opacity": torch.zeros((3, 2, 1), dtype=torch.float16),
        }
        meta = {"low_cell": [low, low, low], "cell_m": 0.05, "has_sensor": False}
        grid = OccupancyGrid.from_state(OccupancyConfig(), state, meta, CPU)
        assert grid._low_cell.tolist() == [low] * 3
        assert grid._scratch.shape == grid.occupied.shape == (3, 2, 1)


@pytest.mark.parametrize("cells", [300, 5000])
def test_what_is_captured_follows_a_grid_that_grows_in_its_place(cells: int) -> None:
    """As on a GPU: places and sizes that were read once are those of the grown grid."""
    box = torch.tensor([[0.0, 0.0, 0.0], [2.0, 1.0, 1.0]])
    captured, plain = (
        OccupancyGrid(OccupancyConfig(), 0.1, box, CPU, may_be_captured=way)
        for way in (True, False)
    )
    key, sizes, aabb = captured.captured_key, captured.sizes, captured.aabb
    for grid in (captured, plain):
        look(grid, 1.05)
        assert grid.grow(torch.tensor([[-0.5, 0.0, 0.0], [2.0, 1.0, 1.6]]))
    assert captured.captured_key == (key[0], True, captured.step_m)  # type: ignore[index]
    assert sizes.tolist() == [25, 10, 16]
    torch.testing.assert_close(aabb, torch.tensor([[-0.5, 0.0, 0.0], [2.0, 1.0, 1.6]]))
    for name in ("log_odds", "opacity", "occupied"):
        assert torch.equal(getattr(captured, name), getattr(plain, name))
    # A field that is far from everything empties every cell that no return keeps, all at once or
    # some at a time.
    generator = torch.Generator().manual_seed(0)
    for _ in range(100):
        captured.update(far_from_all, torch.tensor(50.0), cells, generator)
    assert torch.equal(captured.occupied, captured.log_odds > 0)


def test_what_is_captured_without_depth_is_not_valid_for_a_longer_diagonal() -> None:
    box = torch.tensor([[0.0, 0.0, 0.0], [2.0, 1.0, 1.0]])
    config = OccupancyConfig(max_steps=64)
    grid = OccupancyGrid(config, 0.1, box, CPU, may_be_captured=True)
    key, step_m = grid.captured_key, grid.step_m
    assert grid.grow(torch.tensor([[0.0, 0.0, 0.0], [2.5, 1.0, 1.0]]))
    assert grid.step_m > step_m and grid.captured_key != key


def test_a_grid_that_finds_no_room_moves() -> None:
    cells = {"seen": torch.tensor(False)}
    storage = CellStorage(cells, (2, 2, 2), 1 << 24, True, CPU)
    storage.cells("seen").fill_(True)
    place, side = storage.place, 1 << 8
    storage.grow((side, side, side), (1, 0, 0))
    assert storage.place == place and storage.cells("seen")[1:3, :2, :2].all()
    assert int(storage.cells("seen").sum()) == 8
    storage.grow((side + 1, side, side), (1, 0, 0))
    assert storage.place != place and storage.cells("seen")[2:4, :2, :2].all()
    assert storage.sizes.tolist() == [side + 1, side, side]
