# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Photographs to try `ineus colmap` on, from a walk around the built-in object, and their picture.

Run: python benchmarks/photographs.py PICTURES [--frames 48] [--size-px 480]
     ineus colmap PICTURES --out SCENE && ineus run SCENE --out RESULT
     python benchmarks/photographs.py PICTURES --result RESULT --picture photographs.jpg
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from ineus_core.cli.restore import restore
from ineus_core.evaluation import overview_camera, render_mesh_picture
from ineus_core.files import replace_file
from ineus_core.sources import SyntheticConfig, SyntheticSource, orbit_poses

_HEIGHT_PX = 300
_DISTANCE_M = 3.0
_ELEVATIONS_DEG = (15.0, 50.0)


def write_pictures(folder: Path, frames: int, size_px: int) -> None:
    """Render views of two rounds, one from above the other, and write them as JPEG."""
    source = SyntheticSource(
        SyntheticConfig(
            scene="object", frames=frames, width_px=size_px, height_px=size_px, depth=False
        )
    )
    low, high = (
        orbit_poses(np.zeros(3), _DISTANCE_M * np.cos(up), _DISTANCE_M * np.sin(up), frames // 2)
        for up in np.radians(_ELEVATIONS_DEG)
    )
    source.world_from_camera = [*low, *high]
    folder.mkdir(parents=True, exist_ok=True)
    for index, frame in enumerate(source):
        cv2.imwrite(str(folder / f"{index:03d}.jpg"), frame.rgb[..., ::-1])


def picture_of(folder: Path, result: Path) -> np.ndarray:
    """Three of the pictures over each other, and the mesh beside them."""
    paths = sorted(folder.glob("*.jpg"))
    side = _HEIGHT_PX // 3
    chosen = [cv2.imread(str(path)) for path in paths[:: max(1, len(paths) // 3)][:3]]
    column = np.concatenate([cv2.resize(p, (side, side)) for p in chosen if p is not None])
    reconstructor = restore(result, "auto").reconstructor
    mesh = reconstructor.mesh()
    pose, camera = overview_camera(mesh, 4 * side, _HEIGHT_PX, reconstructor.up)
    return np.concatenate((column, render_mesh_picture(mesh, pose, camera)[..., ::-1]), axis=1)


def main() -> None:
    """Write the pictures, or the picture of a run on them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--size-px", type=int, default=480)
    parser.add_argument("--result", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    if arguments.result is None:
        write_pictures(arguments.pictures, arguments.frames, arguments.size_px)
        return
    picture = picture_of(arguments.pictures, arguments.result)
    path = arguments.picture or Path("photographs.jpg")
    _, encoded = cv2.imencode(path.suffix, picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
    replace_file(path, encoded.tobytes())


if __name__ == "__main__":
    main()
