# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Sequences of image files, of which one frame at a time is in memory."""

import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from ineus_core.errors import MissingFileError, SourceError
from ineus_core.sources.depth_registration import register_depth
from ineus_core.sources.doubts import warn_of_camera, warn_of_poses
from ineus_core.sources.picture_files import (
    fitted_depth,
    picture_size,
    read_colour,
    read_depth_values,
    read_labels,
    returns_of,
)
from ineus_core.sources.pose_track import PoseTrack
from ineus_core.sources.reading import Run, one_by_one
from ineus_core.types import Camera, Frame

_NAMED = 3
"""Missing files that are named."""


@dataclass(frozen=True)
class FrameFiles:
    """The files of one frame, and its pose."""

    stamp_ns: int
    world_from_camera: Float[np.ndarray, "4 4"]
    colour: Path
    depth: Path | None
    camera: Camera | None = None
    """Of this frame alone, where not all have the same."""
    confidence: Path | None = None
    """A picture of small integers beside the depth; the larger the surer."""


@dataclass(frozen=True)
class DepthCoding:
    """How the values of a depth image become metres, and in which camera."""

    values_per_m: float
    no_return: int = 0
    camera: Camera | None = None
    """Of the depth files where it is not that of colour, at the same place: registered."""
    least_confidence: int = 0

    def decode(self, values: np.ndarray) -> Float[np.ndarray, "h w"]:
        """Convert to metres, 0 where there is no return."""
        depth_m = values.astype(np.float32) / np.float32(self.values_per_m)
        return returns_of(np.where(values == self.no_return, 0, depth_m))

    def read(self, files: FrameFiles, camera: Camera) -> Float[np.ndarray, "h w"] | None:
        """Read the depth of a frame as its colour camera sees it."""
        if files.depth is None:
            return None
        size = (camera.width_px, camera.height_px)
        shape_of = size if self.camera is None else picture_size(files.depth)
        depth_m = self.decode(read_depth_values(files.depth, shape_of))
        if files.confidence is not None and self.least_confidence:
            # Before the depth is fitted to colour, whose size the labels do not have.
            labels = read_labels(files.confidence, (depth_m.shape[1], depth_m.shape[0]))
            depth_m = np.where(labels < self.least_confidence, np.float32(0), depth_m)
        if self.camera is None:
            return fitted_depth(depth_m, size)
        lens = self.camera.resized(depth_m.shape[1], depth_m.shape[0])
        return register_depth(depth_m, lens, camera, np.eye(4))


@runtime_checkable
class DepthReader(Protocol):
    """Something that reads the depth of a frame."""

    def read(self, files: FrameFiles, camera: Camera) -> Float[np.ndarray, "h w"] | None:
        """Return the depth of a frame in the size of its camera, in m; None if it has none."""
        ...


class ImageSequence:
    """A source whose frames lie in files, of which one frame at a time is in memory.

    Args:
        max_frames: Frames after this many are left out; 0: none is.

    Raises:
        SourceError: If there is no frame or a file is missing.
    """

    kind = "image_sequence"

    def __init__(
        self, files: Sequence[FrameFiles], camera: Camera, depth: DepthReader, max_frames: int = 0
    ) -> None:
        self.camera = camera
        self.dropped: Counter[str] = Counter()
        self._depth = depth
        self._files = self._by_rising_stamp(files)[: max_frames or None]
        # Before the first frame, not in the middle of a run.
        _check_all_there([frame.colour for frame in self._files], "colour")
        with_depth = [frame.depth for frame in self._files if frame.depth is not None]
        _check_all_there(with_depth, "depth")
        if self._files:
            folder = str(self._files[0].colour.parent)
            warn_of_camera(camera, folder, f"source.{self.kind}.fx and the keys beside it")
            warn_of_poses((frame.world_from_camera for frame in self._files), folder)

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
        # All of them, as they are read ahead.
        track = PoseTrack(capacity=0, jump_ns=0)
        for frame in self._files:
            track.add(frame.stamp_ns, frame.world_from_camera)
        return track

    def _read(self, files: FrameFiles) -> Frame:
        camera = files.camera or self.camera
        rgb = read_colour(files.colour, (camera.width_px, camera.height_px))
        depth_m = self._depth.read(files, camera)
        return Frame(files.stamp_ns, camera, files.world_from_camera, rgb, depth_m)


def _check_all_there(paths: Sequence[Path], what: str) -> None:
    """Raise if any of the files of one kind is missing, and say what to do about it."""
    missing = [path for path in paths if not path.is_file()]
    if not missing:
        return
    there, number = len(paths) - len(missing), len(paths)
    text = f"{missing[0]}: no such file, though there is a pose for it"
    if there == 0:
        raise SourceError(f"{text}; none of the {number} {what} files is there")
    raise MissingFileError(
        f"{text}; {there} of {number} {what} files are there: add {_named(missing)}, or leave "
        f"{'that frame' if len(missing) == 1 else 'those frames'} out by taking out the pose"
    )


def _named(missing: Sequence[Path]) -> str:
    names = ", ".join(path.name for path in missing[:_NAMED])
    more = len(missing) - _NAMED
    return f"{names} and {more} more" if more > 0 else names
