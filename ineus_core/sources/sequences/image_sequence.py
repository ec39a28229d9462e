# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What the sources of image files share: frames read when they are asked for, pictures, poses."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from ineus_core.errors import SourceError
from ineus_core.types import Camera, Frame, Mesh, check_rigid

RIGID_TOLERANCE = 1e-2


@dataclass(frozen=True)
class FrameFiles:
    """The files of one frame, and its pose."""

    stamp_ns: int
    world_from_camera: Float[np.ndarray, "4 4"]
    colour: Path
    depth: Path | None


@dataclass(frozen=True)
class DepthCoding:
    """How the 16-bit values of a depth image become metres."""

    values_per_m: float
    range_m: tuple[float, float]
    """Returns outside of it count as none."""
    no_return: int = 0

    def decode(self, values: np.ndarray) -> Float[np.ndarray, "h w"]:
        """Metres, 0 where there is no return."""
        depth_m = values.astype(np.float32) / np.float32(self.values_per_m)
        low, high = self.range_m
        valid = (values > 0) & (values != self.no_return) & (depth_m >= low) & (depth_m <= high)
        return np.where(valid, depth_m, np.float32(0))


class ImageSequence:
    """A source whose frames lie in files, of which one frame at a time is in memory.

    Raises:
        SourceError: If there is no frame or a file is missing.
    """

    kind = "image_sequence"

    def __init__(
        self, files: Sequence[FrameFiles], camera: Camera, depth: DepthCoding, max_frames: int = 0
    ) -> None:
        self.camera = camera
        self.dropped: Counter[str] = Counter()
        self._depth = depth
        self._files = self._by_rising_stamp(files)[: max_frames or None]
        for path in (path for frame in self._files for path in (frame.colour, frame.depth)):
            if path is not None and not path.is_file():
                raise SourceError(f"{path}: no such file, though there is a pose for it")

    def _by_rising_stamp(self, files: Sequence[FrameFiles]) -> list[FrameFiles]:
        rising: list[FrameFiles] = []
        for frame in sorted(files, key=lambda frame: frame.stamp_ns):
            if rising and frame.stamp_ns == rising[-1].stamp_ns:
                self.dropped["repeated_stamp"] += 1
            else:
                rising.append(frame)
        return rising

    def __len__(self) -> int:
        """Number of frames with files and a pose."""
        return len(self._files)

    def __iter__(self) -> Iterator[Frame]:
        """Read the frames by rising stamp; iterating again starts over."""
        return map(self._read, self._files)

    def _read(self, files: FrameFiles) -> Frame:
        rgb = read_colour(files.colour)
        depth_m = None if files.depth is None else self._depth.decode(read_depth(files.depth))
        expected = (self.camera.height_px, self.camera.width_px)
        for path, picture in ((files.colour, rgb), (files.depth, depth_m)):
            if picture is not None and picture.shape[:2] != expected:
                raise SourceError(
                    f"{path}: picture of {picture.shape[1]} x {picture.shape[0]} pixels; "
                    f"expected the camera's {expected[1]} x {expected[0]}"
                )
        return Frame(files.stamp_ns, self.camera, files.world_from_camera, rgb, depth_m)

    def reference_mesh(self) -> Mesh | None:
        """Return nothing: these layouts have no place for a ground truth."""
        return None


def read_colour(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """Read a colour (or grey) picture as RGB."""
    # The rotation that a camera may have noted would not agree with the intrinsics.
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    picture = cv2.imread(str(path), flags)
    if picture is None:
        raise SourceError(f"{path}: cannot be read as a picture")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def read_depth(path: Path) -> np.ndarray:
    """Read the values of a depth picture with one channel of 16 bits."""
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise SourceError(f"{path}: cannot be read as a picture")
    if picture.ndim != 2 or picture.dtype != np.uint16:
        channels = 1 if picture.ndim == 2 else picture.shape[2]
        raise SourceError(
            f"{path}: {channels} channel(s) of {picture.dtype}; expected depth as one of uint16"
        )
    return picture


def numbered_lines(path: Path) -> list[tuple[int, str]]:
    """Lines of a text file with their numbers from 1, without comments (#) and empty ones."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read as text ({error})") from error
    stripped = ((number, line.split("#")[0].strip()) for number, line in enumerate(lines, start=1))
    return [(number, line) for number, line in stripped if line]


def parse_numbers(words: Sequence[str], where: str) -> Float[np.ndarray, " n"]:
    """Convert words to numbers; `where` names the file and line in the message."""
    try:
        return np.array([float(word) for word in words])
    except ValueError as error:
        raise SourceError(f"{where}: {error}") from error


def parse_stamp_ns(seconds: str, where: str) -> int:
    """Convert seconds to nanoseconds without the rounding of a float."""
    try:
        stamp_ns = int(Decimal(seconds) * 10**9)
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise SourceError(f"{where}: time stamp {seconds!r}; expected seconds") from error
    if stamp_ns < 0:
        raise SourceError(f"{where}: time stamp {seconds!r}; expected no negative number")
    return stamp_ns


def checked_pose(matrix: Float[np.ndarray, "r 4"], where: str) -> Float[np.ndarray, "4 4"]:
    """Complete a pose of three or four rows, and replace its rotation by the nearest exact one."""
    pose = np.eye(4)
    pose[: len(matrix)] = matrix
    try:
        check_rigid(pose, RIGID_TOLERANCE)
    except SourceError as error:
        raise SourceError(f"{where}: {error}") from error
    u, _, v = np.linalg.svd(pose[:3, :3])
    pose[:3, :3] = u @ v
    return pose
