# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A recording of the app StrayScanner: `rgb.mp4`, `depth/`, `confidence/`, `odometry.csv`."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.errors import SourceError
from ineus_core.sources.doubts import warn_of_camera, warn_of_poses
from ineus_core.sources.lfs import lfs_note
from ineus_core.sources.parsing import parse_stamp_ns, read_text
from ineus_core.sources.picture_files import check_believable
from ineus_core.sources.pose_track import PoseTrack
from ineus_core.sources.read_options import ReadOptions
from ineus_core.sources.sequences.camera_files import read_calibration
from ineus_core.sources.sequences.image_sequence import DepthCoding, FrameFiles
from ineus_core.sources.sequences.trajectory_files import pose_of_words
from ineus_core.types import Camera, Frame

VIDEO, ODOMETRY, MATRIX = "rgb.mp4", "odometry.csv", "camera_matrix.csv"
_COLUMNS = ("x", "y", "z", "qx", "qy", "qz", "qw")
_PERIOD_NS = 1e9 / 60
"""Of the recordings of the first versions, whose lines have no stamps."""


class StrayScannerConfig(ConfigModel):
    """How a recording of StrayScanner is read."""

    depth: bool = Field(default=True, description="Whether the depth of the LiDAR is used")
    least_confidence: int = Field(
        default=1, ge=0, le=2, description="Depth of a lower confidence (0, 1, 2) is left out"
    )
    every: int = Field(default=1, ge=1, description="One of so many frames of the video is read")


class StrayScannerSource:
    """Frames of the video, each with a line of `odometry.csv` and `depth/NNNNNN.png` (mm).

    The lines are world_from_camera with optical axes; the world is that of ARKit, y up.
    """

    kind = "stray_scanner"

    def __init__(
        self,
        path: str | Path,
        config: StrayScannerConfig | None = None,
        options: ReadOptions | None = None,
    ) -> None:
        options = options or ReadOptions()
        self.path = Path(path)
        self.dropped: Counter[str] = Counter()
        self._config = config or StrayScannerConfig()
        lines = _odometry(self.path / ODOMETRY)
        self._lines = dict(
            list(lines.items())[:: self._config.every][: options.max_frames or None]
        )
        size = _video_size(self.path / VIDEO, options.max_picture_mpx)
        lens = read_calibration(self.path / MATRIX)
        # ARKit counts from the corner of the picture, as we do.
        self.camera = Camera(*size, lens.fx, lens.fy, lens.cx, lens.cy)
        self._depth = DepthCoding(1000.0, least_confidence=self._config.least_confidence)
        warn_of_camera(self.camera, str(self.path / MATRIX))
        warn_of_poses((pose for _, pose in self._lines.values()), str(self.path / ODOMETRY))
        self._track = PoseTrack(capacity=0, jump_ns=0)
        for stamp_ns, pose in lines.values():
            self._track.add(stamp_ns, pose)

    def __len__(self) -> int:
        """Return the number of lines that are read."""
        return len(self._lines)

    def __iter__(self) -> Iterator[Frame]:
        """Decode the video from its beginning; iterating again starts over."""
        self.dropped.clear()
        wanted = dict(self._lines)
        # A plain loop over the video: to jump in it is slow, and inexact with some encoders.
        for index, rgb in enumerate(_pictures(self.path / VIDEO, self.camera)):
            if index in wanted:
                yield self._frame(index, rgb, *wanted.pop(index))
            if not wanted:
                return
        self.dropped["no_picture"] += len(wanted)

    def pose_at(self, stamp_ns: int) -> Float[np.ndarray, "4 4"]:
        """Return the pose at a stamp.

        Raises:
            SourceError: If it is outside of the recording, or in a gap.
        """
        return self._track.at(stamp_ns)

    def _frame(self, index: int, rgb: np.ndarray, stamp_ns: int, pose: np.ndarray) -> Frame:
        depth = self.path / "depth" / f"{index:06d}.png"
        confidence = self.path / "confidence" / f"{index:06d}.png"
        files = FrameFiles(
            stamp_ns,
            pose,
            self.path / VIDEO,
            depth if self._config.depth and depth.is_file() else None,
            confidence=confidence if confidence.is_file() else None,
        )
        return Frame(stamp_ns, self.camera, pose, rgb, self._depth.read(files, self.camera))


def is_recording(path: Path) -> bool:
    """Decide whether a folder is a recording of this app."""
    return all((path / name).is_file() for name in (VIDEO, ODOMETRY, MATRIX))


def _odometry(path: Path) -> dict[int, tuple[int, Float[np.ndarray, "4 4"]]]:
    """Return stamp and pose by the number of the frame."""
    rows = list(csv.reader(read_text(path).splitlines(), skipinitialspace=True))
    header = [name.strip() for name in rows[0]] if rows else []
    has_header = "qw" in header
    # The first versions of the app wrote neither names, nor stamps, nor numbers.
    names = header if has_header else list(_COLUMNS)
    lines = {}
    for index, row in enumerate(rows[1:] if has_header else rows):
        where = f"{path}, line {index + 1 + has_header}"
        fields = dict(zip(names, row, strict=False))
        if not set(_COLUMNS) <= set(fields):
            raise SourceError(f"{where}: {len(row)} columns; expected {', '.join(names)}")
        number = fields.get("frame", str(index))
        if not number.isdecimal():
            raise SourceError(f"{where}: frame {number!r}; expected a number")
        usual = f"{index * _PERIOD_NS * 1e-9:.9f}"
        stamp_ns = parse_stamp_ns(fields.get("timestamp", usual), where)
        lines[int(number)] = stamp_ns, pose_of_words([fields[name] for name in _COLUMNS], where)
    if not lines:
        raise SourceError(f"{path}: no poses; expected a line for each frame")
    return lines


def _opened(path: Path) -> cv2.VideoCapture:
    video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        raise SourceError(f"{path}: cannot be read as a video{lfs_note(path)}")
    # A turn that the file asks for would not agree with intrinsics and depth.
    video.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
    return video


def _video_size(path: Path, most_mpx: float) -> tuple[int, int]:
    video = _opened(path)
    size = (
        int(video.get(cv2.CAP_PROP_FRAME_WIDTH)),
        int(video.get(cv2.CAP_PROP_FRAME_HEIGHT)),
    )
    video.release()
    check_believable(size, str(path), most_mpx, " (source.max_picture_mpx)")
    return size


def _pictures(path: Path, camera: Camera) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    video = _opened(path)
    try:
        while True:
            is_read, picture = video.read()
            if not is_read:
                return
            if picture.shape[:2] != (camera.height_px, camera.width_px):
                raise SourceError(
                    f"{path}: a picture of {picture.shape[1]} x {picture.shape[0]} pixels; "
                    f"expected {camera.width_px} x {camera.height_px} as before"
                )
            yield cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    finally:
        video.release()
