# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus eval --protocol`: a mesh by the protocol of a benchmark, from its published data."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from ineus_core.errors import ConfigError, SourceError

if TYPE_CHECKING:
    import numpy as np

    from ineus_core.evaluation import ReplicaReference
    from ineus_core.sources import Source
    from ineus_core.types import Mesh

CULLED_TRUTH = "gt_mesh_cull_virt_cams.ply"
"""In Co-SLAM's folder of a scene."""
Protocol = Literal["none", "dtu", "tanks-and-temples", "replica"]


def protocol_figures(
    mesh: "Mesh", protocol: str, reference: Path | None, scan: int, frames: Path | None, seed: int
) -> dict[str, Any]:
    """Measure a mesh in the coordinates of the data set.

    Args:
        reference: The published data: the "MVS Data" folder of DTU, or the folder of a scene; of
            Replica, Co-SLAM's folder of a scene, the true mesh, or None for that of the frames.
        scan: Of DTU.
        frames: Source of the pictures: of DTU, their masks cut the mesh; of Tanks and Temples,
            their places begin the alignment; of Replica, what they see is compared.
    """
    if protocol not in get_args(Protocol):
        known = ", ".join(get_args(Protocol))
        raise ConfigError(f"--protocol {protocol!r}: expected one of {known}")
    if protocol == "replica":
        return _replica(mesh, reference, frames, seed)
    if reference is None:
        raise ConfigError(f"--protocol {protocol}: needs --reference, the published data")
    if not reference.is_dir():
        raise SourceError(f"--reference {reference}: no such folder; expected the published data")
    if protocol == "dtu":
        return _dtu(mesh, reference, scan, frames, seed)
    return _tanks(mesh, reference, frames, seed)


def _dtu(
    mesh: "Mesh", reference: Path, scan: int, frames: Path | None, seed: int
) -> dict[str, Any]:
    from ineus_core.evaluation import MaskView, dtu_points_file, evaluate_dtu, read_dtu_reference
    from ineus_core.sources import dataset_from_world, moved_pose, open_source, read_ahead

    if scan < 1:
        raise ConfigError("--protocol dtu: needs --scan, the number of the scan")
    published = read_dtu_reference(reference, scan, _points(dtu_points_file(reference, scan)))
    views = []
    if frames is not None:
        source = open_source(frames)
        to_dataset = dataset_from_world(source)
        for frame in read_ahead(source):
            if frame.foreground is None:
                raise SourceError(
                    f"--frames {frames}: a picture has no mask; expected one for all"
                )
            pose = moved_pose(to_dataset, frame.world_from_camera)
            views.append(MaskView(frame.camera, pose, frame.foreground > 0))
    return evaluate_dtu(mesh, published, views, seed).to_json()


def _tanks(mesh: "Mesh", reference: Path, frames: Path | None, seed: int) -> dict[str, Any]:
    from ineus_core.evaluation import evaluate_tanks, read_tanks_reference
    from ineus_core.sources import dataset_from_world, open_source, read_ahead

    published = read_tanks_reference(reference, _points(reference / f"{reference.name}.ply"))
    centres = None
    if frames is not None:
        import numpy as np

        source = open_source(frames)
        to_dataset = dataset_from_world(source)
        centres = np.array(
            [(to_dataset @ frame.world_from_camera)[:3, 3] for frame in read_ahead(source)]
        )
    return evaluate_tanks(mesh, published, centres, seed).to_json()


def _replica(
    mesh: "Mesh", reference: Path | None, frames: Path | None, seed: int
) -> dict[str, Any]:
    from ineus_core.evaluation import evaluate_replica
    from ineus_core.sources import dataset_from_world, moved_pose, open_source, read_ahead

    if frames is None:
        raise ConfigError("--protocol replica: needs --frames, whose poses cull the mesh")
    source = open_source(str(frames))
    published = _replica_reference(reference, frames, source)
    to_dataset = dataset_from_world(source)
    seen = [(frame.camera, frame.world_from_camera) for frame in read_ahead(source)]
    if not seen:
        raise SourceError(f"--frames {frames}: no frames; expected those of the sequence")
    poses = [moved_pose(to_dataset, pose) for _, pose in seen]
    return evaluate_replica(mesh, published, seen[0][0], poses, seed=seed).to_json()


def _replica_reference(
    reference: Path | None, frames: Path, source: "Source"
) -> "ReplicaReference":
    """Return the true surface: Co-SLAM's, culled; a mesh; or what comes with the frames."""
    from ineus_core.evaluation import ReplicaReference, read_replica_reference, read_virtual_poses
    from ineus_core.meshing import read_mesh
    from ineus_core.sources import reference_mesh

    if reference is not None and reference.is_dir():
        return read_replica_reference(reference, read_mesh(reference / CULLED_TRUTH))
    truth = read_mesh(reference) if reference is not None else reference_mesh(source)
    if truth is None:
        raise ConfigError(
            f"--protocol replica: needs --reference; {frames} does not know its true surface"
        )
    return ReplicaReference(truth, virtual_poses=read_virtual_poses(frames / "virtual_cameras"))


def _points(path: Path) -> "np.ndarray":
    """Read the points of a file, of a mesh its vertices."""
    from ineus_core.meshing import read_reference
    from ineus_core.types import Mesh

    content = read_reference(path)
    return content.vertices.astype("float64") if isinstance(content, Mesh) else content


def protocol_lines(protocol: str, figures: dict[str, Any]) -> str:
    """Format the figures as two lines of text."""
    if protocol == "replica":
        return _replica_lines(figures)
    compared = f"{figures['points']:,} and {figures['reference_points']:,} points"
    if protocol == "dtu":
        names = ("accuracy", "completeness", "overall")
        values = {name: figures[f"{name}_mm"] for name in names}
        distances = ", ".join(
            f"{name} –" if value is None else f"{name} {value:.3f} mm"
            for name, value in values.items()
        )
        return f"DTU: {distances}; {compared}\nculling: {figures['culling']}"
    shares = ", ".join(
        f"{name.replace('_', '-')} {100 * figures[name]:.1f} %"
        for name in ("precision", "recall", "f_score")
    )
    at = f"tau {1000 * figures['tau_m']:g} mm"
    return f"{figures['scene']}, {at}: {shares}; {compared}\nculling: {figures['culling']}"


def _replica_lines(figures: dict[str, Any]) -> str:
    def hundredfold(key: str) -> str:
        return "–" if figures[key] is None else f"{100 * figures[key]:.2f}"

    distances = ", ".join(
        f"{name.replace('_', ' ')} {hundredfold(f'{name}_m')} cm"
        for name in ("accuracy", "completion", "depth_l1")
    )
    return (
        f"Replica: {distances} in {figures['views']} views, "
        f"ratio at 5 cm {hundredfold('completion_ratio')} %, "
        f"F-score at 1 cm {hundredfold('f_score')} %\n"
        f"culling: {figures['culling']}; aligned by {hundredfold('aligned_by_m')} cm"
    )
