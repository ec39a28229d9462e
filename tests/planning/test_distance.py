# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Distances to a plane, a sphere and the built-in room, against the true ones."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from ineus_core.geometry import blocks_touched
from ineus_core.meshing import BlockMesher, MeshingConfig
from ineus_core.planning import DistanceMap, Planner, PlanningAnswer, PlanningConfig, PlanningScene
from ineus_core.planning.nearest_surface import NONE, Flood, nearest_points
from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.types import BlockIndex, Mesh, MeshBlock

CELL_M, TRUNCATION_M = 0.1, 0.1
ROOM_CELL_M, ROOM_VOXEL_M = 0.05, 0.025
"""The defaults; a coarser mesh would lose the boards of the shelf."""


def mesh_of(points: np.ndarray, normals: np.ndarray) -> Mesh:
    return Mesh(
        points.astype(np.float32),
        np.zeros((0, 3), np.int32),
        normals.astype(np.float32),
        np.zeros((len(points), 3), np.uint8),
    )


def floor_mesh(step_m: float = 0.05) -> Mesh:
    """Make the plane z = 0 over a square of 2 m."""
    axis = np.arange(-1, 1 + 1e-9, step_m)
    x, y = (a.ravel() for a in np.meshgrid(axis, axis))
    return mesh_of(np.stack((x, y, 0 * x), 1), np.tile((0.0, 0.0, 1.0), (x.size, 1)))


def box(low: float, high: float) -> Tensor:
    return torch.tensor([[low] * 3, [high] * 3])


def make_map(mesh: Mesh, device: torch.device, **settings: int) -> DistanceMap:
    aabb = box(-1.2, 1.2).to(device)
    return DistanceMap(PlanningConfig(**settings), [mesh], aabb, CELL_M, 0.05, device)


def test_the_distance_to_a_floor_is_the_height(device: torch.device) -> None:
    points = torch.tensor([[0.013, 0.21, 0.5], [-0.48, 0.333, -0.25], [0.7, 0.7, 0.004]])
    found = make_map(floor_mesh(), device).closest(points.to(device))
    torch.testing.assert_close(found.distance_m.cpu(), torch.tensor([0.5, 0.25, 0.004]))
    up = torch.tensor([0.0, 0.0, 1.0])
    torch.testing.assert_close(found.away.cpu(), torch.stack((up, -up, up)), atol=1e-4, rtol=0)
    assert found.in_front.tolist() == [True, False, True]


def test_beside_the_floor_the_nearest_point_is_on_its_edge(device: torch.device) -> None:
    # 0.3 aside and 0.4 up; a disc reaches over the edge by 0.75 of the spacing.
    points = torch.tensor([[1.0 + 0.0375 + 0.3, 0.0, 0.4]], device=device)
    found = make_map(floor_mesh(), device).closest(points)
    assert found.distance_m.item() == pytest.approx(0.5, abs=0.002)
    expected = torch.tensor([[0.6, 0.0, 0.8]])
    torch.testing.assert_close(found.away.cpu(), expected, atol=0.01, rtol=0)


def test_on_a_vertex_away_is_its_normal(device: torch.device) -> None:
    mesh = mesh_of(np.array([[0.25, 0.5, 0.125]]), np.array([[0.0, 1.0, 0.0]]))
    found = make_map(mesh, device).closest(torch.tensor([[0.25, 0.5, 0.125]], device=device))
    assert found.distance_m.item() == 0
    assert found.away.tolist() == [[0.0, 1.0, 0.0]]


def test_without_a_surface_the_distance_is_infinite(device: torch.device) -> None:
    nothing = mesh_of(np.zeros((0, 3)), np.zeros((0, 3)))
    found = make_map(nothing, device).closest(torch.zeros((2, 3), device=device))
    assert found.distance_m.isinf().all() and not found.away.any()


def test_vertices_that_are_no_numbers_or_have_no_normal_are_left_out(device: torch.device) -> None:
    points = np.array([[np.nan, 0, 0], [0.1, 0, 0], [0.5, 0, 0]])
    found = make_map(mesh_of(points, np.array([[0, 0, 1], [0, 0, 0], [-1, 0, 0]])), device)
    at = torch.zeros((1, 3), device=device)
    assert found.closest(at).distance_m.item() == pytest.approx(0.5)


def test_a_map_of_few_cells_has_larger_ones(device: torch.device) -> None:
    coarse = make_map(floor_mesh(), device, max_cells=8**3)
    assert coarse.cell_m == pytest.approx(3 * CELL_M)
    points = torch.tensor([[0.1, -0.2, 0.6]], device=device)
    assert coarse.closest(points).distance_m.item() == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize("flooded", [False, True])
def test_nearest_points_are_those_that_a_search_of_all_finds(flooded: bool) -> None:
    generator = torch.Generator().manual_seed(3)
    shape, count = (9, 14, 6), 25
    points = torch.rand((count, 3), generator=generator) * torch.tensor(shape)
    cells = points.floor().long()
    seed = torch.full(shape, NONE)
    seed[tuple(cells.T)] = torch.arange(count)
    kept = seed[seed != NONE]
    if flooded:
        flood = Flood(points - 0.5, seed)
        flood.fill()
        found = flood.nearest
    else:
        found = nearest_points(seed, points, torch.zeros(3), 1.0)
    centres = torch.cartesian_prod(*(torch.arange(n) + 0.5 for n in shape))
    true_m = (centres[:, None] - points[kept]).norm(dim=2).amin(dim=1)
    found_m = (points[found.view(-1)] - centres).norm(dim=1)
    assert (found_m >= true_m - 1e-5).all()
    assert (found_m - true_m).mean() < (0.001 if flooded else 0.03)
    assert (found_m - true_m).max() < 1.0


def no_field(points: Tensor) -> Tensor:
    return torch.zeros(len(points))


class Truth:
    """An analytic scene as a planner would see a perfect reconstruction of it."""

    def __init__(self, low_m: list[float], high_m: list[float], source: SyntheticSource) -> None:
        self._source = source
        self.low_m = torch.tensor(low_m)
        shape = np.round((np.array(high_m) - low_m) / ROOM_CELL_M).astype(int)
        axes = [torch.arange(int(n)) + 0.5 for n in shape]
        centres = torch.cartesian_prod(*axes) * ROOM_CELL_M + self.low_m
        sdf = self.sdf(centres)
        near, free = sdf.abs() < 0.75 * ROOM_CELL_M, sdf > 0
        state = torch.where(near, 1, torch.where(free, -1, 0))
        self.log_odds = state.to(torch.int8).view(*map(int, shape))
        config = MeshingConfig(voxel_size_m=ROOM_VOXEL_M)
        touched = blocks_touched(
            centres[sdf.abs() < ROOM_CELL_M].double().numpy(), ROOM_VOXEL_M, config.block_size_m
        )
        blocks = BlockMesher(config).extract(
            self.sdf,
            lambda points, normals: torch.zeros_like(points),
            touched,
            lambda points: torch.ones(len(points), dtype=torch.bool),
            torch.device("cpu"),
        )
        self.blocks: dict[BlockIndex, MeshBlock] = {block.index: block for block in blocks}

    def sdf(self, points: Tensor) -> Tensor:
        return torch.from_numpy(self._source.sdf(points.double().cpu().numpy())).to(points)

    def slope(self, points: np.ndarray) -> np.ndarray:
        """Gradients of the distance."""
        steps = 1e-3 * np.eye(3)
        ahead, behind = (
            np.stack([self._source.sdf(points + s) for s in part], axis=1)
            for part in (steps, -steps)
        )
        return (ahead - behind) / 2e-3

    def scene(self, device: torch.device) -> PlanningScene:
        return PlanningScene(
            self.log_odds.to(device), self.low_m.to(device), ROOM_CELL_M, self.blocks, self.sdf
        )


@pytest.fixture(scope="module")
def room() -> Truth:
    return Truth([-2.7, -2.2, -0.2], [2.7, 2.2, 2.8], SyntheticSource(SyntheticConfig()))


def angles_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    cosine = (a * b).sum(axis=1) / np.linalg.norm(b, axis=1).clip(1e-9)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def test_in_the_room_distance_and_gradient_are_true(room: Truth, device: torch.device) -> None:
    planner = Planner(PlanningConfig(), ROOM_VOXEL_M, TRUNCATION_M, device)
    points = np.random.default_rng(0).uniform((-2.5, -2, 0), (2.5, 2, 2.6), (4000, 3))
    answer = planner.query(points, room.scene(device))
    true_m, slope = room.sdf(torch.from_numpy(points)).numpy(), room.slope(points)
    near = (true_m > 0) & (true_m < 1)
    error_m = np.abs(answer.distance_m - true_m)[near]
    assert error_m.mean() < 0.003
    assert np.quantile(error_m, 0.99) < 0.03
    # Where two surfaces are equally near there is no gradient.
    defined = near & (np.linalg.norm(slope, axis=1) > 0.999)
    angle_deg = angles_deg(answer.gradient, slope)[defined]
    assert angle_deg.mean() < 3
    assert (angle_deg < 10).mean() > 0.95
    assert answer.observed[near & (true_m > 2 * ROOM_CELL_M)].all()
    assert not answer.observed[true_m < -2 * ROOM_CELL_M].any()


def test_gradients_have_unit_length_and_lead_to_free_space(room: Truth) -> None:
    planner = Planner(PlanningConfig(), ROOM_VOXEL_M, TRUNCATION_M, torch.device("cpu"))
    scene = room.scene(torch.device("cpu"))
    points = np.random.default_rng(1).uniform((-2, -1.5, 0.3), (2, 1.5, 2.3), (500, 3))
    before = planner.query(points, scene)
    np.testing.assert_allclose(np.linalg.norm(before.gradient, axis=1), 1, atol=1e-5)
    moved = planner.query(points + 0.01 * before.gradient, scene)
    assert ((moved.distance_m - before.distance_m) > 0.005).mean() > 0.95


def test_near_the_surface_the_field_decides_and_far_from_it_the_surface_does() -> None:
    log_odds = torch.full((24, 24, 24), -1, dtype=torch.int8)
    blocks = {(0, 0, 0): MeshBlock((0, 0, 0), floor_mesh())}
    scene = PlanningScene(
        log_odds,
        torch.full((3,), -1.2),
        CELL_M,
        blocks,
        lambda points: torch.full((len(points),), 0.02),
    )
    planner = Planner(PlanningConfig(), 0.05, TRUNCATION_M, torch.device("cpu"))
    answer = planner.query(
        np.array([[0, 0, 0.04], [0, 0, 0.075], [0, 0, 0.1], [0, 0, 0.6]]), scene
    )
    # Half way between the two, half of each: (0.02 + 0.075) / 2.
    np.testing.assert_allclose(answer.distance_m, (0.02, 0.0475, 0.1, 0.6), atol=1e-5)
    np.testing.assert_allclose(answer.gradient, [[0, 0, 1]] * 4, atol=1e-3)


def steps_scene(at_x_m: float) -> PlanningScene:
    """Make the floor, and a wall at an x that shows to smaller ones; all of it free."""
    floor, turned = floor_mesh(), floor_mesh()
    turned.vertices[:] = turned.vertices[:, [2, 1, 0]] + (at_x_m, 0, 0)
    turned.normals[:] = (-1, 0, 0)
    blocks = {(i, 0, 0): MeshBlock((i, 0, 0), mesh) for i, mesh in enumerate((floor, turned))}
    log_odds = torch.full((24, 24, 24), -1, dtype=torch.int8)
    return PlanningScene(log_odds, torch.full((3,), -1.2), CELL_M, blocks, no_field)


def test_where_two_surfaces_are_equally_near_the_gradient_is_that_of_one() -> None:
    planner = Planner(PlanningConfig(), 0.05, TRUNCATION_M, torch.device("cpu"))
    points = np.array([[0.3, 0, 0.29], [0.3, 0, 0.31]])
    answer = planner.query(points, steps_scene(at_x_m=0.6))
    np.testing.assert_allclose(answer.distance_m, (0.29, 0.3), atol=1e-3)
    np.testing.assert_allclose(answer.gradient, [[0, 0, 1], [-1, 0, 0]], atol=1e-3)


def test_noise_of_the_surface_hardly_turns_the_gradient() -> None:
    """1 cm, of vertices 5 cm apart, turns the way to the nearest one by several degrees."""
    random = np.random.default_rng(0)
    rough = floor_mesh()
    rough.vertices[:, 2] += random.normal(0, 0.01, len(rough.vertices)).astype(np.float32)
    scene = steps_scene(at_x_m=5.0)
    blocks = {(0, 0, 0): MeshBlock((0, 0, 0), rough)}
    planner = Planner(PlanningConfig(), 0.05, TRUNCATION_M, torch.device("cpu"))
    points = random.uniform((-0.5, -0.5, 0.2), (0.5, 0.5, 0.6), (400, 3))
    found = planner.query(points, replace(scene, blocks=blocks)).gradient
    at_once = make_map(rough, torch.device("cpu")).closest(torch.from_numpy(points).float()).away
    up = np.array([[0.0, 0.0, 1.0]])
    nearest_deg = angles_deg(at_once.numpy(), up).mean()
    assert nearest_deg > 5, "else there is nothing to be steadied"
    assert angles_deg(found, up).mean() < 0.6 * nearest_deg


def test_what_is_not_known_is_marked() -> None:
    planner = Planner(PlanningConfig(), 0.05, TRUNCATION_M, torch.device("cpu"))
    nothing = PlanningAnswer.of_nothing(2)
    assert np.isinf(nothing.distance_m).all() and not nothing.observed.any()
    log_odds = torch.zeros((24, 24, 24), dtype=torch.int8)
    log_odds[12, 12, 18] = -1  # holds (0.05, 0.05, 0.65)
    blocks = {(0, 0, 0): MeshBlock((0, 0, 0), floor_mesh())}
    scene = PlanningScene(
        log_odds,
        torch.full((3,), -1.2),
        CELL_M,
        blocks,
        no_field,
    )
    points = np.array([[0.05, 0.05, 0.65], [0.05, 0.05, 0.75], [0, 0, 9.0], [np.nan, 0, 0]])
    answer = planner.query(points, scene)
    assert answer.observed.tolist() == [True, False, False, False]
    np.testing.assert_allclose(answer.distance_m, (0.65, 0.75, 9.0, np.inf), atol=0.01)
    assert answer.gradient[3].tolist() == [0, 0, 0]


def test_a_changed_surface_is_seen_after_the_map_was_forgotten() -> None:
    log_odds = torch.full((24, 24, 24), -1, dtype=torch.int8)
    blocks = {(0, 0, 0): MeshBlock((0, 0, 0), floor_mesh())}
    scene = PlanningScene(
        log_odds,
        torch.full((3,), -1.2),
        CELL_M,
        blocks,
        no_field,
    )
    planner = Planner(PlanningConfig(), 0.05, TRUNCATION_M, torch.device("cpu"))
    points = np.array([[0, 0, 0.8]])
    assert planner.query(points, scene).distance_m[0] == pytest.approx(0.8, abs=1e-3)
    raised = floor_mesh()
    raised.vertices[:, 2] += 0.3
    blocks[(0, 0, 0)] = MeshBlock((0, 0, 0), raised)
    planner.forget()
    assert planner.query(points, scene).distance_m[0] == pytest.approx(0.5, abs=1e-3)
