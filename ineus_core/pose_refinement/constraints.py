# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What the surfaces of two keyframes say of the motion between them, kept as small quadrics."""

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Int

from ineus_core.geometry import rigid_inverse
from ineus_core.kernels.plane_alignment import PlaneViews, alignment_equations
from ineus_core.kernels.pose_graph import PairQuadrics

_LEVER_M = 2.0
"""How far away surfaces are, about: makes rotations and translations comparable."""
_WEAK = 0.003
"""Share of a point's say below which a direction counts as not fixed by the scene."""
_ENOUGH = 120.0
"""Points whose say is whole; fewer say less."""
_STRIDE_PX = 4


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
        second_from_first: Float[np.ndarray, "n 4 4"],
        scale_m: float,
    ) -> "Constraints":
        """Compare the surfaces of pairs of keyframes.

        Args:
            rows: Of the keyframes in `views`.
        """
        found = alignment_equations(views, rows[pairs], second_from_first, scale_m, _STRIDE_PX)
        weight = np.maximum(found.weight, 1e-9)
        # Points of one surface are not independent: more of them do not make it surer.
        share = np.minimum(1.0, weight / _ENOUGH)
        unit = np.array((1, 1, 1, 1 / _LEVER_M, 1 / _LEVER_M, 1 / _LEVER_M))
        scaled = found.hessian / weight[:, None, None] * unit * unit[:, None]
        # By its axes: a single wall fixes three of six, and what it says of the others is noise.
        say, axes = np.linalg.eigh(scaled)
        axes = axes * (say > _WEAK)[:, None, :]
        across = axes.transpose(0, 2, 1)
        along = np.einsum("nji,nj->ni", axes, found.gradient / weight[:, None] * unit)
        best = -np.einsum("nij,nj->ni", axes, along / np.maximum(say, _WEAK)) * unit
        pull = np.einsum("nij,nj->ni", axes, along) / unit * share[:, None]
        information = axes @ (say[..., None] * across) / unit / unit[:, None]
        information *= share[:, None, None]
        return cls(pairs, second_from_first, information, pull, best)

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
