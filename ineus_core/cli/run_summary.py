# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The rows of the table at the end of a run: what came of it, and what was left out and why."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ineus_core.pipeline import figures_text


def summary_rows(out: Path, report: Mapping[str, Any]) -> dict[str, str]:
    """Return names and texts, in order; what was 0 has no row."""
    rows = dict(report["input"]) | _chosen(report["chosen"])
    rows |= {
        "frames": f"{report['frames_used']} used, {report['frames_dropped']} dropped"
        f"{_reasons(report['dropped'])}, {report['keyframes']} keyframes",
        **_of_depth(report["counters"]),
        **_of_bounds(report["counters"]),
        **_of_stamps(report["counters"]),
        "training": f"{_steps(report)} in {report['wall_s']:.1f} s, "
        f"{report['samples_per_second'] / 1e6:.2f} M samples/s on {report['device']}",
        "mesh": f"{report['mesh']['vertices']:,} vertices, "
        f"{report['mesh']['triangles']:,} triangles, "
        f"voxels of {1e3 * report['mesh']['voxel_size_m']:g} mm",
    }
    held_out = report["held_out"]
    if held_out["frames"]:
        rows["held out"] = f"{held_out['frames']} frames: {figures_text(held_out)}"
    elif held_out.get("every"):
        rows["held out"] = f"none: fewer than {held_out['every']} frames came (--hold-out)"
    rows["written"] = f"{out}/mesh.ply, checkpoint/, renders/, report.json, report.html"
    return rows


def _steps(report: Mapping[str, Any]) -> str:
    """Return the steps of this run, and of all if it went on with a checkpoint."""
    total, before = report["steps"], report["steps_before"]
    return f"{total - before} steps" + (f" (after {before} of the checkpoint)" if before else "")


def _chosen(chosen: Mapping[str, Any]) -> dict[str, str]:
    """Return what the input shows, and the settings that were chosen for it."""
    if not chosen["kind"]:
        return {}
    settings = ", ".join(f"{key}={_short(value)}" for key, value in chosen["settings"].items())
    return {"shows": f"{chosen['kind']}: {settings or 'all is set'}"}


def _short(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"[{','.join(f'{number:g}' for number in value)}]"
    return str(value)


def _reasons(dropped: Mapping[str, int]) -> str:
    told = ", ".join(f"{count} {reason}" for reason, count in dropped.items() if count)
    return f" ({told})" if told else ""


def _of_depth(counters: Mapping[str, int]) -> dict[str, str]:
    """Return what the sensor has not measured: filled, estimated, or left out without depth."""
    rows: dict[str, str] = {}
    filled, measured = (counters.get(f"depth_pixels_{name}", 0) for name in ("filled", "measured"))
    if filled:
        share = 100 * filled / (filled + measured)
        rows["depth filled"] = f"{filled:,} pixels of keyframes, {share:.1f} % of their depth"
    estimated = counters.get("keyframes_with_estimate", 0)
    if estimated:
        rows["depth estimated"] = f"of {estimated} keyframes without depth, from their pictures"
    left_out = {
        "their pictures do not tell it": counters.get("keyframes_without_estimate", 0),
        "came too soon": counters.get("keyframes_without_time_for_depth", 0),
    }
    told = [f"{count} keyframes ({why})" for why, count in left_out.items() if count]
    if told:
        rows["without depth"] = f"{', '.join(told)}"
    return rows


def _of_bounds(counters: Mapping[str, int]) -> dict[str, str]:
    """Return how many frames the map does not reach, and what would help."""
    outside, anew = (counters.get(key, 0) for key in ("frames_out_of_bounds", "maps_begun_anew"))
    if not outside:
        return {}
    where = ", which began anew where more poses are" if anew else ""
    return {
        "out of bounds": f"{outside} frames lie outside of the map{where}: `ineus check` looks at "
        "poses, field.extent_m is how far a map reaches, bounds.aabb says where it is"
    }


def _of_stamps(counters: Mapping[str, int]) -> dict[str, str]:
    repeated = counters.get("frames_with_repeated_stamp", 0)
    if not repeated:
        return {}
    return {"repeated stamps": f"{repeated} frames left out: each needs a stamp of its own"}
