# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Planted faults are found and named with their values; good input raises no alarm."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from planted_faults import FAULTS, Fault, PlantedSource
from scipy.spatial.transform import Rotation

from ineus_core.consistency import Verdict, check_source, choose_views
from ineus_core.consistency.pairs import Pair
from ineus_core.consistency.views import View
from ineus_core.sources import Adjustment, PoseReadingConfig, SyntheticConfig, SyntheticSource
from ineus_core.types import Frame

NAMES = [fault.name for fault in FAULTS]
BY_NAME = dict(zip(NAMES, FAULTS, strict=True))
MENDED = ("inverted poses", "depth x 5", "focal length x 0.8", "poses late by 100 ms")
TOLERANCE = {"source.focal_factor": 0.02, "source.poses.time_offset_s": 0.012}


class RenderedOnce:
    """Frames of a built-in scene, rendered when first asked for."""

    def __init__(self, scene: str, frames: int, of: int) -> None:
        config = SyntheticConfig(scene=scene, frames=of, width_px=160, height_px=120)
        self._source, self._frames = SyntheticSource(config), frames
        self._rendered: dict[int, Frame] = {}

    def __len__(self) -> int:
        return self._frames

    def frame(self, index: int) -> Frame:
        if index not in self._rendered:
            self._rendered[index] = self._source.frame(index)
        return self._rendered[index]

    def pose_at(self, stamp_ns: int) -> np.ndarray:
        return self._source.pose_at(stamp_ns)


@pytest.fixture(scope="module")
def room() -> RenderedOnce:
    return RenderedOnce("room", 100, 100)


def check(source: Any, **given: Any) -> Verdict:
    return check_source(source, Adjustment(**given)).verdict


@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
def test_a_fault_is_found_and_named_with_its_value(room: RenderedOnce, fault: Fault) -> None:
    verdict = check(PlantedSource(room, fault))
    assert verdict.result == "contradicts", verdict
    assert verdict.hypothesis == fault.family, verdict
    for key, value in (fault.expected or {}).items():
        assert list(verdict.settings) == [key]
        assert verdict.settings[key] == pytest.approx(value, abs=TOLERANCE.get(key, 1e-6))
        assert f"--set {key}=" in verdict.message


@pytest.mark.parametrize("fault", [BY_NAME[name] for name in MENDED], ids=MENDED)
def test_the_settings_make_the_views_agree(room: RenderedOnce, fault: Fault) -> None:
    poses = {
        key.removeprefix("source.poses."): value
        for key, value in (fault.expected or {}).items()
        if key.startswith("source.poses.")
    }
    others = {
        key.removeprefix("source."): value
        for key, value in (fault.expected or {}).items()
        if not key.startswith("source.poses.")
    }
    verdict = check(PlantedSource(room, fault), poses=PoseReadingConfig(**poses), **others)
    assert verdict.result == "agrees", verdict


@pytest.mark.parametrize("scene", ["room", "object", "machine"])
@pytest.mark.parametrize("has_depth", [True, False], ids=["rgbd", "rgb"])
def test_good_input_agrees(scene: str, has_depth: bool) -> None:
    source = PlantedSource(RenderedOnce(scene, 16, 100), has_depth=has_depth)
    verdict = check(source)
    # Of parts that look alike only some views overlap enough to say.
    assert verdict.result in (("agrees",) if scene == "room" else ("agrees", "cannot tell"))
    assert not verdict.settings


@pytest.mark.parametrize(
    "name", ["inverted poses", "OpenGL axes", "axes of a ROS body", "quaternions as wxyz"]
)
def test_pictures_alone_show_how_poses_are_meant(room: RenderedOnce, name: str) -> None:
    verdict = check(PlantedSource(room, BY_NAME[name], has_depth=False))
    assert verdict.result == "contradicts"
    assert verdict.settings == BY_NAME[name].expected


def test_two_faults_at_once(room: RenderedOnce) -> None:
    fault = replace(BY_NAME["OpenGL axes"], depth_factor=5.0)
    verdict = check(PlantedSource(room, fault))
    assert verdict.settings == {"source.poses.axes": "opengl", "source.depth_factor": 0.2}


@pytest.mark.parametrize(
    ("factor", "expected"),
    [(4.0, 0.25), (6.5535, 1 / 6.5535), (80.0, 0.0125), (3.28084, 0.3048)],
    ids=["0.25 mm", "1/6553.5 m", "0.1 mm shifted by three bits", "feet"],
)
def test_any_unit_of_depth_is_measured(room: RenderedOnce, factor: float, expected: float) -> None:
    verdict = check(PlantedSource(room, Fault("depth", "unit", depth_factor=factor)))
    assert list(verdict.settings) == ["source.depth_factor"], verdict
    assert verdict.settings["source.depth_factor"] == pytest.approx(expected, rel=0.01)


def test_a_unit_is_measured_whatever_the_axes_are(room: RenderedOnce) -> None:
    fault = replace(BY_NAME["OpenGL axes"], depth_factor=4.0)
    verdict = check(PlantedSource(room, fault))
    assert verdict.settings == {"source.poses.axes": "opengl", "source.depth_factor": 0.25}


def test_inverted_poses_in_another_unit(room: RenderedOnce) -> None:
    fault = replace(BY_NAME["inverted poses"], depth_factor=80.0)
    verdict = check(PlantedSource(room, fault))
    assert verdict.hypothesis == "inverted+unit"
    assert verdict.settings["source.poses.inverted"] is True
    assert verdict.settings["source.depth_factor"] == pytest.approx(0.0125, rel=0.01)


def test_poses_in_another_unit_are_scaled_where_depth_is_usual(room: RenderedOnce) -> None:
    def in_mm(pose: np.ndarray, _: int) -> np.ndarray:
        scaled = pose.copy()
        scaled[:3, 3] *= 1000
        return scaled

    verdict = check(PlantedSource(room, Fault("poses in mm", "unit", pose=in_mm)))
    assert verdict.settings == {"source.poses.scale": 0.001}


def test_the_turn_of_a_mounting_is_measured(room: RenderedOnce) -> None:
    verdict = check(PlantedSource(room, BY_NAME["mounting off by 10 degrees"]))
    numbers = verdict.settings["source.poses.body_from_camera"]
    degrees = np.degrees(Rotation.from_quat(numbers[3:]).magnitude())
    assert degrees == pytest.approx(9.9, abs=1.0)


def test_a_camera_that_hardly_moves_tells_nothing() -> None:
    class Still(RenderedOnce):
        def frame(self, index: int) -> Frame:
            first = super().frame(0)
            return replace(first, stamp_ns=index * 10**8)

        def pose_at(self, stamp_ns: int) -> np.ndarray:
            return super().pose_at(0)

    verdict = check(PlantedSource(Still("room", 12, 100)))
    assert verdict.result == "cannot tell"
    assert "Record more motion" in verdict.message


def test_few_frames_tell_nothing_but_what_is_gross() -> None:
    few = RenderedOnce("room", 3, 100)
    assert check(PlantedSource(few)).result == "cannot tell"
    assert check(PlantedSource(few, BY_NAME["inverted poses"])).hypothesis == "inverted"


class Some(RenderedOnce):
    """Some frames of the room, in whatever size they are."""

    def __init__(self, room: RenderedOnce, indices: list[int], is_mixed: bool = False) -> None:
        self._room, self._indices, self._is_mixed = room, indices, is_mixed

    def __len__(self) -> int:
        return len(self._indices)

    def frame(self, index: int) -> Frame:
        frame = self._room.frame(self._indices[index])
        return of_another_size(frame, index) if self._is_mixed else frame

    def pose_at(self, stamp_ns: int) -> np.ndarray:
        return self._room.pose_at(stamp_ns)


def of_another_size(frame: Frame, index: int) -> Frame:
    """Return every third picture cut upright, and all as large as no other."""
    camera, rgb, depth_m = frame.camera, frame.rgb, frame.depth_m
    assert depth_m is not None
    if index % 3 == 1:
        rgb, depth_m = rgb[:, 35:125], depth_m[:, 35:125]
        camera = replace(camera, width_px=90, cx=camera.cx - 35)
    factor = 1 + 0.05 * (index % 17)
    size = round(camera.width_px * factor), round(camera.height_px * factor)
    return replace(
        frame,
        camera=camera.resized(*size),
        rgb=cv2.resize(rgb, size, interpolation=cv2.INTER_LINEAR),
        depth_m=cv2.resize(depth_m, size, interpolation=cv2.INTER_NEAREST),
    )


@pytest.mark.parametrize("name", ["", "poses of a marker"])
def test_views_that_do_not_overlap_tell_nothing(room: RenderedOnce, name: str) -> None:
    far_apart = Some(room, list(range(0, 96, 6)))
    verdict = check(PlantedSource(far_apart, BY_NAME.get(name)))
    assert verdict.result == "cannot tell", verdict
    assert verdict.figures["frames"] == 16
    assert "overlap" in verdict.message and "nearer to each other" in verdict.message


@pytest.mark.parametrize("count", [1, 5, 8, 16, 40, 100])
def test_no_frame_is_compared_twice(room: RenderedOnce, count: int) -> None:
    views = choose_views(PlantedSource(Some(room, list(range(count))))).views
    indices = [view.index for view in views]
    assert len(set(indices)) == len(indices) <= min(count, 20)
    assert len(indices) == count or count > 8


def test_pictures_of_many_sizes_agree(room: RenderedOnce) -> None:
    mixed = check(PlantedSource(Some(room, list(range(100)), is_mixed=True)))
    assert mixed.result == "agrees", mixed
    assert mixed.figures["agreement"] > 0.9


def test_motion_in_a_pair_is_told_whatever_the_sizes() -> None:
    """A tenth of the focal length is 30 of 320 pixels, in a picture of half the size as well."""

    def view(width: int, height: int) -> View:
        centre = (width / 2, height / 2)
        focal = 300 * width / 320
        grey = np.zeros((height, width), np.uint8)
        return View(0, 0, np.eye(4), grey, None, (focal, focal, *centre))

    before = np.array([[190.0, 120.0]])
    for other, after in ((view(320, 240), (220.0, 120.0)), (view(160, 120), (110.0, 60.0))):
        pair = Pair(view(320, 240), other, before, np.array([after]))
        assert pair.moved == pytest.approx(30 / 320)


def test_an_inverted_pose_is_told_from_pictures_of_many_sizes(room: RenderedOnce) -> None:
    mixed = Some(room, list(range(100)), is_mixed=True)
    assert check(PlantedSource(mixed, BY_NAME["inverted poses"])).hypothesis == "inverted"
