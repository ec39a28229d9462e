# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A sequence in the layout of the TUM RGB-D benchmark: lists of stamped pictures and of poses."""

import bisect
import logging
import reprlib
from collections import Counter
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.errors import SourceError
from ineus_core.geometry import rigid_transform
from ineus_core.sources.parsing import (
    checked_pose,
    named_file,
    numbered_lines,
    parse_numbers,
    parse_stamp_ns,
)
from ineus_core.sources.picture_files import picture_size
from ineus_core.sources.pose_track import PoseTrack
from ineus_core.sources.read_options import ReadOptions
from ineus_core.sources.sequences.camera_files import (
    Calibration,
    check_proportions,
    find_calibration,
)
from ineus_core.sources.sequences.image_sequence import DepthCoding, FrameFiles, ImageSequence
from ineus_core.types import Camera

_LOG = logging.getLogger(__name__)
_SETTINGS = "source.tum.fx, fy, cx, cy"


class _Calibration(NamedTuple):
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = ()


# As published with the benchmark, pixel centres at integers.
CALIBRATIONS = {
    "freiburg1": _Calibration(
        517.3, 516.5, 318.6, 255.3, (0.2624, -0.9531, -0.0054, 0.0026, 1.1633)
    ),
    "freiburg2": _Calibration(
        520.9, 521.0, 325.1, 249.7, (0.2312, -0.7849, -0.0033, -0.0001, 0.9172)
    ),
    "freiburg3": _Calibration(535.4, 539.2, 320.1, 247.6),
    "default": _Calibration(525.0, 525.0, 319.5, 239.5),
}


class TumConfig(ConfigModel):
    """The camera and the tolerances of a TUM sequence."""

    calibration: Literal["auto", "freiburg1", "freiburg2", "freiburg3", "default"] = Field(
        default="auto", description="Camera of the sequence; auto: by the name of the folder"
    )
    fx: float = Field(
        default=0.0,
        ge=0,
        description="Focal length in pixels of a camera without distortion; 0: by calibration",
    )
    fy: float = Field(default=0.0, ge=0, description="Focal length in pixels; 0: fx")
    cx: float = Field(
        default=0.0, description="Principal point in pixels, centres at integers; 0: the middle"
    )
    cy: float = Field(
        default=0.0, description="Principal point in pixels, centres at integers; 0: the middle"
    )
    depth_scale: float = Field(default=5000.0, gt=0, description="Depth values per metre")
    sync_tolerance_s: float = Field(
        default=0.02, ge=0, description="Largest difference of colour and depth stamps in seconds"
    )
    pose_tolerance_s: float = Field(
        default=0.1, ge=0, description="Largest gap between poses to interpolate in seconds"
    )


class TumSource(ImageSequence):
    """Frames of `rgb.txt`, each with the nearest of `depth.txt` and a pose between known ones."""

    kind = "tum"

    def __init__(
        self,
        path: str | Path,
        config: TumConfig | None = None,
        options: ReadOptions | None = None,
    ) -> None:
        options = options or ReadOptions()
        self.path = Path(path)
        config = config or TumConfig()
        files, dropped = _associate(self.path, config)
        if not files:
            reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
            raise SourceError(
                f"{self.path}: no picture of rgb.txt can be used ({reasons or 'it lists none'})"
                f"{_what_helps(self.path)}"
            )
        size = picture_size(files[0].colour, options.max_picture_mpx)
        camera = _camera(self.path, size, config)
        depth = DepthCoding(config.depth_scale)
        super().__init__(files, camera, depth, options.max_frames)
        self.dropped.update(dropped)


def is_sequence(path: Path) -> bool:
    """Decide whether a folder has the lists of this layout."""
    return (path / "rgb.txt").is_file() and (path / "groundtruth.txt").is_file()


def _associate(folder: Path, config: TumConfig) -> tuple[list[FrameFiles], Counter[str]]:
    dropped: Counter[str] = Counter()
    colours = _listed(folder / "rgb.txt", folder)
    has_depth = (folder / "depth.txt").is_file()
    depths = _listed(folder / "depth.txt", folder) if has_depth else []
    pose_ns, depth_ns = (
        round(s * 1e9) for s in (config.pose_tolerance_s, config.sync_tolerance_s)
    )
    trajectory = _Trajectory(folder / "groundtruth.txt", pose_ns)
    partner = _partners([s for s, _ in colours], [s for s, _ in depths], depth_ns)
    files = []
    for i, (stamp_ns, colour) in enumerate(colours):
        pose = trajectory.at(stamp_ns)
        if pose is None:
            dropped["no_pose"] += 1
        elif has_depth and i not in partner:
            dropped["no_depth"] += 1
        else:
            depth = depths[partner[i]][1] if has_depth else None
            files.append(FrameFiles(stamp_ns, pose, colour, depth))
    return files, dropped


def _what_helps(folder: Path) -> str:
    """Return how far the stamps of the lists are apart, with the settings that bridge that."""
    hints = []
    colours = [stamp_ns for stamp_ns, _ in _listed(folder / "rgb.txt", folder)]
    for name, key in (("depth.txt", "sync_tolerance_s"), ("groundtruth.txt", "pose_tolerance_s")):
        if colours and (folder / name).is_file():
            lines = numbered_lines(folder / name)
            stamps = [
                parse_stamp_ns(line.split()[0], f"{folder / name}, {n}") for n, line in lines
            ]
            gap_s = least_gap_ns(colours, stamps) * 1e-9
            hints.append(f"{gap_s:.3f} s from {name} (source.tum.{key})")
    return f"; the nearest stamps are {' and '.join(hints)}" if hints else ""


def least_gap_ns(stamps: list[int], others: list[int]) -> int:
    """Return the time between the nearest two of two lists."""
    theirs = sorted(others)
    gaps = []
    for stamp in stamps:
        after = bisect.bisect_left(theirs, stamp)
        gaps += [abs(theirs[i] - stamp) for i in (after - 1, after) if 0 <= i < len(theirs)]
    return min(gaps, default=0)


def _listed(path: Path, folder: Path) -> list[tuple[int, Path]]:
    """Return the stamps and files of a list, by rising stamp."""
    listed = []
    for number, line in numbered_lines(path):
        where, words = f"{path}, line {number}", line.split(maxsplit=1)
        if len(words) != 2:
            raise SourceError(f"{where}: {reprlib.repr(line)}; expected a time stamp and a file")
        file = named_file(folder, words[1], where)
        listed.append((parse_stamp_ns(words[0], where), file))
    return sorted(listed)


def _partners(stamps: list[int], others: list[int], tolerance_ns: int) -> dict[int, int]:
    """Pair each stamp with the index of the nearest other one; of two rivals the nearer wins."""
    taken: dict[int, int] = {}
    for i, stamp in enumerate(stamps):
        after = bisect.bisect_left(others, stamp)
        near = [j for j in (after - 1, after) if 0 <= j < len(others)]
        j = min(near, key=lambda j: abs(others[j] - stamp), default=-1)
        if j < 0 or abs(others[j] - stamp) > tolerance_ns:
            continue
        if j not in taken or abs(others[j] - stamp) < abs(others[j] - stamps[taken[j]]):
            taken[j] = i
    return {i: j for j, i in taken.items()}


class _Trajectory:
    """Stamped poses, read between the lines."""

    def __init__(self, path: Path, tolerance_ns: int) -> None:
        poses: dict[int, np.ndarray] = {}
        for number, line in numbered_lines(path):
            where, words = f"{path}, line {number}", line.split()
            if len(words) != 8:
                raise SourceError(
                    f"{where}: {len(words)} columns; expected 8: stamp tx ty tz qx qy qz qw"
                )
            numbers = parse_numbers(words[1:], where)
            norm = np.linalg.norm(numbers[3:])
            if not np.isfinite(numbers).all() or abs(norm - 1) > 0.01:
                raise SourceError(
                    f"{where}: {reprlib.repr(line)}; expected finite numbers and a unit quaternion"
                )
            pose = rigid_transform(numbers[:3], numbers[3:])
            poses[parse_stamp_ns(words[0], where)] = checked_pose(pose, where)
        if not poses:
            raise SourceError(f"{path}: no poses; expected lines stamp tx ty tz qx qy qz qw")
        self._tolerance_ns = tolerance_ns
        self._track = PoseTrack(tolerance_ns, capacity=0, jump_ns=0)
        for stamp_ns in sorted(poses):
            self._track.add(stamp_ns, poses[stamp_ns])

    def at(self, stamp_ns: int) -> Float[np.ndarray, "4 4"] | None:
        """Return the pose at a stamp; None before, after or in a gap longer than the tolerance."""
        # The gap as a whole, where a track by itself goes by the nearer of its two poses.
        if not 0 <= self._track.gap_ns(stamp_ns) <= self._tolerance_ns:
            return None
        return self._track.at(stamp_ns)


def _camera(folder: Path, size: tuple[int, int], config: TumConfig) -> Camera:
    if config.fx:
        # The middle of a picture whose first pixel has its centre at 0.
        cx, cy = config.cx or (size[0] - 1) / 2, config.cy or (size[1] - 1) / 2
        return Camera(*size, config.fx, config.fy or config.fx, cx + 0.5, cy + 0.5)
    if config.fy or config.cx or config.cy:
        raise SourceError(
            f"{folder}: fy {config.fy}, cx {config.cx}, cy {config.cy} without fx; expected "
            "source.tum.fx too, in pixels"
        )
    calibration: str = config.calibration
    if calibration == "auto":
        name = folder.resolve().name
        calibration = next((key for key in CALIBRATIONS if key in name), "unknown")
        if calibration == "unknown":
            found = find_calibration(folder)
            if found is not None:
                check_proportions(*found, size, _SETTINGS)
                return found[1].camera(size)
            return _default_camera(folder, size)
    fx, fy, cx, cy, distortion = CALIBRATIONS[calibration]
    model = "plumb_bob" if distortion else "none"
    return Camera(*size, fx, fy, cx + 0.5, cy + 0.5, model, distortion)


def _default_camera(folder: Path, size: tuple[int, int]) -> Camera:
    """Return the usual camera of the benchmark, for pictures of its proportions."""
    fx, fy, cx, cy, _ = CALIBRATIONS["default"]
    usual = Calibration(fx, fy, cx, cy, (640, 480))
    check_proportions(folder, usual, size, _SETTINGS)
    camera = usual.camera(size)
    _LOG.warning(
        "%s: no camera of the benchmark goes by this name; taken is its default, fx 525 fy 525 at "
        "640 x 480 and so fx %g of these pictures; a file of intrinsics (such as "
        "camera-intrinsics.txt), source.tum.fx and the keys beside it, or calibration, set others",
        *(folder, camera.fx),
    )
    return camera
