# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A recording of the app Record3D: `metadata` and `rgbd/` of an unpacked `.r3d`, or `EXR_RGBD`."""

import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.errors import MissingDependencyError, SourceError
from ineus_core.geometry import OPENGL_CAMERA_FROM_CAMERA, rigid_transform
from ineus_core.sources.parsing import NumberFields, checked_pose, finite_number, read_json
from ineus_core.sources.picture_files import (
    check_believable,
    fitted_depth,
    picture_size,
    returns_of,
)
from ineus_core.sources.read_options import ReadOptions
from ineus_core.sources.sequences.image_sequence import FrameFiles, ImageSequence
from ineus_core.types import Camera

_PLACES = (("metadata", "rgbd"), ("metadata.json", "rgb"))
"""File of the poses, and folder of the pictures: of the app's own format, and of its export."""


class Record3DConfig(ConfigModel):
    """How a recording of Record3D is read."""

    depth: bool = Field(
        default=True, description="Whether depth is used; it needs the package pyliblzfse"
    )
    least_confidence: int = Field(
        default=1, ge=0, le=2, description="Depth of a lower confidence (0, 1, 2) is left out"
    )


class Record3DSource(ImageSequence):
    """Pictures `N.jpg`, each with the Nth of `poses` (qx qy qz qw tx ty tz) of the metadata.

    The poses are world_from_camera with OpenGL axes; the world is that of ARKit, y up.
    """

    kind = "record3d"

    def __init__(
        self,
        path: str | Path,
        config: Record3DConfig | None = None,
        options: ReadOptions | None = None,
    ) -> None:
        options = options or ReadOptions()
        config = config or Record3DConfig()
        self.path = Path(path)
        metadata, pictures = _place(self.path)
        content = _Metadata(metadata)
        has_depth = config.depth and _has_depth(self.path, pictures)
        files = []
        for index, pose in enumerate(content.poses()):
            colour = pictures / f"{index}.jpg"
            if not colour.is_file():
                continue
            camera = content.camera(index, picture_size(colour, options.max_picture_mpx))
            depth = pictures / f"{index}.depth" if has_depth else None
            files.append(FrameFiles(content.stamp_ns(index), pose, colour, depth, camera))
        if not files or files[0].camera is None:
            raise SourceError(f"{pictures}: no 0.jpg; expected a picture for each pose")
        reader = _CompressedDepth(content.depth_size(), config.least_confidence)
        super().__init__(files, files[0].camera, reader, options.max_frames)
        absent = len(content.poses()) - len(files)
        if absent:
            self.dropped["no_picture"] = absent


def is_recording(path: Path) -> bool:
    """Decide whether a folder is an unpacked recording."""
    return any((path / a).is_file() and (path / b).is_dir() for a, b in _PLACES)


def _place(folder: Path) -> tuple[Path, Path]:
    for metadata, pictures in _PLACES:
        if (folder / metadata).is_file() and (folder / pictures).is_dir():
            return folder / metadata, folder / pictures
    raise SourceError(f"{folder}: no metadata with rgbd/; expected an unpacked recording")


def _has_depth(folder: Path, pictures: Path) -> bool:
    """Decide whether there is depth, and raise what keeps it from being read."""
    off = "--set source.record3d.depth=false uses colour only"
    if any((folder / "depth").glob("*.exr")):
        raise SourceError(
            f"{folder / 'depth'}: depth as EXR is not read; expected an export as .r3d, unpacked "
            f"(unzip NAME.r3d -d DIR); {off}"
        )
    if not any(pictures.glob("*.depth")):
        return False
    _import_liblzfse()
    return True


def _import_liblzfse() -> Any:
    try:
        import liblzfse
    except ModuleNotFoundError as error:
        raise MissingDependencyError("pyliblzfse") from error
    return liblzfse


class _Metadata:
    """The file that comes with the pictures."""

    def __init__(self, path: Path) -> None:
        self.path, self._content = path, read_json(path)
        if not isinstance(self._content, dict):
            raise SourceError(f"{path}: expected an object with K, w, h and poses")
        self._fields = NumberFields(self._content, str(path))

    def poses(self) -> list[Float[np.ndarray, "4 4"]]:
        """Return world_from_camera of all pictures."""
        poses = []
        for index, values in enumerate(self._list("poses")):
            where = f"{self.path}: pose {index}"
            numbers = self._numbers(values, 7, where)
            pose = rigid_transform(numbers[4:], numbers[:4])
            poses.append(checked_pose(pose, where) @ OPENGL_CAMERA_FROM_CAMERA)
        return poses

    def camera(self, index: int, size: tuple[int, int]) -> Camera:
        """Return the camera of a picture: its own where they are listed, as the focus moves."""
        each = self._content.get("perFrameIntrinsicCoeffs")
        if isinstance(each, list) and index < len(each):
            numbers = self._numbers(each[index], 4, f"{self.path}: intrinsics of {index}")
            fx, fy, cx, cy = numbers.tolist()
        else:
            matrix = self._numbers(self._list("K"), 9, f"{self.path}: K")
            # Column after column.
            fx, fy, cx, cy = matrix[[0, 4, 6, 7]].tolist()
        # No half pixel is added below: ARKit counts from the corner of the picture, as we do.
        width, height = self._fields.number("w", size[0]), self._fields.number("h", size[1])
        return Camera(int(width), int(height), fx, fy, cx, cy).resized(*size)

    def stamp_ns(self, index: int) -> int:
        """Return the stamp of a picture, by the rate where there is no list of them."""
        stamps = self._content.get("frameTimestamps")
        if isinstance(stamps, list) and index < len(stamps):
            return round(finite_number(stamps[index], f"{self.path}: stamp {index}") * 1e9)
        rate_hz = self._fields.number("fps", 30.0)
        if rate_hz <= 0:
            raise SourceError(f"{self.path}: fps {rate_hz}; expected a positive number")
        return round(index * 1e9 / rate_hz)

    def depth_size(self) -> tuple[int, int]:
        """Return width and height of the depth."""
        # If nothing is said, that of the LiDAR in a telephone held upright.
        size = int(self._fields.number("dw", 192)), int(self._fields.number("dh", 256))
        check_believable(size, str(self.path))
        return size

    def _list(self, key: str) -> list[Any]:
        values = self._content.get(key)
        if not isinstance(values, list) or not values:
            raise SourceError(f"{self.path}: {key} {reprlib.repr(values)}; expected a list")
        return values

    def _numbers(self, values: Any, count: int, where: str) -> Float[np.ndarray, " n"]:
        if not isinstance(values, list) or len(values) != count:
            raise SourceError(f"{where}: {reprlib.repr(values)}; expected {count} numbers")
        return np.array([finite_number(value, where) for value in values])


@dataclass(frozen=True)
class _CompressedDepth:
    """Depth in metres as LZFSE packs it, with the confidence beside it."""

    size: tuple[int, int]
    least_confidence: int

    def read(self, files: FrameFiles, camera: Camera) -> Float[np.ndarray, "h w"] | None:
        """Read the depth of a frame in the size of its picture."""
        if files.depth is None:
            return None
        depth_m = self._unpacked(files.depth, np.float32)
        confidence = files.depth.with_suffix(".conf")
        if self.least_confidence and confidence.is_file():
            labels = self._unpacked(confidence, np.uint8)
            depth_m = np.where(labels < self.least_confidence, np.float32(0), depth_m)
        return returns_of(fitted_depth(depth_m, (camera.width_px, camera.height_px)))

    def _unpacked(self, path: Path, dtype: type[np.generic]) -> np.ndarray:
        width, height = self.size
        try:
            data = _import_liblzfse().decompress(path.read_bytes())
        except Exception as error:
            if isinstance(error, MissingDependencyError):
                raise
            raise SourceError(f"{path}: cannot be unpacked ({error})") from error
        expected = width * height * np.dtype(dtype).itemsize
        if len(data) != expected:
            raise SourceError(
                f"{path}: {len(data)} bytes; expected {expected} for {width} x {height} pixels"
            )
        return np.frombuffer(data, dtype).reshape(height, width)
