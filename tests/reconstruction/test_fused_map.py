# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""On a CPU the map has what was measured at once, and the field where that is better."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_scene import CAMERA, CPU, pose, room_source, tiny_config, wall_frame

from ineus_core.errors import CheckpointError
from ineus_core.kernels.rasterising import rasterise
from ineus_core.meshing import weld
from ineus_core.reconstruction import Reconstructor
from ineus_core.reconstruction.checkpoint_files import read_checkpoint, write_checkpoint
from ineus_core.reconstruction.fused_map import FusedMap
from ineus_core.sources import SyntheticSource
from ineus_core.types import FieldOutput, Frame


@pytest.fixture(scope="module")
def source() -> SyntheticSource:
    return room_source(8)


@pytest.fixture(scope="module")
def frames(source: SyntheticSource) -> list[Frame]:
    return list(source)


def _after(frames: list[Frame], **sections: dict[str, Any]) -> Reconstructor:
    reconstructor = Reconstructor(tiny_config(**sections), CPU)
    for frame in frames:
        reconstructor.add_frame(frame)
    return reconstructor


def _fused(reconstructor: Reconstructor) -> FusedMap:
    fused = reconstructor.reconstruction.fused
    assert fused is not None
    return fused


def test_the_mesh_is_right_before_any_step(source: SyntheticSource, frames: list[Frame]) -> None:
    mesh = _after(frames).mesh()
    assert len(mesh.triangles) > 5000
    error_m = np.abs(source.sdf(mesh.vertices.astype(np.float64)))
    # As good as is asked of the field after 80 steps, in `test_reconstructor`.
    assert error_m.mean() < 0.03
    assert np.quantile(error_m, 0.9) < 0.08


def test_its_colours_are_those_of_the_pictures() -> None:
    grey = np.full((30, 40, 3), (180, 90, 30), np.uint8)
    reconstructor = _after([wall_frame(rgb=grey)])
    mesh = reconstructor.mesh()
    of_textures = reconstructor.surface_colours(mesh.vertices, mesh.normals)
    for colours in (mesh.colours, of_textures):
        np.testing.assert_allclose(colours, np.tile((180, 90, 30), (len(colours), 1)), atol=1)


def test_nothing_stands_between_a_thing_and_what_lies_behind_its_edge() -> None:
    depth_m = np.full((60, 80), 2.0, np.float32)
    depth_m[20:40, 25:55] = 1.0
    frame = wall_frame(camera=CAMERA.resized(80, 60), depth_m=None)
    reconstructor = _after([replace(frame, depth_m=depth_m)])
    jumps = _fused(reconstructor).volume.cell_jumps(np.array([[-0.32, 0.04, 1.14]]))
    # Something was fused there: behind the thing's edge on one side, free space on the other.
    assert 1.8 < jumps[0] < np.inf
    away_m = reconstructor.mesh().vertices[:, 2]
    assert len(away_m) > 500
    # The cells of 8 cm that a return has observed reach there; without them it would be 1.28 m.
    assert not ((away_m > 1.13) & (away_m < 1.91)).any()


def test_a_ray_that_comes_back_empty_does_not_close_what_lies_behind_an_edge() -> None:
    depth_m = np.full((60, 80), 2.0, np.float32)
    depth_m[20:40, 25:55] = 1.0
    camera = CAMERA.resized(80, 60)
    frame = replace(wall_frame(camera=camera, depth_m=None), depth_m=depth_m)
    lost_m = np.zeros_like(depth_m)
    lost_m[:5, :5] = 2.0
    lost = wall_frame(1, camera=camera, depth_m=None, world_from_camera=pose(x=0.3))
    reconstructor = _after([frame, replace(lost, depth_m=lost_m)])
    behind = torch.tensor([[-0.32, 0.04, 1.14]])
    grid = reconstructor.reconstruction.grid
    assert grid.observed.at(behind).all() and not grid.has_returned(behind, 0.02).any()
    away_m = reconstructor.mesh().vertices[:, 2]
    assert len(away_m) > 500
    assert not ((away_m > 1.13) & (away_m < 1.91)).any()


def test_without_it_the_field_alone_is_the_map(frames: list[Frame]) -> None:
    untrained = _after(frames, fusion={"enabled": False})
    assert untrained.reconstruction.fused is None
    assert len(untrained.mesh().triangles) < len(_after(frames).mesh().triangles)


def test_frames_between_keyframes_are_fused_too_where_nobody_looks_for_what_moves() -> None:
    first, near = wall_frame(0), wall_frame(1, world_from_camera=pose(x=0.02))
    config = tiny_config(
        selector={"min_translation_m": 1.0},
        dynamic_objects={"enabled": False},
    )
    reconstructor = Reconstructor(config, CPU)
    reconstructor.add_frame(first)
    before = _fused(reconstructor).volume.state()["values"][..., 1].sum()
    reconstructor.extract_mesh(everything=True)
    assert not reconstructor.add_frame(near)
    assert len(reconstructor.keyframe_poses()) == 1
    assert _fused(reconstructor).volume.state()["values"][..., 1].sum() > 1.5 * before
    assert reconstructor.reconstruction.surface.dirty.known > 0


def test_a_keyframe_that_moves_takes_its_surface_with_it() -> None:
    reconstructor = _after([wall_frame()], pose_refinement={"enabled": False})
    moved = pose(z=0.5)
    assert reconstructor.move_keyframes({(0, 0): moved}) == 1
    fused = _fused(reconstructor)
    points = torch.tensor([[0.1, 0.1, 2.5], [0.1, 0.1, 2.0]])
    known = fused.volume.at(points.numpy())
    assert abs(known.distance_m[0]) < 0.01
    # Where it was, the wall's view from its new place says free.
    assert known.distance_m[1] > 0.1


def test_where_the_field_is_better_it_is_the_map_and_the_blocks_are_meshed_anew(
    frames: list[Frame],
) -> None:
    reconstructor = _after(frames)
    fused, field = _fused(reconstructor), reconstructor.reconstruction.field
    reconstructor.extract_mesh(everything=True)
    volume = fused.volume
    slots = volume.slots_in_use
    # Everything fused is made wrong by more than any field is.
    volume._values[slots, ..., 0] = 0.3
    for _ in range(8):
        for _ in range(16):
            reconstructor.step()
    shares = volume.shares[slots, 0]
    assert (shares == 1).mean() > 0.3
    assert reconstructor.reconstruction.surface.dirty.known > 0
    all_taken = volume.blocks_in_use[shares == 1]
    centres = torch.from_numpy((all_taken + 0.5) * volume.block_m).float()
    of_map, of_field = fused.sdf(centres), field.sdf(centres)
    is_alone = torch.from_numpy(volume.at(centres.numpy()).shares[:, 0]) == 1
    assert is_alone.any()
    torch.testing.assert_close(of_map[is_alone], of_field[is_alone], atol=1e-5, rtol=1e-4)


def test_what_is_the_fields_is_meshed_where_the_field_would_be_alone() -> None:
    reconstructor = _after([wall_frame()])
    fused = _fused(reconstructor)
    points = torch.tensor([[0.1, 0.1, 1.96], [0.1, 0.1, 2.2]])

    def nowhere(points: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(points), dtype=torch.bool)

    assert fused.may_hold_mesh(nowhere, nowhere, points).tolist() == [True, True]
    fused.volume.shares[:] = 1
    assert fused.may_hold_mesh(nowhere, nowhere, points).tolist() == [False, False]
    assert fused.may_hold_mesh(lambda p: ~nowhere(p), nowhere, points).tolist() == [True, True]


def test_blocks_of_the_field_are_meshed_in_turn_as_it_is_trained_on(frames: list[Frame]) -> None:
    fused = _fused(_after(frames))
    assert fused.next_of_field(4) == []
    fused.volume.shares[:] = 1
    blocks = fused.mesh_blocks()
    found = [block for _ in range(-(-len(blocks) // 4)) for block in fused.next_of_field(4)]
    assert set(found) == set(blocks)
    assert found[: len(blocks)] == sorted(blocks)


def test_the_map_has_no_step_between_blocks(frames: list[Frame]) -> None:
    reconstructor = _after(frames)
    fused = _fused(reconstructor)
    volume = fused.volume
    rng = np.random.default_rng(0)
    # Up to half: the field, which is not trained, has hardly any surface of its own.
    volume.shares[:] = 0.49 * rng.uniform(size=volume.shares.shape)
    mesh = reconstructor.mesh()
    edges = np.sort(mesh.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    _, times = np.unique(edges, axis=0, return_counts=True)
    # No edge lies in more than two triangles, and welded blocks leave open edges at rims alone.
    assert times.max() <= 2
    assert (times == 2).mean() > 0.9


def test_a_planner_asks_the_map_that_is_meshed() -> None:
    reconstructor = _after([wall_frame()])
    reconstructor.extract_mesh(everything=True)
    answer = reconstructor.query(np.array([[0.1, 0.1, 1.96], [0.1, 0.1, 1.0]]))
    np.testing.assert_allclose(answer.distance_m, [0.04, 1.0], atol=0.02)
    assert answer.observed.all()


def test_a_view_shows_the_mesh(frames: list[Frame]) -> None:
    reconstructor = _after(frames)
    reconstructor.extract_mesh(everything=True)
    mesh = weld(reconstructor.reconstruction.surface.blocks.values())
    camera, at = frames[3].camera, frames[3].world_from_camera
    image = reconstructor.render(camera, at)
    in_camera = (mesh.vertices - at[:3, 3]) @ at[:3, :3]
    corners = np.column_stack(
        (
            camera.fx * in_camera[:, 0] / in_camera[:, 2] + camera.cx,
            camera.fy * in_camera[:, 1] / in_camera[:, 2] + camera.cy,
            1 / in_camera[:, 2],
        )
    )
    drawn = rasterise(corners, mesh.triangles, camera.width_px, camera.height_px)
    shares = drawn.weights[..., None] * corners[mesh.triangles[drawn.triangles]]
    depth_m = np.zeros(image.depth_m.size)
    depth_m[drawn.pixels] = 1 / shares[..., 2].sum(axis=1)
    has_mesh, has_view = depth_m > 0, image.depth_m.ravel() > 0
    assert has_mesh.mean() > 0.8
    # Cells of 8 cm are some pixels wide: at rims, triangles are not quite the zero level.
    assert (has_view & ~has_mesh).mean() < 0.005
    assert (has_mesh & ~has_view).mean() < 0.04
    off_m = np.abs(depth_m - image.depth_m.ravel())[has_mesh & has_view]
    assert np.median(off_m) < 0.01
    assert ((image.opacity > 0) == (image.depth_m > 0)).all()


def test_a_view_has_the_share_of_the_field_that_the_mesh_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reconstructor = _after([wall_frame()])
    fused = _fused(reconstructor)
    view = reconstructor.render(CAMERA, pose())
    np.testing.assert_allclose(view.depth_m[8:22, 10:30], 2.0, atol=5e-3)
    np.testing.assert_allclose(view.normal[8:22, 10:30, 2], -1.0, atol=2e-2)
    np.testing.assert_allclose(view.rgb[8:22, 10:30], wall_frame().rgb[8:22, 10:30], atol=12)

    def farther_wall(points: torch.Tensor) -> torch.Tensor:
        return 2.04 - points[:, 2]

    def blue(points: torch.Tensor, directions: torch.Tensor) -> FieldOutput:
        # Towards the wall: it is seen along the rays.
        assert (directions[:, 2] > 0.5).all()
        return FieldOutput(points[:, 0], points, torch.eye(3)[2].expand_as(points))

    field = reconstructor.reconstruction.field
    monkeypatch.setattr(field, "sdf", farther_wall)
    monkeypatch.setattr(field, "forward", blue)
    fused.volume.shares[:] = 0.25, 1.0
    view = reconstructor.render(CAMERA, pose())
    np.testing.assert_allclose(view.depth_m[8:22, 10:30], 2.01, atol=5e-3)
    assert (view.rgb[8:22, 10:30] == (0, 0, 255)).all()


def test_without_fusion_a_view_is_the_fields(frames: list[Frame]) -> None:
    of_field = _after(frames[:2], fusion={"enabled": False})
    found, at = of_field.reconstruction, frames[0].world_from_camera
    expected = found.renderer.render(
        CAMERA,
        torch.as_tensor(of_field.origin.pose_in_map(at), dtype=torch.float32),
        cos_anneal=found.config.training.cos_anneal(0),
    )
    np.testing.assert_array_equal(of_field.render(CAMERA, at).rgb, expected.rgb)
    np.testing.assert_array_equal(of_field.render(CAMERA, at).depth_m, expected.depth_m)


def test_estimated_depth_is_not_fused() -> None:
    frame = wall_frame()
    doubtful = np.full((30, 40), 0.5, np.float32)
    reconstructor = _after([replace(frame, depth_confidence=doubtful)], stereo={"enabled": True})
    fused = reconstructor.reconstruction.fused
    assert fused is None or len(fused.volume) == 0


def test_what_fills_the_holes_of_a_sensor_is_fused() -> None:
    confidence = np.ones((30, 40), np.float32)
    confidence[10:20, 15:25] = 0.8
    reconstructor = _after([replace(wall_frame(), depth_confidence=confidence)])
    known = _fused(reconstructor).volume.at(np.array([[0.0, 0.0, 2.0]])).known
    assert known[0] > 0.5


def test_a_checkpoint_has_what_was_fused(frames: list[Frame], tmp_path: Path) -> None:
    reconstructor = _after(frames)
    mesh = reconstructor.mesh()
    loaded = Reconstructor(tiny_config(), CPU)
    loaded.load(reconstructor.save(tmp_path / "checkpoint"))
    np.testing.assert_array_equal(loaded.mesh().vertices, mesh.vertices)


def test_a_checkpoint_knows_how_good_the_field_is(frames: list[Frame], tmp_path: Path) -> None:
    reconstructor = _after(frames)
    volume = _fused(reconstructor).volume
    # Everything fused is made wrong by more than any field is, so that the field takes over.
    volume._values[volume.slots_in_use, ..., 0] = 0.3
    for _ in range(8 * 16):
        reconstructor.step()
    shares = volume.shares[volume.slots_in_use]
    assert (shares[:, 0] > 0).any()
    path = reconstructor.save(tmp_path / "checkpoint")

    loaded = Reconstructor(tiny_config(), CPU)
    loaded.load(path)
    again = _fused(loaded)
    np.testing.assert_array_equal(again.volume.shares[again.volume.slots_in_use], shares)
    # No return has told anything since: what was known decides, and it changes nothing.
    assert again.follow_shares() == []

    tensors, meta = read_checkpoint(path)
    # As it was written before errors were saved.
    del tensors["fusion.errors"]
    earlier = write_checkpoint(tmp_path / "earlier", tensors, meta)
    loaded.load(earlier)
    assert len(_fused(loaded).follow_shares()) > 0


def test_what_cannot_be_errors_of_blocks_is_refused(frames: list[Frame], tmp_path: Path) -> None:
    tensors, meta = read_checkpoint(_after(frames[:2]).save(tmp_path / "checkpoint"))
    for wrong in (tensors["fusion.errors"][1:], tensors["fusion.errors"] - 1.0):
        path = write_checkpoint(tmp_path / "wrong", tensors | {"fusion.errors": wrong}, meta)
        with pytest.raises(CheckpointError, match="errors"):
            Reconstructor(tiny_config(), CPU).load(path)


def test_a_map_that_was_begun_without_fusion_goes_on_without(
    frames: list[Frame], tmp_path: Path
) -> None:
    of_field = _after(frames[:4], fusion={"enabled": False})
    for _ in range(32):
        of_field.step()
    mesh = of_field.mesh()
    loaded = Reconstructor(tiny_config(), CPU)
    loaded.load(of_field.save(tmp_path / "checkpoint"))
    loaded.add_frame(frames[4])
    assert loaded.reconstruction.fused is None
    # One more keyframe takes nothing from what the field has learnt.
    assert len(loaded.mesh().triangles) > 0.95 * len(mesh.triangles) > 0
