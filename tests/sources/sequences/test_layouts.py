# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The same walk through the built-in room in the layout of every program that records some."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sequence_formats as formats
from scene_formats import moved, similarity
from sequence_formats import ARKIT_FROM_WORLD, MIRROR_Y, WALK_FRAMES, room_walk

from ineus_core.consistency import check_source
from ineus_core.sources import SourceConfig, frame_count, open_source, source_kind

LAYOUTS: dict[str, tuple[str, Callable[[Path], Path], np.ndarray, float]] = {
    "redwood": ("rgbd_folder", formats.write_redwood, np.eye(4), 1000),
    "in_order": ("rgbd_folder", formats.write_in_order, np.eye(4), 1000),
    "side_by_side": ("rgbd_folder", formats.write_side_by_side, np.eye(4), 1000),
    "counted": ("rgbd_folder", formats.write_counted, np.eye(4), 1000),
    "icl": ("rgbd_folder", formats.write_icl, np.eye(4), 5000),
    "semantic_nerf": ("rgbd_folder", formats.write_semantic_nerf, np.eye(4), 1000),
    "scannet": ("scannet", formats.write_scannet, np.eye(4), 1000),
    "replica": ("replica", formats.write_replica, np.eye(4), 6553.5),
    "3dmatch": ("seven_scenes", formats.write_3dmatch, np.eye(4), 1000),
    "polycam": ("polycam", formats.write_polycam, ARKIT_FROM_WORLD, 1000),
    "stray_scanner": ("stray_scanner", formats.write_stray_scanner, ARKIT_FROM_WORLD, 1000),
    "record3d": ("record3d", formats.write_record3d, ARKIT_FROM_WORLD, 0),
    "sdfstudio": ("sdfstudio", formats.write_sdfstudio, np.empty(0), 1e6),
}
"""Kind, writer, the world of the poses from that of the room, and depth values per metre."""

PACKED_BY_EYE = ("stray_scanner", "record3d")
"""Layouts whose pictures are a video or JPEG: colours come back nearly."""


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> str:
    return request.param


def test_cameras_pixels_and_depth(tmp_path: Path, layout: str) -> None:
    kind, write, world, values_per_m = LAYOUTS[layout]
    folder = write(tmp_path / "data")
    assert source_kind(folder) == kind
    source, walk = open_source(folder), room_walk()
    frames = list(source)
    assert len(frames) == WALK_FRAMES == frame_count(source)
    assert np.all(np.diff([frame.stamp_ns for frame in frames]) > 0)
    if layout == "sdfstudio":
        world = np.linalg.inv(source.dataset_from_world)  # type: ignore[attr-defined]
    unit = np.cbrt(np.linalg.det(world[:3, :3]))
    for frame, true in zip(frames, walk.frames, strict=True):
        assert np.abs(frame.world_from_camera - moved(world, true.world_from_camera)).max() < 1e-6
        found, expected = (np.array((c.fx, c.fy, c.cx, c.cy)) for c in (frame.camera, walk.camera))
        assert np.abs(found - expected).max() < 1e-6
        error = np.abs(frame.rgb.astype(int) - true.rgb)
        assert error.mean() < 6 if layout in PACKED_BY_EYE else error.max() == 0
        if values_per_m:
            depth_m = true.depth_m * np.float32(unit)
            assert np.abs(frame.depth_m - depth_m).max() < 0.51 / values_per_m
        else:
            assert frame.depth_m is None


def test_what_is_read_agrees_with_itself(tmp_path: Path, layout: str) -> None:
    _, write, _, values_per_m = LAYOUTS[layout]
    verdict = check_source(open_source(write(tmp_path / "data"))).verdict
    expected = ("agrees",) if values_per_m else ("agrees", "cannot tell")
    assert verdict.result in expected, verdict.message


def test_pictures_of_icl_before_its_first_pose_are_counted(tmp_path: Path) -> None:
    source = open_source(formats.write_icl(tmp_path / "data"))
    assert source.dropped == {"no_pose": 1}


def test_the_middle_of_pictures_beside_projections_of_the_whole(tmp_path: Path) -> None:
    folder = formats.write_monosdf(tmp_path / "data")
    assert source_kind(folder) == "dtu"
    size = SourceConfig.model_validate({"dtu": {"full_width_px": 160, "full_height_px": 120}})
    source, walk = open_source(folder, config=size), room_walk()
    for frame, true in zip(source, walk.frames, strict=True):
        assert frame.depth_m is None
        camera = frame.camera
        found = (camera.fx, camera.fy, camera.cx, camera.cy)
        expected = (walk.camera.fx, walk.camera.fy, walk.camera.cx - 20, walk.camera.cy)
        assert np.abs(2 * np.array(found) - expected).max() < 1e-6
        pose = moved(similarity(), true.world_from_camera)
        back = moved(source.dataset_from_world, frame.world_from_camera)  # type: ignore[attr-defined]
        assert np.abs(back - pose).max() < 1e-6 * np.abs(pose).max()


def test_a_mirrored_world_is_turned_about_and_keeps_what_is_in_view() -> None:
    """A point 2 m ahead and 1 m below the axis of a camera that looks along x of the room."""
    theirs = np.array([[0.0, 0, 1, 5], [0, 1, 0, 6], [-1, 0, 0, 7], [0, 0, 0, 1]])
    ours = MIRROR_Y @ theirs @ MIRROR_Y
    assert np.linalg.det(ours[:3, :3]) == pytest.approx(1)
    # In their camera y is up, so that 1 m below the axis is y = -1.
    in_theirs, in_ours = theirs @ (0, -1, 2, 1), ours @ (0, 1, 2, 1)
    np.testing.assert_allclose(in_theirs, (7, 5, 7, 1))
    np.testing.assert_allclose(in_ours, (7, -5, 7, 1))
