# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The `transforms.json` of nerfstudio and instant-ngp: OpenGL poses, a camera for all or each."""

import logging
import math
import reprlib
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from ineus_core.errors import SourceError
from ineus_core.geometry import OPENGL_CAMERA_FROM_CAMERA
from ineus_core.sources.parsing import (
    NumberFields,
    checked_pose,
    finite_number,
    named_file,
    read_json,
)
from ineus_core.sources.photographs.normalisation import (
    NormalisationConfig,
    moved_pose,
    normalising_similarity,
    similarity_scale,
)
from ineus_core.sources.photographs.photo_set import (
    Photo,
    PhotoSet,
    PhotoSetConfig,
    with_pictures,
)
from ineus_core.sources.picture_files import MOST_MPX, picture_size, read_depth_values
from ineus_core.sources.read_options import ReadOptions
from ineus_core.types import Camera

_LOG = logging.getLogger(__name__)
FILE = "transforms.json"
SUFFIXES = ("", ".png", ".jpg", ".jpeg", ".webp", ".JPG", ".PNG")
_DEEPEST = 4
"""Folders above a picture whose names may still be those of the listing."""
_PINHOLES = ("PINHOLE", "SIMPLE_PINHOLE")
_RADIAL = ("OPENCV", "SIMPLE_RADIAL", "RADIAL", "FULL_OPENCV")
_FISHEYES = ("OPENCV_FISHEYE",)


class TransformsJsonConfig(PhotoSetConfig):
    """How a `transforms.json` is read."""

    usual_masks: ClassVar[Literal["off", "exclude"]] = "exclude"
    depth_unit_m: float = Field(
        default=0.001,
        gt=0,
        description="A step of the depth files, in units of the poses; integer_depth_scale of the "
        "file comes before the default",
    )
    normalisation: NormalisationConfig = Field(
        default=NormalisationConfig(enabled=False), description="Layout of the world"
    )


class TransformsJsonSource(PhotoSet):
    """Pictures listed in a `transforms.json`.

    Intrinsics and the OPENCV or OPENCV_FISHEYE coefficients stand at the top or with a frame.

    Args:
        path: The file, or the folder with it.
    """

    kind = "transforms_json"

    def __init__(
        self,
        path: str | Path,
        config: TransformsJsonConfig | None = None,
        options: ReadOptions | None = None,
    ) -> None:
        options = options or ReadOptions()
        config = config or TransformsJsonConfig()
        file = Path(path) / FILE if Path(path).is_dir() else Path(path)
        listing = Listing(file, options.max_picture_mpx)
        photos = listing.photos()
        poses = [photo.world_from_camera for photo in photos]
        move = normalising_similarity(poses, np.empty((0, 3)), config.normalisation, str(file))
        depth_unit = listing.depth_unit(config) * similarity_scale(move)
        super().__init__(
            [listing.moved(photo, move) for photo in photos],
            config,
            options,
            dataset_from_world=listing.original_from_poses() @ np.linalg.inv(move),
            read_depth_m=lambda path, size: read_depth_values(path, size) * np.float32(depth_unit),
            absent=listing.count - len(photos),
            one_size=not listing.tells_sizes,
        )


class Listing:
    """The content of a `transforms*.json`."""

    def __init__(self, file: Path, most_mpx: float = MOST_MPX) -> None:
        self.file, self._most_mpx = file, most_mpx
        self._has_moved = False
        self._top = read_json(file)
        frames = self._top.get("frames") if isinstance(self._top, dict) else None
        if not isinstance(frames, list) or not frames:
            raise SourceError(f"{file}: no frames; expected an object with a list of them")
        self._frames: list[Any] = frames

    @property
    def count(self) -> int:
        """Return the number of listed pictures, be they there or not."""
        return len(self._frames)

    @property
    def tells_sizes(self) -> bool:
        """Whether the size that intrinsics are for stands with each of the frames."""
        return all({"w", "h"} <= {*self._top, *frame} for frame in self._frames)

    def photos(self) -> list[Photo]:
        """Return all pictures that are there, with poses as they are in the file."""
        pictures = [self._picture(number, frame) for number, frame in enumerate(self._frames)]
        present = with_pictures(range(self.count), pictures, str(self.file))
        return [self._photo(number, self._frames[number], pictures[number]) for number in present]

    @staticmethod
    def moved(photo: Photo, move: Float[np.ndarray, "4 4"]) -> Photo:
        """Return the picture in another world."""
        pose = moved_pose(move, photo.world_from_camera)
        return Photo(photo.colour, photo.camera, pose, photo.mask, photo.depth)

    def depth_unit(self, config: TransformsJsonConfig) -> float:
        """Return what a step of the depth files is in units of the poses."""
        # As instant-ngp writes it; a setting that somebody made comes first.
        if "integer_depth_scale" not in self._top or "depth_unit_m" in config.model_fields_set:
            return config.depth_unit_m
        unit = NumberFields(self._top, str(self.file)).number("integer_depth_scale")
        if unit <= 0:
            raise SourceError(f"{self.file}: integer_depth_scale {unit}; expected a positive one")
        return unit

    def original_from_poses(self) -> Float[np.ndarray, "4 4"]:
        """Return what undoes the transform that nerfstudio applied to the poses, if it says so."""
        applied = np.eye(4)
        if "applied_transform" in self._top:
            rows = self._matrix(self._top["applied_transform"], "applied_transform", (3, 4))
            applied[: len(rows)] = rows
        applied[:3] *= _CameraFields(self._top, {}, str(self.file)).number("applied_scale", 1.0)
        # Its inverse, which meshes go through, would send them to infinity.
        if abs(np.linalg.det(applied)) < 1e-12:
            raise SourceError(f"{self.file}: applied_transform has no inverse; expected a motion")
        return np.linalg.inv(applied)

    def _photo(self, number: int, frame: dict[str, Any], colour: Path) -> Photo:
        where = f"{self.file}, frame {number}"
        rows = self._matrix(frame.get("transform_matrix"), f"frame {number}", (4, 4), (3, 4))
        pose = checked_pose(rows, where) @ OPENGL_CAMERA_FROM_CAMERA
        camera = _CameraFields(self._top, frame, where).camera(
            picture_size(colour, self._most_mpx)
        )
        depth_key = "depth_file_path" if "depth_file_path" in frame else "depth_path"
        mask, depth = (self._other(frame, key, where) for key in ("mask_path", depth_key))
        return Photo(colour, camera, pose, mask, depth)

    def _other(self, frame: dict[str, Any], key: str, where: str) -> Path | None:
        name = frame.get(key)
        if not name:
            return None
        if not isinstance(name, str):
            raise SourceError(f"{where}: {key} {reprlib.repr(name)}; expected the name of a file")
        path = named_file(self.file.parent, name, where)
        return path if path.is_file() else self._moved_here(path) or path

    def _picture(self, number: int, frame: Any) -> Path:
        where = f"{self.file}, frame {number}"
        if not isinstance(frame, dict) or not isinstance(frame.get("file_path"), str):
            raise SourceError(f"{where}: expected an object with file_path and transform_matrix")
        name = frame["file_path"]
        # The poses of NeRF-Synthetic leave the suffix out.
        named_file(self.file.parent, name + max(SUFFIXES, key=len), where)
        path = named_file(self.file.parent, name, where)
        candidates = [path.with_name(path.name + suffix) for suffix in SUFFIXES]
        found = next((candidate for candidate in candidates if candidate.is_file()), None)
        return found or self._moved_here(path) or path

    def _moved_here(self, path: Path) -> Path | None:
        """Find a file that is listed by its path on another machine, by the end of that."""
        folder, parts = self.file.parent, path.parts
        for start in range(max(1, len(parts) - _DEEPEST), len(parts)):
            end = folder.joinpath(*parts[start:])
            for suffix in SUFFIXES:
                here = end.with_name(end.name + suffix)
                if here.is_file():
                    self._say_moved(path, here)
                    return here
        return None

    def _say_moved(self, path: Path, here: Path) -> None:
        if not self._has_moved:
            _LOG.warning("%s: %s is not there; %s is taken for it", self.file, path, here)
        self._has_moved = True

    def _matrix(
        self, values: Any, name: str, *shapes: tuple[int, int]
    ) -> Float[np.ndarray, "r 4"]:
        try:
            matrix = np.array(values, dtype=np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            shown = reprlib.repr(values)
            raise SourceError(f"{self.file}, {name}: matrix {shown}; {error}") from error
        if matrix.shape not in shapes:
            expected = " or ".join(map(str, shapes))
            raise SourceError(
                f"{self.file}, {name}: matrix of shape {matrix.shape}; expected {expected}"
            )
        return matrix


class _CameraFields(NumberFields):
    """Numbers of a frame, or of the top of the file where the frame does not say."""

    def __init__(self, top: dict[str, Any], frame: dict[str, Any], where: str) -> None:
        fields = {**top, **frame}
        super().__init__({**_of_matrix(fields.get("K"), where), **fields}, where)

    def camera(self, size: tuple[int, int]) -> Camera:
        width, height = (
            int(self.number("w", size[0])),
            int(self.number("h", size[1])),
        )
        fx = self._focal(width, "fl_x", "camera_angle_x", "x_fov")
        # Pixels are square unless the file says otherwise.
        fy = self._focal(height, "fl_y", "camera_angle_y", "y_fov", default=fx)
        if fx is None or fy is None:
            raise SourceError(f"{self._where}: no fl_x, camera_angle_x or x_fov; expected one")
        cx, cy = self.number("cx", width / 2), self.number("cy", height / 2)
        model, coefficients = self._distortion()
        try:
            camera = Camera(width, height, fx, fy, cx, cy, model, coefficients)
            # The listing may be of the full size, and the pictures beside it smaller.
            is_same_view = abs(size[0] * height / width - size[1]) <= 1
            # Else the camera keeps its size, and the check of the files names the picture.
            return camera.resized(*size) if is_same_view else camera
        except SourceError as error:
            raise SourceError(f"{self._where}: {error}") from error

    def _focal(
        self, length: int, pixels: str, radians: str, degrees: str, default: float | None = None
    ) -> float | None:
        if pixels in self._fields:
            return self.number(pixels)
        if radians not in self._fields and degrees not in self._fields:
            return default
        is_radians = radians in self._fields
        angle = self.number(radians) if is_radians else self.number(degrees) * math.pi / 180
        if not 0 < angle < math.pi:
            raise SourceError(f"{self._where}: field of view {angle} rad; expected 0 to pi")
        return 0.5 * length / math.tan(0.5 * angle)

    def _distortion(self) -> tuple[str, tuple[float, ...]]:
        # instant-ngp has no name for the lens, only a flag.
        fallback = "OPENCV_FISHEYE" if self._fields.get("is_fisheye") else "OPENCV"
        model = self._fields.get("camera_model", fallback)
        if model in _PINHOLES:
            return "none", ()
        if model in _FISHEYES:
            return "equidistant", self._coefficients("k1", "k2", "k3", "k4")
        if model not in _RADIAL:
            known = ", ".join((*_PINHOLES, *_RADIAL, *_FISHEYES))
            raise SourceError(
                f"{self._where}: camera_model {reprlib.repr(model)}; expected one of {known}"
            )
        brown = self._coefficients("k1", "k2", "p1", "p2", "k3")
        rational = self._coefficients("k4", "k5", "k6")
        if model == "FULL_OPENCV" and any(rational):
            return "rational_polynomial", brown + rational
        if any(rational):
            raise SourceError(
                f"{self._where}: k4 k5 k6 {rational} with camera_model {model}; "
                f"expected FULL_OPENCV, or none of them"
            )
        return ("plumb_bob", brown) if any(brown) else ("none", ())

    def _coefficients(self, *names: str) -> tuple[float, ...]:
        return tuple(self.number(name, 0.0) for name in names)


def _of_matrix(matrix: Any, where: str) -> dict[str, float]:
    """Return the numbers of an intrinsic matrix, which some converters write instead."""
    if matrix is None:
        return {}
    rows = np.array(matrix, dtype=object)
    if rows.shape not in ((3, 3), (3, 4), (4, 4)):
        raise SourceError(f"{where}: K {reprlib.repr(matrix)}; expected a 3 x 3 matrix")
    places = {"fl_x": (0, 0), "fl_y": (1, 1), "cx": (0, 2), "cy": (1, 2)}
    return {key: finite_number(rows[place], f"{where}: K") for key, place in places.items()}


def is_listing(path: Path) -> bool:
    """Decide whether a path is a `transforms.json` or a folder with one."""
    if path.is_file():
        return path.suffix == ".json"
    return (path / FILE).is_file()
