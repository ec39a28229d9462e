# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Poses, depth and focal length read otherwise, for sources of every kind."""

from pathlib import Path

import numpy as np
import pytest
from folder_making import make_posed_images
from planted_faults import MIRROR_Y, OPTICAL_FROM_ROS_BODY, wxyz_read_as_xyzw
from scipy.spatial.transform import Rotation

from ineus_core.config import load_config
from ineus_core.errors import ConfigError
from ineus_core.geometry import OPENGL_CAMERA_FROM_CAMERA, rigid_inverse, rigid_transform
from ineus_core.sources import (
    HasPoses,
    HasRandomAccess,
    PoseReadingConfig,
    SourceConfig,
    dataset_from_world,
    frame_count,
    moved_pose,
    open_source,
)

MOUNTING = rigid_transform(np.array((0.1, 0.2, 0.3)), np.array((0, 0, 0, 1.0)))
POSE = rigid_transform(np.array((1.0, -2, 3)), Rotation.random(random_state=3).as_quat())


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        (rigid_inverse(POSE), {"inverted": True}),
        (POSE @ OPENGL_CAMERA_FROM_CAMERA, {"axes": "opengl"}),
        (POSE @ OPENGL_CAMERA_FROM_CAMERA, {"axes": "RUB"}),
        (POSE @ OPTICAL_FROM_ROS_BODY, {"axes": "ros_body"}),
        (POSE @ OPTICAL_FROM_ROS_BODY, {"axes": "FLU"}),
        (MIRROR_Y @ POSE @ MIRROR_Y, {"mirrored": True}),
        (wxyz_read_as_xyzw(POSE, 0), {"quaternion_order": "wxyz"}),
        (rigid_inverse(POSE @ OPENGL_CAMERA_FROM_CAMERA), {"inverted": True, "axes": "opengl"}),
        (
            POSE @ rigid_inverse(MOUNTING),
            {"body_from_camera": [0.1, 0.2, 0.3, 0, 0, 0, 1]},
        ),
    ],
)
def test_a_pose_is_read_as_it_is_meant(given: np.ndarray, settings: dict[str, object]) -> None:
    np.testing.assert_allclose(
        PoseReadingConfig.model_validate(settings).world_from_camera(given), POSE, atol=1e-12
    )


@pytest.mark.parametrize("axes", ["FLD", "RRD", "XYZ", "opencl", "RD"])
def test_axes_that_are_none_are_refused(axes: str) -> None:
    with pytest.raises(ConfigError, match=r"source\.poses\.axes"):
        load_config(overrides=[f"source.poses.axes={axes}"])


def test_all_frames_of_a_folder_are_adjusted(tmp_path: Path) -> None:
    folder = make_posed_images(tmp_path / "data")
    plain = list(open_source(folder))
    config = SourceConfig.model_validate(
        {"poses": {"scale": 2, "axes": "opengl"}, "depth_factor": 0.5, "focal_factor": 1.5}
    )
    source = open_source(folder, config=config)
    frames = list(source)
    assert frame_count(source) == len(frames) == 3
    assert isinstance(source, HasRandomAccess)
    for before, after in zip(plain, frames, strict=True):
        assert after.camera.fx == pytest.approx(1.5 * before.camera.fx)
        assert after.camera.cx == before.camera.cx
        np.testing.assert_allclose(after.depth_m, 0.5 * before.depth_m)
        wanted = before.world_from_camera.copy()
        wanted[:3, 3] *= 2
        np.testing.assert_allclose(after.world_from_camera, wanted @ OPENGL_CAMERA_FROM_CAMERA)


def test_a_scene_is_scaled_as_a_whole_and_back_again(tmp_path: Path) -> None:
    folder = make_posed_images(tmp_path / "data")
    config = SourceConfig.model_validate({"scale": 40, "poses": {"scale": 2}})
    plain, source = open_source(folder), open_source(folder, config=config)
    for before, after in zip(plain, source, strict=True):
        assert after.camera == before.camera
        np.testing.assert_allclose(after.depth_m, 40 * before.depth_m)
        wanted = before.world_from_camera.copy()
        wanted[:3, 3] *= 80
        np.testing.assert_allclose(after.world_from_camera, wanted)
        np.testing.assert_allclose(
            moved_pose(dataset_from_world(source), after.world_from_camera)[:3, 3],
            2 * before.world_from_camera[:3, 3],
        )
    np.testing.assert_allclose(dataset_from_world(source), np.diag((0.025, 0.025, 0.025, 1)))


def test_poses_are_shifted_in_time(tmp_path: Path) -> None:
    folder = make_posed_images(tmp_path / "data")
    source = open_source(
        folder, config=SourceConfig.model_validate({"poses": {"time_offset_s": 0.05}})
    )
    # Poses are a metre apart in x, at 10 Hz; the last frame has none 0.05 s later.
    assert [frame.world_from_camera[0, 3] for frame in source] == pytest.approx([0.5, 1.5])
    assert source.dropped == {"no_pose": 1}


def test_poses_that_are_known_ahead_are_adjusted_too() -> None:
    plain = open_source("synthetic")
    source = open_source("synthetic", config=SourceConfig.model_validate({"poses": {"scale": 3}}))
    assert isinstance(plain, HasPoses)
    assert isinstance(source, HasPoses)
    np.testing.assert_allclose(
        source.world_from_camera[7][:3, 3], 3 * plain.world_from_camera[7][:3, 3]
    )
