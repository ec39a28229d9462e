# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus run`: a recording or a data set through the pipeline, offline."""

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ineus_core.errors import ConfigError, IneusError, SourceError

if TYPE_CHECKING:
    from ineus_core.cli.interruption import Interruption
    from ineus_core.cli.live_page import RunPage
    from ineus_core.config import Config
    from ineus_core.pipeline import KindSettings, OfflineRun, RunLimits, RunResult
    from ineus_core.reconstruction import Reconstructor
    from ineus_core.sources import Source
    from ineus_core.types import StepReport


def command(
    path: Annotated[
        str,
        typer.Argument(
            help="Bag, data set folder, or a built-in scene: synthetic:room, synthetic:object, "
            "synthetic:machine, synthetic:corridor, synthetic:hall."
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for mesh, checkpoint, report.")],
    source: Annotated[
        str, typer.Option(metavar="KIND", help="Kind of the source; auto: by its content.")
    ] = "auto",
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML configuration file.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=V", help="Set one key; repeatable.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda or cuda:N.", metavar="D")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Random seed.")] = None,
    max_frames: Annotated[int, typer.Option(min=0, help="Maximum number of frames; 0: all.")] = 0,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Number of optimiser steps; after --resume, further ones."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="Wall time of training, s: stream and refinement.")
    ] = None,
    real_time: Annotated[
        float,
        typer.Option(min=0, metavar="FACTOR", help="Play frames at this speed; 0: no clock."),
    ] = 0.0,
    hold_out: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="Hold out every N-th frame for evaluation."),
    ] = 0,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail if the input contradicts itself.")
    ] = False,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="CKPT",
            help="Checkpoint to go on with: its map is kept, all frames of PATH are read again, "
            "and --steps or --seconds are those of this run, beside what was done before.",
        ),
    ] = None,
    resume_weights: Annotated[
        Path | None,
        typer.Option(metavar="CKPT", help="Checkpoint to begin the field with, at step 0."),
    ] = None,
    view: Annotated[
        bool, typer.Option("--view", help="Show the run on a live page in a browser.")
    ] = False,
) -> int:
    """Reconstruct a recording or a data set.

    Frames are used at their stamps, so that a run repeats. `torchrun --nproc-per-node N -m
    ineus_core.cli run ...` trains on N GPUs, each with as many rays. An interrupt ends the run
    with the checkpoint DIR/interrupted; a second one ends it at once.
    """
    if steps is not None and seconds is not None:
        raise ConfigError("--steps and --seconds: expected at most one of them")
    if hold_out == 1:
        raise ConfigError("--hold-out 1 leaves nothing to train on: expected 0 or at least 2")
    if resume is not None and resume_weights is not None:
        raise ConfigError("--resume and --resume-weights: expected at most one of them")
    from ineus_core.cli.given_paths import look_for_source
    from ineus_core.files import check_writable

    look_for_source(path, source)
    check_writable(out)
    from ineus_core.cli.interruption import Interrupted, Interruption

    interruption = Interruption(out)
    with interruption.heeded():
        try:
            from ineus_core.config import load_config
            from ineus_core.pipeline import RunLimits

            words = list(overrides or ())
            words += [f"device={device}"] if device is not None else []
            words += [f"seed={seed}"] if seed is not None else []
            words += [f"source.max_frames={max_frames}"] if max_frames else []
            limits = RunLimits(steps, seconds, real_time, hold_out, strict)
            given = load_config(config, words)
            start = _Start(path, source, resume, resume_weights)
            page = _run(start, given, limits, out, view, interruption)
        except Interrupted as error:
            print(f"ineus: {interruption.sentence(error)}", file=sys.stderr)
            return error.exit_code
    if page is not None:
        with page:
            page.stay()
    return 0


@dataclass(frozen=True)
class _Start:
    """What a run begins with."""

    path: str
    kind: str
    resume: Path | None
    resume_weights: Path | None

    def prepare(self, reconstructor: "Reconstructor", frames: "Source") -> None:
        """Let a reconstruction begin, or begin again."""
        from ineus_core.sources import dataset_from_world

        reconstructor.reset()
        if self.resume is not None:
            reconstructor.load(self.resume)
        if self.resume_weights is not None:
            reconstructor.load_weights(self.resume_weights)
        reconstructor.save_meshes_in(dataset_from_world(frames))


def _run(
    start: _Start,
    config: "Config",
    limits: "RunLimits",
    out: Path,
    view: bool,
    interruption: "Interruption",
) -> "RunPage | None":
    """Run, and return the page that still shows it, if one was asked for."""
    from ineus_core.config import resolve_device
    from ineus_core.pipeline import KindSettings, OfflineRun, settings_of_kind, with_settings
    from ineus_core.reconstruction import (
        Reconstructor,
        compile_cpu_kernels_ahead,
        warm_up_gpu,
    )
    from ineus_core.sources import open_source
    from ineus_core.training import device_of, process_group, ranks_of

    ranks = ranks_of(os.environ)
    for option, is_given in (("--real-time", limits.real_time), ("--view", view)):
        if ranks is not None and is_given:
            raise ConfigError(f"{option} with {ranks.count} processes: expected one process")
    frames = open_source(start.path, start.kind, config.told_source)
    device = device_of(ranks, resolve_device(config.device))
    chosen = KindSettings()
    if config.pipeline.choose_settings:
        chosen = settings_of_kind(frames, device)
        config, taken = with_settings(config, chosen.settings)
        chosen = KindSettings(chosen.kind, taken)
    compile_cpu_kernels_ahead(config, device)
    if device.type == "cuda":
        from ineus_core.cli.progress import RunProgress

        with RunProgress() as progress:
            progress.update("loading kernels (first use: compiling)", 0.0, None)
            # Time to train does not run while kernels compile.
            warm_up_gpu(config, device)
    reconstructor = Reconstructor(config, device, ranks)
    start.prepare(reconstructor, frames)
    # The others only train: one process measures and writes.
    if ranks is not None and not ranks.is_writer:
        with process_group(ranks, device):
            OfflineRun(frames, reconstructor, config.pipeline, limits).train()
        return None
    with ExitStack() as stack:
        page = None
        if view:
            page = stack.enter_context(_page(config, out, start.path, device.type))
        with process_group(ranks, device):
            interruption.watch(reconstructor)
            job = _Job(start, frames, config, chosen, limits, out)
            _train_and_write(job, reconstructor, interruption, page)
        # It outlives the run, whose results it still shows.
        stack.pop_all()
    return page


def _page(config: "Config", out: Path, title: str, device_type: str) -> "RunPage":
    from ineus_core.cli.live_page import RunPage

    return RunPage(config.viewer, out, title, device_type)


@dataclass(frozen=True)
class _Job:
    """A source, what is made of it, and how."""

    start: _Start
    frames: "Source"
    config: "Config"
    chosen: "KindSettings"
    """What the source shows; its settings are in `config`."""
    limits: "RunLimits"
    out: Path


def _train_and_write(
    job: _Job,
    reconstructor: "Reconstructor",
    interruption: "Interruption",
    page: "RunPage | None",
) -> None:
    from ineus_core.cli.interruption import Interrupted
    from ineus_core.cli.progress import RunProgress
    from ineus_core.pipeline import OfflineRun
    from ineus_core.reconstruction import hears_of_compiling

    with hears_of_compiling() as compiling, RunProgress(compiling=compiling) as progress:

        def tell(phase: str, share: float, report: "StepReport | None") -> None:
            interruption.enter(phase)
            progress.update(phase, share, report)

        def check() -> None:
            if page is not None:
                page.check()

        def on_progress(phase: str, share: float, report: "StepReport | None") -> None:
            tell(phase, share, report)
            check()

        def new_run() -> OfflineRun:
            run = OfflineRun(
                job.frames,
                reconstructor,
                job.config.pipeline,
                job.limits,
                on_progress,
                chosen=job.chosen,
                onlooker=page,
            )
            if page is not None:
                page.follow(run)
            return run

        try:
            # The first step may be half a minute away, while kernels compile.
            progress.update("preparing (first use: compiling)", 0.0, None)
            run, result = _run_or_again(
                new_run, lambda: job.start.prepare(reconstructor, job.frames), check
            )
            if not reconstructor.is_ready:
                dropped = ", ".join(f"{n} {reason}" for reason, n in job.frames.dropped.items())
                raise SourceError(
                    f"{job.start.path}: no frame could be used ({dropped or 'it has none'})"
                )
            tell("writing", 0.0, None)
            _write(job.start.path, job.out, result, job.config, reconstructor)
            why_empty = run.why_no_surface()
        except Interrupted:
            interruption.keep()
            raise
    interruption.forget()
    progress.summary(job.out, result.report)
    if why_empty:
        raise SourceError(f"{job.start.path}: {why_empty}")
    if result.measuring_error is not None:
        raise IneusError(
            f"{job.out}: all is written, but its views could not be compared with the frames: "
            f"{result.measuring_error}"
        ) from result.measuring_error


def _run_or_again(
    new_run: "Callable[[], OfflineRun]", prepare: Callable[[], None], check: Callable[[], None]
) -> "tuple[OfflineRun, RunResult]":
    """Run until nobody has pressed the reset of a page meanwhile."""
    from ineus_core.cli.live_page import BeginAgain

    while True:
        run = new_run()
        try:
            result = run.run()
            # Somebody may have pressed it while the result was measured.
            check()
            return run, result
        except BeginAgain:
            prepare()


def _write(
    path: str, out: Path, result: "RunResult", config: "Config", reconstructor: "Reconstructor"
) -> None:
    from ineus_core.evaluation import write_report
    from ineus_core.meshing import write_mesh
    from ineus_core.pipeline import save_renders, save_trajectory
    from ineus_core.sources import moved_pose

    mesh = reconstructor.current_mesh()
    # The file has the coordinates of the data set; the page below shows the world, where up is
    # known.
    write_mesh(reconstructor.mesh_to_save(), out / "mesh.ply")
    reconstructor.save(out / "checkpoint")
    save_renders(out / "renders", result.renders)
    # In the coordinates of the mesh beside it.
    to_dataset = reconstructor.dataset_from_world
    poses = {k: moved_pose(to_dataset, p) for k, p in reconstructor.keyframe_poses().items()}
    save_trajectory(poses, out / "trajectory.tum")
    report = {
        "source": path,
        **result.report,
        "dataset_from_world": to_dataset.tolist(),
        "config": config.model_dump(mode="json"),
    }
    name = Path(path).name or path
    write_report(out, report, result.panels, mesh, name, up=reconstructor.up)
