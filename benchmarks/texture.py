# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How well a textured mesh shows held-out views, beside the field that its colours are from.

A picture has rows of views: the camera's, the field's, the textured mesh's.

Run: ineus run synthetic:room --hold-out 10 --out DIR, then
     python benchmarks/texture.py DIR --source synthetic:room --hold-out 10 --out out/texture
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from ineus_core.cli.restore import restore
from ineus_core.evaluation import psnr, render_textured_picture
from ineus_core.meshing import moved_mesh, textured, write_textured_mesh
from ineus_core.pipeline import compare_view
from ineus_core.sources import is_held_out, open_source

_WIDTH_PX = 640
_ROWS = 3


def main() -> None:
    """Make the texture, render and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--source", required=True)
    parser.add_argument("--hold-out", type=int, default=10)
    parser.add_argument("--texture", type=int, default=4096)
    parser.add_argument("--voxel-size", type=float)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    reconstructor = restore(arguments.run, "auto", arguments.voxel_size).reconstructor
    mesh = reconstructor.mesh()
    begin_s = time.perf_counter()
    made = textured(mesh, arguments.texture, reconstructor.surface_colours)
    print(f"{len(mesh.triangles):,} triangles textured in {time.perf_counter() - begin_s:.1f} s")
    saved = replace(made, mesh=moved_mesh(made.mesh, reconstructor.dataset_from_world))
    write_textured_mesh(saved, arguments.out / "mesh.glb")
    frames = [
        frame
        for index, frame in enumerate(open_source(arguments.source))
        if is_held_out(index, arguments.hold_out)
    ]
    figures, rows = [], []
    for frame in frames:
        view = compare_view(reconstructor, frame, _WIDTH_PX)
        pose, camera = view.frame.world_from_camera, view.frame.camera
        seen = render_textured_picture(made, pose, camera)
        figures.append([psnr(seen, view.frame.rgb), view.figures["psnr"]])
        rows.append(np.concatenate((view.frame.rgb, view.image.rgb, seen), axis=1))
    means = np.mean(figures, axis=0)
    print(f"held-out PSNR of {len(frames)} views: mesh {means[0]:.2f} dB, field {means[1]:.2f} dB")
    chosen = rows[1 :: max(1, len(rows) // _ROWS)][:_ROWS]
    picture = np.concatenate(chosen, axis=0)
    cv2.imwrite(str(arguments.out / "views.jpg"), picture[..., ::-1])
    cv2.imwrite(str(arguments.out / "texture.jpg"), made.texture[..., ::-1])


if __name__ == "__main__":
    main()
