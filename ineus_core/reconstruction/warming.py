# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""All kernels of a configuration compiled and loaded before the first frame comes."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from ineus_core.kernels import dispatch
from ineus_core.reconstruction import estimated_depth
from ineus_core.reconstruction.config import ReconstructorConfig
from ineus_core.reconstruction.memory import spare_from_collection
from ineus_core.reconstruction.reconstructor import Reconstructor
from ineus_core.stereo import visit_all
from ineus_core.types import Camera, Frame

if TYPE_CHECKING:
    from ineus_core.kernels.compile_time import CompileTime
    from ineus_core.kernels.cpu_ahead import CompilingAhead

_LOG = logging.getLogger(__name__)
_CAMERA = Camera(64, 48, 60.0, 60.0, 32.0, 24.0)
_FRAMES = 2
_STEPS = 2
"""After which a captured step has been replayed."""
_FARTHEST_M = 4.0


def warm_up(config: ReconstructorConfig, device: torch.device) -> int:
    """Compile and load what a map runs, from frames to meshes and views; how many kernels.

    On a GPU all kernels are compiled at once, and those that are kept on disk loaded. Sizes of a
    scene, of its grid and of its images compile nothing anew. What this process has made by then
    is not looked at by Python's collector of garbage any more, which would hold up a stream.
    """
    begin_s = time.perf_counter()
    kernels = 0
    if dispatch.compiles_ahead(device):
        from ineus_core.kernels.ahead import compile_all, noted_launches

        launches = noted_launches(partial(_walk, config, device))
        compile_all(launches)
        kernels = len(launches)
    # Loads kernels to the device and lets torch make its own workspaces.
    _walk(config, device)
    if device.type == "cuda" and dispatch.compiles_for_host():
        from ineus_core.kernels import cpu_ahead

        # A live map would wait for each, with the interpreter's lock held; the walk is too short
        # to need them, and other processes may have compiled some meanwhile.
        cpu_ahead.load(cpu_operators(config, device))
    # The parts of the maps refer to each other, and would stay.
    spare_from_collection()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.empty_cache()
        # What a report tells is to be the map's, not the warm-up's.
        torch.cuda.reset_peak_memory_stats(device)
    _LOG.info("%d kernels ready after %.1f s", kernels, time.perf_counter() - begin_s)
    return kernels


def warm_up_gpu(config: ReconstructorConfig, device: torch.device) -> None:
    """Do as `warm_up` on a GPU, and nothing elsewhere; what fails is logged and left for later."""
    if device.type != "cuda":
        return
    try:
        warm_up(config, device)
    # What cannot be done ahead fails again, with its reason, when it is really needed.
    except Exception:
        _LOG.exception("kernels could not be compiled ahead; each is when it is first needed")


@contextmanager
def hears_of_compiling() -> "Iterator[CompileTime | None]":
    """Say how long CPU kernels are compiled meanwhile; None where no compiler is installed."""
    if not dispatch.compiles_for_host():
        yield None
        return
    from ineus_core.kernels.compile_time import CompileTime

    with CompileTime() as compile_time:
        yield compile_time


def compile_cpu_kernels_ahead(
    config: ReconstructorConfig, device: torch.device, processes: int | None = None
) -> "CompilingAhead | None":
    """Let other processes compile the CPU kernels that a map needs and that are not on disk.

    Nothing waits for them, and where nothing can be kept on disk none is started.

    Args:
        processes: At most so many; unless given, one for each core beside that of this process.
    """
    if not dispatch.compiles_for_host():
        return None
    from ineus_core.kernels import cpu_ahead

    try:
        return cpu_ahead.start(cpu_operators(config, device), processes)
    # What cannot be done ahead fails again, with its reason, when it is really needed.
    except Exception:
        _LOG.exception("CPU kernels are not compiled ahead; each is when it is first needed")
        return None


def cpu_operators(config: ReconstructorConfig, device: torch.device) -> set[str]:
    """Return the operators that run on the host: some do whatever device trains."""
    uses = {
        # Depth of another camera than the colour's, and of a node's or bag's compressed topics.
        "depth_splatting": True,
        "rvl": True,
        "plane_fitting": config.pose_refinement.enabled,
        "plane_alignment": config.pose_refinement.enabled,
        "plane_registration": config.pose_refinement.enabled,
        "pose_graph": config.pose_refinement.enabled,
        "bundle_adjustment": config.pose_refinement.enabled and config.pose_refinement.pictures,
        "depth_comparison": config.dynamic_objects.enabled,
        "hole_planes": config.completion.reference_views > 0,
        "colour_votes": config.completion.reference_views > 0,
    }
    if device.type == "cpu":
        for operator in ("occupancy", "observed_mask", "cell_lookup", "ray_marching", "adam"):
            uses[operator] = True
        uses |= {
            "nearest_disc": True,
            "hash_grid": config.field.backend in ("auto", "numba"),
            "depth_fusion": config.fusion.enabled,
            "voxel_evidence": config.fusion.enabled and config.dynamic_objects.enabled,
            "stereo_matching": config.stereo.enabled,
        }
    return {operator for operator, is_used in uses.items() if is_used}


@contextmanager
def _silence() -> Iterator[None]:
    """Let this thread not complain: that noise has no depth would be read as of one's images."""
    thread = threading.get_ident()

    def is_of_another(record: logging.LogRecord) -> bool:
        return record.thread != thread

    # Of nothing else does the walk complain.
    log = logging.getLogger(estimated_depth.__name__)
    log.addFilter(is_of_another)
    try:
        yield
    finally:
        log.removeFilter(is_of_another)


@_silence()
def _walk(config: ReconstructorConfig, device: torch.device) -> None:
    """Go the way of a frame once with depth and once without, on views of noise."""
    if config.stereo.enabled:
        visit_all(config.stereo, device)
    for has_depth in (True, False):
        frames = list(_frames(config, has_depth))
        made = Reconstructor(config, device)
        # Else frames without depth would wait for more of them, and nothing would be run.
        made.expect([frame.world_from_camera for frame in frames])
        for frame in frames:
            made.add_frame(frame)
        made.start()
        if not made.is_ready:
            continue
        for _ in range(_STEPS):
            made.step()
        started = made.reconstruction
        started.update_occupancy()
        made.extract_mesh(everything=True)
        made.render(_CAMERA, frames[0].world_from_camera)
        _ask_field(made)
        made.report()


def _ask_field(made: Reconstructor) -> None:
    """Ask the field for what a mesh or a view without a surface does not ask for."""
    field, device = made.reconstruction.field, made.device
    points = field.origin_m + 0.5 * field.side_m + torch.zeros((4, 3), device=device)
    directions = torch.tensor([[0.0, 0.0, 1.0]], device=device).expand(4, 3).contiguous()
    with torch.no_grad():
        field.sdf(points)
        field(points, directions)
        field.along_rays(points, directions, torch.arange(4, dtype=torch.int32, device=device))


def _frames(config: ReconstructorConfig, has_depth: bool) -> Iterator[Frame]:
    noise = np.random.default_rng(0)
    # Within the box where one is given, or nothing of the walk would be in it.
    centre_m = np.array(config.bounds.aabb or (0.0,) * 6).reshape(2, 3).mean(axis=0)
    far_m = 0.5 * (config.depth.min_m + min(config.depth.max_m, _FARTHEST_M))
    shape = (_CAMERA.height_px, _CAMERA.width_px)
    for number in range(_FRAMES):
        pose = np.eye(4)
        pose[:3, 3] = centre_m + np.array((0.1 * number, 0.0, 0.0))
        rgb = noise.integers(0, 256, (*shape, 3)).astype(np.uint8)
        depth_m = np.full(shape, far_m, dtype=np.float32) if has_depth else None
        yield Frame(number, _CAMERA, pose, rgb, depth_m)
