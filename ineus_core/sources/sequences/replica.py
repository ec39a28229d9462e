# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A rendered sequence of Replica in the layout of NICE-SLAM: `results/` and `traj.txt`."""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.errors import SourceError
from ineus_core.sources.parsing import (
    NumberFields,
    checked_pose,
    numbered_lines,
    parse_numbers,
    read_json,
)
from ineus_core.sources.picture_files import picture_size
from ineus_core.sources.read_options import ReadOptions
from ineus_core.sources.sequences.image_sequence import DepthCoding, FrameFiles, ImageSequence
from ineus_core.types import Camera, Mesh

PARAMETERS = "cam_params.json"


class ReplicaConfig(ConfigModel):
    """The camera of a sequence of Replica, where no cam_params.json says it."""

    # The camera of NICE-SLAM's renderings, 1200 x 680 pixels, whose depth is 10 m at 65535.
    fx: float = Field(default=600.0, gt=0, description="Focal length in pixels")
    fy: float = Field(default=600.0, gt=0, description="Focal length in pixels")
    cx: float = Field(
        default=599.5, description="Principal point in pixels, pixel centres at integers"
    )
    cy: float = Field(
        default=339.5, description="Principal point in pixels, pixel centres at integers"
    )
    depth_scale: float = Field(default=6553.5, gt=0, description="Depth values per metre")


class ReplicaSource(ImageSequence):
    """Frames `results/frameNNNNNN.jpg`, `depthNNNNNN.png` there; a pose a line in `traj.txt`."""

    kind = "replica"

    def __init__(
        self,
        path: str | Path,
        config: ReplicaConfig | None = None,
        options: ReadOptions | None = None,
    ) -> None:
        options = options or ReadOptions()
        self.path = Path(path)
        numbers = _camera_numbers(self.path, config or ReplicaConfig())
        files = _listed_files(self.path, options.frame_period_s)
        width, height = picture_size(files[0].colour, options.max_picture_mpx)
        fx, fy, cx, cy, scale = numbers
        camera = Camera(width, height, fx, fy, cx + 0.5, cy + 0.5)
        depth = DepthCoding(scale)
        super().__init__(files, camera, depth, options.max_frames)
        unposed = len(_pictures(self.path)) - len(files)
        if unposed > 0:
            self.dropped["no_pose"] = unposed

    def reference_mesh(self) -> Mesh | None:
        """Return the mesh of the scene, if `NAME_mesh.ply` lies beside the folder."""
        file = self.path.resolve().with_name(f"{self.path.resolve().name}_mesh.ply")
        return _read_ply(file) if file.is_file() else None


def is_sequence(path: Path) -> bool:
    """Decide whether a folder has poses and pictures of this layout."""
    return (path / "traj.txt").is_file() and (path / "results").is_dir()


def _pictures(folder: Path) -> list[Path]:
    found = (file for file in (folder / "results").glob("frame*") if file.suffix != ".txt")
    return sorted(found)


def _listed_files(folder: Path, period_s: float) -> list[FrameFiles]:
    trajectory = folder / "traj.txt"
    has_depth = any((folder / "results").glob("depth*.png"))
    by_name = {file.stem: file for file in _pictures(folder)}
    files = []
    for index, (number, line) in enumerate(numbered_lines(trajectory)):
        where = f"{trajectory}, line {number}"
        values = parse_numbers(line.split(), where)
        if len(values) != 16:
            raise SourceError(f"{where}: {len(values)} numbers; expected 16 of a 4 x 4 pose")
        pose = checked_pose(values.reshape(4, 4), where)
        name = f"frame{index:06d}"
        colour = by_name.get(name, folder / "results" / f"{name}.jpg")
        depth = folder / "results" / f"depth{index:06d}.png" if has_depth else None
        files.append(FrameFiles(round(index * period_s * 1e9), pose, colour, depth))
    if not files:
        raise SourceError(f"{trajectory}: no poses; expected a line for each frame")
    return files


def _camera_numbers(folder: Path, config: ReplicaConfig) -> tuple[float, ...]:
    """Return fx, fy, cx, cy and depth values per metre."""
    places = (folder / PARAMETERS, folder.resolve().parent / PARAMETERS)
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        return config.fx, config.fy, config.cx, config.cy, config.depth_scale
    content = read_json(file)
    camera = content.get("camera") if isinstance(content, dict) else None
    if not isinstance(camera, dict):
        raise SourceError(
            f"{file}: no camera; expected an object camera with fx, fy, cx, cy and scale"
        )
    fields = NumberFields(camera, f"{file}: camera")
    numbers = tuple(fields.number(key) for key in ("fx", "fy", "cx", "cy", "scale"))
    if numbers[4] <= 0:
        raise SourceError(f"{file}: scale {numbers[4]}; expected a positive number")
    return numbers


def _read_ply(file: Path) -> Mesh:
    import trimesh

    try:
        # Unprocessed: trimesh would join vertices, and count them anew.
        found = trimesh.load(file, force="mesh", process=False)
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise SourceError(f"{file}: cannot be read as a mesh ({error})") from error
    colours: Float[np.ndarray, "v c"] = np.asarray(found.visual.vertex_colors)
    return Mesh(
        vertices=np.asarray(found.vertices, dtype=np.float32),
        triangles=np.asarray(found.faces, dtype=np.int32),
        normals=np.asarray(found.vertex_normals, dtype=np.float32),
        colours=np.asarray(colours[:, :3], dtype=np.uint8),
    )
