# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Where the levels of a hash grid lie in its one table (Mueller et al. 2022, section 3)."""

from dataclasses import dataclass
from functools import cached_property

HASH_PRIMES = (1, 2654435761, 805459861)
"""Factors of the spatial hash (Teschner et al. 2003), one an axis."""


@dataclass(frozen=True)
class HashGridLayout:
    """Levels from coarse to fine over the unit cube.

    A level of resolution r has (r + 1)^3 corners. It is stored densely while they fit the table of
    2^log2_entries entries, and hashed above.
    """

    levels: int = 16
    features: int = 2
    log2_entries: int = 19
    base_resolution: float = 32.0
    growth: float = 1.3195079107728942
    """Ratio of the resolutions of neighbouring levels."""

    @cached_property
    def resolutions(self) -> tuple[int, ...]:
        """Return cells along an axis, by level."""
        # The small term keeps 32 * 1.3195...^15 = 2048 from becoming 2047 by rounding.
        return tuple(
            int(self.base_resolution * self.growth**level + 1e-6) for level in range(self.levels)
        )

    @cached_property
    def is_dense(self) -> tuple[bool, ...]:
        """Tell, by level, whether every corner has an entry of its own."""
        return tuple((r + 1) ** 3 <= 1 << self.log2_entries for r in self.resolutions)

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """Return first entry of each level, and the number of all entries at the end."""
        offsets = [0]
        for resolution, dense in zip(self.resolutions, self.is_dense, strict=True):
            entries = (resolution + 1) ** 3 if dense else 1 << self.log2_entries
            # Multiples of 8, as tiny-cuda-nn has them, so that its rows are ours.
            offsets.append(offsets[-1] + -(-entries // 8) * 8)
        return tuple(offsets)

    @property
    def entries(self) -> int:
        """Return rows of the table."""
        return self.offsets[-1]

    @property
    def channels(self) -> int:
        """Return features of a point over all levels."""
        return self.levels * self.features
