# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A map far from the world's origin is the same map, and an absurd first frame does not fix it."""

import dataclasses
import logging
from pathlib import Path

import numpy as np
import pytest
from tiny_scene import CPU, pose, room_source, tiny_config, wall_frame

from ineus_core.errors import CheckpointError
from ineus_core.reconstruction import MapOrigin, Reconstructor
from ineus_core.reconstruction.checkpoint_files import read_checkpoint, write_checkpoint
from ineus_core.types import Frame

PLACES = {
    "UTM": (500_000.0, 5_000_000.0, 0.0),
    "earth-centred": (4_177_000.0, 858_000.0, 4_728_000.0),
    "some kilometres": (-2_000.0, 3_000.0, 0.0),
}


def moved(frame: Frame, offset_m: tuple[float, ...]) -> Frame:
    at = frame.world_from_camera.astype(np.float64)
    at[:3, 3] += offset_m
    return dataclasses.replace(frame, world_from_camera=at)


def room(offset_m: tuple[float, ...] = (0.0, 0.0, 0.0)) -> Reconstructor:
    made = Reconstructor(tiny_config(), CPU)
    for frame in room_source(5):
        made.add_frame(moved(frame, offset_m))
        for _ in range(4):
            made.step()
    made.extract_mesh(everything=True)
    return made


@pytest.fixture(scope="module")
def here() -> Reconstructor:
    return room()


@pytest.fixture(scope="module", params=list(PLACES))
def there(request: pytest.FixtureRequest) -> tuple[np.ndarray, Reconstructor]:
    offset_m = PLACES[request.param]
    return np.array(offset_m), room(offset_m)


def test_the_mesh_is_that_of_the_origin_to_a_millimetre(
    here: Reconstructor, there: tuple[np.ndarray, Reconstructor]
) -> None:
    offset_m, made = there
    near, far = here.current_mesh(), made.current_mesh()
    assert far.vertices.dtype == np.float64 and near.vertices.dtype == np.float32
    assert len(near.triangles) > 500
    np.testing.assert_array_equal(far.triangles, near.triangles)
    np.testing.assert_allclose(far.vertices - offset_m, near.vertices, atol=1e-3)
    np.testing.assert_array_equal(made.mesh_to_save().vertices, far.vertices)


def test_updates_count_from_the_origin_of_the_map(
    here: Reconstructor, there: tuple[np.ndarray, Reconstructor]
) -> None:
    offset_m, made = there
    assert np.abs(np.array(made.origin_m) - offset_m).max() <= 20.0
    assert not np.mod(made.origin_m, 1000.0).any()
    assert here.origin_m == (0.0, 0.0, 0.0) and here.extract_mesh().origin_m == (0.0, 0.0, 0.0)
    update = made.extract_mesh(everything=True)
    assert update.origin_m == made.origin_m and not update.begins_anew
    block = update.upserts[0].mesh.vertices
    assert block.dtype == np.float32 and np.abs(block).max() < 30.0
    world = block + np.array(update.origin_m)
    nearest = np.linalg.norm(made.current_mesh().vertices - world[0], axis=1).min()
    assert nearest < 1e-5


def test_planners_are_answered_in_the_world(
    here: Reconstructor, there: tuple[np.ndarray, Reconstructor]
) -> None:
    offset_m, made = there
    points = np.random.default_rng(0).uniform((-1.5, -1, 0.8), (1.5, 1, 2), (200, 3))
    near, far = here.query(points), made.query(points + offset_m)
    np.testing.assert_allclose(far.distance_m, near.distance_m, atol=2e-3)
    np.testing.assert_array_equal(far.observed, near.observed)
    found, expected = made.esdf_slice(offset_m[2] + 0.7), here.esdf_slice(0.7)
    assert found is not None and expected is not None
    assert found.z_m == pytest.approx(offset_m[2] + 0.7, abs=1e-9)
    np.testing.assert_allclose(found.origin_m - offset_m[:2], expected.origin_m, atol=0.2)
    columns = made.occupancy_slice(offset_m[2] + 0.2, offset_m[2] + 1.2)
    assert columns is not None
    np.testing.assert_allclose(columns.origin_m, found.origin_m, atol=1e-6)
    assert {0, 100} <= set(np.unique(columns.cells).tolist())


def test_views_and_keyframes_are_those_of_the_world(
    here: Reconstructor, there: tuple[np.ndarray, Reconstructor]
) -> None:
    offset_m, made = there
    frame = next(iter(room_source(5)))
    near = here.render(frame.camera, frame.world_from_camera)
    far = made.render(frame.camera, moved(frame, tuple(offset_m)).world_from_camera)
    np.testing.assert_allclose(far.depth_m, near.depth_m, atol=5e-3)
    held = made.keyframe_poses()
    for keyframe, at in here.keyframe_poses().items():
        np.testing.assert_allclose(held[keyframe][:3, 3] - offset_m, at[:3, 3], atol=1e-8)
    keyframe, at = next(iter(held.items()))
    corrected = at.copy()
    corrected[0, 3] += 0.25
    assert made.move_keyframes({keyframe: corrected}) == 1
    np.testing.assert_allclose(made.keyframe_poses()[keyframe], corrected, atol=1e-8)
    assert made.move_keyframes({keyframe: at}) == 1


def test_a_checkpoint_knows_where_its_map_lies(
    there: tuple[np.ndarray, Reconstructor], tmp_path: Path
) -> None:
    _, made = there
    folder = made.save(tmp_path / "checkpoint")
    again = Reconstructor(tiny_config(), CPU)
    again.load(folder)
    assert again.origin_m == made.origin_m
    for each in (again, made):
        each.extract_mesh(everything=True)
    expected = made.current_mesh()
    np.testing.assert_array_equal(again.current_mesh().vertices, expected.vertices)
    # Weights are taken over where they were trained.
    begun = Reconstructor(tiny_config(), CPU)
    begun.load_weights(folder)
    aside_m = np.array((700.0, 0.0, 0.0))
    begun.add_frame(moved(next(iter(room_source(5))), tuple(made.origin_m + aside_m)))
    assert begun.origin_m == made.origin_m
    tensors, meta = read_checkpoint(folder)
    del meta["format"]
    # What was written before there was an origin lies at the world's.
    write_checkpoint(tmp_path / "old", tensors, {k: v for k, v in meta.items() if k != "origin_m"})
    again.load(tmp_path / "old")
    assert again.origin_m == (0.0, 0.0, 0.0)
    write_checkpoint(tmp_path / "absurd", tensors, {**meta, "origin_m": [1e30, 0.0, 0.0]})
    with pytest.raises(CheckpointError, match=r"origin_m\.0 = 1e\+30"):
        again.load(tmp_path / "absurd")


def test_origins_are_whole_kilometres() -> None:
    place = MapOrigin.near([np.array((4_177_820.4, -858_240.0, 120.0))] * 2 + [np.full(3, 1e9)])
    assert (place.x_m, place.y_m, place.z_m) == (4_178_000.0, -858_000.0, 0.0)
    assert "-" not in str(place.z_m)
    below = MapOrigin.near([np.array((5e5, -20.0, -3.0))])
    assert (below.y_m, below.z_m) == (0.0, 0.0) and "-0.0" not in str(below)


def test_near_maps_are_as_they_were() -> None:
    origin = MapOrigin.near([np.array((999.0, -1000.0, 3.0))])
    assert origin.is_zero
    frame, mesh = wall_frame(), room().current_mesh()
    assert origin.frame_in_map(frame) is frame and origin.mesh_in_world(mesh) is mesh
    points = np.zeros((3, 3), np.float32)
    assert origin.points_in_map(points) is points


def test_a_box_that_is_given_is_one_of_the_world() -> None:
    low = np.array(PLACES["UTM"])
    box = [*(low - 2.0), *(low + 6.0)]
    made = Reconstructor(tiny_config(bounds={"aabb": box}), CPU)
    made.add_frame(moved(wall_frame(), PLACES["UTM"]))
    assert made.origin_m == (500_000.0, 5_000_000.0, 0.0)
    found = made.reconstruction.grid.host_aabb + np.array(made.origin_m)
    np.testing.assert_allclose(found, np.array(box).reshape(2, 3), atol=0.2)


@pytest.mark.parametrize("far_m", [1e5, 6.4e6, 200.0])
def test_a_map_begins_anew_when_the_first_frame_is_contradicted(
    far_m: float, caplog: pytest.LogCaptureFixture
) -> None:
    made = Reconstructor(tiny_config(), CPU)
    made.add_frame(wall_frame(0, world_from_camera=pose(far_m)))
    made.step()
    made.extract_mesh(everything=True)
    kept = [made.add_frame(wall_frame(i, world_from_camera=pose(0.15 * i))) for i in range(1, 4)]
    assert kept == [False, False, True]
    assert made.origin_m == (0.0, 0.0, 0.0)
    # A camera at rest told nothing to the policy of the map that was given up.
    assert made.add_frame(wall_frame(4, world_from_camera=pose(0.6)))
    assert [stamp // 100_000_000 for stamp, _ in made.keyframe_poses()] == [1, 2, 3, 4]
    counters = made.counters
    assert (counters["keyframes"], counters["frames_out_of_bounds"]) == (4, 1)
    assert counters["maps_begun_anew"] == 1
    said = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(said) == 2 and "begins anew at [0.45, 0.0, 0.0] m" in said[1]
    made.step()
    update = made.extract_mesh(everything=True)
    assert update.begins_anew and update.origin_m == (0.0, 0.0, 0.0)
    assert not made.extract_mesh(everything=True).begins_anew
    made.reset()
    assert not made.extract_mesh(everything=True).begins_anew


def test_the_map_follows_the_many_where_the_first_poses_are_wrong() -> None:
    made = Reconstructor(tiny_config(), CPU)
    places_m = [1e4 + 0.15 * i for i in range(4)] + [0.15 * i for i in range(8)]
    for i, x_m in enumerate(places_m):
        made.add_frame(wall_frame(i, world_from_camera=pose(x_m)))
    assert [stamp // 100_000_000 for stamp, _ in made.keyframe_poses()] == list(range(4, 12))
    assert made.origin_m == (0.0, 0.0, 0.0)
    assert made.counters["maps_begun_anew"] == 1
    assert made.counters["frames_out_of_bounds"] == 4


def test_a_camera_that_leaves_the_field_step_by_step_keeps_its_map() -> None:
    made = Reconstructor(tiny_config(), CPU)
    for i in range(20):
        made.add_frame(wall_frame(i, world_from_camera=pose(3.0 * i)))
    assert made.counters["maps_begun_anew"] == 0
    assert made.counters["frames_out_of_bounds"] == 20 - made.counters["keyframes"] > 10


def test_cameras_at_rest_outweigh_an_absurd_first_frame_too() -> None:
    made = Reconstructor(tiny_config(), CPU)
    made.add_frame(wall_frame(0, world_from_camera=pose(1e5)))
    assert [made.add_frame(wall_frame(i)) for i in (1, 2, 3)] == [False, False, True]
    assert made.origin_m == (0.0, 0.0, 0.0)


def test_a_map_that_is_known_by_more_than_the_first_frames_is_kept(tmp_path: Path) -> None:
    """More frames, a checkpoint, a box that was given, or strays that do not agree."""

    def outside(made: Reconstructor, *places_m: float) -> list[bool]:
        return [
            made.add_frame(wall_frame(10 + i, world_from_camera=pose(x)))
            for i, x in enumerate(places_m)
        ]

    grown = Reconstructor(tiny_config(), CPU)
    for i in range(6):
        assert grown.add_frame(wall_frame(i, world_from_camera=pose(0.15 * i)))
    assert not any(outside(grown, *[1e4 + 0.1 * i for i in range(6)]))
    # Also by frames that were not needed as keyframes.
    rested = Reconstructor(tiny_config(), CPU)
    for i in range(20):
        rested.add_frame(wall_frame(i, world_from_camera=pose(0.15 * min(i, 3))))
    assert len(rested.keyframe_poses()) == 4
    assert not any(outside(rested, *[1e4 + 0.1 * i for i in range(20)]))
    loaded = Reconstructor(tiny_config(), CPU)
    loaded.load(grown.save(tmp_path / "checkpoint"))
    boxed = Reconstructor(tiny_config(bounds={"aabb": (-2, -2, -1, 2, 2, 4)}), CPU)
    stray = Reconstructor(tiny_config(), CPU)
    for made in (boxed, stray):
        assert made.add_frame(wall_frame())
    assert not any(outside(loaded, 1e4, 1e4, 1e4, 1e4))
    assert not any(outside(boxed, 1e4, 1e4, 1e4, 1e4))
    assert not any(outside(stray, 1e4, -1e4, 5e5, 3e3, -7e6, 1e4))
    for made in (grown, rested, loaded, boxed, stray):
        assert made.counters["maps_begun_anew"] == 0
        assert made.origin_m == (0.0, 0.0, 0.0)
    # A keyframe within the field in between is a reason to stay.
    between = Reconstructor(tiny_config(), CPU)
    for i, x in enumerate((0.0, 1e4, 1e4, 0.2, 1e4, 1e4)):
        between.add_frame(wall_frame(i, world_from_camera=pose(x)))
    assert between.counters["maps_begun_anew"] == 0
    assert len(between.keyframe_poses()) == 2


def test_a_first_frame_that_shows_half_a_kilometre_is_no_lack_of_room() -> None:
    small = {"max_cells": 100_000}
    made = Reconstructor(tiny_config(occupancy=small), CPU)
    lens = dataclasses.replace(wall_frame().camera, fx=0.05)
    assert not made.add_frame(wall_frame(0, camera=lens))
    assert made.counters["frames_out_of_bounds"] == 1
    assert made.add_frame(wall_frame(1))


def test_a_first_frame_that_does_not_fit_takes_no_memory_for_what_it_shows() -> None:
    made = Reconstructor(tiny_config(), CPU)
    lens = dataclasses.replace(wall_frame().camera, fx=0.5)
    assert not made.add_frame(wall_frame(0, camera=lens))
    assert made.counters["frames_out_of_bounds"] == 1
    # Of the cells along 80 m, to which its rays go, none is there.
    grid = made.reconstruction.grid
    assert float((grid.host_aabb[1] - grid.host_aabb[0]).max()) < 1.0
    assert made.add_frame(wall_frame(1))
    assert made.counters["maps_begun_anew"] == 0


def test_a_box_that_was_given_is_kept_where_it_is_larger_than_a_stream() -> None:
    box = {"aabb": (-12.0, -2.0, -1.0, 12.0, 2.0, 3.0)}
    made = Reconstructor(tiny_config(bounds=box, occupancy={"cell_m": 0.5}), CPU)
    made.add_frame(wall_frame())
    np.testing.assert_allclose(made.reconstruction.grid.host_aabb.ravel(), box["aabb"])
