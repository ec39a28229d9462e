# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Where the field has become better than what was fused, told by what keyframes have measured."""

import numpy as np
from jaxtyping import Float, Int

_LEAST_RETURNS = 16.0
"""Of a block, before the field is asked."""
_MOST_RETURNS = 64.0
"""Of a block that are remembered: older ones fade, as the field becomes better."""
_EQUAL, _BETTER = 1.0, 0.8
"""Error of the field, by that of what was fused, down to which it has no share, and all of it."""


class FieldShare:
    """Errors of the field and of what was fused at returns, and the share that follows of each.

    Args:
        least_error_m: That what was fused has at least. At returns it is what they have said, so
            that its error there is less than between them.
    """

    def __init__(self, least_error_m: float) -> None:
        """Know nothing."""
        self._least = np.array((least_error_m, 1e-9))
        """Errors of what was fused, of distance and colour."""
        # Returns, and sums over them: both errors of the distance, both of the colour.
        self._sums = np.zeros((0, 5))

    def forget(self, slots: Int[np.ndarray, " n"]) -> None:
        """Forget what was told of blocks."""
        self._sums[slots[slots < len(self._sums)]] = 0

    def tell(
        self, slots: Int[np.ndarray, " n"], count: int, errors: Float[np.ndarray, "n 4"]
    ) -> None:
        """Tell errors at returns.

        Args:
            slots: Of the blocks that they lie in.
            count: Slots that there are.
            errors: Of the distance by the field and by what was fused, then those of the colour.
        """
        self._grow_to(count)
        rows = np.concatenate((np.ones((len(errors), 1)), errors), axis=1)
        for column in range(5):
            self._sums[:, column] += np.bincount(slots, rows[:, column], len(self._sums))
        is_old = self._sums[:, 0] > _MOST_RETURNS
        self._sums[is_old] *= 0.5

    def told(self, slots: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n 5"]:
        """Return what was told of blocks, for `resume`: returns, and the sums of their errors."""
        self._grow_to(slots.max(initial=-1) + 1)
        return self._sums[slots]

    def resume(
        self, slots: Int[np.ndarray, " n"], count: int, told: Float[np.ndarray, "n 5"]
    ) -> None:
        """Know of blocks what `told` has returned of them.

        Args:
            count: Slots that there are.
        """
        self._grow_to(count)
        self._sums[slots] = told

    def shares(self, slots: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n 2"]:
        """Return the share of the field in slots, 0 to 1, for distance and for colour."""
        sums = self.told(slots)
        least = np.maximum(sums[:, :1] * self._least, 1e-9)
        ratio = sums[:, 1::2] / np.maximum(sums[:, 2::2], least)
        share = ((_EQUAL - ratio) / (_EQUAL - _BETTER)).clip(0, 1)
        return (share * (sums[:, :1] >= _LEAST_RETURNS)).astype(np.float32)

    def _grow_to(self, count: int) -> None:
        more = max(0, count - len(self._sums))
        self._sums = np.concatenate((self._sums, np.zeros((more, 5))))
