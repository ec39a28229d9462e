# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus bench`: throughput by stage on built-in work."""

import json
from typing import Annotated, Any

import typer


def command(
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.", metavar="D")] = "auto",
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=V", help="Set one key; repeatable.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure steps by stage, ingest, mesh and view on built-in scenes.

    On a GPU the sizes are those of published systems; on a CPU they are small.
    """
    from ineus_core.bench import run_bench
    from ineus_core.config import load_config, resolve_device

    load_config(None, overrides or ())
    result = run_bench(
        resolve_device(device), overrides or (), lambda what: typer.echo(f"{what} ...", err=True)
    )
    typer.echo(json.dumps(result, indent=1) if as_json else as_text(result))


def as_text(result: dict[str, Any]) -> str:
    """Show the figures as tables."""
    most = result["ceilings"]
    machine = dict(result["machine"])
    lines = [f"{machine.pop('device')}; " + ", ".join(f"{k} {v}" for k, v in machine.items())]
    lines.append(
        f"copy {most['copy_gb_per_s']:.0f} GB/s (read and written), "
        f"matrix product {most['matrix_tflop_per_s']:.3g} TFLOP/s"
    )
    for name, step in result["steps"].items():
        lines += ["", *_step_lines(name, step)]
    mesh, view = result["mesh"], result["render"]
    lines += [
        "",
        f"{'ingest of a keyframe':28}{result['ingest_ms']:10.3f} ms",
        f"{'mesh, dirty blocks':28}{mesh['dirty_ms']:10.3f} ms",
        f"{'mesh, everything':28}{mesh['full_ms']:10.3f} ms  "
        f"({mesh['triangles']:,} triangles, voxel {mesh['voxel_size_m']} m)",
        f"{'view':28}{view['ms']:10.3f} ms  ({view['width_px']} x {view['height_px']})",
    ]
    return "\n".join(lines)


def _step_lines(name: str, step: dict[str, Any]) -> list[str]:
    lines = [
        f"{name}: {step['rays']:,} rays, {step['samples']:,} samples, "
        f"{step['samples_per_second'] / 1e6:.3g} M samples/s",
        f"{'':28}{'ms':>10}{'of copy':>10}{'of matrix':>11}",
    ]
    for stage, figures in step["stages"].items():
        shares = (figures.get("copy_share"), figures.get("matrix_share"))
        copy, matrix = (f"{share:.0%}" if share is not None else "" for share in shares)
        lines.append(f"  {stage:26}{figures['ms']:10.3f}{copy:>10}{matrix:>11}".rstrip())
    return [
        *lines,
        f"  {'occupancy, a step':26}{step['occupancy_ms_a_step']:10.3f}",
        f"  {'whole step':26}{step['step_ms']:10.3f}",
    ]
