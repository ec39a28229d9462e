# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The measurement: steps and their stages, ingest, mesh and view."""

import datetime
import importlib.metadata
import platform
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from ineus_core.bench.costs import StepSize, stage_costs
from ineus_core.bench.timing import captured_ms, ceilings, median_ms, wall_ms
from ineus_core.bench.work import Work, built_in_work, prepared
from ineus_core.reconstruction import Reconstructor
from ineus_core.timing import Timers
from ineus_core.training import EagerStep
from ineus_core.types import Frame

_REPEATS = 5


def run_bench(
    device: torch.device,
    overrides: Sequence[str] = (),
    on_progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Measure everything on built-in work; numbers only, in milliseconds unless named otherwise.

    Args:
        overrides: Of the configuration, for both scenes.
        on_progress: Called with what is measured next.
    """
    on_progress("ceilings")
    result: dict[str, Any] = {"machine": machine(device), "ceilings": ceilings(device)}
    result["steps"] = {}
    for work in built_in_work(device):
        on_progress(work.name)
        reconstructor, frames = prepared(work, device, overrides)
        step, size = _step(work, reconstructor)
        if frames:
            on_progress("ingest, mesh, view")
            result |= _stream(reconstructor, frames)
        # Last, as stages that are called alone leave no sensible field.
        step["stages"] = _stages(work, reconstructor, size, result["ceilings"])
        result["steps"][work.name] = step
    if device.type == "cuda":
        result["peak_gpu_mb"] = torch.cuda.max_memory_allocated(device) / 1e6
    return result


def machine(device: torch.device) -> dict[str, str]:
    """Device, versions and date of a figure."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    versions = {package: _version(package) for package in ("triton", "numba")}
    return {
        "device": name,
        "threads": str(torch.get_num_threads()),
        "torch": torch.__version__,
        **{package: found for package, found in versions.items() if found},
        "python": platform.python_version(),
        "date": datetime.date.today().isoformat(),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _step(work: Work, reconstructor: Reconstructor) -> tuple[dict[str, Any], StepSize]:
    made, device = reconstructor.reconstruction, reconstructor.device
    train_step, field = made.train_step, made.field
    # Counters go back to 0, so that the steps before do not count.
    train_step.take_means()
    step_ms = median_ms(train_step, device, _REPEATS, work.steps // _REPEATS)
    _, samples, rays = train_step.take_means()
    steps = work.steps // _REPEATS * _REPEATS
    update_ms = median_ms(made.update_occupancy, device, _REPEATS)
    every = made.config.occupancy.update_every
    size = StepSize(
        samples=samples // steps,
        rays=rays // steps,
        levels=field.layout.levels,
        entries=field.layout.entries,
        hidden=field.config.hidden,
        outputs=field.config.geometry_features,
        parameters=sum(parameter.numel() for parameter in field.parameters()),
        touched=0,
    )
    figures = {
        "rays": size.rays,
        "samples": size.samples,
        "parameters": size.parameters,
        "step_ms": step_ms,
        "occupancy_ms_a_step": update_ms / every,
        "samples_per_second": size.samples / (step_ms + update_ms / every) * 1e3,
    }
    return figures, size


def _stages(
    work: Work, reconstructor: Reconstructor, size: StepSize, most: dict[str, float]
) -> dict[str, dict[str, float]]:
    step: Any = reconstructor.reconstruction.train_step
    if isinstance(step, EagerStep):
        return _timed_stages(work, reconstructor)
    gradients, *_ = step.gradients_once()
    touched = sum(int(gradient.count_nonzero()) for gradient in gradients.values())
    costs = stage_costs(StepSize(**{**vars(size), "touched": touched}))
    times = captured_stages(step.stages())
    stages: dict[str, dict[str, float]] = {name: {"ms": ms} for name, ms in times.items()}
    for name in stages.keys() & costs.keys():
        seconds, cost = times[name] / 1e3, costs[name]
        stages[name]["copy_share"] = cost.nbytes / seconds / most["copy_gb_per_s"] / 1e9
        if cost.flops:
            rate = cost.flops / seconds / most["matrix_tflop_per_s"]
            stages[name]["matrix_share"] = rate / 1e12
    return stages


def captured_stages(stages: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Return the time of each stage of a captured step in ms, replayed from a graph of its own."""
    times = {name: captured_ms(stage) for name, stage in stages.items()}

    def update_anew() -> None:
        # The optimiser clears the gradient, so that alone it would soon have nothing to do.
        stages["encode backward"]()
        stages["optimiser"]()

    times["optimiser"] = captured_ms(update_anew) - times["encode backward"]
    return times


def _timed_stages(work: Work, reconstructor: Reconstructor) -> dict[str, dict[str, float]]:
    """Of the step for every device, which has autograd and so one backward pass."""
    step, field = reconstructor.reconstruction.train_step, reconstructor.reconstruction.field
    assert isinstance(step, EagerStep)
    timers = Timers(reconstructor.device)
    encode = field._encode

    def timed(*args: Any) -> Any:
        with timers.stage("encode"):
            return encode(*args)

    # Autograd has no stage of its own for it: without this it would be in "field".
    field._encode = timed
    try:
        with step.timed(timers):
            for _ in range(work.steps):
                step()
    finally:
        field._encode = encode
    times = timers.take_means_ms()
    times["heads"] = times.pop("field") - times["encode"]
    order = ("draw", "place", "encode", "heads", "composite", "loss", "backward", "optimiser")
    return {name: {"ms": times[name]} for name in order}


def _stream(reconstructor: Reconstructor, frames: list[Frame]) -> dict[str, Any]:
    """As in a stream: a frame comes in, what it touched is meshed; then all of it, and a view."""
    device = reconstructor.device
    reconstructor.extract_mesh()
    ingest, dirty = [], []
    for frame in frames:
        ingest.append(wall_ms(partial(reconstructor.add_frame, frame), device))
        dirty.append(wall_ms(reconstructor.extract_mesh, device))
    times = [
        wall_ms(lambda: reconstructor.extract_mesh(everything=True), device)
        for _ in range(3 if device.type == "cuda" else 1)
    ]
    camera, pose = frames[0].camera, frames[0].world_from_camera
    views = [wall_ms(lambda: reconstructor.render(camera, pose), device) for _ in range(3)]
    mesh = reconstructor.current_mesh()
    return {
        "ingest_ms": statistics.median(ingest),
        "mesh": {
            "dirty_ms": statistics.median(dirty),
            "full_ms": statistics.median(times),
            "triangles": len(mesh.triangles),
            "voxel_size_m": reconstructor.config.meshing.voxel_size_m,
        },
        "render": {
            "width_px": camera.width_px,
            "height_px": camera.height_px,
            "ms": statistics.median(views),
        },
    }
