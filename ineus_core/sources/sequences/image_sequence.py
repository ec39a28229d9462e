# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Sequences of image files, of which one frame at a time is in memory."""

import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from ineus_core.errors import SourceError
from ineus_core.sources.picture_files import read_colour, read_depth, returns_of
from ineus_core.sources.pose_track import PoseTrack
from ineus_core.sources.reading import Run, one_by_one
from ineus_core.types import Camera, Frame


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
    no_return: int = 0

    def decode(self, values: np.ndarray) -> Float[np.ndarray, "h w"]:
        """Convert to metres, 0 where there is no return."""
        depth_m = values.astype(np.float32) / np.float32(self.values_per_m)
        return returns_of(np.where(values == self.no_return, 0, depth_m))


class ImageSequence:
    """A source whose frames lie in files, of which one frame at a time is in memory.

    Args:
        max_frames: Frames after this many are left out; 0: none is.

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
            # Two frames at one moment cannot both be right, and keyframes go by their stamps.
            if rising and frame.stamp_ns == rising[-1].stamp_ns:
                self.dropped["repeated_stamp"] += 1
            else:
                rising.append(frame)
        return rising

    def __len__(self) -> int:
        """Return the number of frames with files and a pose."""
        return len(self._files)

    def __iter__(self) -> Iterator[Frame]:
        """Read the frames by rising stamp; iterating again starts over."""
        return self.frames(one_by_one)

    def frames(self, run: Run) -> Iterator[Frame]:
        """Yield what iterating yields; see `CanReadAhead`."""
        found = run(functools.partial(self._read, files) for files in self._files)
        return (frame for frame in found if frame is not None)

    @property
    def stamps_ns(self) -> list[int]:
        """Return the stamps of all frames."""
        return [frame.stamp_ns for frame in self._files]

    def frame(self, index: int) -> Frame:
        """Read one frame."""
        return self._read(self._files[index])

    def pose_at(self, stamp_ns: int) -> Float[np.ndarray, "4 4"]:
        """Return the pose at a stamp, interpolated between frames.

        Raises:
            SourceError: If it is outside of the frames, or in a gap.
        """
        return self._track.at(stamp_ns)

    @functools.cached_property
    def _track(self) -> PoseTrack:
        track = PoseTrack(capacity=0, jump_ns=0)
        for frame in self._files:
            track.add(frame.stamp_ns, frame.world_from_camera)
        return track

    def _read(self, files: FrameFiles) -> Frame:
        size = (self.camera.width_px, self.camera.height_px)
        rgb = read_colour(files.colour, size)
        depth_m = None
        if files.depth is not None:
            depth_m = self._depth.decode(read_depth(files.depth, size))
        return Frame(files.stamp_ns, self.camera, files.world_from_camera, rgb, depth_m)
