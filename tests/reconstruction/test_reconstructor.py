# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A small analytic room end to end: surface, views, updates, checkpoints, repeatability."""

import gc
import json
import math
import shutil
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_scene import CAMERA, CPU, pose, room_source, tiny_config, wall_frame

from ineus_core.errors import CapacityError, CheckpointError, SourceError
from ineus_core.meshing import Surface
from ineus_core.reconstruction import Reconstructor
from ineus_core.sources import SyntheticSource
from ineus_core.timing import at_once
from ineus_core.types import Camera, Frame, Mesh

STEPS = 80


@pytest.fixture(scope="module")
def source() -> SyntheticSource:
    return room_source(8)


@pytest.fixture(scope="module")
def frames(source: SyntheticSource) -> list[Frame]:
    return list(source)


def reconstruct(frames: list[Frame], steps: int = STEPS, seed: int = 0) -> Reconstructor:
    reconstructor = Reconstructor(tiny_config().model_copy(update={"seed": seed}), CPU)
    for frame in frames:
        reconstructor.add_frame(frame)
        for _ in range(steps // len(frames)):
            reconstructor.step()
    return reconstructor


@pytest.fixture(scope="module")
def room(frames: list[Frame]) -> Reconstructor:
    """Reconstructed once; tests leave it as it is."""
    torch.manual_seed(0)
    return reconstruct(frames)


@pytest.fixture(scope="module")
def saved(room: Reconstructor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its checkpoint; tests copy it."""
    return room.save(tmp_path_factory.mktemp("saved") / "checkpoint")


@pytest.fixture(scope="module")
def mesh(room: Reconstructor) -> Mesh:
    return room.mesh()


def same(a: Mesh, b: Mesh) -> bool:
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for name in ("vertices", "triangles", "normals", "colours")
    )


def test_the_mesh_lies_on_the_true_surface(mesh: Mesh, source: SyntheticSource) -> None:
    assert len(mesh.triangles) > 5000
    error_m = np.abs(source.sdf(mesh.vertices.astype(np.float64)))
    assert error_m.mean() < 0.03
    assert np.quantile(error_m, 0.9) < 0.08


def test_normals_point_into_free_space(mesh: Mesh, source: SyntheticSource) -> None:
    vertices = mesh.vertices.astype(np.float64)
    ahead = source.sdf(vertices + 0.1 * mesh.normals)
    behind = source.sdf(vertices - 0.1 * mesh.normals)
    assert (ahead > behind).mean() > 0.95
    corner = vertices[mesh.triangles]
    face = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    assert ((face * mesh.normals[mesh.triangles[:, 0]]).sum(axis=1) > 0).mean() > 0.95


def test_no_surface_where_nobody_looked(frames: list[Frame]) -> None:
    few = reconstruct(frames[:1], steps=10)
    vertices = few.mesh().vertices
    at = frames[0].world_from_camera
    in_camera = (vertices - at[:3, 3]) @ at[:3, :3]
    camera = frames[0].camera
    x = camera.fx * in_camera[:, 0] / in_camera[:, 2] + camera.cx
    y = camera.fy * in_camera[:, 1] / in_camera[:, 2] + camera.cy
    inside = (x > -8) & (x < camera.width_px + 8) & (y > -8) & (y < camera.height_px + 8)
    assert (inside & (in_camera[:, 2] > 0)).mean() > 0.99


def test_a_view_looks_like_the_frame(room: Reconstructor, frames: list[Frame]) -> None:
    frame = frames[3]
    image = room.render(frame.camera, frame.world_from_camera)
    seen = (image.depth_m > 0) & (frame.depth_m > 0)
    assert seen.mean() > 0.85
    assert np.abs(image.depth_m - frame.depth_m)[seen].mean() < 0.15
    error = np.abs(image.rgb.astype(int) - frame.rgb)[seen].mean()
    assert error < 0.7 * np.abs(frame.rgb.astype(int) - frame.rgb.mean())[seen].mean()


def test_a_view_in_parts_survives_training_but_not_the_map(frames: list[Frame]) -> None:
    made = reconstruct(frames[:2], steps=2)
    camera = frames[0].camera.resized(320, 240)
    parts = made.render_in_parts(camera, frames[0].world_from_camera)
    for _ in range(3):
        next(parts)
        made.step()
    image = at_once(parts)
    assert image.rgb.shape == (240, 320, 3) and image.opacity.max() > 0.5
    parts = made.render_in_parts(camera, frames[0].world_from_camera)
    next(parts)
    made.reset()
    with pytest.raises(SourceError, match="replaced while a view of it was rendered"):
        next(parts)


def test_the_same_seed_gives_the_same_mesh(
    room: Reconstructor, mesh: Mesh, frames: list[Frame]
) -> None:
    again = reconstruct(frames)
    assert same(again.mesh(), mesh)
    other = reconstruct(frames, seed=1)
    assert not same(other.mesh(), mesh)


def test_a_reset_reconstructor_is_as_good_as_new(frames: list[Frame]) -> None:
    used = reconstruct(frames[:3], steps=9)
    first = used.mesh()
    used.reset()
    assert (used.is_ready, used.steps) == (False, 0)
    assert len(used.current_mesh().triangles) == 0
    for frame in frames[:3]:
        used.add_frame(frame)
        for _ in range(3):
            used.step()
    assert same(used.mesh(), first)


@pytest.mark.parametrize("end", ["reset", "load"])
def test_a_map_that_is_over_leaves_nothing_in_memory(
    end: str, frames: list[Frame], saved: Path
) -> None:
    reconstructor = Reconstructor(tiny_config(), CPU)
    reconstructor.add_frame(frames[0])
    reconstructor.step()
    parts = vars(reconstructor.reconstruction).values()
    held = [weakref.ref(part) for part in parts if hasattr(part, "__weakref__")]
    del parts
    assert len(held) > 5
    gc.disable()
    try:
        reconstructor.load(saved) if end == "load" else reconstructor.reset()
        alive = [type(part).__name__ for part in (reference() for reference in held) if part]
    finally:
        gc.enable()
    assert alive == []


def test_a_checkpoint_gives_the_same_views_and_mesh(
    room: Reconstructor, mesh: Mesh, frames: list[Frame], tmp_path: Path
) -> None:
    room.save(tmp_path / "checkpoint")
    loaded = Reconstructor(room.config, CPU)
    loaded.load(tmp_path / "checkpoint")
    assert loaded.steps == room.steps
    assert same(loaded.mesh(), mesh)
    view = frames[2].camera, frames[2].world_from_camera
    ours, theirs = room.render(*view), loaded.render(*view)
    np.testing.assert_array_equal(ours.rgb, theirs.rgb)
    np.testing.assert_array_equal(ours.depth_m, theirs.depth_m)


def test_a_loaded_checkpoint_trains_on_with_all_that_was_seen(
    room: Reconstructor, frames: list[Frame], source: SyntheticSource, tmp_path: Path
) -> None:
    room.save(tmp_path / "checkpoint")
    loaded = Reconstructor(room.config, CPU)
    loaded.load(tmp_path / "checkpoint")
    assert loaded.is_ready
    for _ in range(20):
        loaded.step()
    assert loaded.add_frame(frames[0])
    for _ in range(20):
        loaded.step()
    assert loaded.steps == room.steps + 40
    vertices = loaded.mesh().vertices.astype(np.float64)
    assert np.abs(source.sdf(vertices)).mean() < 0.03


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"side_m": None}, r"side_m = None"),
        ({"side_m": "wide"}, r"side_m = 'wide'"),
        ({"side_m": 1e308}, r"side_m = 1e\+308"),
        ({"step": 10**30}, r"step = 10{30}"),
        ({"stamp_ns": -1}, r"stamp_ns = -1"),
        ({"init": "cube"}, r"init = 'cube'"),
        ({"config": {"meshing": {"voxel_size_m": -1}}}, r"meshing\.voxel_size_m = -1"),
        ({"config": {"meshing": {"voxel_size_m": math.nan}}}, r"voxel_size_m = nan"),
        ({"grid": {}}, r"grid\.cell_m"),
        ({"dataset_from_world": [[0.0] * 4] * 4}, r"dataset_from_world .* similarity"),
        ({"field": {"hidden": 8}}, "size mismatch|division"),
        ({"field": {"levels": 10**9}}, r"field\.levels = 1000000000"),
        ({"field": {"colour": "blue"}}, r"field\.colour = 'blue'"),
        ({"camera": {"width_px": 3}}, r"camera\.height_px"),
        ({"camera": {**vars(CAMERA), "fx": -1.0}}, r"camera\.fx = -1\.0"),
        ({"camera": {**vars(CAMERA), "width_px": 10**9}}, r"camera\.width_px = 1000000000"),
        ({"camera": {**vars(CAMERA), "width_px": 2000, "height_px": 1}}, "camera of 2000 x 1"),
        ({"camera": {**vars(CAMERA), "distortion_model": "fov"}}, "distortion model 'fov'"),
    ],
)
def test_a_checkpoint_that_makes_no_sense_is_refused_and_the_map_stays(
    frames: list[Frame], saved: Path, tmp_path: Path, change: dict, said: str
) -> None:
    live = reconstruct(frames[:1], steps=2)
    steps, held = live.steps, live.reconstruction
    folder = shutil.copytree(saved, tmp_path / "broken")
    meta = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps({**meta, **change}))
    with pytest.raises(CheckpointError, match=said):
        live.load(folder)
    assert live.reconstruction is held
    live.step()
    assert live.steps == steps + 1
    assert live.add_frame(frames[1])


def test_weights_that_do_not_fit_leave_the_map(
    frames: list[Frame], saved: Path, tmp_path: Path
) -> None:
    live = reconstruct(frames[:1], steps=2)
    folder = shutil.copytree(saved, tmp_path / "broken")
    meta = json.loads((folder / "state.json").read_text())
    meta["field"]["hidden"] = 16
    (folder / "state.json").write_text(json.dumps(meta))
    with pytest.raises(CheckpointError, match="size mismatch"):
        live.load_weights(folder)
    assert live.is_ready


def test_weights_that_are_not_finite_are_refused(saved: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(saved, tmp_path / "broken")
    tensors = load_file(folder / "state.safetensors")
    tensors["field.w1"][0, 0] = math.inf
    save_file(tensors, folder / "state.safetensors")
    with pytest.raises(CheckpointError, match=r"field\.w1 holds numbers that are not finite"):
        Reconstructor(tiny_config(), CPU).load(folder)


@pytest.mark.parametrize(
    ("name", "tensor", "said"),
    [
        ("replay.rays", torch.zeros(9, 1), r"replay\.rays of 9 x 1 float32: expected n x 14"),
        ("grid.log_odds", torch.zeros(4, 4, dtype=torch.int8), r"grid\.log_odds of 4 x 4 int8"),
        ("grid.opacity", torch.zeros(1, 1, 1), r"grid\.opacity of 1 x 1 x 1 float32"),
    ],
)
def test_tensors_of_another_shape_are_refused_and_the_map_stays(
    frames: list[Frame],
    saved: Path,
    tmp_path: Path,
    name: str,
    tensor: torch.Tensor,
    said: str,
) -> None:
    live = reconstruct(frames[:1], steps=2)
    folder = shutil.copytree(saved, tmp_path / "broken")
    tensors = load_file(folder / "state.safetensors")
    save_file({**tensors, name: tensor}, folder / "state.safetensors")
    with pytest.raises(CheckpointError, match=said):
        live.load(folder)
    assert live.is_ready


def test_a_checkpoint_without_room_for_its_camera_is_refused_and_the_map_stays(
    frames: list[Frame], tmp_path: Path
) -> None:
    config = tiny_config(keyframes={"memory_mb": 1})
    live = Reconstructor(config, CPU)
    live.add_frame(frames[0])
    wide = Reconstructor(tiny_config(), CPU)
    wide.add_frame(wall_frame(camera=Camera(640, 480, 480.0, 480.0, 320.0, 240.0)))
    with pytest.raises(CapacityError, match="memory_mb"):
        live.load(wide.save(tmp_path / "checkpoint"))
    assert live.is_ready


def test_nothing_to_save_or_to_render_before_the_first_frame(tmp_path: Path) -> None:
    empty = Reconstructor(tiny_config(), CPU)
    empty.step()
    assert empty.extract_mesh().upserts == ()
    assert len(empty.mesh().triangles) == 0
    assert empty.report().keyframes == 0
    with pytest.raises(SourceError, match="nothing to save"):
        empty.save(tmp_path / "checkpoint")
    with pytest.raises(SourceError, match="nothing to render"):
        empty.render(CAMERA, pose())
    assert not (tmp_path / "checkpoint").exists()


def test_updates_add_up_to_the_mesh(frames: list[Frame]) -> None:
    reconstructor = Reconstructor(tiny_config(meshing={"block_size_vox": 8}), CPU)
    held = {}
    for frame in frames[:4]:
        reconstructor.add_frame(frame)
        for _ in range(5):
            reconstructor.step()
        update = reconstructor.extract_mesh()
        assert update.stamp_ns == frame.stamp_ns
        for block in update.upserts:
            assert len(block.mesh.triangles)
            held[block.index] = block
        for index in update.removed:
            del held[index]
    assert reconstructor.reconstruction.surface.blocks == held
    assert len(held) > 10
    # A whole extraction meets every block that any update had.
    update = reconstructor.extract_mesh(everything=True)
    after = {block.index for block in update.upserts} | (held.keys() - set(update.removed))
    assert after == set(reconstructor.reconstruction.surface.blocks)


def test_a_whole_mesh_in_parts_survives_training_but_not_the_map(frames: list[Frame]) -> None:
    batches = {"block_size_vox": 16, "blocks_per_batch": 2}
    made = Reconstructor(tiny_config(meshing=batches), CPU)
    for frame in frames[:3]:
        made.add_frame(frame)
        made.step()
    whole = made.extract_mesh(everything=True)
    surface = made.reconstruction.surface
    parts = made.extract_mesh_in_parts()
    next(parts)
    # Until the end, those who look see what there was.
    assert tuple(surface.blocks.values()) == whole.upserts
    update = at_once(parts)
    assert [block.index for block in update.upserts] == [block.index for block in whole.upserts]
    for block, other in zip(update.upserts, whole.upserts, strict=True):
        np.testing.assert_array_equal(block.mesh.vertices, other.mesh.vertices)
    pauses = 0
    for _ in made.extract_mesh_in_parts():
        made.step()
        pauses += 1
    assert pauses > 3 and len(surface.mesh().triangles) > 100
    parts = made.extract_mesh_in_parts()
    next(parts)
    made.reset()
    with pytest.raises(SourceError, match="replaced while it was meshed"):
        next(parts)
    with pytest.raises(StopIteration):
        next(made.extract_mesh_in_parts())


def test_all_blocks_that_a_surface_point_touches_are_dirty() -> None:
    surface = Surface(tiny_config(meshing={"block_size_vox": 8}).meshing, CPU)
    # A point beside an edge of blocks: near a face on one side in x and on the other in y.
    side_m = surface.config.block_size_m
    surface.dirty.mark(np.array([[side_m - 0.01, side_m + 0.01, 0.5 * side_m]]))
    assert {(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0)} <= set(surface.dirty.take(100))


def test_a_camera_that_changes_its_size_is_followed(frames: list[Frame]) -> None:
    reconstructor = reconstruct(frames[:2], steps=4)
    odd = wall_frame(50, world_from_camera=pose(x=0.5))
    assert reconstructor.add_frame(odd)
    assert reconstructor.add_frame(frames[2])
    reconstructor.step()
    assert reconstructor.steps == 5 and reconstructor.counters["keyframes"] == 4


def test_a_frame_far_outside_is_refused_and_counted(frames: list[Frame]) -> None:
    reconstructor = reconstruct(frames[:2], steps=2)
    far = frames[2].world_from_camera.copy()
    far[:3, 3] += 1000.0
    assert not reconstructor.add_frame(
        Frame(9_000_000_000, frames[2].camera, far, frames[2].rgb, frames[2].depth_m)
    )
    assert reconstructor.counters["frames_out_of_bounds"] == 1
    reconstructor.step()


def colour_only(count: int, camera: Camera = CAMERA) -> list[Frame]:
    return [wall_frame(i, None, pose(0.3 * i), camera) for i in range(count)]


def test_without_depth_some_frames_are_awaited() -> None:
    config = tiny_config(bounds={"frames_to_start": 4})
    reconstructor = Reconstructor(config, CPU)
    for frame in colour_only(3):
        reconstructor.add_frame(frame)
        assert not reconstructor.is_ready
    reconstructor.add_frame(wall_frame(3, None, pose(0.9)))
    assert reconstructor.is_ready
    for _ in range(3):
        reconstructor.step()
    report = reconstructor.report()
    assert report.keyframes == 4
    assert all(math.isfinite(value) for value in report.losses.values())


def test_poses_that_are_known_beforehand_decide_the_box_and_keep_every_view() -> None:
    frames = colour_only(6)
    awaited = Reconstructor(tiny_config(), CPU)
    for frame in frames:
        awaited.add_frame(frame)
    awaited.start()
    expected = Reconstructor(tiny_config(), CPU)
    expected.expect([frame.world_from_camera for frame in frames])
    assert expected.add_frame(frames[0])
    assert expected.is_ready
    np.testing.assert_array_equal(
        expected.reconstruction.grid.host_aabb, awaited.reconstruction.grid.host_aabb
    )
    # A view that hardly moved is of use too, as long as there is room for all.
    for frame in [*frames[1:], wall_frame(7, None, pose(1.501))]:
        assert expected.add_frame(frame)
    assert expected.report().keyframes == 7


def test_a_sequence_that_ends_early_starts_all_the_same() -> None:
    reconstructor = Reconstructor(tiny_config(), CPU)
    for frame in colour_only(3):
        reconstructor.add_frame(frame)
    assert reconstructor.start()
    assert reconstructor.is_ready
    assert not reconstructor.start()


def test_a_given_box_starts_at_once() -> None:
    config = tiny_config(bounds={"aabb": [-1, -1, -1, 1, 1, 1]}, field={"init": "object"})
    reconstructor = Reconstructor(config, CPU)
    assert reconstructor.add_frame(wall_frame(0, None))
    assert reconstructor.is_ready
    assert reconstructor.reconstruction.field.side_m == 2.0


def test_more_keyframes_than_there_is_room_for(frames: list[Frame]) -> None:
    config = tiny_config(keyframes={"capacity": 3}, selector={"min_translation_m": 0.0})
    reconstructor = Reconstructor(config, CPU)
    for frame in frames:
        reconstructor.add_frame(frame)
        reconstructor.step()
    report = reconstructor.report()
    assert report.keyframes == 3
    assert report.counters["keyframes_to_reservoir"] == len(frames) - 3


def test_a_report_has_numbers_for_everything(room: Reconstructor) -> None:
    report = room.report()
    assert report.step == STEPS
    assert report.keyframes == 8
    assert {"total", "photometric", "depth", "band", "free_space", "eikonal"} <= set(report.losses)
    assert report.inv_s > 0
    assert report.memory_mb["peak_rss_mb"] > 100


def test_a_close_view_makes_fine_voxels_which_a_checkpoint_keeps(tmp_path: Path) -> None:
    config = tiny_config(meshing={"voxel_size_m": 0.0})
    close = Reconstructor(config, CPU)
    close.add_frame(wall_frame(depth_m=0.4))
    assert close.config.meshing.voxel_size_m == 0.00625
    assert close.config.ray_sampling.truncation_m == 0.06
    assert close.reconstruction.grid.cell_m == 0.0125
    close.save(tmp_path / "checkpoint")
    again = Reconstructor(config, CPU)
    again.load(tmp_path / "checkpoint")
    assert again.config.meshing.voxel_size_m == 0.00625
    again.reset()
    again.add_frame(wall_frame(depth_m=2.0))
    assert again.config.meshing.voxel_size_m == 0.025


class EveryThird:
    """A keyframe policy of one's own."""

    def __init__(self) -> None:
        self.frames = 0

    def is_keyframe(self, frame: Frame) -> bool:
        self.frames += 1
        return self.frames % 3 == 1


def test_a_keyframe_policy_of_ones_own_begins_anew_after_a_reset(frames: list[Frame]) -> None:
    reconstructor = Reconstructor(tiny_config(), CPU, make_policy=EveryThird)
    for _ in range(2):
        kept = [reconstructor.add_frame(frame) for frame in frames[:7]]
        assert kept == [True, False, False, True, False, False, True]
        reconstructor.reset()


def test_a_reconstruction_is_there_from_the_first_frame_on(frames: list[Frame]) -> None:
    reconstructor = Reconstructor(tiny_config(), CPU)
    started = [reconstructor.is_started]
    with pytest.raises(SourceError, match="expected a frame first"):
        _ = reconstructor.reconstruction
    reconstructor.add_frame(frames[0])
    assert [*started, reconstructor.is_started] == [False, True]
    assert len(reconstructor.reconstruction.buffer) == 1


def test_first_depth_without_a_return_decides_nothing() -> None:
    config = tiny_config(meshing={"voxel_size_m": 0.0}, selector={"min_translation_m": 0.01})
    given = [wall_frame(i, 0.5, pose(x=0.05 * i)) for i in range(3)]
    assert given[0].depth_m is not None
    empty = [replace(frame, depth_m=np.zeros_like(given[0].depth_m)) for frame in given[:2]]
    alike, late = Reconstructor(config, CPU), Reconstructor(config, CPU)
    alike.add_frame(given[2])
    for frame in (*empty, given[2]):
        late.add_frame(frame)
        assert late.is_started == (frame is given[2])
    assert late.config.meshing.voxel_size_m == alike.config.meshing.voxel_size_m < 0.01
    np.testing.assert_allclose(
        late.reconstruction.grid.host_aabb, alike.reconstruction.grid.host_aabb, atol=0.2
    )
