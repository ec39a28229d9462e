# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A few views of the synthetic object, written in the layouts of other programs."""

import json
import struct
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ineus_core.geometry import rigid_inverse, rotation_to_quaternion
from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.types import Camera, Frame

VIEWS, SIZE_PX = 12, 40
OPENGL = np.diag((1.0, -1.0, -1.0, 1.0))


@dataclass(frozen=True)
class Scene:
    """Rendered views, white behind the object, and where the object is in them."""

    camera: Camera
    frames: list[Frame]
    foreground: list[np.ndarray]

    @property
    def poses(self) -> list[np.ndarray]:
        return [frame.world_from_camera for frame in self.frames]


@cache
def object_scene(views: int = VIEWS, size_px: int = SIZE_PX) -> Scene:
    """Return the same few views for every layout."""
    source = SyntheticSource(
        SyntheticConfig(scene="object", frames=views, width_px=size_px, height_px=size_px)
    )
    foreground = [source.foreground(i) for i in range(views)]
    # Pixels on the outline hold some of both; masks of yes and no cannot say that.
    frames = [
        replace(frame, rgb=np.where(inside[..., None], frame.rgb, np.uint8(255)))
        for frame, inside in zip(source, foreground, strict=True)
    ]
    return Scene(source.camera, frames, foreground)


def similarity() -> np.ndarray:
    """Return the data set's coordinates from the scene's: turned, 250 times as large, moved."""
    turn = cv2.Rodrigues(np.array((0.3, -0.5, 0.2)))[0]
    dataset_from_world = np.eye(4)
    dataset_from_world[:3, :3] = 250 * turn
    dataset_from_world[:3, 3] = (10, -20, 600)
    return dataset_from_world


def moved(dataset_from_world: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Return a pose in the data set, rigid although the similarity has a scale."""
    result = dataset_from_world @ pose
    result[:3, :3] /= np.cbrt(np.linalg.det(dataset_from_world[:3, :3]))
    return result


def write_picture(path: Path, rgb: np.ndarray, alpha: np.ndarray | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    bgr = rgb[..., ::-1]
    if alpha is not None:
        bgr = np.dstack((bgr, alpha.astype(np.uint8) * 255))
    assert cv2.imwrite(str(path), bgr)


def write_mask(path: Path, mask: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), mask.astype(np.uint8) * 255)


def write_blender(folder: Path, split: str = "train", scene: Scene | None = None) -> Path:
    scene = scene or object_scene()
    frames = []
    for i, frame in enumerate(scene.frames):
        write_picture(folder / split / f"r_{i}.png", frame.rgb, scene.foreground[i])
        pose = frame.world_from_camera @ OPENGL
        frames.append({"file_path": f"./{split}/r_{i}", "transform_matrix": pose.tolist()})
    angle = 2 * np.arctan(0.5 * scene.camera.width_px / scene.camera.fx)
    listing = {"camera_angle_x": angle, "frames": frames}
    (folder / f"transforms_{split}.json").write_text(json.dumps(listing))
    return folder


def write_transforms_json(folder: Path, **fields: Any) -> Path:
    """Write intrinsics with each frame."""
    scene = object_scene()
    camera, frames = scene.camera, []
    for i, frame in enumerate(scene.frames):
        write_picture(folder / "images" / f"{i:03d}.png", frame.rgb)
        pose = frame.world_from_camera @ OPENGL
        frames.append(
            {
                "file_path": f"images/{i:03d}.png",
                "transform_matrix": pose.tolist(),
                "fl_x": camera.fx,
                "fl_y": camera.fy,
                "cx": camera.cx,
                "cy": camera.cy,
                "w": SIZE_PX,
                "h": SIZE_PX,
            }
        )
    (folder / "transforms.json").write_text(json.dumps({"frames": frames, **fields}))
    return folder


def intrinsic_matrix(camera: Camera) -> np.ndarray:
    return np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])


def write_dtu(
    folder: Path, masks: bool = True, digits: int = 6, scene: Scene | None = None
) -> Path:
    scene = scene or object_scene()
    scale, intrinsics = similarity(), np.eye(4)
    intrinsics[:3, :3] = intrinsic_matrix(scene.camera)
    matrices = {}
    for i, frame in enumerate(scene.frames):
        write_picture(folder / "image" / f"{i:0{digits}d}.png", frame.rgb)
        if masks:
            write_mask(folder / "mask" / f"{i:03d}.png", scene.foreground[i])
        camera_from_dataset = rigid_inverse(moved(scale, frame.world_from_camera))
        # A projection has no scale of its own.
        matrices[f"world_mat_{i}"] = (1 + i) * intrinsics @ camera_from_dataset
        matrices[f"scale_mat_{i}"] = scale
    np.savez(folder / "cameras_sphere.npz", **matrices)  # type: ignore[arg-type]
    return folder


def write_blended_mvs(folder: Path, scene: Scene | None = None) -> Path:
    scene = scene or object_scene()
    scale = similarity()
    for name in ("cams", "rendered_depth_maps"):
        (folder / name).mkdir(parents=True)
    for i, frame in enumerate(scene.frames):
        write_picture(folder / "blended_images" / f"{i:08d}.png", frame.rgb)
        write_picture(folder / "blended_images" / f"{i:08d}_masked.png", frame.rgb * 0)
        pfm = folder / "rendered_depth_maps" / f"{i:08d}.pfm"
        assert frame.depth_m is not None and cv2.imwrite(str(pfm), np.float32(250) * frame.depth_m)
        rows = rigid_inverse(moved(scale, frame.world_from_camera)).tolist()
        words = ["extrinsic", *(" ".join(map(repr, row)) for row in rows), "", "intrinsic"]
        words += [" ".join(map(repr, row)) for row in intrinsic_matrix(scene.camera).tolist()]
        (folder / "cams" / f"{i:08d}_cam.txt").write_text(
            "\n".join([*words, "", "1 0.5 128 64\n"])
        )
    (folder / "cams" / "pair.txt").write_text("12\n")
    return folder


PINHOLE = 1


def write_colmap(
    folder: Path,
    binary: bool = True,
    points: np.ndarray | None = None,
    scene: Scene | None = None,
) -> Path:
    """Write the files of COLMAP before it knew rigs; later versions read them too."""
    scene = scene or object_scene()
    scale = similarity()
    sparse = folder / "sparse" / "0"
    sparse.mkdir(parents=True)
    camera = scene.camera
    rows = []
    for i, frame in enumerate(scene.frames):
        # COLMAP lists pictures in any order; ours is by name.
        name = f"view_{i:03d}.png"
        write_picture(folder / "images" / name, frame.rgb)
        camera_from_dataset = rigid_inverse(moved(scale, frame.world_from_camera))
        x, y, z, w = rotation_to_quaternion(camera_from_dataset[:3, :3])
        rows.append((len(scene.frames) - i, (w, x, y, z), tuple(camera_from_dataset[:3, 3]), name))
    rows.sort()
    points = np.empty((0, 3)) if points is None else points
    in_dataset = points @ scale[:3, :3].T + scale[:3, 3]
    (_binary_model if binary else _text_model)(sparse, camera, rows, in_dataset)
    return folder


def _pinhole(camera: Camera) -> tuple[float, ...]:
    return (camera.fx, camera.fy, camera.cx, camera.cy)


def _text_model(sparse: Path, camera: Camera, rows: list[tuple], points: np.ndarray) -> None:
    size = f"{camera.width_px} {camera.height_px}"
    numbers = " ".join(map(repr, map(float, _pinhole(camera))))
    (sparse / "cameras.txt").write_text(f"# one\n1 PINHOLE {size} {numbers}\n")
    lines = []
    for image, quaternion, translation, name in rows:
        values = " ".join(repr(float(value)) for value in (*quaternion, *translation))
        lines += [f"{image} {values} 1 {name}", ""]
    (sparse / "images.txt").write_text("\n".join(lines) + "\n")
    lines = [f"{i + 1} {x!r} {y!r} {z!r} 9 9 9 0.1" for i, (x, y, z) in enumerate(points.tolist())]
    (sparse / "points3D.txt").write_text("\n".join(lines) + "\n")


def _binary_model(sparse: Path, camera: Camera, rows: list[tuple], points: np.ndarray) -> None:
    size = (camera.width_px, camera.height_px)
    packed = struct.pack("<QiiQQ4d", 1, 1, PINHOLE, *size, *_pinhole(camera))
    (sparse / "cameras.bin").write_bytes(packed)
    images = struct.pack("<Q", len(rows))
    for image, quaternion, translation, name in rows:
        images += struct.pack("<i7di", image, *quaternion, *translation, 1)
        images += name.encode() + b"\0" + struct.pack("<Q", 0)
    (sparse / "images.bin").write_bytes(images)
    cloud = struct.pack("<Q", len(points))
    for i, point in enumerate(points):
        cloud += struct.pack("<Q3d3BdQ", i + 1, *point, 9, 9, 9, 0.1, 0)
    (sparse / "points3D.bin").write_bytes(cloud)


def write_llff(folder: Path, full: int = 1) -> Path:
    """Write the object; the table is for pictures `full` times as large."""
    scene, rows = object_scene(), []
    camera = scene.camera
    for i, frame in enumerate(scene.frames):
        write_picture(folder / "images" / f"IMG_{i:03d}.png", frame.rgb)
        pose = moved(similarity(), frame.world_from_camera)
        right, down, forward, place = pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3]
        size = full * np.array((camera.height_px, camera.width_px, camera.fx))
        matrix = np.stack((down, right, -forward, place, size), axis=1)
        rows.append([*matrix.ravel(), 1.0, 9.0])
    np.save(folder / "poses_bounds.npy", np.array(rows))
    return folder
