# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Surfaces that the depth sensor never returns, of ineus and of a TSDF beside it.

The built-in room, from 60 frames, without depth on parts of two walls and of a cabinet's front,
on a screen and on two balls, in every frame. Of the true surface the share that is within 2 and
5 cm of the mesh (recall), and of the mesh that within 2 and 5 cm of the true surface (precision),
for these parts and for the rest. A place of the mesh belongs to the true surface nearest to it.

The TSDF needs Open3D, and is left out without it.

Run: python benchmarks/failing_depth.py [--steps N] [--device DEVICE] [--set KEY=VALUE ...]
"""

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from rgbd_room import rendered_frames
from scipy.spatial import cKDTree

from ineus_core.config import load_config
from ineus_core.evaluation.reference_fusion import ReferenceFusion
from ineus_core.evaluation.surface_samples import sample_surface
from ineus_core.geometry import cached_pixel_rays
from ineus_core.meshing.io import write_mesh
from ineus_core.reconstruction import Reconstructor
from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.types import Frame, Mesh

_SAMPLES = 600_000
_WITHIN_M = (0.02, 0.05)


def box(low: tuple[float, ...], high: tuple[float, ...]) -> Callable[..., Any]:
    """Whether points lie in a box."""
    return lambda points: ((points >= low) & (points <= high)).all(axis=-1)


def ball(centre: tuple[float, ...], radius_m: float, above_m: float) -> Callable[..., Any]:
    """Whether points lie in a ball and above what it lies on."""
    return lambda points: (
        (np.linalg.norm(points - np.array(centre), axis=-1) < radius_m)
        & (points[..., 2] > above_m)
    )


FAILING: dict[str, Callable[..., Bool[np.ndarray, "..."]]] = {
    "wall with stripes": box((0.6, -2.03, 1.1), (1.4, -1.97, 1.9)),
    "wall with noise": box((-1.9, 1.97, 1.0), (-1.1, 2.03, 1.8)),
    "cabinet's front": box((2.0, -0.95, 0.2), (2.06, -0.45, 0.7)),
    "screen": box((2.165, -1.09, 0.845), (2.24, -0.31, 1.32)),
    "ball on the floor": ball((1.30, -1.45, 0.20), 0.215, 0.02),
    "ball on the table": ball((-0.15, 0.12, 0.89), 0.145, 0.775),
}
"""Which points of the room's surface the sensor does not return."""


def part_of(
    points: Float[np.ndarray, "n 3"], names: Iterable[str] = FAILING
) -> Int[np.ndarray, " n"]:
    """Return the number of the named part that each point belongs to, from 1; 0 if to none."""
    part = np.zeros(points.shape[:-1], dtype=np.int64)
    for number, name in enumerate(names, start=1):
        part[FAILING[name](points)] = number
    return part


def points_of(frame: Frame) -> Float[np.ndarray, "h w 3"]:
    """Return where each pixel's return lies in the world; the camera itself without one."""
    assert frame.depth_m is not None
    rays, pose = cached_pixel_rays(frame.camera, 1), frame.world_from_camera
    return (rays * (frame.depth_m / rays[..., 2])[..., None]) @ pose[:3, :3].T + pose[:3, 3]


def failing_pixels(frame: Frame, names: Iterable[str] = FAILING) -> Bool[np.ndarray, "h w"]:
    """Return which pixels of a frame with nearly exact depth show the named parts."""
    return part_of(points_of(frame), names) > 0


def without_returns(frame: Frame) -> Frame:
    """Return a frame that lacks the depth of the failing parts."""
    depth_m = np.where(failing_pixels(frame), np.float32(0), frame.depth_m)
    return replace(frame, depth_m=depth_m)


def figures(source: SyntheticSource, mesh: Mesh) -> dict[str, Any]:
    """Recall and precision in per cent, by part."""
    reference = source.reference_points(400_000)
    places = sample_surface(mesh, _SAMPLES, 0).positions
    to_mesh_m = cKDTree(places).query(reference, workers=-1)[0]
    of_reference = part_of(reference)
    of_mesh = of_reference[cKDTree(reference).query(places, workers=-1)[1]]
    off_m = np.abs(source.sdf(places))
    groups = {
        "failing": (of_reference > 0, of_mesh > 0),
        "rest": (of_reference == 0, of_mesh == 0),
    }
    for number, name in enumerate(FAILING, start=1):
        groups[name] = of_reference == number, of_mesh == number
    return {
        name: {"recall": _shares(to_mesh_m[true]), "precision": _shares(off_m[ours])}
        for name, (true, ours) in groups.items()
    }


def _shares(distances_m: Float[np.ndarray, " n"]) -> list[float] | None:
    if not len(distances_m):
        return None
    return [round(100 * float(np.mean(distances_m < limit)), 1) for limit in _WITHIN_M]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--set", action="append", default=[], metavar="A.B=V")
    parser.add_argument("--mesh", default="", help="where to write the mesh, if at all")
    arguments = parser.parse_args()
    scene = SyntheticConfig(frames=60, width_px=320, height_px=240, noise=arguments.noise)
    source = SyntheticSource(scene)
    frames = [without_returns(frame) for frame in rendered_frames(scene)]
    if find_spec("open3d") is not None:
        fusion = ReferenceFusion()
        for frame in frames:
            fusion.integrate(frame)
        print("TSDF", json.dumps(figures(source, fusion.mesh())), flush=True)
    reconstructor = Reconstructor(
        load_config(overrides=arguments.set), torch.device(arguments.device)
    )
    for frame in frames:
        reconstructor.add_frame(frame)
    settling = int(0.3 * arguments.steps)
    for step in range(arguments.steps):
        left = arguments.steps - step
        if left <= settling:
            reconstructor.refine(left / settling)
        reconstructor.step()
    mesh = reconstructor.mesh()
    if arguments.mesh:
        write_mesh(mesh, arguments.mesh)
    print("ineus", json.dumps(figures(source, mesh)))


if __name__ == "__main__":
    main()
