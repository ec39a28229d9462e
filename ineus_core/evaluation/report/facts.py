# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The figures of a run in words: what each is called, its unit, and how many digits make sense."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

GROUPS = ("quality", "surface", "time", "frames", "memory")
"""In the order in which they are shown."""


@dataclass(frozen=True)
class Fact:
    """A figure of a run."""

    key: str
    """Its place in `report.json`, with dots."""
    group: str
    label: str
    value: float | None
    """In its unit; None where it was not measured."""
    unit: str = ""
    digits: int = 0
    """Behind the point."""

    @property
    def text(self) -> str:
        """The figure as it is shown, with its unit."""
        if self.value is None or not math.isfinite(self.value):
            return "–"
        if self.unit == "s" and self.value >= 90:
            minutes, seconds = divmod(round(self.value), 60)
            return f"{minutes} min {seconds:02d} s"
        return f"{self.value:,.{self.digits}f} {self.unit}".rstrip()


@dataclass(frozen=True)
class _Rule:
    """How a key is called and shown."""

    key: str
    group: str
    label: str
    unit: str = ""
    factor: float = 1.0
    digits: int = 0


_RULES = (
    _Rule("held_out.psnr", "quality", "PSNR of views kept out of training", "dB", 1, 2),
    _Rule("held_out.ssim", "quality", "SSIM of these views", "", 1, 3),
    _Rule("held_out.lpips", "quality", "LPIPS of these views", "", 1, 3),
    _Rule("held_out.depth_l1_m", "quality", "mean error of their depth", "cm", 100, 1),
    _Rule("held_out.frames", "quality", "views kept out of training"),
    _Rule("held_out.exposure_fitted", "quality", "of these judged on half, with fitted exposure"),
    _Rule("mesh.triangles", "surface", "triangles"),
    _Rule("mesh.vertices", "surface", "vertices"),
    _Rule("mesh.voxel_size_m", "surface", "size of a voxel", "mm", 1000, 1),
    _Rule("mesh.updates", "surface", "updates of the mesh"),
    _Rule("mesh.messages", "surface", "messages that brought the mesh"),
    _Rule("mesh.megabytes", "surface", "size of these messages", "MB", 1, 1),
    _Rule("wall_s", "time", "in all", "s", 1, 1),
    _Rule("stages.record_s", "time", "recording the input", "s", 1, 1),
    _Rule("stages.start_s", "time", "start of the node", "s", 1, 1),
    _Rule("stages.stream_s", "time", "playing the input", "s", 1, 1),
    _Rule("stages.train_s", "time", "training after the last frame", "s", 1, 1),
    _Rule("stages.save_s", "time", "saving", "s", 1, 1),
    _Rule("stages.evaluate_s", "time", "measuring", "s", 1, 1),
    _Rule("stream_s", "time", "length of the input", "s", 1, 1),
    _Rule("stream_wall_s", "time", "training while frames came", "s", 1, 1),
    _Rule("refine_wall_s", "time", "refinement after the last frame", "s", 1, 1),
    _Rule("node_cpu_s", "time", "processor time of the node", "s", 1, 1),
    _Rule("staleness_ms.p50", "time", "from a frame to its mesh, median", "s", 1e-3, 2),
    _Rule("staleness_ms.p95", "time", "from a frame to its mesh, 95 of 100", "s", 1e-3, 2),
    _Rule("steps", "time", "optimiser steps"),
    _Rule("samples_per_second", "time", "samples a second", "million", 1e-6, 2),
    _Rule("rays_per_second", "time", "rays a second", "thousand", 1e-3, 1),
    _Rule("frames_sent", "frames", "sent"),
    _Rule("frames_in", "frames", "received"),
    _Rule("frames_used", "frames", "used"),
    _Rule("keyframes", "frames", "kept as keyframes"),
    _Rule("frames_held_out", "frames", "kept out of training"),
    _Rule("frames_dropped", "frames", "dropped"),
    _Rule("frames_lost", "frames", "lost on the way"),
    _Rule("frames_waiting", "frames", "still waiting"),
    _Rule("memory.peak_rss_mb", "memory", "largest memory of the process", "MB"),
    _Rule("memory.peak_gpu_mb", "memory", "largest memory on the GPU", "MB"),
)
_OF_REFERENCE = {
    "accuracy_m": ("mean distance of the mesh from the reference", "cm", 2),
    "completeness_m": ("mean distance of the reference from the mesh", "cm", 2),
    "chamfer_m": ("mean of both distances (chamfer)", "cm", 2),
    "normal_consistency": ("agreement of normals", "%", 1),
}
_OF_LIMIT = {
    "f_score": "F-score at {} cm",
    "precision": "of the mesh, within {} cm of the reference",
    "recall": "of the reference, within {} cm of the mesh",
}


def facts_of(report: Mapping[str, Any]) -> list[Fact]:
    """Return what a report says of known things, the most telling first in each group."""
    flat = _flat({k: v for k, v in report.items() if k not in ("curve", "config", "evaluation")})
    if flat.get("wall_s") is not None and flat.get("stream_wall_s") is not None:
        flat["refine_wall_s"] = flat["wall_s"] - flat["stream_wall_s"]
    known = [
        Fact(
            rule.key,
            rule.group,
            rule.label,
            _scaled(flat[rule.key], rule.factor),
            rule.unit,
            rule.digits,
        )
        for rule in _RULES
        if rule.key in flat
    ]
    reasons = [
        Fact(f"dropped.{reason}", "frames", f"dropped: {reason}", float(count))
        for reason, count in (report.get("dropped") or {}).items()
    ]
    # No GPU, no memory on one.
    known = [fact for fact in known if fact.value or not fact.key.endswith("peak_gpu_mb")]
    return [*_of_evaluation(report.get("evaluation") or {}), *known, *reasons]


def against_reference(figures: Mapping[str, Any], name: str = "") -> Iterator[Fact]:
    """Yield what a comparison with a reference says."""
    for key, label in _OF_LIMIT.items():
        for limit, share in (figures.get(key) or {}).items():
            named = label.format(f"{100 * float(limit):g}")
            yield Fact(f"{name}.{key}.{limit}", "quality", named, _scaled(share, 100), "%", 1)
    for key, (label, unit, digits) in _OF_REFERENCE.items():
        if key in figures:
            yield Fact(f"{name}.{key}", "quality", label, _scaled(figures[key], 100), unit, digits)


def _of_evaluation(evaluation: Mapping[str, Any]) -> list[Fact]:
    """Return the figures of ours, which come first; others are in a table of their own."""
    for name, figures in evaluation.items():
        return list(against_reference(figures, f"evaluation.{name}"))
    return []


def _scaled(value: Any, factor: float) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) * factor if is_number else None


def _flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested records into one, with dots in the keys."""
    flat: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + str(key)] = value
    return flat
