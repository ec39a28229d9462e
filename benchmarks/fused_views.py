# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Held-out views of a run on a CPU: of the map, which the mesh is made of, and of the field alone.

Both are rendered from the checkpoint of one run, at most 320 pixels wide. Depth and coverage are
of pixels with a return, where no surface counts as depth 0. PSNR is of all pixels, and of those
with a return, where no surface is black; also of the right half after a fit of exposure on the
left one. `both` is of pixels with a return where both views show a surface. Time is that of one
core for one view.

Run: OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 python benchmarks/fused_views.py RUN SOURCE --out DIR
RUN is the folder of `ineus run SOURCE --hold-out 10 --device cpu`.
"""

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import UInt8

from ineus_core.config import load_config
from ineus_core.evaluation import normal_colours, psnr, right_half, with_fitted_exposure
from ineus_core.keyframes import believed_depth
from ineus_core.pipeline.held_out import FULL_WIDTH_PX, reduced_frame
from ineus_core.reconstruction import Reconstructor
from ineus_core.sources import is_held_out, open_source
from ineus_core.types import Frame, RenderedImage

_HOLD_OUT = 10
_SHOWN = 4


def figures_of(
    image: RenderedImage, other: RenderedImage, frame: Frame, map_: Reconstructor
) -> dict[str, float]:
    """Compare a view with the frame that was taken there, also where another one shows surface."""
    assert frame.depth_m is not None
    is_return = believed_depth(frame, map_.config.depth)[1]
    off_m = np.abs(image.depth_m - frame.depth_m)
    both = is_return & (image.depth_m > 0) & (other.depth_m > 0)
    fitted = right_half(with_fitted_exposure(image.rgb, frame.rgb)), right_half(frame.rgb)
    return {
        "depth_l1_cm": 100 * off_m[is_return].mean(),
        "median_cm": 100 * np.median(off_m[is_return]),
        "covered": (image.depth_m > 0)[is_return].mean(),
        "psnr_db": psnr(image.rgb, frame.rgb),
        "psnr_fitted_db": psnr(*fitted),
        "psnr_of_returns_db": psnr(image.rgb, frame.rgb, is_return),
        "psnr_of_returns_fitted_db": psnr(*fitted, right_half(is_return)),
        "both_depth_l1_cm": 100 * off_m[both].mean(),
        "both_psnr_db": psnr(image.rgb, frame.rgb, both),
        "both_psnr_fitted_db": psnr(*fitted, right_half(both)),
    }


def row_of(frame: Frame, images: list[RenderedImage]) -> UInt8[np.ndarray, "h w 3"]:
    """Show the camera's picture, then the colours of views, then their normals."""
    normals = [normal_colours(image.normal, nothing=0) for image in images]
    return np.concatenate([frame.rgb, *(image.rgb for image in images), *normals], axis=1)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("run", type=Path)
    parser.add_argument("source")
    parser.add_argument("--out", type=Path, required=True, help="folder for the picture")
    parser.add_argument("--frames", type=int, help="of the source that the run had")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    maps = {}
    for name, is_fused in (("map", "true"), ("field", "false")):
        config = load_config(overrides=[f"fusion.enabled={is_fused}"])
        maps[name] = Reconstructor(config, torch.device("cpu"))
        maps[name].load(arguments.run / "checkpoint")
    taken = list(open_source(arguments.source))[: arguments.frames]
    frames = [
        reduced_frame(frame, FULL_WIDTH_PX["cpu"])
        for index, frame in enumerate(taken)
        if is_held_out(index, _HOLD_OUT)
    ]
    views: dict[str, list[RenderedImage]] = {}
    core_s: dict[str, float] = {}
    for name, map_ in maps.items():
        # The first one compiles.
        map_.render(frames[0].camera, frames[0].world_from_camera)
        begin_s = time.thread_time()
        views[name] = [map_.render(f.camera, f.world_from_camera) for f in frames]
        core_s[name] = (time.thread_time() - begin_s) / len(frames)
    for name, other in (("map", "field"), ("field", "map")):
        rows = [
            figures_of(*pair, frame, maps[name])
            for *pair, frame in zip(views[name], views[other], frames, strict=True)
        ]
        means = {key: round(float(np.mean([row[key] for row in rows])), 3) for key in rows[0]}
        took = {"of": name, "views": len(frames), "core_s": round(core_s[name], 2)}
        print(json.dumps(took | means))
    shown = np.linspace(0, len(frames) - 1, min(_SHOWN, len(frames))).round().astype(int)
    picture = [row_of(frames[i], [views["field"][i], views["map"][i]]) for i in shown]
    arguments.out.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(arguments.out / "views.png"), np.concatenate(picture)[..., ::-1])


if __name__ == "__main__":
    main()
