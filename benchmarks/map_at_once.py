# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The map in the first minute on a CPU, beside TSDF fusion of the same frames.

A recording is streamed at its stamps into a live pipeline. Every tenth frame is held out. Some
seconds into the stream, and some after its end, frames stop, and when the mesh of what has come by
then has gone out it is rendered where held-out frames were taken so far. So is the TSDF of Open3D
with the same voxels, of all frames that came, and of those that became keyframes.

Time is that which this thread has spent on a core, so that other programs on the machine do not
count. torch and numba have one thread, as the other core of two decodes, judges and serves.

Held-out views of the TSDF are judged at the poses that were given. Where poses are refined, those
of the map are moved as the keyframe nearest in time was, so that both are judged where their own
frames lie; what the map is at the poses that were given is `ineus_as_given`.

Of pixels with a return: how far depth is off (no surface counts as depth 0), how many have a
surface, and the PSNR of colour (no surface is black); of those that both meshes cover, the same.
The exposure of a view that is held out is fitted on its left half, and colour judged on its right
one; `psnr_unfitted_db` does without.

Run: OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 python benchmarks/map_at_once.py FOLDER --out DIR
"""

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import open3d
import torch
from core_clock import CoreClock
from jaxtyping import Bool, Float, UInt8
from refined_poses import as_refined

from ineus_core.config import load_config
from ineus_core.evaluation import (
    ReferenceFusion,
    ReferenceFusionConfig,
    normal_colours,
    psnr,
    right_half,
    with_fitted_exposure,
)
from ineus_core.geometry import pixel_rays
from ineus_core.keyframes import believed_depth
from ineus_core.pipeline import NullSink, Pipeline
from ineus_core.reconstruction import Reconstructor
from ineus_core.sources import is_held_out, open_source
from ineus_core.types import Frame, Mesh

_HOLD_OUT = 10
_SHOWN = 3


@dataclass(frozen=True)
class View:
    """A mesh as a camera sees it."""

    rgb: UInt8[np.ndarray, "h w 3"]
    depth_m: Float[np.ndarray, "h w"]
    normal: Float[np.ndarray, "h w 3"]


class MeshViews:
    """Renders a mesh by casting rays; colours are interpolated between vertices."""

    def __init__(self, mesh: Mesh) -> None:
        """Build the tree of triangles."""
        self._mesh = mesh
        self._scene = open3d.t.geometry.RaycastingScene(nthreads=1)
        if len(mesh.triangles):
            self._scene.add_triangles(
                mesh.vertices.astype(np.float32), mesh.triangles.astype(np.uint32)
            )

    def of(self, frame: Frame) -> View:
        """Render what the camera of a frame sees."""
        size = frame.camera.height_px, frame.camera.width_px
        if len(self._mesh.triangles) == 0:
            return View(
                np.zeros((*size, 3), np.uint8), np.zeros(size, np.float32), np.zeros((*size, 3))
            )
        in_camera = pixel_rays(frame.camera)
        pose = frame.world_from_camera
        rays = np.concatenate(
            (np.broadcast_to(pose[:3, 3], in_camera.shape), in_camera @ pose[:3, :3].T), axis=-1
        ).astype(np.float32)
        found = self._scene.cast_rays(open3d.core.Tensor(rays), nthreads=1)
        range_m, uv = found["t_hit"].numpy(), found["primitive_uvs"].numpy()
        hit = np.isfinite(range_m)
        corners = self._mesh.triangles[np.where(hit, found["primitive_ids"].numpy(), 0)]
        share = np.stack((1 - uv[..., 0] - uv[..., 1], uv[..., 0], uv[..., 1]), axis=-1)
        rgb = (self._mesh.colours[corners] * share[..., None]).sum(axis=-2)
        return View(
            (rgb * hit[..., None]).round().astype(np.uint8),
            np.where(hit, range_m * in_camera[..., 2], 0).astype(np.float32),
            found["primitive_normals"].numpy() * hit[..., None],
        )


def figures_of(
    views: list[View], frames: list[Frame], others: list[View], returns: list[np.ndarray]
) -> dict[str, float]:
    """Mean figures of the views of a mesh, alone and where another one has a surface too."""
    rows = []
    for view, frame, other, is_return in zip(views, frames, others, returns, strict=True):
        assert frame.depth_m is not None
        both = is_return & (view.depth_m > 0) & (other.depth_m > 0)
        off_m = np.abs(view.depth_m - frame.depth_m)
        rgb = right_half(with_fitted_exposure(view.rgb, frame.rgb)), right_half(frame.rgb)
        rows.append(
            {
                "depth_l1_cm": 100 * off_m[is_return].mean(),
                "median_cm": 100 * np.median(off_m[is_return]),
                "psnr_db": psnr(*rgb, right_half(is_return)),
                "psnr_unfitted_db": psnr(view.rgb, frame.rgb, is_return),
                "covered": (view.depth_m > 0)[is_return].mean(),
                "both_depth_l1_cm": 100 * off_m[both].mean(),
                "both_psnr_db": psnr(*rgb, right_half(both)),
            }
        )
    return {name: round(float(np.mean([r[name] for r in rows])), 3) for name in rows[0]}


def fused(frames: Iterable[Frame], voxel_m: float, max_m: float) -> Mesh:
    """Return the TSDF of frames."""
    fusion = ReferenceFusion(ReferenceFusionConfig(voxel_size_m=voxel_m, max_depth_m=max_m))
    for frame in frames:
        fusion.integrate(frame)
    return fusion.mesh()


class Stream:
    """A recording on its way into a live pipeline."""

    def __init__(self, frames: list[Frame], arguments: argparse.Namespace) -> None:
        """Begin at the first stamp."""
        config = load_config(overrides=arguments.set)
        self.clock = CoreClock()
        self.reconstructor = Reconstructor(config, torch.device("cpu"))
        self.pipeline = Pipeline(
            self.reconstructor, NullSink(), config.pipeline, is_live=True, now_s=self.clock.now_s
        )
        self._frames, self._first_ns, self._next = frames, frames[0].stamp_ns, 0
        self.given: list[Frame] = []
        self.held_out: list[Frame] = []

    def run_until(self, due_s: float) -> None:
        """Submit frames as they become due, and tick."""
        while self.clock.now_s() < due_s:
            while self._next_due_s() <= min(self.clock.now_s(), due_s):
                self._submit()
            if self.reconstructor.is_ready or self.pipeline.has_waiting:
                self.pipeline.tick(self._first_ns + round(1e9 * self.clock.now_s()))
            else:
                self.clock.wait_until(min(self._next_due_s(), due_s))

    def await_mesh(self, longest_s: float = 5.0) -> float:
        """Tick until what has come is in the mesh that has gone out; return how long it took."""
        begin_s = self.clock.now_s()
        surface = self.reconstructor.reconstruction.surface
        while self.clock.now_s() < begin_s + longest_s:
            if not (self.pipeline.has_waiting or surface.dirty.known):
                break
            self.pipeline.tick(self._first_ns + round(1e9 * self.clock.now_s()))
        return self.clock.now_s() - begin_s

    def _next_due_s(self) -> float:
        if self._next == len(self._frames):
            return float("inf")
        return (self._frames[self._next].stamp_ns - self._first_ns) / 1e9

    def _submit(self) -> None:
        frame, index = self._frames[self._next], self._next
        self._next += 1
        if is_held_out(index, _HOLD_OUT):
            self.held_out.append(frame)
        else:
            self.given.append(frame)
            self.pipeline.submit(frame)


def measured(stream: Stream, moment: str, out: Path) -> dict[str, Any]:
    """Compare what has gone out with TSDFs, and show both."""
    reconstructor, frames = stream.reconstructor, stream.held_out
    depth, voxel_m = reconstructor.config.depth, reconstructor.config.meshing.voxel_size_m
    keyframes = {stamp for stamp, _ in reconstructor.keyframe_poses()}
    meshes = {
        "ineus": reconstructor.current_mesh(),
        "tsdf": fused(stream.given, voxel_m, depth.max_m),
        "tsdf_of_keyframes": fused(
            (frame for frame in stream.given if frame.stamp_ns in keyframes), voxel_m, depth.max_m
        ),
    }
    views = {name: [MeshViews(mesh).of(f) for f in frames] for name, mesh in meshes.items()}
    views["ineus_as_given"] = views["ineus"]
    ours = MeshViews(meshes["ineus"])
    views["ineus"] = [ours.of(f) for f in as_refined(frames, stream.given, stream.reconstructor)]
    returns: list[Bool[np.ndarray, "h w"]] = [believed_depth(f, depth)[1] for f in frames]
    row: dict[str, Any] = {
        "moment": moment,
        "steps": reconstructor.steps,
        "keyframes": len(keyframes),
        "frames": len(stream.given),
        "held_out": len(frames),
        "voxel_mm": 1e3 * voxel_m,
        "dirty": reconstructor.reconstruction.surface.dirty.known,
    }
    for name, seen in views.items():
        other = views["ineus" if name.startswith("tsdf") else "tsdf"]
        row[name] = figures_of(seen, frames, other, returns)
    row["triangles"] = {name: len(mesh.triangles) for name, mesh in meshes.items()}
    if reconstructor.reconstruction.fused is not None:
        volume = reconstructor.reconstruction.fused.volume
        shares = volume.shares[volume.slots_in_use]
        row["share_of_field"] = shares.mean(axis=0).round(3).tolist()
    _show(frames, views, out / f"{moment}.png")
    return row


def _show(frames: list[Frame], views: dict[str, list[View]], path: Path) -> None:
    """Write the camera's pictures, and colours and normals of both meshes beside them."""
    rows = []
    for index in np.linspace(0, len(frames) - 1, _SHOWN + 2).round().astype(int)[1:-1]:
        ours, theirs = views["ineus"][index], views["tsdf"][index]
        colours = [frames[index].rgb, ours.rgb, theirs.rgb]
        shapes = [normal_colours(v.normal.astype(np.float32), nothing=0) for v in (ours, theirs)]
        rows.append(np.concatenate([*colours, *shapes], axis=1))
    cv2.imwrite(str(path), np.concatenate(rows)[..., ::-1])


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", help="a source with depth")
    parser.add_argument("--at", type=float, default=10.0, help="seconds after the first frame")
    parser.add_argument("--after", type=float, default=60.0, help="seconds after its end; 0: no")
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=V")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    frames = list(open_source(arguments.folder))
    end_s = (frames[-1].stamp_ns - frames[0].stamp_ns) / 1e9
    # Kernels are compiled before a robot moves.
    Stream(frames[:10], arguments).run_until(5.0)
    stream = Stream(frames, arguments)
    moments = {"early": arguments.at}
    if arguments.after:
        moments["late"] = end_s + arguments.after
    for moment, due_s in moments.items():
        stream.run_until(due_s)
        lag_s = stream.await_mesh()
        at_s = stream.clock.now_s()
        row = measured(stream, moment, arguments.out)
        print(json.dumps(row | {"at_s": round(at_s, 2), "lag_s": round(lag_s, 2)}), flush=True)
        stream.clock.stand_still_from(at_s)


if __name__ == "__main__":
    main()
