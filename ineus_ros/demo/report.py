# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What the demo has shown: its table, and what would make it a failure."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

THRESHOLD_M = 0.05
LEAST_F_SCORE = 0.9


def shortfalls(report: Mapping[str, Any]) -> list[str]:
    """List what falls short of the demo's promise, a line each; none if all is well."""
    lines = []
    f_score = report["evaluation"]["mesh"]["f_score"][f"{THRESHOLD_M:g}"] or 0.0
    if f_score < LEAST_F_SCORE:
        lines.append(
            f"F-score {100 * f_score:.1f} % at {100 * THRESHOLD_M:g} cm: "
            f"expected at least {100 * LEAST_F_SCORE:g} %"
        )
    waiting = report["frames_waiting"]
    if waiting:
        lines.append(f"{waiting} frames were received, but neither used nor counted as dropped")
    lost, reported = report["frames_lost"], report["frames_lost_reported"]
    # DDS may lose images, and that is no failure; one that nobody has counted is.
    if lost != reported:
        lines.append(f"{lost} frames were lost on the way, but the node counted {reported}")
    if report["node_exit_code"]:
        lines.append(f"the node ended with code {report['node_exit_code']}: expected 0")
    return lines


def print_table(report: Mapping[str, Any], console: Console) -> None:
    """Show what arrived, and whether every frame is accounted for."""
    metrics, mesh = report["evaluation"]["mesh"], report["mesh"]
    f_score, precision, recall = (
        f"{100 * metrics[name][f'{THRESHOLD_M:g}']:.1f} %"
        for name in ("f_score", "precision", "recall")
    )
    sent, received, lost = (report[f"frames_{name}"] for name in ("sent", "in", "lost"))
    used, dropped, waiting = (report[f"frames_{name}"] for name in ("used", "dropped", "waiting"))
    rows = {
        "F-score at 5 cm": f"[bold]{f_score}[/]",
        "precision, recall at 5 cm": f"{precision}, {recall}",
        "mean distance to the true surface": f"{100 * metrics['accuracy_m']:.1f} cm",
        "frames sent = received + lost": f"{sent} = {received} + {lost}",
        "received = used + dropped + waiting": f"{received} = {used} + {dropped} + {waiting}",
        "keyframes, steps": f"{report['keyframes']}, {report['steps']}",
        "mesh over the topic": f"{mesh['triangles']} triangles in {mesh['messages']} messages",
        "time": f"{report['wall_s']:.0f} s",
    }
    table = Table(title="The mesh that arrived on /ineus/mesh", show_header=False)
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)
