# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What the surfaces of two keyframes say of the motion between them, kept as small quadrics."""

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Int

from ineus_core.geometry import rigid_inverse
from ineus_core.kernels.plane_alignment import PlaneViews
from ineus_core.kernels.plane_registration import FINE_M, surface_quadrics
from ineus_core.kernels.pose_graph import PairQuadrics


@dataclass(frozen=True)
class Constraints(PairQuadrics):
    """What the surfaces of pairs say, measured, and chosen from."""

    @classmethod
    def none(cls) -> "Constraints":
        """Return no constraint at all."""
        empty = np.zeros((0, 2), np.int64), np.zeros((0, 4, 4)), np.zeros((0, 6, 6))
        return cls(*empty, np.zeros((0, 6)), np.zeros((0, 6)))

    @classmethod
    def measured(
        cls,
        views: PlaneViews,
        rows: Int[np.ndarray, " keyframes"],
        pairs: Int[np.ndarray, "n 2"],
        poses: Float[np.ndarray, "keyframes 4 4"],
    ) -> "Constraints":
        """Compare the surfaces of pairs of keyframes at their poses.

        Args:
            rows: Of the keyframes in `views`.
        """
        found = surface_quadrics(views, rows[pairs], poses[pairs], FINE_M)
        # By the keyframes, no more by where `views` has them.
        return cls(**vars(found) | {"pairs": pairs})

    def joined(self, others: "Constraints") -> "Constraints":
        """Return these and others."""
        return Constraints(
            *(
                np.concatenate((getattr(self, part.name), getattr(others, part.name)))
                for part in fields(Constraints)
            )
        )

    def where(self, which: Bool[np.ndarray, " n"]) -> "Constraints":
        """Return some of these."""
        return Constraints(*(getattr(self, part.name)[which] for part in fields(Constraints)))


def relative(
    poses: Float[np.ndarray, "keyframes 4 4"], pairs: Int[np.ndarray, "n 2"]
) -> Float[np.ndarray, "n 4 4"]:
    """Return `second_from_first` of pairs of keyframes."""
    return rigid_inverse(poses[pairs[:, 1]]) @ poses[pairs[:, 0]]
