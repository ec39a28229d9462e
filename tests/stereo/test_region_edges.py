# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Edges of plain regions: depth is carried to them from beyond, along its slopes."""

import numpy as np

from ineus_core.stereo.region_edges import edge_of, surroundings

Y, X = np.mgrid[:40, :60].astype(np.float32)
Q = 0.5 + 0.002 * X - 0.004 * Y
REGION = np.zeros((40, 60), np.uint8)
REGION[10:, 20:40] = 1


def test_an_edge_is_two_pixels_beyond_a_region_and_not_at_the_border_of_the_picture() -> None:
    edge = edge_of(REGION)
    assert set(np.flatnonzero(edge[25])) == {18, 41}
    assert set(np.flatnonzero(edge[:, 30])) == {8}


def test_a_plane_is_carried_to_the_edge_as_it_is() -> None:
    around = surroundings(np.where(REGION > 0, 0, Q), [REGION])
    at = around.at_edge_of(REGION)
    assert len(at) > 60
    np.testing.assert_allclose(around.q.ravel()[at], Q.ravel()[at], rtol=1e-5)


def test_depth_within_a_region_does_not_count() -> None:
    wrong = np.where(REGION > 0, 3 * Q, Q)
    around = surroundings(wrong, [REGION])
    at = around.at_edge_of(REGION)
    np.testing.assert_allclose(around.q.ravel()[at], Q.ravel()[at], rtol=1e-5)


def test_nothing_is_carried_across_a_step() -> None:
    # Every third column is nearer, so that nothing is smooth.
    around = surroundings(np.where(X % 3 == 0, 1.5 * Q, Q), [REGION])
    assert len(around.at_edge_of(REGION)) == 0
