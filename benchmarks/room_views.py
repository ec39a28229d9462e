# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The pictures of the documentation: the mesh of the built-in room, and held-out views of it.

A view is a row: input, rendered colour, depth and normals.

Run: ineus run synthetic:room --hold-out 10 --out DIR, then
     python benchmarks/room_views.py DIR docs/images
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from ineus_core.cli.restore import restore
from ineus_core.evaluation import (
    depth_colours,
    depth_limits_m,
    normal_colours,
    overview_camera,
    render_mesh_picture,
)
from ineus_core.meshing import read_mesh
from ineus_core.pipeline import ComparedView, compare_view
from ineus_core.sources import is_held_out, open_source

_EVERY = 10
_ROWS = 3
_WIDTH_PX = 320
_GAP_PX = 6
_QUALITY = (cv2.IMWRITE_JPEG_QUALITY, 85)


def row(view: ComparedView) -> np.ndarray:
    """Put the four pictures side by side on white."""
    depth_m = view.image.depth_m
    depth = depth_colours(depth_m, *depth_limits_m(depth_m))
    pictures = (view.frame.rgb, view.image.rgb, depth, normal_colours(view.image.normal))
    gap = np.full((depth.shape[0], _GAP_PX, 3), 255, dtype=np.uint8)
    parts = [part for picture in pictures for part in (gap, picture.astype(np.uint8))][1:]
    return np.concatenate(parts, axis=1)


def main() -> None:
    """Render and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    reconstructor = restore(arguments.run, "auto").reconstructor
    frames = [f for i, f in enumerate(open_source("synthetic:room")) if is_held_out(i, _EVERY)]
    chosen = frames[1 :: max(1, len(frames) // _ROWS)][:_ROWS]
    rows = [row(compare_view(reconstructor, frame, _WIDTH_PX)) for frame in chosen]
    gap = np.full((_GAP_PX, rows[0].shape[1], 3), 255, dtype=np.uint8)
    parts = [part for picture in rows for part in (gap, picture)][1:]
    arguments.out.mkdir(parents=True, exist_ok=True)
    mesh = read_mesh(arguments.run / "mesh.ply")
    pictures = {
        "room_views.jpg": np.concatenate(parts, axis=0),
        "room_mesh.jpg": render_mesh_picture(mesh, *overview_camera(mesh)),
    }
    for name, picture in pictures.items():
        cv2.imwrite(str(arguments.out / name), picture[..., ::-1], _QUALITY)


if __name__ == "__main__":
    main()
