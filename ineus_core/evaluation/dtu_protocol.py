# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The distances of the DTU benchmark (Aanaes et al. 2016), between a mesh and a scan."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float
from scipy.io import loadmat
from scipy.spatial import cKDTree

from ineus_core.errors import SourceError
from ineus_core.geometry import project, rigid_inverse
from ineus_core.kernels.thinning import thinned
from ineus_core.types import Camera, Mesh

DENSITY_MM = 0.2
"""Distance of the points that a mesh is taken apart into, and below which one of them goes."""
MAX_DISTANCE_MM = 20.0
"""Distances from here on count as those of outliers, which are left out."""
PATCH_MM = 60.0
"""How far beyond the box of the observability mask points are still compared with the scan."""
DILATION_PX = 24


@dataclass(frozen=True)
class DtuReference:
    """What the benchmark publishes of a scan, in its coordinates."""

    points: Float[np.ndarray, "n 3"]
    """Of the structured-light scanner, mm."""
    observed: Bool[np.ndarray, "x y z"]
    """Cells in which the scanner saw what there is."""
    box_mm: Float[np.ndarray, "2 3"]
    """Centres of the first cell and of the last."""
    cell_mm: float
    plane: Float[np.ndarray, " 4"]
    """The table: a point (x, y, z, 1) is above it where the product is positive."""


@dataclass(frozen=True)
class DtuMetrics:
    """Mean distances in mm; NaN where there was nothing to compare."""

    accuracy_mm: float
    """From the mesh, where the scan was observed, to the scan."""
    completeness_mm: float
    """From the scan above the table to the mesh."""
    overall_mm: float
    """Mean of the two: the figure that papers give."""
    culling: str
    points: int
    """Of the mesh, after thinning and masking."""
    reference_points: int

    def to_json(self) -> dict[str, Any]:
        """Return the object that `ineus eval --json` prints; null stands for NaN."""
        plain = asdict(self)
        return {k: None if isinstance(v, float) and np.isnan(v) else v for k, v in plain.items()}


@dataclass(frozen=True)
class MaskView:
    """Where the object is in one picture."""

    camera: Camera
    world_from_camera: Float[np.ndarray, "4 4"]
    foreground: Bool[np.ndarray, "h w"]


def dtu_points_file(folder: Path, scan: int) -> Path:
    """Return where the published "MVS Data" folder has the points of a scan."""
    return folder / "Points" / "stl" / f"stl{scan:03d}_total.ply"


def read_dtu_reference(folder: Path, scan: int, points: Float[np.ndarray, "n 3"]) -> DtuReference:
    """Read mask and table of a scan from the published "MVS Data" folder.

    Args:
        points: Of `dtu_points_file`.
    """
    mask = _mat(folder / "ObsMask" / f"ObsMask{scan}_10.mat", "ObsMask", "BB", "Res")
    plane = _mat(folder / "ObsMask" / f"Plane{scan}.mat", "P")["P"].reshape(-1)
    box = np.asarray(mask["BB"], dtype=np.float64)
    observed = np.asarray(mask["ObsMask"]).astype(bool)
    if box.shape != (2, 3) or observed.ndim != 3 or plane.shape != (4,):
        raise SourceError(
            f"{folder / 'ObsMask'}, scan {scan}: BB of shape {box.shape}, ObsMask of "
            f"{observed.shape}, P of {plane.shape}; expected (2, 3), three sides, and 4 numbers"
        )
    cell_mm = float(np.asarray(mask["Res"]).reshape(-1)[0])
    return DtuReference(points, observed, box, cell_mm, plane.astype(np.float64))


def _mat(path: Path, *names: str) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise SourceError(f"{path}: no such file; expected that of the published DTU data")
    try:
        content = loadmat(path)
    # scipy raises whatever its parser stumbles over.
    except Exception as error:
        raise SourceError(f"{path}: cannot be read as a MATLAB file ({error})") from error
    missing = [name for name in names if name not in content]
    if missing:
        raise SourceError(f"{path}: no {missing[0]}; expected {', '.join(names)}")
    return {name: content[name] for name in names}


def evaluate_dtu(
    mesh: Mesh, reference: DtuReference, views: Sequence[MaskView] = (), seed: int = 0
) -> DtuMetrics:
    """Compare a mesh in the coordinates of the data set with a scan.

    The mesh is taken apart into points 0.2 mm apart, thinned to that distance in random order.
    Those in observed cells are compared with the scan, and the scan above the table with those in
    the box and 60 mm around it; distances from 20 mm on are left out. As DTUeval-python does it.

    Args:
        views: Where the object is; parts of the mesh beside it in any picture that has them are
            cut off first, with masks dilated by 24 pixels, as published figures of neural surfaces
            have it. None: nothing is cut off.
    """
    culling = "none"
    if views:
        mesh = culled_by_masks(mesh, views)
        culling = f"masks of {len(views)} pictures, dilated by {DILATION_PX} px"
    points = mesh_points(mesh, DENSITY_MM)
    # Thinning keeps the first of each neighbourhood: in the order of the mesh it would favour it.
    points = points[np.random.default_rng(seed).permutation(len(points))]
    points = points[thinned(points, DENSITY_MM)]
    # Not the same margin on both sides, because the published program has it so.
    low, high = reference.box_mm[0] - PATCH_MM, reference.box_mm[1] + 2 * PATCH_MM
    points = points[((points >= low) & (points < high)).all(axis=1)]
    seen = points[_is_observed(points, reference)]
    scan = reference.points
    homogeneous = np.concatenate((scan, np.ones((len(scan), 1))), axis=1)
    # The scan also holds the table, which nobody has to reconstruct.
    above = scan[homogeneous @ reference.plane > 0]
    accuracy, completeness = _mean_distance(seen, scan), _mean_distance(above, points)
    return DtuMetrics(
        accuracy,
        completeness,
        0.5 * (accuracy + completeness),
        f"observability mask, box of it and {PATCH_MM:g} mm, table; of the mesh: {culling}",
        len(seen),
        len(above),
    )


def _is_observed(
    points: Float[np.ndarray, "n 3"], reference: DtuReference
) -> Bool[np.ndarray, " n"]:
    # Rounded, not floored: the box goes from the centre of the first cell.
    cell = np.around((points - reference.box_mm[0]) / reference.cell_mm).astype(np.int64)
    shape = np.array(reference.observed.shape)
    inside = ((cell >= 0) & (cell < shape)).all(axis=1)
    # Both sides of `&` are computed: those outside need some cell to read, too.
    cell = cell.clip(0, shape - 1)
    return inside & reference.observed[cell[:, 0], cell[:, 1], cell[:, 2]]


def _mean_distance(points: Float[np.ndarray, "n 3"], others: Float[np.ndarray, "m 3"]) -> float:
    if len(points) == 0 or len(others) == 0:
        return float("nan")
    bound = {"distance_upper_bound": MAX_DISTANCE_MM}
    distance, _ = cKDTree(others).query(points, workers=-1, **bound)
    near = distance[distance < MAX_DISTANCE_MM]
    return float(near.mean()) if len(near) else float("nan")


def mesh_points(mesh: Mesh, density: float) -> Float[np.ndarray, "n 3"]:
    """Sample vertices, and in every triangle a lattice of about one point per squared density."""
    vertices = mesh.vertices.astype(np.float64)
    corners = vertices[mesh.triangles]
    along, across = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    lengths = np.linalg.norm(along, axis=1), np.linalg.norm(across, axis=1)
    double_area = np.linalg.norm(np.cross(along, across), axis=1)
    # Triangles without an area have no lattice, and would divide by 0.
    real = np.flatnonzero(double_area > 0)
    # The steps of the sides are longer where these are nearly parallel, so that the points of the
    # area, and not of the sides, are so many.
    step = density * np.sqrt(lengths[0][real] * lengths[1][real] / double_area[real])
    counts = [np.floor(length[real] / step).astype(np.int64) for length in lengths]
    rows, columns = counts[0] + 1, counts[1] + 1
    triangle = np.repeat(np.arange(len(real)), rows * columns)
    within = np.arange(len(triangle)) - np.repeat(
        np.cumsum(rows * columns) - rows * columns, rows * columns
    )
    # As published: a side shorter than a step makes u or v huge, and of such triangles only the
    # corners remain.
    u = (within // columns[triangle] + 0.5) / np.maximum(counts[0][triangle], 1e-7)
    v = (within % columns[triangle] + 0.5) / np.maximum(counts[1][triangle], 1e-7)
    inside = u + v < 1
    at = real[triangle[inside]]
    inner = corners[at, 0] + u[inside, None] * along[at] + v[inside, None] * across[at]
    return np.concatenate((vertices, inner))


def culled_by_masks(mesh: Mesh, views: Sequence[MaskView]) -> Mesh:
    """Keep the triangles whose corners lie in the dilated mask of every picture that has them."""
    size = 2 * DILATION_PX + 1
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    keep = np.ones(len(mesh.vertices), dtype=bool)
    for view in views:
        wide = cv2.dilate(view.foreground.astype(np.uint8), disk) > 0
        keep &= _in_mask(mesh.vertices.astype(np.float64), view, wide)
    triangles = mesh.triangles[keep[mesh.triangles].all(axis=1)]
    used = np.zeros(len(keep), dtype=bool)
    used[triangles] = True
    index = (np.cumsum(used) - 1).astype(np.int32)
    return Mesh(mesh.vertices[used], index[triangles], mesh.normals[used], mesh.colours[used])


def _in_mask(
    points: Float[np.ndarray, "n 3"], view: MaskView, mask: Bool[np.ndarray, "h w"]
) -> Bool[np.ndarray, " n"]:
    camera_from_world = rigid_inverse(view.world_from_camera)
    local = points @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
    ahead = np.flatnonzero(local[:, 2] > 1e-6)
    column, row = np.floor(project(view.camera, local[ahead])).astype(np.int64).T
    shown = (column >= 0) & (column < view.camera.width_px)
    shown &= (row >= 0) & (row < view.camera.height_px)
    # What a picture does not show it cannot deny.
    keep = np.ones(len(points), dtype=bool)
    keep[ahead[shown]] = mask[row[shown], column[shown]]
    return keep
