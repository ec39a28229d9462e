# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A folder of posed images: `images/`, `depth/` (optional), `intrinsics.json` and `poses.txt`."""

import reprlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.errors import SourceError
from ineus_core.sources.parsing import (
    NumberFields,
    checked_pose,
    finite_number,
    named_file,
    numbered_lines,
    parse_numbers,
    parse_stamp_ns,
    read_json,
)
from ineus_core.sources.picture_files import MOST_MPX, check_believable
from ineus_core.sources.read_options import ReadOptions
from ineus_core.sources.sequences.image_sequence import DepthCoding, FrameFiles, ImageSequence
from ineus_core.types import Camera

COLOUR_SUFFIXES = (".jpg", ".jpeg", ".png")


class PosedImagesConfig(ConfigModel):
    """How a folder of posed images is read."""

    depth_scale: float = Field(
        default=0.0, ge=0, description="Depth values per metre; 0: as intrinsics.json says"
    )


@dataclass(frozen=True)
class NamedPose:
    """A line of a `poses.txt`."""

    name: str
    stamp_ns: int
    world_from_camera: Float[np.ndarray, "4 4"]


class PosedImagesSource(ImageSequence):
    """Frames of a folder of posed images.

    A line of `poses.txt` is `frame stamp_s`, then the first three rows of world_from_camera; the
    frame's pictures are `images/FRAME.jpg` (or png) and `depth/FRAME.png`. The intrinsics count
    pixel centres at integers.
    """

    kind = "posed_images"

    def __init__(
        self,
        path: str | Path,
        config: PosedImagesConfig | None = None,
        options: ReadOptions | None = None,
    ) -> None:
        options = options or ReadOptions()
        self.path = Path(path)
        intrinsics = _Intrinsics(self.path / "intrinsics.json")
        scale = config.depth_scale if config is not None else 0.0
        depth = DepthCoding(scale or intrinsics.depth_scale())
        camera = intrinsics.camera(options.max_picture_mpx)
        super().__init__(_listed_files(self.path), camera, depth, options.max_frames)


def is_folder(path: Path) -> bool:
    """Decide whether a folder has poses and pictures of this layout."""
    return (path / "poses.txt").is_file() and (path / "images").is_dir()


def _listed_files(folder: Path) -> list[FrameFiles]:
    colours = _pictures(folder / "images")
    has_depth = (folder / "depth").is_dir()
    files = []
    for pose in read_poses(folder / "poses.txt"):
        colour = colours.get(pose.name, folder / "images" / f"{pose.name}.jpg")
        depth = folder / "depth" / f"{pose.name}.png" if has_depth else None
        files.append(FrameFiles(pose.stamp_ns, pose.world_from_camera, colour, depth))
    return files


def read_poses(path: Path) -> list[NamedPose]:
    """Read a `poses.txt`."""
    poses = []
    for number, line in numbered_lines(path):
        where, words = f"{path}, line {number}", line.split()
        if len(words) != 14:
            raise SourceError(
                f"{where}: {len(words)} columns; expected 14: frame stamp_s r00 r01 r02 tx ... tz"
            )
        pose = checked_pose(parse_numbers(words[2:], where).reshape(3, 4), where)
        # The name becomes one of a file.
        named_file(path.parent, f"{words[0]}.jpeg", where)
        poses.append(NamedPose(words[0], parse_stamp_ns(words[1], where), pose))
    if not poses:
        raise SourceError(f"{path}: no poses; expected a line for each frame")
    return poses


def read_camera(path: Path) -> Camera:
    """Read the camera of an `intrinsics.json`."""
    return _Intrinsics(path).camera()


def _pictures(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise SourceError(f"{folder}: no such folder; expected the colour pictures")
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in COLOUR_SUFFIXES)
    if not found:
        raise SourceError(f"{folder}: no pictures; expected {' or '.join(COLOUR_SUFFIXES)} files")
    return {path.stem: path for path in found}


class _Intrinsics:
    """The fields of an `intrinsics.json`."""

    def __init__(self, path: Path) -> None:
        self.path, self._fields = path, read_json(path)
        if not isinstance(self._fields, dict):
            raise SourceError(f"{path}: expected a JSON object with width, height, fx, fy, cx, cy")
        self._numbers = NumberFields(self._fields, str(path))
        model = self._fields.get("camera_model", "pinhole")
        if model != "pinhole":
            raise SourceError(f"{path}: camera_model {reprlib.repr(model)}; expected 'pinhole'")
        if self._fields.get("depth_registered_to_colour", True) is not True:
            raise SourceError(f"{path}: depth_registered_to_colour is false; expected true")

    def camera(self, most_mpx: float = MOST_MPX) -> Camera:
        """Return the colour camera."""
        distortion = self._fields.get("distortion", [])
        if not isinstance(distortion, list) or len(distortion) not in (0, 4, 5):
            raise SourceError(
                f"{self.path}: distortion {reprlib.repr(distortion)}; expected k1 k2 p1 p2 k3"
            )
        coefficients = tuple(
            finite_number(value, f"{self.path}: distortion") for value in distortion
        )
        number = self._numbers.number
        size = int(number("width")), int(number("height"))
        check_believable(size, str(self.path), most_mpx, " (source.max_picture_mpx)")
        return Camera(
            *size,
            fx=number("fx"),
            fy=number("fy"),
            cx=number("cx") + 0.5,
            cy=number("cy") + 0.5,
            distortion_model="plumb_bob" if any(coefficients) else "none",
            distortion=coefficients if any(coefficients) else (),
        )

    def depth_scale(self) -> float:
        """Return the depth values per metre, those of millimetres if it is not said."""
        scale = self._numbers.number("depth_scale", 1000.0)
        if scale <= 0:
            raise SourceError(f"{self.path}: depth_scale {scale}; expected a positive number")
        return scale
