# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What every source offers, and what only some can: each ability is a protocol of its own.

A source of one's own needs `dropped` and iteration; whatever else it can, it says by having it.
"""

from collections import Counter
from collections.abc import Iterator, Sized
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from ineus_core.types import Frame, Mesh


@runtime_checkable
class Source(Protocol):
    """Something that yields frames."""

    dropped: Counter[str]
    """Frames left out so far, by reason."""

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames by rising stamp; iterating again starts over."""
        ...


@runtime_checkable
class HasPoses(Protocol):
    """A source that knows all poses before the first frame is read."""

    world_from_camera: list[Float[np.ndarray, "4 4"]]


@runtime_checkable
class HasPosesBetween(Protocol):
    """A source that knows the poses between its frames, too."""

    def pose_at(self, stamp_ns: int) -> Float[np.ndarray, "4 4"]:
        """Return `world_from_camera` at a stamp.

        Raises:
            SourceError: If it is not known there.
        """
        ...


@runtime_checkable
class HasRandomAccess(Protocol):
    """A source with a known number of frames that can be read in any order."""

    def frame(self, index: int) -> Frame:
        """Read one frame."""
        ...


@runtime_checkable
class HasPoints(Protocol):
    """A source with points of the surface, such as those of structure from motion."""

    points: Float[np.ndarray, "n 3"]
    """In the world."""


@runtime_checkable
class HasDatasetFrame(Protocol):
    """A source that has laid the world of its data set out anew."""

    dataset_from_world: Float[np.ndarray, "4 4"]
    """Similarity back to the coordinates of the data set."""


@runtime_checkable
class HasReferenceMesh(Protocol):
    """A source that may come with its true surface."""

    def reference_mesh(self) -> Mesh | None:
        """Return the true surface, if it is there."""
        ...


@runtime_checkable
class HasDescription(Protocol):
    """A source that says what it has chosen to read."""

    def describe(self) -> dict[str, str]:
        """Describe what is used, for people."""
        ...


def source_description(source: Source) -> dict[str, str]:
    """Return what is used of a source, for people: its kind, if it says no more."""
    kind = {"kind": str(getattr(source, "kind", "source"))}
    return kind | (source.describe() if isinstance(source, HasDescription) else {})


def frame_count(source: Source) -> int | None:
    """Return the number of frames that can be expected before drops, or None if nobody knows."""
    return len(source) if isinstance(source, Sized) else None


def known_poses(source: Source) -> list[Float[np.ndarray, "4 4"]] | None:
    """Return the poses of all frames, of a source that knows them before it reads any."""
    return source.world_from_camera if isinstance(source, HasPoses) else None


def known_points(source: Source) -> Float[np.ndarray, "n 3"] | None:
    """Return points of the surface in the world, of a source that has them."""
    return source.points if isinstance(source, HasPoints) else None


def dataset_from_world(source: Source) -> Float[np.ndarray, "4 4"]:
    """Return the similarity to the coordinates of the data set, 1 if they are the world's."""
    matrix = source.dataset_from_world if isinstance(source, HasDatasetFrame) else np.eye(4)
    return np.asarray(matrix, dtype=np.float64)


def reference_mesh(source: Source) -> Mesh | None:
    """Return the true surface, of a source that has it."""
    return source.reference_mesh() if isinstance(source, HasReferenceMesh) else None


def is_held_out(index: int, every: int) -> bool:
    """Decide whether a frame is the last of its so many; none is for `every` = 0."""
    return every > 0 and index % every == every - 1
