# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What the surfaces of two keyframes say of the motion between them, kept as small quadrics."""

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Int

from ineus_core.geometry import rigid_inverse
from ineus_core.kernels.plane_alignment import PlaneViews, alignment_equations
from ineus_core.pose_refinement.motions import cross_matrices, motions_of

_LEVER_M = 2.0
"""How far away surfaces are, about: makes rotations and translations comparable."""
_WEAK = 0.003
"""Share of a point's say below which a direction counts as not fixed by the scene."""
_ENOUGH = 120.0
"""Points whose say is whole; fewer say less."""
_STRIDE_PX = 4


@dataclass(frozen=True)
class Constraints:
    """Pairs of keyframes, and how far apart their surfaces lie around a motion between them.

    With a small motion x of the first keyframe in the camera of the second, counted from
    `second_from_first`, the mean square distance is x' information x + 2 pull' x and a constant.
    """

    pairs: Int[np.ndarray, "n 2"]
    second_from_first: Float[np.ndarray, "n 4 4"]
    information: Float[np.ndarray, "n 6 6"]
    """Without what a direction is told that the scene does not fix."""
    pull: Float[np.ndarray, "n 6"]
    best: Float[np.ndarray, "n 6"]
    """The smallest motion at which the distance is least."""

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

    def __len__(self) -> int:
        """Pairs."""
        return len(self.pairs)

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

    def offsets(self, poses: Float[np.ndarray, "keyframes 4 4"]) -> Float[np.ndarray, "n 6"]:
        """Return the motions x at which the poses of all keyframes are."""
        return motions_of(relative(poses, self.pairs) @ rigid_inverse(self.second_from_first))

    def apart_m2(self, poses: Float[np.ndarray, "keyframes 4 4"]) -> Float[np.ndarray, " n"]:
        """Return by how much the mean square distance is larger at poses than at its least."""
        away = self.offsets(poses) - self.best
        return np.einsum("ni,nij,nj->n", away, self.information, away)

    def in_world(
        self, poses: Float[np.ndarray, "keyframes 4 4"]
    ) -> tuple[Float[np.ndarray, "n 6 6"], Float[np.ndarray, "n 6 6"], Float[np.ndarray, "n 6"]]:
        """Return the quadrics at poses, along the axes of the world.

        Also what turns a motion of the first keyframe, about itself, into one about the second.
        """
        first, second = poses[self.pairs[:, 0]], poses[self.pairs[:, 1]]
        pull = self.pull + np.einsum("nij,nj->ni", self.information, self.offsets(poses))
        axes = np.zeros((len(self), 6, 6))
        axes[:, :3, :3] = axes[:, 3:, 3:] = second[:, :3, :3]
        about = np.tile(np.eye(6), (len(self), 1, 1))
        about[:, :3, 3:] = -cross_matrices(second[:, :3, 3] - first[:, :3, 3])
        information = axes @ self.information @ axes.transpose(0, 2, 1)
        return about, information, np.einsum("nij,nj->ni", axes, pull)


def relative(
    poses: Float[np.ndarray, "keyframes 4 4"], pairs: Int[np.ndarray, "n 2"]
) -> Float[np.ndarray, "n 4 4"]:
    """Return `second_from_first` of pairs of keyframes."""
    return rigid_inverse(poses[pairs[:, 1]]) @ poses[pairs[:, 0]]
