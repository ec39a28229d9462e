# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Stacks of rigid transforms, and small motions between them as rows of six numbers.

A motion is three of translation, in m, and three of rotation, in rad.
"""

import numpy as np
from jaxtyping import Float


def motions_of(transforms: Float[np.ndarray, "n 4 4"]) -> Float[np.ndarray, "n 6"]:
    """Return what small transforms do as translations and rotation vectors."""
    return np.concatenate((transforms[:, :3, 3], _vectors(transforms[:, :3, :3])), axis=1)


def moved(poses: Float[np.ndarray, "n 4 4"], by: Float[np.ndarray, "n 6"]) -> np.ndarray:
    """Shift the positions of poses and turn them about themselves, along the axes of the world."""
    result = poses.copy()
    result[:, :3, 3] += by[:, :3]
    result[:, :3, :3] = _turns(by[:, 3:]) @ poses[:, :3, :3]
    return result


def between(
    first: Float[np.ndarray, "n 4 4"], second: Float[np.ndarray, "n 4 4"]
) -> Float[np.ndarray, "n 6"]:
    """Return by what `moved` brings the first poses to the second ones."""
    turned = second[:, :3, :3] @ first[:, :3, :3].transpose(0, 2, 1)
    return np.concatenate((second[:, :3, 3] - first[:, :3, 3], _vectors(turned)), axis=1)


def _turns(vectors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3 3"]:
    """Return the rotations of rotation vectors (Rodrigues); scipy takes milliseconds for few."""
    angle = np.linalg.norm(vectors, axis=1)[:, None, None]
    cross = cross_matrices(vectors)
    # sinc counts in turns of pi; the other factor is 1 - cos over the square.
    once, twice = np.sinc(angle / np.pi), 0.5 * np.sinc(0.5 * angle / np.pi) ** 2
    return np.eye(3) + once * cross + twice * (cross @ cross)


def _vectors(turns: Float[np.ndarray, "n 3 3"]) -> Float[np.ndarray, "n 3"]:
    """Return the rotation vectors of rotations of less than half a turn."""
    skew = turns - turns.transpose(0, 2, 1)
    axis = 0.5 * np.stack((skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]), axis=1)
    sine = np.linalg.norm(axis, axis=1)
    cosine = 0.5 * (np.trace(turns, axis1=1, axis2=2) - 1)
    # Exact for small turns, where the arc cosine has no digits left.
    angle = np.arctan2(sine, cosine)
    # For small turns angle and sine are the same.
    share = np.where(sine > 1e-9, angle / np.maximum(sine, 1e-9), 1.0)
    return axis * share[:, None]


def size_m(motions: Float[np.ndarray, "... 6"]) -> Float[np.ndarray, "..."]:
    """Return by how much motions move what is two metres before a camera, at most."""
    shifted_m = np.linalg.norm(motions[..., :3], axis=-1)
    return shifted_m + 2.0 * np.linalg.norm(motions[..., 3:], axis=-1)


def cross_matrices(vectors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3 3"]:
    """Return the matrices whose product with a vector is the cross product."""
    x, y, z = vectors.T
    zero = np.zeros(len(vectors))
    rows = ((zero, -z, y), (z, zero, -x), (-y, x, zero))
    return np.stack([np.stack(row, axis=1) for row in rows], axis=1)
