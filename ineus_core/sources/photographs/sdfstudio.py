# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A scene of sdfstudio: `meta_data.json` with pictures, OpenCV poses and intrinsics of each."""

import reprlib
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import Field

from ineus_core.errors import SourceError
from ineus_core.sources.parsing import NumberFields, checked_pose, named_file, read_json
from ineus_core.sources.photographs.normalisation import similarity_scale
from ineus_core.sources.photographs.photo_set import (
    Photo,
    PhotoSet,
    PhotoSetConfig,
    with_pictures,
)
from ineus_core.sources.picture_files import Size, picture_size, read_depth_values
from ineus_core.sources.read_options import ReadOptions
from ineus_core.types import Camera

FILE = "meta_data.json"


class SdfStudioConfig(PhotoSetConfig):
    """How a scene of sdfstudio is read."""

    depth: bool = Field(
        default=True,
        description="Whether the depth of a sensor is used; that of a network has no scale and "
        "is never",
    )


class SdfStudioSource(PhotoSet):
    """Pictures `rgb_path` with `camtoworld` (world_from_camera, optical axes) and `intrinsics`.

    The world is the one of the file, in which the scene is about 2 wide; `dataset_from_world` is
    its `worldtogt`. Depth (`sensor_depth_path`) is in units of that world.
    """

    kind = "sdfstudio"

    def __init__(
        self,
        path: str | Path,
        config: SdfStudioConfig | None = None,
        options: ReadOptions | None = None,
    ) -> None:
        options = options or ReadOptions()
        config = config or SdfStudioConfig()
        file = Path(path) / FILE if Path(path).is_dir() else Path(path)
        content = read_json(file)
        frames = content.get("frames") if isinstance(content, dict) else None
        if not isinstance(frames, list) or not frames:
            raise SourceError(f"{file}: no frames; expected an object with a list of them")
        size = _size(content, file)
        listed = [_Listed(file, number, frame, size) for number, frame in enumerate(frames)]
        present = with_pictures(listed, [entry.colour for entry in listed], str(file))
        super().__init__(
            [entry.photo(config, options.max_picture_mpx) for entry in present],
            config,
            options,
            dataset_from_world=_similarity(content.get("worldtogt"), file),
            read_depth_m=read_depth_values,
            absent=len(listed) - len(present),
        )


def is_scene(path: Path) -> bool:
    """Decide whether a path is such a file or a folder with one."""
    return path.name == FILE if path.is_file() else (path / FILE).is_file()


class _Listed:
    """One of the frames of the file."""

    def __init__(self, file: Path, number: int, fields: Any, size: Size | None) -> None:
        self._where = f"{file}, frame {number}"
        if not isinstance(fields, dict) or not isinstance(fields.get("rgb_path"), str):
            raise SourceError(
                f"{self._where}: expected an object with rgb_path, camtoworld, intrinsics"
            )
        self._file, self._fields, self._size = file, fields, size
        self.colour = named_file(file.parent, fields["rgb_path"], self._where)

    def photo(self, config: SdfStudioConfig, most_mpx: float) -> Photo:
        """Return the picture with its camera."""
        pose = checked_pose(
            _matrix(self._fields.get("camtoworld"), f"{self._where}: camtoworld"), self._where
        )
        lens = _matrix(self._fields.get("intrinsics"), f"{self._where}: intrinsics")
        fx, fy, cx, cy = (float(lens[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2)))
        size = picture_size(self.colour, most_mpx)
        camera = Camera(*(self._size or size), fx, fy, cx, cy).resized(*size)
        depth = self._other("sensor_depth_path") if config.depth else None
        return Photo(self.colour, camera, pose, self._other("foreground_mask"), depth)

    def _other(self, key: str) -> Path | None:
        name = self._fields.get(key)
        if not isinstance(name, str):
            return None
        return named_file(self._file.parent, name, self._where)


def _size(content: dict[str, Any], file: Path) -> Size | None:
    """Return the size that intrinsics are for, where the file says it."""
    if "width" not in content or "height" not in content:
        return None
    fields = NumberFields(content, str(file))
    return int(fields.number("width")), int(fields.number("height"))


def _matrix(values: Any, where: str) -> Float[np.ndarray, "r c"]:
    try:
        matrix = np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise SourceError(f"{where}: {reprlib.repr(values)}; {error}") from error
    if matrix.shape not in ((3, 3), (3, 4), (4, 4)) or not np.isfinite(matrix).all():
        raise SourceError(f"{where}: shape {matrix.shape}; expected 3 or 4 rows of finite numbers")
    return matrix


def _similarity(values: Any, file: Path) -> Float[np.ndarray, "4 4"]:
    if values is None:
        return np.eye(4)
    matrix = _matrix(values, f"{file}: worldtogt")
    if matrix.shape != (4, 4) or not similarity_scale(matrix) > 0:
        raise SourceError(f"{file}: worldtogt of shape {matrix.shape}; expected a similarity")
    return matrix
