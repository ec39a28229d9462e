# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which surface counts as seen where no sensor says so: the first one that rays meet."""

import itertools
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from tiny_scene import CPU
from torch import Tensor

from ineus_core.rendering import (
    OccupancyConfig,
    OccupancyGrid,
    ViewVisibility,
    log_odds_of_views,
    visible_cells,
)

BOX = torch.tensor([[-2.0, -2.0, -2.0], [2.0, 2.0, 2.0]])


def two_walls(points: Tensor) -> Tensor:
    """Free for |x| < 0.5, solid up to 1.0, then free again though nobody can know."""
    x = points[:, 0].abs()
    return torch.maximum(0.5 - x, x - 1.0)


def rays(count: int = 3000) -> tuple[Tensor, Tensor]:
    """From a little off the origin, in all directions that meet the first walls in the box."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.rand((count, 3), generator=generator) * 2 - 1
    directions[:, 0] = directions[:, 0].sign()
    directions /= directions.norm(dim=1, keepdim=True)
    return torch.full((count, 3), 0.02), directions


def seen_in(grid: OccupancyGrid) -> Tensor:
    return torch.zeros_like(grid.occupied) if grid.visible is None else grid.visible


@pytest.fixture()
def grid() -> OccupancyGrid:
    return OccupancyGrid(OccupancyConfig(), 0.1, BOX, CPU)


def test_the_wall_in_front_is_seen_and_the_one_behind_it_is_not(grid: OccupancyGrid) -> None:
    grid.visible = visible_cells(two_walls, grid, iter([rays()]))
    places = torch.tensor([[0.52, 0.1, 0.1], [-0.52, -0.2, 0.2], [1.0, 0.1, 0.1], [0.02] * 3])
    assert grid.may_hold_mesh(places).tolist() == [True, True, False, False]
    # What a mesh may not hold is sampled in training all the same.
    assert bool(grid.cells_of_view.all())


def test_cells_around_the_place_that_is_met_count_too(grid: OccupancyGrid) -> None:
    along_x = (torch.tensor([[0.05, 0.05, 0.05]]), torch.tensor([[1.0, 0.0, 0.0]]))
    seen = visible_cells(two_walls, grid, iter([along_x]))
    # x = 0.5 is hit in the cell from 0.5 to 0.6, which is number 25 of 40; y and z in number 20.
    assert seen.nonzero().amin(0).tolist() == [24, 19, 19]
    assert seen.nonzero().amax(0).tolist() == [26, 21, 21]
    assert int(seen.sum()) == 27


def test_a_look_that_is_interrupted_goes_on_where_it_was(grid: OccupancyGrid) -> None:
    origins, directions = rays(40_000)
    batches = [slice(0, 10_000), slice(10_000, 40_000)]
    drawn = itertools.count()

    def draw(count: int) -> SimpleNamespace:
        part = batches[next(drawn) % 2]
        valid = torch.ones(part.stop - part.start, dtype=torch.bool)
        return SimpleNamespace(origins=origins[part], directions=directions[part], valid=valid)

    def look(now_s: Callable[[], float]) -> ViewVisibility:
        return ViewVisibility(two_walls, grid, draw, 1 << 17, CPU, now_s)  # type: ignore[arg-type]

    parts = list(look(lambda: 0.0).find_surface_in_parts())
    assert len(parts) == 7
    whole = seen_in(grid)
    grid.visible = None
    seconds = itertools.count()
    sliced = look(lambda: float(next(seconds)))
    slices = 0
    while not sliced.look_on(2.5):
        slices += 1
        assert sliced.is_looking and not seen_in(grid).any()
    # 2 + 4 batches of at most 2^13 rays, and the look at nothing before them, 2 a time.
    assert slices == 2 and not sliced.is_looking
    assert whole.any() and torch.equal(seen_in(grid), whole)


def test_without_a_ray_that_meets_anything_nothing_is_seen(grid: OccupancyGrid) -> None:
    away = (torch.full((4, 3), 5.0), torch.tensor([[1.0, 0.0, 0.0]]).expand(4, 3))
    assert not visible_cells(two_walls, grid, iter([away])).any()
    assert not visible_cells(two_walls, grid, iter([])).any()
    nothing = visible_cells(lambda points: torch.ones(len(points)), grid, iter([rays(50)]))
    assert not nothing.any()


def test_a_growing_grid_forgets_what_was_seen(grid: OccupancyGrid) -> None:
    grid.visible = visible_cells(two_walls, grid, iter([rays(100)]))
    grid.grow(torch.tensor([[-3.0, -2.0, -2.0], [2.0, 2.0, 2.0]]))
    assert bool(grid.may_hold_mesh(torch.tensor([[1.0, 0.1, 0.1]])).all())


def test_views_tell_what_is_free_up_to_the_first_surface(grid: OccupancyGrid) -> None:
    along_x = (torch.tensor([[0.05, 0.05, 0.05]]), torch.tensor([[1.0, 0.0, 0.0]]))
    log_odds = log_odds_of_views(two_walls, grid, iter([along_x]))
    # From 0.05 on to the wall at 0.5: cells 20 to 23 are free, 25 is first_hits, 24 is left open.
    line = log_odds[:, 20, 20]
    assert line[20:26].tolist() == [-1, -1, -1, -1, 0, 1]
    assert int((log_odds != 0).sum()) == 5


def test_views_of_all_sides_agree_with_the_walls(grid: OccupancyGrid) -> None:
    log_odds = log_odds_of_views(two_walls, grid, iter([rays(), rays()]))
    centres = (log_odds != 0).nonzero() * 0.1 - 1.95
    value = log_odds[log_odds != 0]
    distance_m = two_walls(centres)
    assert (distance_m[value < 0] > 0).all() and (distance_m[value > 0].abs() < 0.1).all()


def test_a_ray_that_meets_nothing_says_nothing(grid: OccupancyGrid) -> None:
    free = log_odds_of_views(lambda points: torch.ones(len(points)), grid, iter([rays(50)]))
    assert not free.any()
