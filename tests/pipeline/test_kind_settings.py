# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What pictures call for by what they show, and that who says otherwise is heeded."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import scene_formats as formats
import torch
from scene_formats import object_scene

from ineus_core.config import Config, config_from_tree
from ineus_core.geometry import project, rigid_inverse
from ineus_core.pipeline import settings_of_kind, with_settings
from ineus_core.pipeline.visual_hull import visual_hull_box
from ineus_core.sources import SourceConfig, SyntheticConfig, SyntheticSource, open_source
from ineus_core.types import Frame

CPU = torch.device("cpu")
CUBE = np.array(((-3.0, -3, -3), (3, 3, 3)))


def with_alpha(folder: Path) -> Path:
    """Write the listing of nerfstudio with pictures whose alpha is the object's."""
    formats.write_transforms_json(folder)
    listed = json.loads((folder / "transforms.json").read_text())["frames"]
    scene = object_scene()
    for entry, frame, inside in zip(listed, scene.frames, scene.foreground, strict=True):
        path = (folder / entry["file_path"]).with_suffix(".png")
        formats.write_picture(path, frame.rgb, inside)
        entry["file_path"] = str(path.relative_to(folder))
    (folder / "transforms.json").write_text(json.dumps({"frames": listed}))
    return folder


def with_masks(folder: Path) -> Path:
    """Write the same with a mask beside each picture."""
    formats.write_transforms_json(folder)
    listed = json.loads((folder / "transforms.json").read_text())["frames"]
    for number, (entry, inside) in enumerate(zip(listed, object_scene().foreground, strict=True)):
        entry["mask_path"] = f"mask_{number}.png"
        formats.write_mask(folder / entry["mask_path"], inside)
    (folder / "transforms.json").write_text(json.dumps({"frames": listed}))
    return folder


@pytest.mark.parametrize("write", [formats.write_blender, with_alpha, with_masks])
def test_an_object_whose_outline_is_known(tmp_path: Path, write: object) -> None:
    found = settings_of_kind(open_source(write(tmp_path)), CPU)  # type: ignore[operator]
    assert found.kind == "an object whose outline is known"
    assert found.settings["training.background"] == "white"
    assert found.settings["training.weights.mask"] > 0
    # The box between the cameras holds it, and is as good.
    assert "bounds.aabb" not in found.settings


def test_what_somebody_has_set_stays() -> None:
    given = {"training": {"background": "black"}, "bounds": {"aabb": [0, 0, 0, 1, 1, 1]}}
    chosen = {
        "training.background": "white",
        "training.weights.mask": 0.1,
        "bounds.aabb": (1.0,) * 6,
    }
    config, taken = with_settings(config_from_tree(given), chosen)
    assert taken == {"training.weights.mask": 0.1}
    training, box = config.training, config.bounds.aabb
    assert (training.background, training.weights.mask, box) == ("black", 0.1, (0, 0, 0, 1, 1, 1))
    # A value that is the default, but was given, is a given one.
    _, taken = with_settings(config_from_tree({"training": {"background": "none"}}), chosen)
    assert "training.background" not in taken
    assert with_settings(Config(), chosen)[1] == chosen


def test_an_object_before_white_without_any_outline(tmp_path: Path) -> None:
    folder = formats.write_transforms_json(tmp_path)
    found = settings_of_kind(open_source(folder), CPU)
    assert found.settings == {"training.background": "white"}


def test_masks_of_what_is_not_to_be_used_are_no_outlines(tmp_path: Path) -> None:
    """Such as those of people: most of each picture is inside, and most of its edge."""
    folder = with_masks(tmp_path)
    for number in range(formats.VIEWS):
        used = np.ones((formats.SIZE_PX, formats.SIZE_PX), bool)
        used[10:25, 15:20] = False
        formats.write_mask(folder / f"mask_{number}.png", used)
    source = open_source(folder)
    frame = next(iter(source))
    assert frame.foreground is None and frame.mask is not None and not frame.mask[12, 17]
    assert "training.weights.mask" not in settings_of_kind(source, CPU).settings


def test_masks_that_are_said_to_be_otherwise(tmp_path: Path) -> None:
    config = SourceConfig.model_validate({"transforms_json": {"masks": "exclude"}})
    frame = next(iter(open_source(with_masks(tmp_path), config=config)))
    assert frame.foreground is None and frame.mask is not None


def test_alpha_that_is_opaque_everywhere_says_nothing(tmp_path: Path) -> None:
    folder = with_alpha(tmp_path)
    for path in folder.rglob("*.png"):
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        picture[..., 3] = 255
        cv2.imwrite(str(path), picture)
    assert "training.weights.mask" not in settings_of_kind(open_source(folder), CPU).settings


def test_depth_and_rooms_call_for_nothing() -> None:
    for scene, depth in (("room", True), ("room", False), ("object", True)):
        source = SyntheticSource(
            SyntheticConfig(scene=scene, frames=6, width_px=32, height_px=24, depth=depth)
        )
        assert settings_of_kind(source, CPU).settings == {}


def views_of_a_box(low: np.ndarray, high: np.ndarray, count: int = 8) -> list[Frame]:
    """Return outlines of a box as cameras around it see them, by its projected corners."""
    frames = []
    corners = np.stack(np.meshgrid(*zip(low, high, strict=True)), axis=-1).reshape(-1, 3)
    for frame in SyntheticSource(
        SyntheticConfig(scene="object", frames=count, width_px=200, height_px=200)
    ):
        to_camera = rigid_inverse(frame.world_from_camera)
        pixels = project(frame.camera, corners @ to_camera[:3, :3].T + to_camera[:3, 3])
        outline = np.zeros((200, 200), np.uint8)
        hull = cv2.convexHull(pixels.astype(np.float32)).astype(np.int32)
        cv2.fillConvexPoly(outline, hull, 1)
        frames.append(replace(frame, depth_m=None, foreground=outline > 0))
    return frames


def test_a_box_that_all_outlines_hold_is_found() -> None:
    low, high = np.array((-0.2, 0.1, -0.3)), np.array((0.4, 0.5, 0.2))
    found = visual_hull_box(views_of_a_box(low, high), CUBE)
    assert found is not None
    assert (found[0] < low).all() and (found[1] > high).all()
    np.testing.assert_allclose(found, (low, high), atol=0.25)


def test_outlines_of_nothing_have_no_box() -> None:
    frames = views_of_a_box(np.zeros(3), np.full(3, 0.5))
    empty = [replace(f, foreground=np.zeros((200, 200), bool)) for f in frames]
    assert visual_hull_box(empty, CUBE) is None
