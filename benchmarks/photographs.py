# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Photographs to try `ineus colmap` on, from a walk around the built-in object, and their picture.

Its parts get spots of their own in place of checkers and stripes, which look the same all around
and would be taken for each other; `--repeating` keeps those.

Run: python benchmarks/photographs.py PICTURES [--frames 60] [--size-px 640] [--repeating]
     ineus colmap PICTURES --out SCENE
     python benchmarks/photographs.py PICTURES --scene SCENE            poses against the true ones
     ineus run SCENE --out RESULT --set training.background=white
     python benchmarks/photographs.py PICTURES --scene SCENE --result RESULT --picture out.jpg
The last one adds the F-score of the mesh against the true surface that the pictures see.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from ineus_core.cli.restore import restore
from ineus_core.evaluation import evaluate_mesh, render_mesh_picture
from ineus_core.evaluation.tanks_protocol import similarity_between
from ineus_core.files import replace_file
from ineus_core.meshing import moved_mesh, read_mesh
from ineus_core.sources import SyntheticConfig, SyntheticSource, orbit_poses
from ineus_core.sources.photographs.colmap import ColmapConfig, ColmapSource, read_model
from ineus_core.sources.synthetic.analytic_scene import AnalyticScene
from ineus_core.sources.synthetic.shapes import Texture
from ineus_core.types import Camera

_TILE_PX = 320
_RIM = 0.07
_SHOWN = (0.1, 0.5, 0.85)
"""Which pictures, by their place in the walk."""
# As near as a phone is held: perspective tells the focal length from the distance.
_DISTANCE_M = 2.1
_FOCAL_PER_WIDTH = 0.9
_ELEVATIONS_DEG = (-20.0, 15.0, 50.0)
_SPOTS_M = 0.06
_SHIFT = 5.7
_THRESHOLDS_M = (0.01, 0.02, 0.05)


def walk(frames: int, size_px: int, repeating: bool = False) -> SyntheticSource:
    """Render views of three rounds: from below, from the side and from above."""
    source = SyntheticSource(
        SyntheticConfig(
            scene="object", frames=frames, width_px=size_px, height_px=size_px, depth=False
        )
    )
    focal, middle = _FOCAL_PER_WIDTH * size_px, size_px / 2
    source.camera = Camera(size_px, size_px, focal, focal, middle, middle)
    source.world_from_camera = [
        pose
        for up in np.radians(_ELEVATIONS_DEG)
        for pose in orbit_poses(
            np.zeros(3),
            _DISTANCE_M * np.cos(up),
            _DISTANCE_M * np.sin(up),
            frames // len(_ELEVATIONS_DEG),
        )
    ]
    if not repeating:
        source.repaint(spotted)
    return source


def spotted(scene: AnalyticScene) -> AnalyticScene:
    """Return the same shapes and colours, but each part with spots that no other has."""
    groups = [
        [
            replace(
                part,
                texture=Texture(
                    "noise", part.texture.first, part.texture.second, _SPOTS_M, _SHIFT * index
                ),
            )
            for index, part in enumerate(group.parts, start=group.first)
        ]
        for group in scene.groups
    ]
    return AnalyticScene(groups, scene.aabb_m, scene.gloss)


def write_pictures(folder: Path, source: SyntheticSource) -> None:
    """Render the views and write them as JPEG."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, frame in enumerate(source):
        cv2.imwrite(str(folder / f"{index:03d}.jpg"), frame.rgb[..., ::-1])


def compare_poses(scene: Path, source: SyntheticSource) -> tuple[dict[str, float], np.ndarray]:
    """How far registered poses are from the true ones, and `true_from_model`."""
    plain = ColmapConfig.model_validate({"normalisation": {"enabled": False}})
    registered = ColmapSource(scene, plain)
    found = np.stack(registered.world_from_camera)
    model = read_model(scene / "sparse" / "0")
    names = sorted(model.images[i].name for i in model.reg_image_ids())
    true = np.stack([source.world_from_camera[int(Path(name).stem)] for name in names])
    true_from_model = similarity_between(found[:, :3, 3], true[:, :3, 3])
    centres = found[:, :3, 3] @ true_from_model[:3, :3].T + true_from_model[:3, 3]
    away_m = np.linalg.norm(centres - true[:, :3, 3], axis=1)
    rotation = true_from_model[:3, :3] / np.cbrt(np.linalg.det(true_from_model[:3, :3]))
    turned = np.swapaxes(true[:, :3, :3], 1, 2) @ rotation @ found[:, :3, :3]
    cosine = (np.trace(turned, axis1=1, axis2=2) - 1) / 2
    angle_deg = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    figures = {"pictures": float(len(source)), "registered": float(len(found))}
    for name, errors in (("centre_m", away_m), ("rotation_deg", angle_deg)):
        figures |= {f"{name}_median": float(np.median(errors)), f"{name}_max": float(errors.max())}
    return figures, true_from_model


def compare_mesh(
    result: Path, true_from_model: np.ndarray, source: SyntheticSource
) -> dict[str, object]:
    """F-scores of the mesh of a run, in the coordinates of the model, against what is visible."""
    mesh = moved_mesh(read_mesh(result / "mesh.ply"), true_from_model)
    figures = evaluate_mesh(mesh, source.reference_points(), _THRESHOLDS_M).to_json()
    return {name: figures[name] for name in ("f_score", "precision", "recall")}


def picture_of(scene: Path, result: Path) -> np.ndarray:
    """Draw some of the pictures, and below each the mesh from where it was taken."""
    photos = ColmapSource(scene)
    mesh = restore(result, "auto").reconstructor.mesh()
    columns = []
    for share in _SHOWN:
        frame = photos.frame(round(share * len(photos)))
        seen = render_mesh_picture(mesh, frame.world_from_camera, frame.camera)
        columns.append(np.concatenate([_tile(frame.rgb), _tile(seen)]))
    return np.concatenate(columns, axis=1)


def _tile(picture: np.ndarray) -> np.ndarray:
    """Return the middle of a picture, small."""
    height, width = picture.shape[:2]
    rim = round(_RIM * height), round(_RIM * width)
    middle = picture[rim[0] : height - rim[0], rim[1] : width - rim[1]]
    return cv2.resize(middle, (_TILE_PX, _TILE_PX), interpolation=cv2.INTER_AREA)


def main() -> None:
    """Write the pictures, or compare what became of them, and make a picture of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--size-px", type=int, default=640)
    parser.add_argument("--repeating", action="store_true")
    parser.add_argument("--scene", type=Path)
    parser.add_argument("--result", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    source = walk(arguments.frames, arguments.size_px, arguments.repeating)
    if arguments.scene is None:
        write_pictures(arguments.pictures, source)
        return
    figures, true_from_model = compare_poses(arguments.scene, source)
    print(json.dumps(figures))
    if arguments.result is not None:
        print(json.dumps(compare_mesh(arguments.result, true_from_model, source)))
        picture = picture_of(arguments.scene, arguments.result)[..., ::-1]
        path = arguments.picture or Path("photographs.jpg")
        _, encoded = cv2.imencode(path.suffix, picture)
        replace_file(path, encoded.tobytes())


if __name__ == "__main__":
    main()
