# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A signal ends `ineus run` with what it has learnt, whole files, and a sentence that says so."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command import CommandResult
from registered_source import registered_source
from tiny_scene import room_source

from ineus_core.config_model import ConfigModel
from ineus_core.meshing import read_mesh
from ineus_core.reconstruction import read_checkpoint
from ineus_core.sources import ReadOptions
from ineus_core.types import Frame

Ineus = Callable[..., CommandResult]

FRAMES = 6
SMALL = (
    "device=cpu", "field.levels=4", "field.log2_entries=12", "field.hidden=16",
    "training.rays_per_step=64", "meshing.voxel_size_m=0.2", "pipeline.steps_per_tick=2",
    "pipeline.refine_steps=4",
)  # fmt: skip


class EndingConfig(ConfigModel):
    """The section `source.ending`."""

    at_frame: int = 0
    number: int = 0
    """Of the signal; 0 is none."""
    times: int = 1


class EndingSource:
    """A room from which this process gets a signal while it reads."""

    def __init__(self, path: str | Path, config: EndingConfig, options: ReadOptions) -> None:
        source = room_source(FRAMES)
        self.dropped, self._frames, self._config = source.dropped, list(source), config

    def __len__(self) -> int:
        return FRAMES

    def __iter__(self) -> Iterator[Frame]:
        for index, frame in enumerate(self._frames):
            if index == self._config.at_frame and self._config.number:
                for _ in range(self._config.times):
                    os.kill(os.getpid(), self._config.number)
            yield frame


@pytest.fixture
def run(ineus: Ineus, tmp_path: Path) -> Iterator[Callable[..., CommandResult]]:
    """Run with signals: `run(at_frame=3, number=15)`; results are in `tmp_path / "out"`."""

    def make(*words: str | Path, **settings: int) -> CommandResult:
        given = [*SMALL, *(f"source.ending.{name}={value}" for name, value in settings.items())]
        options = [word for setting in given for word in ("--set", setting)]
        source = ("room", "--source", "ending")
        return ineus("run", *source, "--out", tmp_path / "out", *options, *words)

    # A job that a shell has in the background begins with SIGINT ignored, under nohup with SIGHUP.
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.SIGHUP: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    }
    with registered_source("ending", EndingSource, EndingConfig):
        yield make
    for number, handler in before.items():
        signal.signal(number, handler)


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_between_steps_keeps_the_steps_and_says_where(
    run: Callable[..., CommandResult], tmp_path: Path, number: signal.Signals
) -> None:
    result = run(at_frame=3, number=number)
    assert result.exit_code == 128 + number, result.stderr
    out = tmp_path / "out"
    # On a busy machine lines of the progress come before it.
    lines = [line for line in result.stderr.splitlines() if "has ended the run" in line]
    expected = f"{number.name} has ended the run after 8 steps; written to {out}: interrupted"
    assert lines == [f"ineus: {expected}; go on with --resume {out / 'interrupted'}"]
    assert left(out) == ["interrupted"]
    assert read_checkpoint(out / "interrupted")[1]["step"] == 8
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    # What was kept can be gone on with, and makes room for the results of a whole run.
    result = run("--resume", out / "interrupted")
    assert result.exit_code == 0, result.stderr
    assert left(out) == [
        "checkpoint", "mesh.ply", "renders", "report.html", "report.json", "trajectory.tum",
    ]  # fmt: skip


def test_results_of_an_older_run_stay_and_are_told_apart(
    run: Callable[..., CommandResult], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert run().exit_code == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    result = run(at_frame=1, number=signal.SIGTERM)
    assert result.exit_code == 143
    assert "interrupted; as before the run: checkpoint, mesh.ply, renders" in result.stderr
    kept = {path for path in out.rglob("*") if path.is_file() and path not in before}
    assert {path.parent.name for path in kept} == {"interrupted"}
    assert {path: path.read_bytes() for path in before} == before


def test_before_the_first_step_nothing_is_left(
    run: Callable[..., CommandResult], tmp_path: Path
) -> None:
    result = run(at_frame=0, number=signal.SIGTERM)
    assert result.exit_code == 143
    assert f"after 0 steps; written to {tmp_path / 'out'}: nothing" in result.stderr
    assert left(tmp_path / "out") == []


def test_a_second_signal_waits_for_nothing(
    run: Callable[..., CommandResult], tmp_path: Path
) -> None:
    result = run(at_frame=3, number=signal.SIGINT, times=2)
    assert result.exit_code == 130
    assert "SIGINT has ended the run after 6 steps" in result.stderr and "nothing" in result.stderr
    assert left(tmp_path / "out") == []


@pytest.mark.parametrize("write", [1, 2, 4, 6, 9])
def test_a_signal_while_results_are_written_leaves_whole_files(
    run: Callable[..., CommandResult],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: int,
) -> None:
    """Whatever is being written: the signal comes with one of the first writes to the disk."""
    synced, sync = [0], os.fsync

    def end(descriptor: int) -> None:
        synced[0] += 1
        if synced[0] == write:
            os.kill(os.getpid(), signal.SIGTERM)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", end)
    result = run()
    assert result.exit_code == 143
    out = tmp_path / "out"
    names = set(left(out))
    assert "after 16 steps" in result.stderr and all(name in result.stderr for name in names)
    # The field is there once, under one of two names.
    (kept,) = names & {"checkpoint", "interrupted"}
    assert read_checkpoint(out / kept)[1]["step"] == 16
    assert not [name for name in names if name.startswith(".")]
    if "mesh.ply" in names:
        assert len(read_mesh(out / "mesh.ply").triangles) > 10
