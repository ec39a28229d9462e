# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The evaluation of neural SLAM on rendered rooms such as Replica, as Co-SLAM published it.

The mesh is culled by what cameras see of it, brought to the true one by ICP, and compared by
points on both surfaces and by the depth of 1,000 views from within the room.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from ineus_core.errors import MissingDependencyError, SourceError
from ineus_core.evaluation.mesh_culling import EPS_M, seen_triangles, with_triangles
from ineus_core.evaluation.mesh_metrics import evaluate_mesh, point_tree
from ineus_core.evaluation.mesh_rays import MeshRays
from ineus_core.evaluation.surface_samples import sample_surface
from ineus_core.evaluation.virtual_views import virtual_views
from ineus_core.types import Camera, Mesh

SAMPLES = 200_000
VIEW = Camera(500, 500, 300.0, 300.0, 250.0, 250.0)
"""Camera of the views whose depth is compared."""
RATIO_AT_M = 0.05
F_AT_M = 0.01
_VIEWS = 1000
_ALIGN_WITHIN_M = 0.1
_FAR_M = 20.0
_LEAST_DEPTH_PX = 100
_EVERY = 2
"""Every second pose culls."""


@dataclass(frozen=True)
class ReplicaReference:
    """What a mesh is compared with."""

    mesh: Mesh
    """The true surface."""
    is_culled: bool = False
    """Whether the true surface is already without what no camera sees."""
    unseen: Float[np.ndarray, "n 3"] | None = None
    """Of a culled surface: points on what was left out, that no compared view may have in it."""
    virtual_poses: Sequence[Float[np.ndarray, "4 4"]] = ()
    """Of cameras that were added for culling, to look behind things."""
    view_poses: Sequence[Float[np.ndarray, "4 4"]] | None = None
    """Of the views whose depth is compared; None: they are drawn."""


@dataclass(frozen=True)
class ReplicaMetrics:
    """Distances in metres, shares from 0 to 1; NaN without a surface or a view."""

    accuracy_m: float
    """Mean distance from points on the mesh to points on the true surface."""
    completion_m: float
    """Mean distance the other way round."""
    completion_ratio: float
    """Share of the true surface within 5 cm of the mesh."""
    precision: float
    """Share of the mesh within 1 cm of the true surface."""
    recall: float
    """Share of the true surface within 1 cm of the mesh."""
    f_score: float
    """Harmonic mean of the two, by points as dense as 1 cm asks for."""
    depth_l1_m: float
    """Mean over views, where the true surface has depth; no surface of the mesh is depth 0."""
    views: int
    culling: str
    aligned_by_m: float
    """How far ICP has moved the middle of the mesh."""

    def to_json(self) -> dict[str, Any]:
        """Return the object that `ineus eval --json` prints; null stands for NaN."""
        return {
            key: None if isinstance(value, float) and np.isnan(value) else value
            for key, value in asdict(self).items()
        }


def read_replica_reference(folder: Path, mesh: Mesh) -> ReplicaReference:
    """Read what Co-SLAM publishes for a scene beside its culled mesh.

    Args:
        folder: With `gt_pc_unseen.npy`, `virtual_cameras/N.txt`, `sampled_poses_1000.npz`, each if
            it is there.
        mesh: Of `gt_mesh_cull_virt_cams.ply` there.
    """
    unseen = folder / "gt_pc_unseen.npy"
    poses = folder / "sampled_poses_1000.npz"
    return ReplicaReference(
        mesh,
        is_culled=True,
        unseen=_array(unseen, (-1, 3)) if unseen.is_file() else None,
        virtual_poses=read_virtual_poses(folder / "virtual_cameras"),
        view_poses=list(_array(poses, (-1, 4, 4))) if poses.is_file() else None,
    )


def read_virtual_poses(folder: Path) -> list[Float[np.ndarray, "4 4"]]:
    """Read poses of virtual cameras, one a file of 16 numbers; none if there is no such folder."""
    files = sorted(folder.glob("*.txt"), key=lambda file: (len(file.stem), file.stem))
    poses = []
    for file in files:
        try:
            pose = np.loadtxt(file).reshape(4, 4)
        except (OSError, ValueError) as error:
            raise SourceError(f"{file}: {error}; expected a pose of 4 x 4 numbers") from error
        poses.append(pose)
    return poses


def _array(path: Path, shape: tuple[int, ...]) -> Float[np.ndarray, "..."]:
    try:
        content = np.load(path)
        array = content["poses"] if path.suffix == ".npz" else content
        return np.asarray(array, dtype=np.float64).reshape(shape)
    except (OSError, ValueError, KeyError) as error:
        raise SourceError(f"{path}: {error}; expected an array of shape {shape}") from error


def evaluate_replica(
    mesh: Mesh,
    reference: ReplicaReference,
    camera: Camera,
    poses: Sequence[Float[np.ndarray, "4 4"]],
    *,
    aligns: bool = True,
    views: int = _VIEWS,
    seed: int = 0,
) -> ReplicaMetrics:
    """Measure a mesh.

    Args:
        mesh: In the world of the reference.
        reference: The true surface.
        camera: Of the frames.
        poses: True `world_from_camera` of all frames, of which every second one culls.
        aligns: Whether ICP brings the mesh to the true surface first, as published.
        views: Number of views whose depth is compared, where the reference does not say which.
        seed: Of samples and views.
    """
    by = poses[::_EVERY], reference.virtual_poses
    if not reference.is_culled:
        reference = _culled(reference, camera, *by)
    ours = with_triangles(mesh, seen_triangles(mesh, camera, *by))
    move = _aligned(ours, reference.mesh) if aligns else np.eye(4)
    middle = ours.vertices.mean(axis=0) if len(ours.vertices) else np.zeros(3)
    ours = _moved(ours, move)
    to_truth, to_ours = _distances(ours, reference.mesh, seed)
    close = evaluate_mesh(ours, reference.mesh, (F_AT_M,), samples=SAMPLES, seed=seed)
    chosen = reference.view_poses
    if chosen is None:
        unseen = np.zeros((0, 3)) if reference.unseen is None else reference.unseen
        chosen = virtual_views(reference.mesh, unseen, VIEW, views, seed)
    errors_m = _depth_errors(ours, reference.mesh, chosen)
    return ReplicaMetrics(
        accuracy_m=_mean(to_truth),
        completion_m=_mean(to_ours),
        completion_ratio=float(np.mean(to_ours < RATIO_AT_M)),
        precision=close.precision[F_AT_M],
        recall=close.recall[F_AT_M],
        f_score=close.f_score[F_AT_M],
        depth_l1_m=_mean(errors_m),
        views=len(errors_m),
        culling=_culling_text(len(by[0]), len(by[1])),
        aligned_by_m=float(np.linalg.norm(_moved_points(middle, move) - middle)),
    )


def _culled(
    whole: ReplicaReference,
    camera: Camera,
    poses: Sequence[Float[np.ndarray, "4 4"]],
    virtual_poses: Sequence[Float[np.ndarray, "4 4"]],
) -> ReplicaReference:
    """Leave out what no camera sees of a true surface, and remember where it was."""
    is_seen = seen_triangles(whole.mesh, camera, poses, virtual_poses)
    unseen = with_triangles(whole.mesh, ~is_seen).vertices.astype(np.float64)
    seen = with_triangles(whole.mesh, is_seen)
    return replace(whole, mesh=seen, is_culled=True, unseen=unseen)


def _culling_text(real: int, virtual: int) -> str:
    rule = f"frusta of {real} poses + occlusion by the mesh, {1e3 * EPS_M:g} mm"
    return f"{rule}, with {virtual} virtual views" if virtual else f"{rule}, no virtual views"


def _aligned(ours: Mesh, truth: Mesh) -> Float[np.ndarray, "4 4"]:
    """Return the motion of the mesh by which ICP brings vertices to vertices."""
    try:
        import open3d
    except ImportError as error:
        raise MissingDependencyError("open3d", extra="eval") from error
    if not len(ours.vertices) or not len(truth.vertices):
        return np.eye(4)
    clouds = (
        open3d.geometry.PointCloud(open3d.utility.Vector3dVector(m.vertices.astype(np.float64)))
        for m in (ours, truth)
    )
    found = open3d.pipelines.registration.registration_icp(*clouds, _ALIGN_WITHIN_M, np.eye(4))
    return np.asarray(found.transformation)


def _moved(mesh: Mesh, move: Float[np.ndarray, "4 4"]) -> Mesh:
    vertices = _moved_points(mesh.vertices.astype(np.float64), move)
    return Mesh(vertices, mesh.triangles, mesh.normals @ move[:3, :3].T, mesh.colours)


def _moved_points(
    points: Float[np.ndarray, "*n 3"], move: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "*n 3"]:
    return points @ move[:3, :3].T + move[:3, 3]


def _distances(
    ours: Mesh, truth: Mesh, seed: int
) -> tuple[Float[np.ndarray, " ours"], Float[np.ndarray, " truth"]]:
    """Return the distances from either surface to the other, by as many points as published."""
    a = sample_surface(ours, SAMPLES, seed).positions
    b = sample_surface(truth, SAMPLES, seed + 1).positions
    if not len(a) or not len(b):
        return np.full(len(a), np.inf), np.full(max(len(b), 1), np.inf)
    return point_tree(b).query(a, workers=-1)[0], point_tree(a).query(b, workers=-1)[0]


def _depth_errors(
    ours: Mesh, truth: Mesh, poses: Sequence[Float[np.ndarray, "4 4"]]
) -> Float[np.ndarray, " n"]:
    """Return how far the depth is off in the mean of each view that sees the true surface."""
    true_rays, our_rays, errors_m = MeshRays(truth), MeshRays(ours), []
    for pose in poses:
        true_m = true_rays.depth(VIEW, pose, _FAR_M)
        is_there = (true_m > 0) & (true_m < _FAR_M - 1)
        if np.count_nonzero(is_there) > _LEAST_DEPTH_PX:
            off_m = np.abs(true_m - our_rays.depth(VIEW, pose, _FAR_M))
            errors_m.append(float(off_m[is_there].mean()))
    return np.array(errors_m)


def _mean(values: Float[np.ndarray, " n"]) -> float:
    return float(values.mean()) if len(values) and np.isfinite(values).all() else float("nan")
