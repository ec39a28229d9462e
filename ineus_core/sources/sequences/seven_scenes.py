# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A sequence in the layout of 7-Scenes: a colour, a depth and a pose file for each frame."""

import logging
from pathlib import Path

import numpy as np
from jaxtyping import Float
from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.errors import SourceError
from ineus_core.sources.parsing import checked_pose, numbered_lines, parse_matrix
from ineus_core.sources.picture_files import picture_size
from ineus_core.sources.read_options import ReadOptions
from ineus_core.sources.sequences.camera_files import check_proportions, find_calibration
from ineus_core.sources.sequences.image_sequence import DepthCoding, FrameFiles, ImageSequence
from ineus_core.types import Camera

_LOG = logging.getLogger(__name__)


class SevenScenesConfig(ConfigModel):
    """The camera of a sequence of 7-Scenes; the layout says nothing about it.

    In the original recordings depth is not registered to colour; the defaults are the depth
    camera's, as the data set recommends.
    """

    fx: float = Field(
        default=585.0,
        gt=0,
        description="Focal length in pixels; not set: by camera-intrinsics.txt, if there is one",
    )
    fy: float = Field(default=585.0, gt=0, description="Focal length in pixels, likewise")
    cx: float = Field(
        default=320.0, description="Principal point in pixels, centres at integers, likewise"
    )
    cy: float = Field(
        default=240.0, description="Principal point in pixels, centres at integers, likewise"
    )
    rate_hz: float = Field(default=30.0, gt=0, description="Frames per second of the recording")


class SevenScenesSource(ImageSequence):
    """Frames `frame-NNNNNN.color.png`, `.depth.png` (millimetres, 65535: none) and `.pose.txt`.

    Args:
        path: Folder with the frames, or one with a single sequence folder in it.
    """

    kind = "seven_scenes"

    def __init__(
        self,
        path: str | Path,
        config: SevenScenesConfig | None = None,
        options: ReadOptions | None = None,
    ) -> None:
        options = options or ReadOptions()
        config = config or SevenScenesConfig()
        self.path = _sequence_folder(Path(path))
        poses = sorted(self.path.glob("frame-*.pose.txt"))
        files = [_frame_files(pose, config.rate_hz) for pose in poses]
        depth = DepthCoding(1000.0, no_return=65535)
        size = picture_size(files[0].colour, options.max_picture_mpx)
        super().__init__(files, _camera(self.path, size, config), depth, options.max_frames)
        unposed = len({*self.path.glob("frame-*.color.*")} - {frame.colour for frame in files})
        if unposed:
            self.dropped["no_pose"] = unposed


def is_scene(path: Path) -> bool:
    """Decide whether a path is a sequence, or a folder with some."""
    return path.is_dir() and any(map(is_sequence, (path, *path.glob("*/"))))


def is_sequence(folder: Path) -> bool:
    """Decide whether a folder holds frames with poses of this layout."""
    return any(folder.glob("frame-*.pose.txt"))


def _sequence_folder(path: Path) -> Path:
    if is_sequence(path):
        return path
    inner = sorted(folder for folder in path.glob("*") if folder.is_dir() and is_sequence(folder))
    if len(inner) == 1:
        return inner[0]
    if inner:
        names = ", ".join(folder.name for folder in inner)
        raise SourceError(f"{path}: {len(inner)} sequences ({names}); expected the path of one")
    raise SourceError(f"{path}: no frame-NNNNNN.pose.txt; expected a sequence of 7-Scenes")


def _frame_files(pose_path: Path, rate_hz: float) -> FrameFiles:
    name = pose_path.name.removesuffix(".pose.txt")
    digits = name.removeprefix("frame-")
    if not digits.isdecimal():
        raise SourceError(f"{pose_path}: frame {digits!r}; expected a number")
    # The layout as it is packed with other programs has JPEG colour.
    colours = [pose_path.with_name(f"{name}.color.{suffix}") for suffix in ("png", "jpg")]
    colour = next((path for path in colours if path.is_file()), colours[0])
    depth = pose_path.with_name(f"{name}.depth.png")
    return FrameFiles(round(int(digits) * 1e9 / rate_hz), _read_pose(pose_path), colour, depth)


def _read_pose(path: Path) -> Float[np.ndarray, "4 4"]:
    return checked_pose(parse_matrix(path, numbered_lines(path), 4, 4), str(path))


def _camera(folder: Path, size: tuple[int, int], config: SevenScenesConfig) -> Camera:
    fx, fy, cx, cy = config.fx, config.fy, config.cx, config.cy
    # tsdf-fusion and nvblox keep one for the sequences of a folder.
    found = find_calibration(folder, folder.absolute().parent)
    # What somebody has set comes first.
    if not config.model_fields_set & {"fx", "fy", "cx", "cy"}:
        if found is not None:
            check_proportions(*found, size, "source.seven_scenes.fx, fy, cx, cy")
            return found[1].camera(size)
        _LOG.warning(
            "%s: no camera-intrinsics.txt here or one folder up; the camera is taken for that of "
            "7-Scenes, fx %g fy %g cx %g cy %g; source.seven_scenes.fx and the keys beside it set "
            "another",
            *(folder, fx, fy, cx, cy),
        )
    return Camera(*size, fx, fy, cx + 0.5, cy + 0.5)
