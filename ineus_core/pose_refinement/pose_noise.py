# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How wrong given poses are, told by the surfaces of their keyframes: by noise, and by drift."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import nnls

from ineus_core.kernels.pose_graph import apart_m2
from ineus_core.pose_refinement.constraints import Constraints

_FEWEST_PAIRS = 10
_KEPT = 0.95
"""Share of the pairs, those that lie least apart, that is believed."""
_FIRST_NOISE_M, _FIRST_SURFACE_M = 0.003, 0.001
_LEAST_SURFACE_M = 5e-4
_LEAST_M = 1e-4


@dataclass(frozen=True)
class PoseNoise:
    """Deviations along each axis, in m and, as a lever of one metre makes both alike, in rad."""

    white: float = _FIRST_NOISE_M
    """Of each keyframe by itself."""
    drift: float = 0.0
    """That a keyframe adds for all that come after it."""
    surface_m: float = _FIRST_SURFACE_M
    """How far apart the surfaces of two keyframes lie, about, when their poses are right."""

    def expected(self, keyframes: int) -> float:
        """Return how wrong the last of so many given poses is, about."""
        return float(np.hypot(self.white, self.drift * np.sqrt(keyframes)))


def noise_of(
    constraints: Constraints,
    given: Float[np.ndarray, "keyframes 4 4"],
    refined: Float[np.ndarray, "keyframes 4 4"],
    ages: Float[np.ndarray, " keyframes"],
) -> PoseNoise:
    """Judge the noise of given poses by how far apart surfaces lie under them.

    The square distance under noise of its own for each keyframe is the same for all pairs, under
    drift it grows with the keyframes between them.

    Args:
        refined: Poses under which surfaces lie as close together as they can.
        ages: Numbers of the keyframes by the order in which they came.
    """
    # Too few to tell noise from drift: what is usual is taken.
    if len(constraints) < _FEWEST_PAIRS:
        return PoseNoise()
    say = np.trace(constraints.information, axis1=1, axis2=2)
    steps = np.abs(np.diff(ages[constraints.pairs], axis=1))[:, 0]
    given_apart_m2 = apart_m2(constraints, given)
    per_say = given_apart_m2 / np.maximum(say, 1e-12)
    believed = per_say <= np.quantile(per_say, _KEPT)
    weight = believed / (np.sqrt(np.maximum(say, 1e-12)) * (1 + steps))
    # What a pair says is a sum of squares: those of large steps scatter as much as they are large.
    # Both keyframes of a pair have noise of their own, so twice; drift is a walk between them, so
    # by steps.
    terms = np.stack((2 * say, say * steps), axis=1) * weight[:, None]
    # Neither can be negative, which plain least squares would not know.
    (white, drift), _ = nnls(terms, given_apart_m2 * weight)
    left_m2 = apart_m2(constraints, refined)[believed].sum() / max(say[believed].sum(), 1e-12)
    # Under right poses, too, surfaces lie as far apart as they do when all is done.
    white = max(white - 0.5 * left_m2, _LEAST_M**2)
    surface_m = max(_LEAST_SURFACE_M, float(np.sqrt(left_m2)))
    return PoseNoise(float(np.sqrt(white)), float(np.sqrt(drift)), surface_m)
