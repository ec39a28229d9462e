# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus run`: a recording or a data set through the pipeline, offline."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ineus_core.errors import ConfigError, SourceError

if TYPE_CHECKING:
    from ineus_core.cli.interruption import Interruption
    from ineus_core.config import Config
    from ineus_core.pipeline import KindSettings, RunLimits, RunResult
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
    steps: Annotated[int | None, typer.Option(min=1, help="Number of optimiser steps.")] = None,
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
        Path | None, typer.Option(metavar="CKPT", help="Checkpoint to resume from.")
    ] = None,
    resume_weights: Annotated[
        Path | None,
        typer.Option(metavar="CKPT", help="Checkpoint to begin the field with, at step 0."),
    ] = None,
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
    from ineus_core.files import check_source_exists, check_writable

    if source == "auto" and _names_a_file(path):
        check_source_exists(Path(path))
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
            _run(path, source, given, limits, out, resume, resume_weights, interruption)
        except Interrupted as error:
            print(f"ineus: {interruption.sentence(error)}", file=sys.stderr)
            return error.exit_code
    return 0


def _names_a_file(path: str) -> bool:
    """Decide whether nothing but a file or folder can be meant, without loading any source."""
    # Loading takes seconds, mostly torch's; a program that has registered a kind of its own, whose
    # paths may be anything, has loaded them already.
    loaded = "ineus_core.sources" in sys.modules
    return not loaded and ":" not in path and path != "synthetic"


def _run(
    path: str,
    kind: str,
    config: "Config",
    limits: "RunLimits",
    out: Path,
    resume: Path | None,
    resume_weights: Path | None,
    interruption: "Interruption",
) -> None:
    from ineus_core.config import resolve_device
    from ineus_core.pipeline import KindSettings, OfflineRun, settings_of_kind, with_settings
    from ineus_core.reconstruction import Reconstructor, warm_up_gpu
    from ineus_core.sources import dataset_from_world, open_source
    from ineus_core.training import device_of, process_group, ranks_of

    ranks = ranks_of(os.environ)
    if ranks is not None and limits.real_time:
        raise ConfigError(f"--real-time with {ranks.count} processes: expected one process")
    frames = open_source(path, kind, config.told_source)
    device = device_of(ranks, resolve_device(config.device))
    chosen = KindSettings()
    if config.pipeline.choose_settings:
        chosen = settings_of_kind(frames, device)
        config, taken = with_settings(config, chosen.settings)
        chosen = KindSettings(chosen.kind, taken)
    # Time to train does not run while kernels compile.
    warm_up_gpu(config, device)
    reconstructor = Reconstructor(config, device, ranks)
    if resume is not None:
        reconstructor.load(resume)
    if resume_weights is not None:
        reconstructor.load_weights(resume_weights)
    reconstructor.save_meshes_in(dataset_from_world(frames))
    with process_group(ranks, device):
        if ranks is None or ranks.is_writer:
            interruption.watch(reconstructor)
            job = _Job(path, frames, config, chosen, limits, out)
            _train_and_write(job, reconstructor, interruption)
        else:
            OfflineRun(frames, reconstructor, config.pipeline, limits).train()


@dataclass(frozen=True)
class _Job:
    """A source, what is made of it, and how."""

    path: str
    frames: "Source"
    config: "Config"
    chosen: "KindSettings"
    """What the source shows; its settings are in `config`."""
    limits: "RunLimits"
    out: Path


def _train_and_write(
    job: _Job, reconstructor: "Reconstructor", interruption: "Interruption"
) -> None:
    from ineus_core.cli.interruption import Interrupted
    from ineus_core.cli.progress import RunProgress
    from ineus_core.pipeline import OfflineRun

    with RunProgress(job.path) as progress:

        def on_progress(phase: str, share: float, report: "StepReport | None") -> None:
            interruption.enter(phase)
            progress.update(phase, share, report)

        try:
            run = OfflineRun(
                job.frames,
                reconstructor,
                job.config.pipeline,
                job.limits,
                on_progress,
                chosen=job.chosen,
            )
            result = run.run()
            if not reconstructor.is_ready:
                dropped = ", ".join(f"{n} {reason}" for reason, n in job.frames.dropped.items())
                raise SourceError(
                    f"{job.path}: no frame could be used ({dropped or 'it has none'})"
                )
            on_progress("writing", 0.0, None)
            _write(job.out, result, job.config, reconstructor)
            why_empty = run.why_no_surface()
        except Interrupted:
            interruption.keep()
            raise
    interruption.forget()
    progress.summary(job.out, result.report)
    if why_empty:
        raise SourceError(f"{job.path}: {why_empty}")


def _write(
    out: Path, result: "RunResult", config: "Config", reconstructor: "Reconstructor"
) -> None:
    from ineus_core.evaluation import write_report
    from ineus_core.meshing import write_mesh
    from ineus_core.pipeline import save_renders, save_trajectory

    mesh = reconstructor.current_mesh()
    write_mesh(reconstructor.mesh_to_save(), out / "mesh.ply")
    reconstructor.save(out / "checkpoint")
    save_renders(out / "renders", result.renders)
    save_trajectory(reconstructor.keyframe_poses(), out / "trajectory.tum")
    report = {
        **result.report,
        "dataset_from_world": reconstructor.dataset_from_world.tolist(),
        "config": config.model_dump(mode="json"),
    }
    write_report(out, report, result.panels, mesh, up=reconstructor.up)
