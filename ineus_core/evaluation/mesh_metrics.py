# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How far a mesh is from a reference, by samples spread evenly over both surfaces."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from ineus_core.errors import ConfigError
from ineus_core.evaluation.surface_samples import (
    Culling,
    CullingView,
    SurfacePoints,
    cull,
    sample_surface,
    surface_area,
)
from ineus_core.types import Mesh

DEFAULT_THRESHOLDS_M = (0.01, 0.025, 0.05, 0.1)

# 5 mm apart on 100 m², for a threshold of 1 cm: of a quarter of it, recall was 4 % too low.
_MOST_POINTS = 4_000_000


@dataclass(frozen=True)
class MeshMetrics:
    """Distances in metres, shares (0 to 1) by threshold; NaN where nothing could be compared."""

    accuracy_m: float
    """Mean distance from the mesh to the reference."""
    completeness_m: float
    """Mean distance from the reference to the mesh."""
    chamfer_m: float
    """Mean of the two."""
    precision: dict[float, float]
    """Share of the mesh within the threshold of the reference."""
    recall: dict[float, float]
    """Share of the reference within the threshold of the mesh."""
    f_score: dict[float, float]
    """Harmonic mean of the two."""
    normal_consistency: float
    """Mean |cosine| between the normals at nearest points, both ways; NaN for points alone."""
    culling: str
    samples: int
    """Samples on the mesh that were compared."""
    reference_samples: int
    sample_spacing_m: float
    """Mean spacing of the points on the mesh that distances are taken to."""

    def to_json(self) -> dict[str, Any]:
        """Return the object that `ineus eval --json` prints; null stands for NaN."""
        return {
            "accuracy_m": _number(self.accuracy_m),
            "completeness_m": _number(self.completeness_m),
            "chamfer_m": _number(self.chamfer_m),
            "precision": {f"{key:g}": value for key, value in self.precision.items()},
            "recall": {f"{key:g}": value for key, value in self.recall.items()},
            "f_score": {f"{key:g}": value for key, value in self.f_score.items()},
            "normal_consistency": _number(self.normal_consistency),
            "culling": self.culling,
            "samples": self.samples,
            "reference_samples": self.reference_samples,
            "sample_spacing_m": _number(self.sample_spacing_m),
        }


def evaluate_mesh(
    mesh: Mesh,
    reference: Mesh | Float[np.ndarray, "n 3"],
    thresholds_m: Sequence[float] = DEFAULT_THRESHOLDS_M,
    culling: Culling = "none",
    *,
    views: Sequence[CullingView] = (),
    samples: int = 200_000,
    seed: int = 0,
) -> MeshMetrics:
    """Compare a mesh with a reference, without aligning them.

    Args:
        reference: A mesh, or points on the true surface.
        culling: Which parts are compared, see `cull`. The box is applied to the mesh alone, frusta
            to both sides. Figures under different strategies cannot be compared.
        views: The frames that "frusta" and "frusta+occlusion" need.
        samples: Points compared on each surface. Distances are taken to more of them where the
            smallest threshold asks for it.
        seed: Of the sampling.
    """
    thresholds = _check_thresholds(thresholds_m)
    # Another seed: equal draws on equal surfaces would have no distance at all.
    truth = _reference_points(reference, samples, thresholds[0], seed + 1)
    if len(truth.positions) == 0:
        raise ConfigError("reference: no surface, expected triangles with an area or points")
    count = _dense_count(mesh, samples, thresholds[0])
    margin_m = thresholds[-1]
    ours = cull(sample_surface(mesh, count, seed), truth, culling, margin_m, views)
    # The box is that of the reference, which lies in it by definition.
    if culling != "box":
        truth = cull(truth, truth, culling, margin_m, views)
    spacing_m = float(np.sqrt(surface_area(mesh) / count))
    return _compare(
        ours,
        truth,
        thresholds,
        culling=culling,
        spacing_m=spacing_m,
        samples=samples,
        seed=seed,
    )


def _check_thresholds(thresholds_m: Sequence[float]) -> list[float]:
    thresholds = sorted({float(threshold) for threshold in thresholds_m})
    if not thresholds or not all(0 < threshold < np.inf for threshold in thresholds):
        raise ConfigError(f"thresholds {list(thresholds_m)}: expected distances above 0 m")
    return thresholds


def _dense_count(mesh: Mesh, samples: int, threshold_m: float) -> int:
    """Sample what distances are taken to: 1 cm or half a threshold apart, if not too many.

    A distance to samples is too long by about half their spacing, which in a house of 300 m² and
    200,000 samples is 2 cm.
    """
    wanted = int(surface_area(mesh) / min(0.5 * threshold_m, 0.01) ** 2)
    return max(samples, min(wanted, _MOST_POINTS))


def _reference_points(
    reference: Mesh | Float[np.ndarray, "n 3"], samples: int, threshold_m: float, seed: int
) -> SurfacePoints:
    if isinstance(reference, Mesh):
        count = _dense_count(reference, samples, threshold_m)
        return sample_surface(reference, count, seed)
    points = np.asarray(reference, dtype=np.float64)
    # Organised clouds mark missing returns by NaN.
    points = points[np.isfinite(points).all(axis=1)]
    return SurfacePoints(points, None).thinned(_MOST_POINTS, seed)


def _compare(
    all_ours: SurfacePoints,
    all_truth: SurfacePoints,
    thresholds: list[float],
    *,
    culling: str,
    spacing_m: float,
    samples: int,
    seed: int,
) -> MeshMetrics:
    # Few ask for their nearest of many: the spacing of these is the error of a distance.
    ours, truth = all_ours.thinned(samples, seed), all_truth.thinned(samples, seed + 1)
    to_truth, truth_index = _nearest(ours, all_truth)
    to_ours, our_index = _nearest(truth, all_ours)
    precision = {t: _share(to_truth, t) for t in thresholds}
    recall = {t: _share(to_ours, t) for t in thresholds}
    accuracy, completeness = _mean(to_truth), _mean(to_ours)
    return MeshMetrics(
        accuracy_m=accuracy,
        completeness_m=completeness,
        chamfer_m=0.5 * (accuracy + completeness),
        precision=precision,
        recall=recall,
        f_score={t: _harmonic_mean(precision[t], recall[t]) for t in thresholds},
        normal_consistency=0.5
        * (_agreement(ours, all_truth, truth_index) + _agreement(truth, all_ours, our_index)),
        culling=culling,
        samples=len(ours.positions),
        reference_samples=len(truth.positions),
        sample_spacing_m=spacing_m,
    )


def _nearest(
    points: SurfacePoints, others: SurfacePoints
) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Find distance and place of the nearest of the others; infinite where there is none."""
    count = len(points.positions)
    if len(others.positions) == 0:
        return np.full(count, np.inf), np.zeros(count, dtype=np.int64)
    distance, index = point_tree(others.positions).query(points.positions, workers=-1)
    return distance, index.astype(np.int64)


def point_tree(points: Float[np.ndarray, "n 3"]) -> cKDTree:
    """Return a tree of surface points, in which what is far from all of them is found fast too.

    With scipy's defaults a point beside a wall whose nearest is metres away took 160 times longer.
    """
    return cKDTree(points, compact_nodes=False, balanced_tree=False)


def _agreement(
    points: SurfacePoints, others: SurfacePoints, index: Int[np.ndarray, " n"]
) -> float:
    """Return the mean |cosine| between the normals at points and at their partners.

    The sign is left out because the triangles of published references face either way.
    """
    if points.normals is None or others.normals is None or 0 in (len(index), len(others.normals)):
        return float("nan")
    return float(np.abs((points.normals * others.normals[index]).sum(axis=1)).mean())


# A mesh without a surface is wrong everywhere, so its shares are 0, not NaN.
def _share(distance_m: Float[np.ndarray, " n"], threshold_m: float) -> float:
    return float((distance_m < threshold_m).mean()) if len(distance_m) else 0.0


def _mean(distance_m: Float[np.ndarray, " n"]) -> float:
    # A mesh without a surface has no distance, neither 0 nor infinity.
    finite = len(distance_m) > 0 and bool(np.isfinite(distance_m).all())
    return float(distance_m.mean()) if finite else float("nan")


def _harmonic_mean(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b > 0 else 0.0


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
