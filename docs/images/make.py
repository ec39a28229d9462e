# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Make the animation of the README: the built-in room, reconstructed while its frames come.

Every frame is followed by some steps of training, as in a live run, and what has been meshed by
then is seen from above, with the way of the camera and its present picture.

Run: python docs/images/make.py animation
"""

import argparse
import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ineus_core import Reconstructor, load_config, open_source, resolve_device
from ineus_core.evaluation import overview_camera, render_mesh_picture
from ineus_core.geometry import look_at, rigid_inverse
from ineus_core.types import Camera, Frame, Mesh

HERE = Path(__file__).resolve().parent
FRAMES = 60
STEPS_A_FRAME = 6
FURTHER_STEPS = 160
"""After the last frame, meshed every `STEPS_A_FRAME`, as long as the camera turns."""
SETTINGS = (f"source.synthetic.frames={FRAMES}", "meshing.voxel_size_m=0.03")
SIZE_PX = (800, 450)
INSET_PX = (208, 156)
PICTURE_MS, LAST_MS = 110, 2500
MOST_BYTES = 3_000_000
TURN_DEG = 24.0
_ORANGE, _WHITE, _DARK = (255, 150, 30), (255, 255, 255), (40, 44, 52)
_LOG = logging.getLogger("animation")


@dataclass(frozen=True)
class Moment:
    """What is known at a time."""

    mesh: Mesh
    frame: Frame
    frames: int
    poses: list[np.ndarray]


def moments() -> Iterator[Moment]:
    """Reconstruct the room, and tell after each frame what has become of it."""
    config = load_config(overrides=list(SETTINGS))
    reconstructor = Reconstructor(config, resolve_device(config.device))
    poses: list[np.ndarray] = []
    frame = None
    for index, frame in enumerate(open_source("synthetic:room", config=config.source)):
        reconstructor.add_frame(frame)
        poses.append(frame.world_from_camera)
        for _ in range(STEPS_A_FRAME):
            reconstructor.step()
        reconstructor.extract_mesh()
        _LOG.info("frame %d of %d, step %d", index + 1, FRAMES, reconstructor.steps)
        yield Moment(reconstructor.current_mesh(), frame, index + 1, list(poses))
    assert frame is not None
    turns = FURTHER_STEPS // STEPS_A_FRAME
    for turn in range(turns):
        reconstructor.refine(1.0 - turn / turns)
        for _ in range(STEPS_A_FRAME):
            reconstructor.step()
        reconstructor.extract_mesh(everything=turn % 4 == 3 or turn == turns - 1)
        _LOG.info("step %d", reconstructor.steps)
        yield Moment(reconstructor.current_mesh(), frame, FRAMES, poses)


def picture(moment: Moment, pose: np.ndarray, camera: Camera) -> np.ndarray:
    """Draw the surface, the way of the camera, where it is now and what it sees."""
    drawn = render_mesh_picture(moment.mesh, pose, camera)
    way = _on_picture(np.array([p[:3, 3] for p in moment.poses]), pose, camera)
    cv2.polylines(drawn, [way], False, _ORANGE, 1, cv2.LINE_AA, shift=4)
    for line in _frustum(moment.frame):
        cv2.polylines(drawn, [_on_picture(line, pose, camera)], False, _ORANGE, 1, cv2.LINE_AA, 4)
    small = cv2.resize(moment.frame.rgb, INSET_PX, interpolation=cv2.INTER_AREA)
    height, width = drawn.shape[:2]
    x, y = width - INSET_PX[0] - 12, height - INSET_PX[1] - 12
    cv2.rectangle(
        drawn, (x - 2, y - 2), (x + INSET_PX[0] + 1, y + INSET_PX[1] + 1), _WHITE, cv2.FILLED
    )
    drawn[y : y + INSET_PX[1], x : x + INSET_PX[0]] = small
    text = f"frame {moment.frames} of {FRAMES}   {len(moment.mesh.triangles):,} triangles"
    place, font = (14, height - 16), cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(drawn, text, place, font, 0.5, _DARK, 1, cv2.LINE_AA)
    return drawn


def _frustum(frame: Frame, length_m: float = 0.5) -> list[np.ndarray]:
    """Return lines, as points of the world, around what a camera sees."""
    camera = frame.camera
    corners = np.array(((0, 0), (1, 0), (1, 1), (0, 1), (0, 0)))
    size, centre = (camera.width_px, camera.height_px), (camera.cx, camera.cy)
    rays = (corners * size - centre) / (camera.fx, camera.fy) * length_m
    rim = np.column_stack((rays, np.full(len(rays), length_m)))
    rotation, eye = frame.world_from_camera[:3, :3], frame.world_from_camera[:3, 3]
    rim = rim @ rotation.T + eye
    return [rim, *(np.stack((eye, corner)) for corner in rim[:4])]


def _on_picture(points: np.ndarray, pose: np.ndarray, camera: Camera) -> np.ndarray:
    """Project to sixteenths of pixels, as OpenCV draws smooth lines."""
    camera_from_world = rigid_inverse(pose)
    there = points @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
    x = camera.fx * there[:, 0] / there[:, 2] + camera.cx
    y = camera.fy * there[:, 1] / there[:, 2] + camera.cy
    return np.rint(np.stack((x, y), axis=1) * 16).astype(np.int32)


def turned(pose: np.ndarray, centre: np.ndarray, angle_deg: float) -> np.ndarray:
    """Turn a camera about a vertical axis."""
    c, s = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    turn = np.array(((c, -s, 0), (s, c, 0), (0, 0, 1)))
    eye, target = pose[:3, 3], pose[:3, 3] + pose[:3, 2]
    there = [centre + turn @ (point - centre) for point in (eye, target)]
    return look_at(there[0], there[1], np.array((0.0, 0.0, 1.0)))


def animation() -> Path:
    """Reconstruct, draw and write `live.webp`."""
    known = list(moments())
    last = known[-1].mesh
    pose, camera = overview_camera(last, *SIZE_PX)
    centre = np.median(last.vertices, axis=0)
    angles = TURN_DEG * (np.linspace(-0.5, 0.5, len(known)))
    pictures = []
    for moment, angle in zip(known, angles, strict=True):
        pictures.append(Image.fromarray(picture(moment, turned(pose, centre, angle), camera)))
        _LOG.info("picture %d of %d", len(pictures), len(known))
    durations = [PICTURE_MS] * (len(pictures) - 1) + [LAST_MS]
    path = HERE / "live.webp"
    for quality in (70, 60, 50, 40, 30):
        out = io.BytesIO()
        pictures[0].save(
            out,
            "WEBP",
            save_all=True,
            append_images=pictures[1:],
            duration=durations,
            loop=0,
            quality=quality,
            method=6,
        )
        if out.tell() < MOST_BYTES:
            break
    path.write_bytes(out.getvalue())
    print(f"{path}: {len(pictures)} pictures, {out.tell():,} bytes, quality {quality}")
    return path


def main() -> None:
    """Make what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["animation"])
    parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    animation()


if __name__ == "__main__":
    main()
