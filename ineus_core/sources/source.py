# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What every source offers: frames in the order of their stamps, counts of what it left out."""

from collections import Counter
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from ineus_core.types import Frame, Mesh


@runtime_checkable
class Source(Protocol):
    """Something that yields frames."""

    kind: str
    dropped: Counter[str]
    """Frames left out so far, by reason."""

    def __len__(self) -> int:
        """Number of frames that can be expected, before drops."""
        ...

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames by rising stamp; iterating again starts over."""
        ...

    def reference_mesh(self) -> Mesh | None:
        """Ground truth surface that comes with the source, if any."""
        ...


def dataset_from_world(source: Source) -> Float[np.ndarray, "4 4"]:
    """Similarity back to the coordinates of a data set, where the source has laid it out anew."""
    return np.asarray(getattr(source, "dataset_from_world", np.eye(4)), dtype=np.float64)


def is_held_out(index: int, every: int) -> bool:
    """Whether a frame is the last of its so many; none is for `every` = 0."""
    return every > 0 and index % every == every - 1
