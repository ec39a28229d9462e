# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What a run shows on the terminal: a bar with rate and time left, and a table at the end."""

from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from ineus_core.types import StepReport


class RunProgress:
    """A progress bar on stderr; one bar a phase.

    Args:
        name: What is being worked on.
    """

    def __init__(self, name: str) -> None:
        """Prepare the bar."""
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[rate]}"),
            console=self._console,
        )
        self._name, self._phase = name, ""
        self._task: TaskID | None = None

    def __enter__(self) -> "RunProgress":
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was."""
        self._bar.stop()

    def update(self, phase: str, share: float, report: StepReport | None) -> None:
        """Show the share of a phase that is done."""
        if phase != self._phase:
            self._phase = phase
            self._task = self._bar.add_task(f"{self._name}: {phase}", total=1.0, rate="")
        assert self._task is not None
        rate = ""
        if report is not None and report.samples_per_second:
            rate = f"step {report.step}, {report.samples_per_second / 1e6:.2f} M samples/s"
        self._bar.update(self._task, completed=share, rate=rate)

    def summary(self, out: Path, report: dict[str, Any]) -> None:
        """Print what came of the run."""
        table = Table(show_header=False)
        held_out = report["held_out"]
        rows = report["input"] | _chosen(report["chosen"])
        rows |= {
            "frames": f"{report['frames_used']} used, {report['frames_dropped']} dropped, "
            f"{report['keyframes']} keyframes",
            "training": f"{report['steps']} steps in {report['wall_s']:.1f} s, "
            f"{report['samples_per_second'] / 1e6:.2f} M samples/s on {report['device']}",
            "mesh": f"{report['mesh']['vertices']:,} vertices, "
            f"{report['mesh']['triangles']:,} triangles, "
            f"voxels of {1e3 * report['mesh']['voxel_size_m']:g} mm",
        }
        if held_out["frames"]:
            rows["held out"] = (
                f"{held_out['frames']} frames: PSNR {held_out['psnr']:.2f} dB, "
                f"SSIM {held_out['ssim']:.3f}"
            )
            if held_out["depth_l1_m"] is not None:
                rows["held out"] += f", depth L1 {held_out['depth_l1_m']:.4f} m"
        rows["written"] = f"{out}/mesh.ply, checkpoint/, renders/, report.json, report.html"
        for name, text in rows.items():
            table.add_row(name, text)
        Console().print(table)


def _chosen(chosen: dict[str, Any]) -> dict[str, str]:
    """Return what the input shows, and the settings that were chosen for it."""
    if not chosen["kind"]:
        return {}
    settings = ", ".join(f"{key}={_short(value)}" for key, value in chosen["settings"].items())
    return {"shows": f"{chosen['kind']}: {settings or 'all is set'}"}


def _short(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"[{','.join(f'{number:g}' for number in value)}]"
    return str(value)
