# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Whether masks or alpha outline an object, or say which pixels are not to be used."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

_MOST_COVERED = 0.85
_LEAST_COVERED = 0.002
_MOST_OF_THE_EDGE = 0.25
"""Share of the edge of a picture that an object in the middle of it may touch."""


def outline_an_object(masks: Sequence[Float[np.ndarray, "h w"]]) -> bool:
    """Decide whether masks, 1 inside, are of something that the pictures show as a whole.

    Masks of what is not to be used, such as people, leave most of a picture and of its edge.
    """
    if not masks:
        return False
    # The median, as single pictures may show the object cut off or not at all.
    covered = np.median([mask.mean() for mask in masks])
    of_edge = np.median([_edge(mask).mean() for mask in masks])
    return bool(_LEAST_COVERED < covered < _MOST_COVERED and of_edge < _MOST_OF_THE_EDGE)


def _edge(mask: Float[np.ndarray, "h w"]) -> Float[np.ndarray, " n"]:
    return np.concatenate((mask[0], mask[-1], mask[:, 0], mask[:, -1]))
