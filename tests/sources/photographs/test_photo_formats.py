# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The same views of the synthetic object through every layout of posed photographs."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import scene_formats as formats
from scene_formats import SIZE_PX, VIEWS, moved, object_scene, similarity

from ineus_core.errors import SourceError
from ineus_core.sources import Source, SourceConfig, frame_count, open_source, source_kind
from ineus_core.sources.photographs.reduced_pictures import cut_to_middle, full_size
from ineus_core.types import Camera

LAYOUTS: dict[str, tuple[str, Callable[[Path], Path], bool]] = {
    "blender": ("blender", formats.write_blender, False),
    "transforms": ("transforms_json", formats.write_transforms_json, False),
    "dtu": ("dtu", formats.write_dtu, False),
    "colmap binary": ("colmap", formats.write_colmap, True),
    "colmap text": ("colmap", partial(formats.write_colmap, binary=False), True),
    "blended_mvs": ("blended_mvs", formats.write_blended_mvs, True),
}
"""Kind, writer, and whether the poses come in the coordinates of the data set."""

AS_IT_IS = SourceConfig.model_validate(
    {
        "colmap": {"normalisation": {"enabled": False}},
        "blended_mvs": {"normalisation": {"enabled": False}},
    }
)


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> tuple[str, Callable[[Path], Path], bool]:
    if request.param.startswith("colmap"):
        pytest.importorskip("pycolmap")
    return LAYOUTS[request.param]


def opened(path: Path, config: SourceConfig = AS_IT_IS) -> Source:
    return open_source(path, config=config)


def test_cameras_and_pixels_are_the_same(tmp_path: Path, layout: tuple) -> None:
    kind, write, in_dataset = layout
    folder = write(tmp_path / "data")
    assert source_kind(folder) == kind
    source, scene = opened(folder), object_scene()
    assert source.kind == kind  # type: ignore[attr-defined]
    assert frame_count(source) == VIEWS
    for i, (frame, true) in enumerate(zip(source, scene.frames, strict=True)):
        pose = true.world_from_camera
        expected = moved(similarity(), pose) if in_dataset else pose
        assert np.abs(frame.world_from_camera - expected).max() < 1e-6 * (1 + in_dataset * 1e3)
        found, expected = (np.array((c.fx, c.fy, c.cx, c.cy)) for c in (frame.camera, true.camera))
        assert np.abs(found - expected).max() < 1e-6
        assert frame.camera.distortion_model == "none"
        assert np.array_equal(frame.rgb, true.rgb)
        assert frame.stamp_ns == i * 100_000_000


def test_the_way_back_to_the_coordinates_of_the_data_set(tmp_path: Path, layout: tuple) -> None:
    kind, write, _ = layout
    source = open_source(write(tmp_path / "data"))
    original = similarity() if kind in ("dtu", "colmap", "blended_mvs") else np.eye(4)
    for frame, true in zip(source, object_scene().frames, strict=True):
        back = moved(source.dataset_from_world, frame.world_from_camera)  # type: ignore[attr-defined]
        expected = moved(original, true.world_from_camera)
        assert np.abs(back - expected).max() < 1e-6 * np.abs(expected).max()


def test_size_and_stamps_follow_the_settings(tmp_path: Path, layout: tuple) -> None:
    kind, write, _ = layout
    folder = write(tmp_path / "data")
    config = SourceConfig.model_validate(
        {"frame_period_s": 0.5, "max_frames": 3, kind: {"downscale": 3}}
    )
    frames = list(opened(folder, config))
    assert [frame.stamp_ns for frame in frames] == [0, 500_000_000, 1_000_000_000]
    # 40 / 3 + 0.5 is 13.8.
    assert {frame.rgb.shape for frame in frames} == {(13, 13, 3)}
    assert frames[0].camera.fx == pytest.approx(object_scene().camera.fx * 13 / SIZE_PX)
    assert frames[0].camera.cx == pytest.approx(object_scene().camera.cx * 13 / SIZE_PX)
    by_size = SourceConfig.model_validate({kind: {"width_px": 20}})
    assert next(iter(opened(folder, by_size))).rgb.shape == (20, 20, 3)
    stretched = SourceConfig.model_validate({kind: {"width_px": 20, "height_px": 10}})
    with pytest.raises(SourceError, match=r"40 x 40.*20 x 10; expected the same proportions"):
        opened(folder, stretched)


def picture_of(folder: Path, number: int) -> Path:
    """Find the colour picture of a view in any of the layouts."""
    plain = [p for p in folder.rglob("*.png") if "mask" not in str(p.relative_to(folder))]
    return sorted(plain, key=lambda p: int("".join(c for c in p.stem if c.isdigit())))[number]


def test_absent_pictures_are_left_out_and_counted(tmp_path: Path, layout: tuple) -> None:
    _, write, in_dataset = layout
    folder = write(tmp_path / "data")
    pictures = [picture_of(folder, number) for number in range(VIEWS)]
    for number in (1, 3):
        pictures[number].unlink()
    source, frames = opened(folder), object_scene().frames
    there = [frames[number] for number in range(VIEWS) if number not in (1, 3)]
    assert source.dropped == {"no_picture": 2}
    assert frame_count(source) == VIEWS - 2
    for frame, true in zip(source, there, strict=True):
        assert np.array_equal(frame.rgb, true.rgb)
        pose = true.world_from_camera
        expected = moved(similarity(), pose) if in_dataset else pose
        assert np.allclose(frame.world_from_camera, expected, rtol=0, atol=1e-3)


def test_a_listing_of_mostly_absent_pictures_is_refused(tmp_path: Path, layout: tuple) -> None:
    _, write, _ = layout
    folder = write(tmp_path / "data")
    pictures = [picture_of(folder, number) for number in range(VIEWS)]
    for picture in pictures[2 : 3 + VIEWS // 2]:
        picture.unlink()
    message = rf"{pictures[2].stem}.*no such file, though .* 7 of the 12 pictures .* at most half"
    with pytest.raises(SourceError, match=message):
        opened(folder)


@pytest.mark.parametrize(
    ("name", "key", "scale", "setting", "expected"),
    [
        ("d.png", "depth_file_path", None, None, 2.5),
        ("d.png", "depth_path", 0.0002, None, 0.5),
        ("d.png", "depth_path", 0.0002, 0.002, 5.0),
        ("d.npy", "depth_file_path", None, None, 2.5),
        ("d.tiff", "depth_file_path", None, 1.0, 2500.0),
    ],
)
@pytest.mark.parametrize("step", [1, 2])
def test_depth_of_transforms_json_in_any_file_and_size(
    tmp_path: Path,
    name: str,
    key: str,
    scale: float | None,
    setting: float | None,
    expected: float,
    step: int,
) -> None:
    folder = formats.write_transforms_json(tmp_path)
    frames = json.loads((folder / "transforms.json").read_text())["frames"]
    frames[0][key] = name
    edit_json(folder / "transforms.json", frames=frames)
    if scale is not None:
        edit_json(folder / "transforms.json", integer_depth_scale=scale)
    values = np.zeros((SIZE_PX // step, SIZE_PX // step), np.uint16 if "png" in name else "f4")
    values[: len(values) // 2] = 2500
    if name == "d.npy":
        np.save(folder / name, values)
    else:
        assert cv2.imwrite(str(folder / name), values)
    settings = {} if setting is None else {"depth_unit_m": setting}
    config = SourceConfig.model_validate({"transforms_json": settings})
    depth_m = next(iter(open_source(folder, config=config))).depth_m
    assert depth_m is not None and depth_m.shape == (SIZE_PX, SIZE_PX)
    np.testing.assert_allclose(depth_m[: SIZE_PX // 2], expected, rtol=1e-6)
    assert not depth_m[SIZE_PX // 2 :].any()


def test_depth_of_other_proportions_or_kind_is_named(tmp_path: Path) -> None:
    folder = formats.write_transforms_json(tmp_path)
    frames = json.loads((folder / "transforms.json").read_text())["frames"]
    frames[0]["depth_file_path"] = "d.npy"
    edit_json(folder / "transforms.json", frames=frames)
    np.save(folder / "d.npy", np.ones((20, 30), np.float32))
    with pytest.raises(SourceError, match=r"depth of 30 x 20 pixels; .* 40 x 40"):
        next(iter(open_source(folder)))
    np.save(folder / "d.npy", np.array([None]))
    with pytest.raises(SourceError, match="cannot be read as npy"):
        next(iter(open_source(folder)))
    # A header that ends in the middle of its literal, which Python's tokenizer does not forgive.
    (folder / "d.npy").write_bytes(b"\x93NUMPY\x01\x00\x0e\x00{'descr': (1,\n")
    with pytest.raises(SourceError, match="cannot be read as npy"):
        next(iter(open_source(folder)))
    (folder / "d.npy").unlink()
    assert cv2.imwrite(str(folder / "d.png"), np.ones((40, 40), np.uint8))
    frames[0]["depth_file_path"] = "d.png"
    edit_json(folder / "transforms.json", frames=frames)
    with pytest.raises(SourceError, match="expected depth as one of uint16 or of floats"):
        next(iter(open_source(folder)))


def test_a_listing_of_the_full_size(tmp_path: Path) -> None:
    folder = formats.write_transforms_json(tmp_path)
    for number in range(VIEWS):
        small = np.full((20, 20, 3), 90, dtype=np.uint8)
        formats.write_picture(folder / "images" / f"{number:03d}.png", small)
    camera, whole = next(iter(open_source(folder))).camera, object_scene().camera
    assert (camera.width_px, camera.height_px) == (20, 20)
    assert (camera.fx, camera.cx) == pytest.approx((whole.fx / 2, whole.cx / 2), abs=1e-6)


def test_names_of_windows_and_without_suffix(tmp_path: Path) -> None:
    folder = formats.write_transforms_json(tmp_path)
    file = folder / "transforms.json"
    frames = json.loads(file.read_text())["frames"]
    frames[0]["file_path"] = r".\images\000.png"
    frames[1]["file_path"] = r"images\001"
    edit_json(file, frames=frames)
    source = open_source(folder)
    assert not source.dropped
    for frame, true in zip(source, object_scene().frames, strict=True):
        assert np.array_equal(frame.rgb, true.rgb)


def test_mixed_sizes_are_named(tmp_path: Path, layout: tuple) -> None:
    _, write, _ = layout
    folder = write(tmp_path / "data")
    other = picture_of(folder, 3)
    formats.write_picture(other, np.zeros((30, 50, 3), dtype=np.uint8))
    with pytest.raises(SourceError, match=rf"{other.stem}.*50 x 30.*40 x 40"):
        opened(folder)


def test_unreadable_picture_is_named(tmp_path: Path, layout: tuple) -> None:
    _, write, _ = layout
    folder = write(tmp_path / "data")
    broken = picture_of(folder, 3)
    content = broken.read_bytes()
    broken.write_bytes(b"no picture")
    with pytest.raises(SourceError, match=rf"{broken.stem}.*cannot be read as a picture"):
        opened(folder)
    # The header of this one is whole.
    broken.write_bytes(content[:60])
    with pytest.raises(SourceError, match=rf"{broken.stem}.*cannot be read as a picture"):
        list(opened(folder))


def test_blender_background_split_and_foreground(tmp_path: Path) -> None:
    folder = formats.write_blender(formats.write_blender(tmp_path), "test")
    scene = object_scene()
    black = SourceConfig.model_validate({"blender": {"background": "black", "split": "test"}})
    source = open_source(folder, config=black)
    frame = next(iter(source))
    inside = scene.foreground[0]
    assert np.array_equal(frame.rgb[inside], scene.frames[0].rgb[inside])
    assert not frame.rgb[~inside].any()
    assert frame.mask is None
    assert np.array_equal(source.frame(0).foreground, inside)  # type: ignore[attr-defined]
    assert np.array_equal(source.foreground(0), inside)  # type: ignore[attr-defined]
    (folder / "transforms_test.json").unlink()
    with pytest.raises(SourceError, match=r"transforms_test.json: no such file"):
        open_source(folder, config=black)


def test_half_transparent_pixels_are_mixed(tmp_path: Path) -> None:
    folder = formats.write_blender(tmp_path)
    picture = np.full((SIZE_PX, SIZE_PX, 4), (30, 20, 10, 51), dtype=np.uint8)
    cv2.imwrite(str(folder / "train" / "r_0.png"), picture)
    # A fifth of the colour and four fifths of white.
    assert next(iter(open_source(folder))).rgb[0, 0].tolist() == [206, 208, 210]


@pytest.mark.parametrize("masks", ["off", "composite", "exclude"])
def test_masks_of_dtu(tmp_path: Path, masks: str) -> None:
    folder = formats.write_dtu(tmp_path)
    config = SourceConfig.model_validate({"dtu": {"masks": masks, "background": "black"}})
    source, scene = open_source(folder, config=config), object_scene()
    frame, inside = next(iter(source)), scene.foreground[0]
    assert (frame.mask is not None) == (masks == "exclude")
    assert (frame.foreground is not None) == (masks == "composite")
    if frame.mask is not None:
        assert np.array_equal(frame.mask, inside)
    outside = frame.rgb[~inside]
    assert (not outside.any()) if masks == "composite" else (outside == 255).all()
    assert np.array_equal(source.foreground(0), inside)  # type: ignore[attr-defined]


def rewrite_npz(folder: Path, change: Callable[[dict[str, np.ndarray]], None]) -> None:
    with np.load(folder / "cameras_sphere.npz") as archive:
        matrices = dict(archive)
    change(matrices)
    np.savez(folder / "cameras_sphere.npz", **matrices)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.pop("world_mat_5"), "no world_mat_5"),
        (lambda m: m.update(world_mat_5=np.eye(3)), r"world_mat_5 of shape \(3, 3\)"),
        (lambda m: m.update(world_mat_5=np.full((4, 4), np.nan)), "world_mat_5 has a NaN"),
        (lambda m: m.update(world_mat_5=np.zeros((4, 4))), "world_mat_5: has no inverse"),
        (lambda m: m.update(scale_mat_5=np.eye(4)), "scale_mat_5 differs from scale_mat_0"),
        (lambda m: m.clear(), "no world_mat_0"),
    ],
)
def test_bad_projections_of_dtu(tmp_path: Path, change: Callable, message: str) -> None:
    folder = formats.write_dtu(tmp_path)
    rewrite_npz(folder, change)
    with pytest.raises(SourceError, match=message):
        open_source(folder)


def test_the_largest_index_of_dtu_tells_how_many_are_listed(tmp_path: Path) -> None:
    folder = formats.write_dtu(tmp_path)
    rewrite_npz(
        folder,
        lambda m: m.update(world_mat_12=m["world_mat_0"], scale_mat_12=m["scale_mat_0"]),
    )
    source = open_source(folder)
    assert (frame_count(source), source.dropped) == (VIEWS, {"no_picture": 1})


def test_dtu_by_other_names(tmp_path: Path) -> None:
    folder = formats.write_dtu(tmp_path, masks=False, digits=3)
    (folder / "cameras_sphere.npz").rename(folder / "cameras.npz")
    config = SourceConfig.model_validate({"dtu": {"integer_pixel_centres": True}})
    source = open_source(folder, config=config)
    assert next(iter(source)).camera.cx == pytest.approx(SIZE_PX / 2 + 0.5)
    assert source.foreground(0) is None  # type: ignore[attr-defined]
    # As NeuS packs BlendedMVS.
    assert len(list(open_source(folder, "blended_mvs"))) == VIEWS
    (folder / "cameras.npz").write_bytes(b"no archive")
    with pytest.raises(SourceError, match=r"cameras.npz: cannot be read as npz"):
        open_source(folder)
    lost = SourceConfig.model_validate({"dtu": {"cameras_file": "cameras_large.npz"}})
    with pytest.raises(SourceError, match=r"no cameras_large.npz"):
        open_source(folder, "dtu", config=lost)


def test_a_lost_mask_is_named(tmp_path: Path) -> None:
    folder = formats.write_dtu(tmp_path)
    (folder / "mask" / "004.png").unlink()
    with pytest.raises(SourceError, match=r"004.png: no such file"):
        open_source(folder)


def test_depth_of_blended_mvs(tmp_path: Path) -> None:
    folder = formats.write_blended_mvs(tmp_path / "data")
    source, scene = open_source(folder), object_scene()
    frame = next(iter(source))
    # The nearest camera is at distance 1 and was at 3.
    unit = np.linalg.norm(frame.world_from_camera[:3, 3]) / 3
    assert unit == pytest.approx(1 / 3, abs=0.01)
    assert np.allclose(frame.depth_m, scene.frames[0].depth_m * unit, atol=1e-3)
    assert np.array_equal(source.foreground(0), scene.foreground[0])  # type: ignore[attr-defined]
    bare = SourceConfig.model_validate({"blended_mvs": {"depth": False}})
    assert next(iter(open_source(folder, config=bare))).depth_m is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("extrinsic", "extrinsics", "no line 'extrinsic' or 'intrinsic'"),
        ("0.0 0.0 0.0 1.0\n", "0.0 0.0 1.0\n", "expected 4 finite numbers"),
        ("0.0 0.0 1.0\n", "", "2 rows; expected 3 of 3 numbers"),
        ("intrinsic\n", "intrinsic\nzero 0 0\n", "could not convert"),
    ],
)
def test_bad_cameras_of_blended_mvs(tmp_path: Path, old: str, new: str, message: str) -> None:
    folder = formats.write_blended_mvs(tmp_path)
    file = folder / "cams" / "00000003_cam.txt"
    # From the end, as the line of the extrinsic matrix ends like that of the intrinsic one.
    head, tail = file.read_text().rsplit(old, 1)
    file.write_text(head + new + tail.replace("1 0.5 128 64", "" if not new else "1 0.5 128 64"))
    with pytest.raises(SourceError, match=rf"00000003_cam.txt.*{message}"):
        open_source(folder)


def edit_json(file: Path, **fields: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


@pytest.mark.parametrize(
    ("fields", "model", "coefficients"),
    [
        ({"camera_model": "OPENCV", "k1": 0.1, "p2": 0.2}, "plumb_bob", (0.1, 0, 0, 0.2, 0)),
        ({"k1": 0.1, "camera_model": "PINHOLE"}, "none", ()),
        ({"k1": 0.1, "is_fisheye": True}, "equidistant", (0.1, 0, 0, 0)),
        ({"camera_model": "OPENCV_FISHEYE", "k4": 0.4}, "equidistant", (0, 0, 0, 0.4)),
        (
            {"camera_model": "FULL_OPENCV", "k1": 0.1, "k6": 0.6},
            "rational_polynomial",
            (0.1, 0, 0, 0, 0, 0, 0, 0.6),
        ),
        ({"k1": 0.0}, "none", ()),
    ],
)
def test_lenses_of_transforms_json(
    tmp_path: Path, fields: dict, model: str, coefficients: tuple
) -> None:
    folder = formats.write_transforms_json(tmp_path, **fields)
    camera = next(iter(open_source(folder / "transforms.json"))).camera
    assert (camera.distortion_model, camera.distortion) == (model, coefficients)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"camera_model": "EQUIRECTANGULAR"}, "camera_model 'EQUIRECTANGULAR'; expected one of"),
        ({"camera_model": "OPENCV", "k4": 0.1}, "k4 k5 k6"),
        ({"k1": "0.1"}, "k1 '0.1'; expected a finite number"),
        ({"frames": []}, "no frames"),
        ({"frames": [3]}, "frame 0: expected an object"),
        ({"applied_transform": [[1, 0], [0, 1]]}, r"applied_transform: matrix of shape \(2, 2\)"),
    ],
)
def test_bad_transforms_json(tmp_path: Path, fields: dict, message: str) -> None:
    folder = formats.write_transforms_json(tmp_path)
    edit_json(folder / "transforms.json", **fields)
    with pytest.raises(SourceError, match=message):
        open_source(folder)


def test_bad_frames_of_transforms_json(tmp_path: Path) -> None:
    folder = formats.write_transforms_json(tmp_path)
    file = folder / "transforms.json"
    frames = json.loads(file.read_text())["frames"]
    frames[2]["transform_matrix"] = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    edit_json(file, frames=frames)
    with pytest.raises(SourceError, match=r"frame 2: matrix of shape \(3, 3\); expected \(4, 4\)"):
        open_source(folder)
    frames[2]["transform_matrix"] = (2 * np.eye(4)).tolist()
    edit_json(file, frames=frames)
    with pytest.raises(SourceError, match=r"frame 2: pose is not rigid"):
        open_source(folder)
    file.write_text("{")
    with pytest.raises(SourceError, match=r"transforms.json: cannot be read as JSON"):
        open_source(folder)


def test_cameras_masks_depth_and_applied_transform(tmp_path: Path) -> None:
    folder = formats.write_transforms_json(tmp_path)
    file, scene = folder / "transforms.json", object_scene()
    frames = json.loads(file.read_text())["frames"]
    frames[1].update(fl_x=70.0, fl_y=71.0, mask_path="m.png", depth_file_path="d.png")
    formats.write_mask(folder / "m.png", scene.foreground[1])
    cv2.imwrite(str(folder / "d.png"), np.full((SIZE_PX, SIZE_PX), 2500, dtype=np.uint16))
    applied = [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, -1, 5]]
    edit_json(file, frames=frames, applied_transform=applied, applied_scale=2.0)
    source = open_source(folder)
    first, second = list(source)[:2]
    assert first.camera.fx == scene.camera.fx
    assert (second.camera.fx, second.camera.fy) == (70.0, 71.0)
    assert first.mask is None
    assert np.array_equal(second.mask, scene.foreground[1])
    assert np.allclose(second.depth_m, 2.5)
    point = source.dataset_from_world @ (2.0, 4.0, 6.0, 1.0)  # type: ignore[attr-defined]
    # x and y change places, half the size, z against 5.
    assert np.allclose(point, (2.0, 1.0, 2.0, 1.0))


ELSEWHERE = ["/home/her/scene/images/{}", "C:\\data\\images\\{}", "{}"]


@pytest.mark.parametrize("listed", ELSEWHERE)
def test_paths_of_another_machine(
    tmp_path: Path, listed: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = formats.write_transforms_json(tmp_path)
    frames = json.loads((folder / "transforms.json").read_text())["frames"]
    for frame in frames:
        frame["file_path"] = listed.format(Path(frame["file_path"]).name)
    if listed == "{}":
        for picture in (folder / "images").iterdir():
            picture.rename(folder / picture.name)
            frames[int(picture.stem)]["file_path"] = f"images/{picture.name}"
    edit_json(folder / "transforms.json", frames=frames)
    source = opened(folder)
    for frame, true in zip(source, object_scene().frames, strict=True):
        assert np.array_equal(frame.rgb, true.rgb)
    assert "is not there;" in caplog.text and caplog.text.count("is taken for it") == 1


def test_each_frame_of_a_listing_has_its_own_size(tmp_path: Path) -> None:
    folder = formats.write_transforms_json(tmp_path)
    frames = json.loads((folder / "transforms.json").read_text())["frames"]
    frames[3] |= {"w": 30, "h": 48, "cx": 14.5, "cy": 25.0}
    edit_json(folder / "transforms.json", frames=frames)
    formats.write_picture(folder / "images" / "003.png", np.zeros((48, 30, 3), np.uint8))
    found = list(opened(folder))[3].camera
    assert (found.width_px, found.height_px, found.cx, found.cy) == (30, 48, 14.5, 25.0)


def test_usual_sizes_of_which_only_the_middle_is_there() -> None:
    lens = np.array([[600.0, 0, 599.5], [0, 600.0, 339.5], [0, 0, 1]])
    assert full_size(lens, (384, 384)) == (1200, 680)
    assert full_size(lens, (1200, 680)) == (1200, 680)
    assert full_size(lens, (384, 384), width_px=1000, height_px=500) == (1000, 500)
    # 680 rows become 384, and of 1200 columns the middle 680 are kept.
    camera = cut_to_middle(Camera(1200, 680, 600, 600, 599.5, 339.5), (384, 384), "here")
    found = np.array((camera.fx, camera.fy, camera.cx, camera.cy)) * 680 / 384
    np.testing.assert_allclose(found, (600, 600, 599.5 - 260, 339.5))
    with pytest.raises(SourceError, match="200 x 100 pixels cannot be the middle of 100 x 100"):
        cut_to_middle(Camera(100, 100, 90, 90, 50, 50), (200, 100), "here")


def test_intrinsics_as_a_matrix_with_each_frame(tmp_path: Path) -> None:
    folder = formats.write_transforms_json(tmp_path)
    frames = json.loads((folder / "transforms.json").read_text())["frames"]
    for frame in frames:
        for key in ("fl_x", "fl_y", "cx", "cy"):
            del frame[key]
        frame["K"] = [[50.0, 0.0, 19.5], [0, 51.0, 20.5], [0, 0, 1]]
    edit_json(folder / "transforms.json", frames=frames)
    camera = next(iter(opened(folder))).camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (50.0, 51.0, 19.5, 20.5)
    frames[0]["K"] = [1, 2]
    edit_json(folder / "transforms.json", frames=frames)
    with pytest.raises(SourceError, match=r"frame 0: K \[1, 2\]; expected a 3 x 3 matrix"):
        opened(folder)
