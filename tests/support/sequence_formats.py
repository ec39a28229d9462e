# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A walk through the built-in room, written in the layouts of sequences of other programs."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from scene_formats import OPENGL, intrinsic_matrix, moved, similarity, write_picture

from ineus_core.geometry import rigid_inverse, rotation_to_quaternion
from ineus_core.sources import ReadOptions, SyntheticConfig, SyntheticSource
from ineus_core.types import Camera, Frame

WALK_FRAMES = 14
MIRROR_Y = np.diag((1.0, -1.0, 1.0, 1.0))
ARKIT_FROM_WORLD = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""ARKit has y up."""


@dataclass(frozen=True)
class Walk:
    """Rendered frames of one camera."""

    camera: Camera
    frames: list[Frame]


@cache
def room_walk() -> Walk:
    """Return the same frames for every layout."""
    # A part of the walk, so that neighbours overlap well.
    config = SyntheticConfig(scene="room", frames=60, width_px=160, height_px=120)
    source = SyntheticSource(config, ReadOptions(max_frames=WALK_FRAMES))
    return Walk(source.camera, list(source))


def depth_of(frame: Frame) -> np.ndarray:
    assert frame.depth_m is not None
    return frame.depth_m


def numbers(values: np.ndarray) -> str:
    return " ".join(repr(float(value)) for value in values.reshape(-1))


def write_millimetres(path: Path, depth_m: np.ndarray, values_per_m: float = 1000.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.round(depth_m * values_per_m)
    assert cv2.imwrite(str(path), np.where(values < 65535, values, 0).astype(np.uint16))


def integer_centred(camera: Camera) -> np.ndarray:
    """Return the intrinsic matrix with pixel centres at integers."""
    matrix = intrinsic_matrix(camera)
    matrix[:2, 2] -= 0.5
    return matrix


def write_redwood(folder: Path) -> Path:
    """Write pictures counted from 0, and a log whose numbers count from 1."""
    walk, lines = room_walk(), []
    for i, frame in enumerate(walk.frames):
        write_picture(folder / "room-color" / f"{i:05d}.png", frame.rgb)
        write_millimetres(folder / "room-depth" / f"{i:05d}.png", depth_of(frame))
        lines += [f"{i} {i} {i + 1}", *map(numbers, frame.world_from_camera)]
    (folder / "room-traj.txt").write_text("\n".join(lines) + "\n")
    matrix = integer_centred(walk.camera).T.reshape(-1).tolist()
    camera = {"width": 160, "height": 120, "intrinsic_matrix": matrix}
    (folder / "camera_intrinsic.json").write_text(json.dumps(camera))
    return folder


def write_in_order(folder: Path) -> Path:
    """Write the layout of slambook: from 1, depth as PGM, poses of 7 numbers in order."""
    walk, lines = room_walk(), []
    for i, frame in enumerate(walk.frames):
        write_picture(folder / "color" / f"{i + 1}.png", frame.rgb)
        write_millimetres(folder / "depth" / f"{i + 1}.pgm", depth_of(frame))
        lines.append(_seven(frame))
    (folder / "pose.txt").write_text("\n".join(lines) + "\n")
    np.savetxt(folder / "K.txt", integer_centred(walk.camera), fmt="%.12g")
    return folder


def write_side_by_side(folder: Path) -> Path:
    """Write colour, depth and poses into one folder, as scripts at a robot's arm do."""
    walk, lines = room_walk(), []
    for i, frame in enumerate(walk.frames):
        write_picture(folder / f"image_{i:04d}.png", frame.rgb)
        write_millimetres(folder / f"depth_{i:04d}.png", depth_of(frame))
        lines.append(f"{i:04d} {_seven(frame)}")
    (folder / "poses.txt").write_text("\n".join(lines) + "\n")
    np.savetxt(folder / "K.txt", integer_centred(walk.camera), fmt="%.12g")
    return folder


def write_counted(folder: Path) -> Path:
    """Write pictures that are counted, and poses of a program that knew their stamps."""
    folder = write_side_by_side(folder)
    lines = [f"{1e9 + 0.1 * i:.1f} {_seven(frame)}" for i, frame in enumerate(room_walk().frames)]
    (folder / "poses.txt").write_text("\n".join(lines) + "\n")
    return folder


def _seven(frame: Frame) -> str:
    """Return `tx ty tz qx qy qz qw`."""
    pose = frame.world_from_camera
    return f"{numbers(pose[:3, 3])} {numbers(rotation_to_quaternion(pose[:3, :3]))}"


def write_icl(folder: Path) -> Path:
    """Write pictures from 0, poses from 1 in a left-handed world, cameras with y up."""
    walk, lines = room_walk(), []
    for i, frame in enumerate(walk.frames):
        write_picture(folder / "rgb" / f"{i + 1}.png", frame.rgb)
        write_millimetres(folder / "depth" / f"{i + 1}.png", depth_of(frame), 5000.0)
        pose = MIRROR_Y @ frame.world_from_camera @ MIRROR_Y
        quaternion = rotation_to_quaternion(pose[:3, :3])
        lines.append(f"{i + 1} {numbers(pose[:3, 3])} {numbers(quaternion)}")
    write_picture(folder / "rgb" / "0.png", walk.frames[0].rgb)
    (folder / "livingRoom0.gt.freiburg").write_text("\n".join(lines) + "\n")
    np.savetxt(folder / "K.txt", integer_centred(walk.camera), fmt="%.12g")
    return folder


def write_semantic_nerf(folder: Path) -> Path:
    walk, lines = room_walk(), []
    for i, frame in enumerate(walk.frames):
        write_picture(folder / "rgb" / f"rgb_{i}.png", frame.rgb)
        write_millimetres(folder / "depth" / f"depth_{i}.png", depth_of(frame))
        lines.append(numbers(frame.world_from_camera))
    (folder / "traj_w_c.txt").write_text("\n".join(lines) + "\n")
    np.savetxt(folder / "K.txt", integer_centred(walk.camera), fmt="%.12g")
    return folder


def write_scannet(folder: Path) -> Path:
    walk = room_walk()
    for name in ("pose", "intrinsic"):
        (folder / name).mkdir(parents=True)
    for i, frame in enumerate(walk.frames):
        write_picture(folder / "color" / f"{i}.png", frame.rgb)
        write_millimetres(folder / "depth" / f"{i}.png", depth_of(frame))
        np.savetxt(folder / "pose" / f"{i}.txt", frame.world_from_camera, fmt="%.12g")
    matrix = np.eye(4)
    matrix[:3, :3] = integer_centred(walk.camera)
    for name in ("color", "depth"):
        np.savetxt(folder / "intrinsic" / f"intrinsic_{name}.txt", matrix, fmt="%.12g")
    return folder


def write_replica(folder: Path) -> Path:
    """Write the layout of NICE-SLAM."""
    walk, lines = room_walk(), []
    for i, frame in enumerate(walk.frames):
        write_picture(folder / "room" / "results" / f"frame{i:06d}.png", frame.rgb)
        write_millimetres(
            folder / "room" / "results" / f"depth{i:06d}.png", depth_of(frame), 6553.5
        )
        lines.append(numbers(frame.world_from_camera))
    (folder / "room" / "traj.txt").write_text("\n".join(lines) + "\n")
    k = integer_centred(walk.camera)
    camera = {"w": 160, "h": 120, "fx": k[0, 0], "fy": k[1, 1], "cx": k[0, 2], "cy": k[1, 2]}
    (folder / "cam_params.json").write_text(json.dumps({"camera": {**camera, "scale": 6553.5}}))
    return folder / "room"


def write_3dmatch(folder: Path) -> Path:
    """Write what nvblox and tsdf-fusion have: one file of intrinsics for all sequences."""
    walk, sequence = room_walk(), folder / "seq-01"
    sequence.mkdir(parents=True)
    for i, frame in enumerate(walk.frames):
        write_picture(sequence / f"frame-{i:06d}.color.png", frame.rgb)
        write_millimetres(sequence / f"frame-{i:06d}.depth.png", depth_of(frame))
        np.savetxt(sequence / f"frame-{i:06d}.pose.txt", frame.world_from_camera, fmt="%.12g")
    np.savetxt(folder / "camera-intrinsics.txt", integer_centred(walk.camera), fmt="%.12g")
    return folder


def write_polycam(folder: Path) -> Path:
    walk, keyframes = room_walk(), folder / "keyframes"
    (keyframes / "cameras").mkdir(parents=True)
    for i, frame in enumerate(walk.frames):
        name = str(7_000_000 + 33 * i)
        write_picture(keyframes / "images" / f"{name}.png", frame.rgb)
        write_millimetres(keyframes / "depth" / f"{name}.png", depth_of(frame))
        pose = ARKIT_FROM_WORLD @ frame.world_from_camera @ OPENGL
        fields = {f"t_{row}{column}": pose[row, column] for row in range(3) for column in range(4)}
        camera = walk.camera
        fields |= {"fx": camera.fx, "fy": camera.fy, "cx": camera.cx, "cy": camera.cy}
        fields |= {"width": 160, "height": 120, "blur_score": 90.0}
        (keyframes / "cameras" / f"{name}.json").write_text(json.dumps(fields))
    return folder


def write_stray_scanner(folder: Path) -> Path:
    walk = room_walk()
    folder.mkdir(parents=True)
    codec = cv2.VideoWriter.fourcc(*"mp4v")
    video = cv2.VideoWriter(str(folder / "rgb.mp4"), codec, 60, (160, 120))
    lines = ["timestamp, frame, x, y, z, qx, qy, qz, qw"]
    for i, frame in enumerate(walk.frames):
        video.write(np.ascontiguousarray(frame.rgb[..., ::-1]))
        write_millimetres(folder / "depth" / f"{i:06d}.png", depth_of(frame))
        pose = ARKIT_FROM_WORLD @ frame.world_from_camera
        values = (*pose[:3, 3], *rotation_to_quaternion(pose[:3, :3]))
        lines.append(", ".join((repr(0.1 * i), f"{i:06d}", *(repr(float(v)) for v in values))))
    video.release()
    (folder / "odometry.csv").write_text("\n".join(lines) + "\n")
    np.savetxt(folder / "camera_matrix.csv", intrinsic_matrix(walk.camera), "%.12g", ", ")
    return folder


def write_record3d(folder: Path) -> Path:
    """Write no depth, which a package of its own unpacks."""
    walk, poses = room_walk(), []
    for i, frame in enumerate(walk.frames):
        write_picture(folder / "rgbd" / f"{i}.jpg", frame.rgb)
        pose = ARKIT_FROM_WORLD @ frame.world_from_camera @ OPENGL
        poses.append([*rotation_to_quaternion(pose[:3, :3]).tolist(), *pose[:3, 3].tolist()])
    matrix = intrinsic_matrix(walk.camera).T.reshape(-1).tolist()
    content = {"w": 160, "h": 120, "dw": 32, "dh": 24, "fps": 10, "K": matrix, "poses": poses}
    (folder / "metadata").write_text(json.dumps(content))
    return folder


def write_sdfstudio(folder: Path) -> Path:
    """Write poses in a world of its own, in which the room is small."""
    walk, frames = room_walk(), []
    world_from_file = similarity() @ np.diag((0.1, 0.1, 0.1, 1.0))
    scale = np.cbrt(np.linalg.det(world_from_file[:3, :3]))
    lens = np.eye(4)
    lens[:3, :3] = intrinsic_matrix(walk.camera)
    for i, frame in enumerate(walk.frames):
        write_picture(folder / f"{i:06d}_rgb.png", frame.rgb)
        np.save(folder / f"{i:06d}_sensor_depth.npy", depth_of(frame) / np.float32(scale))
        pose = moved(np.linalg.inv(world_from_file), frame.world_from_camera)
        frames.append(
            {
                "rgb_path": f"{i:06d}_rgb.png",
                "camtoworld": pose.tolist(),
                "intrinsics": lens.tolist(),
                "sensor_depth_path": f"{i:06d}_sensor_depth.npy",
                "mono_depth_path": f"{i:06d}_depth.npy",
            }
        )
    content = {"height": 120, "width": 160, "worldtogt": world_from_file.tolist()}
    (folder / "meta_data.json").write_text(json.dumps({**content, "frames": frames}))
    return folder


def write_monosdf(folder: Path) -> Path:
    """Write the middle of the pictures, halved, beside projections of the whole ones."""
    walk, scale, lens, matrices = room_walk(), similarity(), np.eye(4), {}
    lens[:3, :3] = intrinsic_matrix(walk.camera)
    for i, frame in enumerate(walk.frames):
        middle = cv2.resize(frame.rgb[:, 20:140], (60, 60), interpolation=cv2.INTER_AREA)
        write_picture(folder / f"{i:06d}_rgb.png", middle)
        np.save(folder / f"{i:06d}_depth.npy", np.zeros((60, 60), np.float32))
        matrices[f"world_mat_{i}"] = lens @ rigid_inverse(moved(scale, frame.world_from_camera))
        matrices[f"scale_mat_{i}"] = scale
    np.savez(folder / "cameras.npz", **matrices)  # type: ignore[arg-type]
    return folder
