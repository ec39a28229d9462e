# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The F-score of the Tanks-and-Temples benchmark (Knapitsch et al. 2017), training scenes."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import cKDTree

from ineus_core.errors import SourceError
from ineus_core.evaluation.surface_samples import sample_surface, surface_area
from ineus_core.types import Mesh

TAU_M = {
    "Barn": 0.01,
    "Caterpillar": 0.005,
    "Church": 0.025,
    "Courthouse": 0.025,
    "Ignatius": 0.003,
    "Meetingroom": 0.01,
    "Truck": 0.005,
}
"""Distance that counts as right, by scene."""
_AXES = {"X": 0, "Y": 1, "Z": 2}
_ROUNDS = ((1.0, 80.0), (0.5, 20.0), (0.5, 2.0))
"""Voxel and reach of the rounds of the alignment, in tau."""
_ITERATIONS = 20
# Memory: 480 MB of positions.
_MOST_POINTS = 20_000_000


@dataclass(frozen=True)
class CropVolume:
    """A polygon, pulled along an axis."""

    axis: int
    low: float
    high: float
    polygon: Float[np.ndarray, "corners 2"]
    """In the two other axes, in their order."""

    def holds(self, points: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, " n"]:
        """Decide which points lie in it."""
        along = points[:, self.axis]
        u, v = np.delete(points, self.axis, axis=1).T
        inside = np.zeros(len(points), dtype=bool)
        for (u0, v0), (u1, v1) in zip(
            self.polygon, np.roll(self.polygon, -1, axis=0), strict=True
        ):
            # A ray along u crosses an edge that spans its v.
            spans = (v0 > v) != (v1 > v)
            # A level edge, which would divide by 0, spans nothing and does not count.
            crossing = (u1 - u0) * (v - v0) / np.where(v1 == v0, 1.0, v1 - v0) + u0
            inside ^= spans & (u < crossing)
        return inside & (along >= self.low) & (along <= self.high)


@dataclass(frozen=True)
class TanksReference:
    """What the benchmark publishes of a scene."""

    scene: str
    points: Float[np.ndarray, "n 3"]
    """Of the laser scanner, m."""
    volume: CropVolume
    truth_from_colmap: Float[np.ndarray, "4 4"]
    """Similarity from the coordinates of the published reconstruction by COLMAP."""
    camera_centres: Float[np.ndarray, "cameras 3"]
    """Of that reconstruction, by picture."""


@dataclass(frozen=True)
class TanksMetrics:
    """Shares, 0 to 1."""

    scene: str
    tau_m: float
    precision: float
    recall: float
    f_score: float
    culling: str
    scale: float
    """Of the alignment: metres of the scan per unit of the mesh."""
    points: int
    reference_points: int

    def to_json(self) -> dict[str, Any]:
        """Return the object that `ineus eval --json` prints."""
        return asdict(self)


def read_tanks_reference(folder: Path, points: Float[np.ndarray, "n 3"]) -> TanksReference:
    """Read what is published of a training scene, named as its folder.

    Args:
        points: Of SCENE.ply.
    """
    scene = folder.name
    if scene not in TAU_M:
        raise SourceError(f"{folder}: unknown scene; expected one of {', '.join(TAU_M)}")
    move = _matrix(_lines(folder / f"{scene}_trans.txt"), folder / f"{scene}_trans.txt")
    centres = _camera_centres(folder / f"{scene}_COLMAP_SfM.log")
    return TanksReference(scene, points, _crop_volume(folder / f"{scene}.json"), move, centres)


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read; expected the published file") from error


def _matrix(lines: Sequence[str], path: Path) -> Float[np.ndarray, "4 4"]:
    try:
        matrix = np.array([[float(word) for word in line.split()] for line in lines])
    except ValueError as error:
        raise SourceError(f"{path}: {error}; expected four rows of four numbers") from error
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise SourceError(f"{path}: matrix of shape {matrix.shape}; expected (4, 4), finite")
    return matrix


def _camera_centres(path: Path) -> Float[np.ndarray, "cameras 3"]:
    """Read the poses of a log: for each picture a line of numbers and its pose in four."""
    lines = _lines(path)
    if len(lines) % 5 or not lines:
        raise SourceError(f"{path}: {len(lines)} lines; expected five for each picture")
    poses = [_matrix(lines[i + 1 : i + 5], path) for i in range(0, len(lines), 5)]
    return np.array([pose[:3, 3] for pose in poses])


def _crop_volume(path: Path) -> CropVolume:
    try:
        content = json.loads("\n".join(_lines(path)))
        axis = _AXES[content["orthogonal_axis"]]
        corners = np.array(content["bounding_polygon"], dtype=np.float64)
        limits = float(content["axis_min"]), float(content["axis_max"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise SourceError(f"{path}: not the volume of a scene ({error!r})") from error
    if corners.ndim != 2 or corners.shape[1] != 3 or len(corners) < 3:
        raise SourceError(
            f"{path}: bounding_polygon of shape {corners.shape}; expected (3 or more, 3)"
        )
    return CropVolume(axis, *limits, np.delete(corners, axis, axis=1))


def evaluate_tanks(
    mesh: Mesh,
    reference: TanksReference,
    camera_centres: Float[np.ndarray, "cameras 3"] | None = None,
    seed: int = 0,
) -> TanksMetrics:
    """Compare a mesh with the scan of a scene after alignment, within its volume.

    Both are cut to the volume and thinned to a point in each voxel of half a tau. The alignment
    begins with the published one and is refined in three rounds of ICP with scale, as in the
    published toolbox.

    Args:
        camera_centres: From where the pictures were taken, in the coordinates of the mesh and the
            order of the log; without them the mesh lies in those of the published COLMAP model.
    """
    tau_m = TAU_M[reference.scene]
    move = reference.truth_from_colmap
    if camera_centres is not None:
        if len(camera_centres) != len(reference.camera_centres):
            raise SourceError(
                f"{len(camera_centres)} frames, but the log of {reference.scene} has "
                f"{len(reference.camera_centres)} pictures: expected the same ones"
            )
        move = move @ similarity_between(camera_centres, reference.camera_centres)
    # A point in half a voxel of the comparison; the mesh is in units of its own.
    spacing = 0.25 * tau_m / _scale(move)
    count = int(np.clip(surface_area(mesh) / spacing**2, 1000, _MOST_POINTS))
    ours = sample_surface(mesh, count, seed).positions
    for voxel, reach in _ROUNDS:
        move = _aligned(ours, reference, move, voxel * tau_m, reach * tau_m)
    found = _voxels(_cropped(_moved(move, ours), reference.volume), 0.5 * tau_m)
    truth = _voxels(_cropped(reference.points, reference.volume), 0.5 * tau_m)
    precision, recall = _share(found, truth, tau_m), _share(truth, found, tau_m)
    total = precision + recall
    return TanksMetrics(
        reference.scene,
        tau_m,
        precision,
        recall,
        2 * precision * recall / total if total else 0.0,
        f"published volume of {reference.scene} on both, after ICP with scale",
        _scale(move),
        len(found),
        len(truth),
    )


def similarity_between(
    points: Float[np.ndarray, "n 3"], others: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "4 4"]:
    """Find the similarity that brings points to their partners (Umeyama 1991, eq. 40 to 42)."""
    # Rotation and scale follow from the points about their means, whatever lies between the two.
    middle, other_middle = points.mean(axis=0), others.mean(axis=0)
    away, other_away = points - middle, others - other_middle
    u, sizes, vt = np.linalg.svd(other_away.T @ away / len(points))
    # Without the sign the best fit of a flat or mirrored set would be a reflection.
    signs = np.array((1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt)) or 1.0))
    rotation = (u * signs) @ vt
    spread = float((away**2).sum() / len(points))
    scale = float((sizes * signs).sum() / spread) if spread > 0 else 1.0
    move = np.eye(4)
    move[:3, :3] = scale * rotation
    move[:3, 3] = other_middle - scale * rotation @ middle
    return move


def _aligned(
    ours: Float[np.ndarray, "n 3"],
    reference: TanksReference,
    move: Float[np.ndarray, "4 4"],
    voxel_m: float,
    reach_m: float,
) -> Float[np.ndarray, "4 4"]:
    """Refine a similarity by some steps of ICP from the mesh to the scan."""
    # One point a voxel: where the scanner or the mesh is dense must not outweigh the rest.
    truth = _voxels(_cropped(reference.points, reference.volume), voxel_m)
    some = _moved(move, ours)
    some = _voxels(some[reference.volume.holds(some)], voxel_m)
    if len(truth) < 3 or len(some) < 3:
        return move
    tree = cKDTree(truth)
    for _ in range(_ITERATIONS):
        distance, index = tree.query(some, distance_upper_bound=reach_m, workers=-1)
        near = np.isfinite(distance)
        # Fewer pairs leave the similarity open.
        if near.sum() < 3:
            break
        step = similarity_between(some[near], truth[index[near]])
        some, move = _moved(step, some), step @ move
        if np.abs(step - np.eye(4)).max() < 1e-6:
            break
    return move


def _moved(move: Float[np.ndarray, "4 4"], points: Float[np.ndarray, "n 3"]) -> np.ndarray:
    return points @ move[:3, :3].T + move[:3, 3]


def _scale(move: Float[np.ndarray, "4 4"]) -> float:
    return float(np.cbrt(abs(np.linalg.det(move[:3, :3]))))


def _cropped(points: Float[np.ndarray, "n 3"], volume: CropVolume) -> np.ndarray:
    return points[volume.holds(points)]


def _voxels(points: Float[np.ndarray, "n 3"], side_m: float) -> Float[np.ndarray, "m 3"]:
    """Average the points of each voxel."""
    if len(points) == 0:
        return points
    # Counted from the lowest point, so that the keys stay small enough for 64 bits.
    cells = np.floor((points - points.min(axis=0)) / side_m).astype(np.int64)
    size = cells.max(axis=0) + 1
    keys = (cells[:, 0] * size[1] + cells[:, 1]) * size[2] + cells[:, 2]
    _, index, count = np.unique(keys, return_inverse=True, return_counts=True)
    sums = [np.bincount(index, weights=points[:, axis]) for axis in range(3)]
    return np.stack(sums, axis=1) / count[:, None]


def _share(
    points: Float[np.ndarray, "n 3"], others: Float[np.ndarray, "m 3"], tau_m: float
) -> float:
    if len(points) == 0 or len(others) == 0:
        return 0.0
    # Beyond tau the distance does not matter, and a bound saves most of the search.
    distance, _ = cKDTree(others).query(points, distance_upper_bound=2 * tau_m, workers=-1)
    return float((distance < tau_m).mean())
