# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Folders of colour and of depth beside one trajectory, as Redwood, ICL-NUIM and Open3D have it.

Replica as Semantic-NeRF renders it is one of them, too.
"""

import bisect
import logging
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.errors import SourceError
from ineus_core.sources.adjustment import MIRROR_Y
from ineus_core.sources.near_misses import PICTURE_SUFFIXES
from ineus_core.sources.parsing import parse_stamp_ns
from ineus_core.sources.picture_files import picture_size
from ineus_core.sources.read_options import ReadOptions
from ineus_core.sources.sequences.camera_files import (
    Calibration,
    check_proportions,
    find_calibration,
)
from ineus_core.sources.sequences.image_sequence import DepthCoding, FrameFiles, ImageSequence
from ineus_core.sources.sequences.trajectory_files import (
    TrajectoryPose,
    begins_with_numbers,
    read_trajectory,
)

_LOG = logging.getLogger(__name__)
_SETTINGS = "source.rgbd_folder.fx, fy, cx, cy"

COLOUR_WORDS = ("color", "colour", "rgb", "image", "images")
DEPTH_WORDS = ("depth", "depths")
_TRAJECTORIES = (
    "*.gt.freiburg",
    "*.gt.sim",
    "*trajectory*.log",
    "*.log",
    "scene/trajectory.log",
    "traj_w_c.txt",
    "*traj*.txt",
    "pose.txt",
    "poses.txt",
    "*.freiburg",
)
"""Where poses are looked for, by falling preference."""
# Less than there is between two pictures at 30 Hz.
_STAMP_TOLERANCE_NS = 20_000_000


class _Layout(NamedTuple):
    """What is taken where no file and no setting says it."""

    name: str
    calibration: Calibration
    is_mirrored: bool = False


_REDWOOD = _Layout(
    "the PrimeSense camera of Redwood", Calibration(525.0, 525.0, 319.5, 239.5, (640, 480), 1000.0)
)
_ICL = _Layout(
    "the camera of ICL-NUIM", Calibration(481.2, 480.0, 319.5, 239.5, (640, 480), 5000.0), True
)
_SEMANTIC_NERF = _Layout(
    "the camera of Semantic-NeRF", Calibration(320.0, 320.0, 319.5, 239.5, (640, 480), 1000.0)
)


class RgbdFolderConfig(ConfigModel):
    """Where the parts of a folder of colour, depth and poses are, and its camera."""

    trajectory: str = Field(
        default="", description="File of the poses; empty: *.log, *traj*.txt, pose.txt, ..."
    )
    color_folder: str = Field(
        default="", description="Folder of colour; empty: color, rgb, image or NAME-color"
    )
    depth_folder: str = Field(
        default="", description="Folder of depth; empty: depth or NAME-depth; none: colour only"
    )
    fx: float = Field(
        default=0.0, ge=0, description="Focal length in pixels; 0: by a file of intrinsics"
    )
    fy: float = Field(default=0.0, ge=0, description="Focal length in pixels; 0: fx")
    cx: float = Field(
        default=0.0, description="Principal point in pixels, centres at integers; 0: the middle"
    )
    cy: float = Field(
        default=0.0, description="Principal point in pixels, centres at integers; 0: the middle"
    )
    depth_scale: float = Field(
        default=0.0,
        ge=0,
        description="Depth values per metre; 0: by the file of intrinsics, else 1000, and 5000 "
        "of ICL-NUIM",
    )


class RgbdFolderSource(ImageSequence):
    """Pictures of a folder of colour, each with that of depth and a pose of the trajectory.

    The poses are world_from_camera with optical axes. Those of ICL-NUIM (`*.gt.freiburg`,
    `*.gt.sim`) are in a left-handed world, with y up in the camera; its y is turned about.
    """

    kind = "rgbd_folder"

    def __init__(
        self,
        path: str | Path,
        config: RgbdFolderConfig | None = None,
        options: ReadOptions | None = None,
    ) -> None:
        options = options or ReadOptions()
        config = config or RgbdFolderConfig()
        self.path = Path(path)
        parts = _parts(self.path, config)
        files, dropped = _associated(parts, options.frame_period_s)
        if not files:
            raise SourceError(
                f"{parts.trajectory}: none of its poses is of one of the pictures of "
                f"{parts.colour}; expected names that are numbers or stamps of poses"
            )
        size = picture_size(files[0].colour, options.max_picture_mpx)
        calibration = _calibration(self.path, parts, config, size)
        usual = parts.layout.calibration.depth_scale or 1000.0
        depth = DepthCoding(config.depth_scale or calibration.depth_scale or usual)
        super().__init__(files, calibration.camera(size), depth, options.max_frames)
        self.dropped.update(dropped)


class _Parts(NamedTuple):
    colour: Path
    depth: Path | None
    """The folder of colour itself where names of pictures tell the two apart."""
    trajectory: Path

    @property
    def colours(self) -> list[Path]:
        found = pictures_of(self.colour)
        return [file for file in found if _is_colour(file)] if self._is_one else found

    @property
    def depths(self) -> list[Path]:
        if self.depth is None:
            return []
        found = pictures_of(self.depth, ".npy")
        return [file for file in found if _is_depth(file)] if self._is_one else found

    @property
    def _is_one(self) -> bool:
        return self.depth == self.colour

    @property
    def layout(self) -> _Layout:
        if self.trajectory.name.endswith((".gt.freiburg", ".gt.sim")):
            return _ICL
        return _SEMANTIC_NERF if self.trajectory.name == "traj_w_c.txt" else _REDWOOD


def is_rgbd_folder(path: Path) -> bool:
    """Decide whether a folder has pictures and a trajectory of these layouts."""
    if not path.is_dir() or not _trajectory_of(path):
        return False
    return bool(_folder_of(path, COLOUR_WORDS)) or _holds_both(path)


def _parts(folder: Path, config: RgbdFolderConfig) -> _Parts:
    """Find the folders and the trajectory; each lacking one is named with its setting."""
    named = (config.color_folder, config.depth_folder, config.trajectory)
    colour, depth, trajectory = (folder / name if name else None for name in named)
    colour = colour or _folder_of(folder, COLOUR_WORDS)
    if colour is None and _holds_both(folder):
        colour, depth = folder, depth or folder
    depth = depth or _folder_of(folder, DEPTH_WORDS)
    trajectory = trajectory or _trajectory_of(folder)
    if colour is None or not colour.is_dir():
        raise SourceError(
            f"{colour or folder}: no folder of colour; expected one named "
            f"{', '.join(COLOUR_WORDS)}, or source.rgbd_folder.color_folder"
        )
    if trajectory is None or not trajectory.is_file():
        raise SourceError(
            f"{trajectory or folder}: no trajectory; expected one of {', '.join(_TRAJECTORIES)}, "
            f"or source.rgbd_folder.trajectory"
        )
    if config.depth_folder == "none":
        depth = None
    elif depth is not None and not depth.is_dir():
        raise SourceError(f"{depth}: no such folder; expected source.rgbd_folder.depth_folder")
    return _Parts(colour, depth, trajectory)


def _folder_of(folder: Path, words: tuple[str, ...]) -> Path | None:
    """Find a folder by a word that its name is, or ends with after a - or _."""
    inner = sorted(inner for inner in folder.iterdir() if inner.is_dir())
    for word in words:
        for candidate in inner:
            if re.search(rf"(^|[-_]){word}$", candidate.name.lower()):
                return candidate
    return None


def _holds_both(folder: Path) -> bool:
    """Decide whether pictures of colour and of depth lie side by side, told apart by names."""
    found = pictures_of(folder, ".npy")
    return any(map(_is_colour, found)) and any(map(_is_depth, found))


def _is_colour(file: Path) -> bool:
    words = _words_of(file)
    return bool(words & set(COLOUR_WORDS)) and not words & set(DEPTH_WORDS)


def _is_depth(file: Path) -> bool:
    return bool(_words_of(file) & set(DEPTH_WORDS))


def _words_of(file: Path) -> set[str]:
    return set(re.findall("[a-z]+", file.stem.lower()))


def _trajectory_of(folder: Path) -> Path | None:
    found = (file for name in _TRAJECTORIES for file in sorted(folder.glob(name)))
    return next((file for file in found if begins_with_numbers(file)), None)


def _associated(parts: _Parts, period_s: float) -> tuple[list[FrameFiles], Counter[str]]:
    """Give each pose its picture and its depth; the others are counted."""
    poses = read_trajectory(parts.trajectory)
    colours = parts.colours
    depths = _Partners(parts.depths) if parts.depth else None
    chosen = _by_index(poses, colours)
    if poses[0].index is None:
        chosen = _by_stamp(poses, colours) or _in_order(parts, poses, colours)
    files, dropped = [], Counter({"no_pose": len(colours) - len(chosen)})
    for index, pose in sorted(chosen.items()):
        depth = None if depths is None else depths.of(index, colours)
        if depths is not None and depth is None:
            dropped["no_depth"] += 1
            continue
        matrix = pose.world_from_camera
        if parts.layout.is_mirrored:
            # On both sides: the world is mirrored, and so are the axes of the camera.
            matrix = MIRROR_Y @ matrix @ MIRROR_Y
        stamp_ns = round(index * period_s * 1e9)
        files.append(FrameFiles(stamp_ns, matrix, colours[index], depth))
    # The sign leaves out reasons that were never met.
    return files, +dropped


def pictures_of(folder: Path, *other_suffixes: str) -> list[Path]:
    """List the pictures of a folder by the numbers in their names."""
    suffixes = (*PICTURE_SUFFIXES, *other_suffixes)
    found = [file for file in folder.iterdir() if file.suffix.lower() in suffixes]
    return sorted(found, key=lambda file: (numbers_of(file.stem), file.name))


def numbers_of(name: str) -> list[int]:
    """Return the numbers in a name, so that 10 comes after 9."""
    return [int(digits) for digits in re.findall(r"\d+", name)]


class _Partners:
    """Depth pictures by the pictures of colour that they belong to."""

    def __init__(self, depths: list[Path]) -> None:
        self._depths = depths
        self._by_number = {tuple(numbers_of(file.stem)): file for file in depths}
        # Stamps of the two sensors differ, but not the number before them, if it is one.
        by_first = {key[0]: file for key, file in self._by_number.items() if len(key) > 1}
        self._by_first = by_first if len(by_first) == len(depths) else {}

    def of(self, index: int, colours: list[Path]) -> Path | None:
        """Return the depth of a picture: of the same number, else at the same place."""
        numbers = tuple(numbers_of(colours[index].stem))
        if numbers in self._by_number:
            return self._by_number[numbers]
        if len(numbers) > 1 and numbers[0] in self._by_first:
            return self._by_first[numbers[0]]
        # By place only where there are as many: a picture that is missing would shift all that
        # follow.
        return self._depths[index] if len(self._depths) == len(colours) else None


def _by_index(poses: Iterable[TrajectoryPose], colours: list[Path]) -> dict[int, TrajectoryPose]:
    chosen = {pose.index: pose for pose in poses if pose.index is not None}
    return {index: pose for index, pose in chosen.items() if 0 <= index < len(colours)}


def _by_stamp(poses: Iterable[TrajectoryPose], colours: list[Path]) -> dict[int, TrajectoryPose]:
    """Give each picture whose name is a stamp the nearest pose."""
    track = sorted((pose.stamp_ns or 0, i, pose) for i, pose in enumerate(poses))
    stamps = [entry[0] for entry in track]
    chosen = {}
    for index, colour in enumerate(colours):
        match = re.search(r"\d+(\.\d+)?$", colour.stem)
        if match is None:
            continue
        stamp_ns = parse_stamp_ns(match[0], str(colour))
        after = bisect.bisect_left(stamps, stamp_ns)
        near = [i for i in (after - 1, after) if 0 <= i < len(stamps)]
        nearest = min(near, key=lambda i: abs(stamps[i] - stamp_ns))
        if abs(stamps[nearest] - stamp_ns) <= _STAMP_TOLERANCE_NS:
            chosen[index] = track[nearest][2]
    return chosen


def _in_order(
    parts: _Parts, poses: list[TrajectoryPose], colours: list[Path]
) -> dict[int, TrajectoryPose]:
    """Give the pictures their poses in order, if there are as many and no name is a stamp."""
    if len(poses) != len(colours):
        return {}
    _LOG.warning(
        "%s: none of its stamps is the name of a picture; its %d poses are taken in the order of "
        "as many pictures",
        *(parts.trajectory, len(poses)),
    )
    return dict(enumerate(sorted(poses, key=lambda pose: pose.stamp_ns or 0)))


def _calibration(
    folder: Path, parts: _Parts, config: RgbdFolderConfig, size: tuple[int, int]
) -> Calibration:
    if config.fx:
        # The middle of a picture whose first pixel has its centre at 0.
        cx, cy = config.cx or (size[0] - 1) / 2, config.cy or (size[1] - 1) / 2
        return Calibration(config.fx, config.fy or config.fx, cx, cy)
    found = find_calibration(folder, folder.absolute().parent)
    if found is not None:
        file, calibration = found
        check_proportions(file, calibration, size, _SETTINGS)
        return calibration
    name, calibration, _ = parts.layout
    _LOG.warning(
        "%s: no file of intrinsics here or one folder up; taken is %s, fx %g fy %g cx %g cy %g of "
        "%s pictures; source.rgbd_folder.fx and the keys beside it set another",
        *(folder, name, calibration.fx, calibration.fy, calibration.cx, calibration.cy),
        "640 x 480",
    )
    check_proportions(folder, calibration, size, _SETTINGS)
    return calibration
