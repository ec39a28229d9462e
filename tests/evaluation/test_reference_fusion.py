# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The reference fusion on a wall whose place is known."""

import sys

import numpy as np
import pytest

from ineus_core.errors import MissingDependencyError, SourceError
from ineus_core.evaluation import ReferenceFusion, ReferenceFusionConfig
from ineus_core.types import Camera, Frame


def wall_frame(depth_m: float | None, distortion: tuple[float, ...] = ()) -> Frame:
    """Make a grey-green wall at z = 2 m, seen from the origin along +z."""
    camera = Camera(
        64, 48, 60.0, 60.0, 32.0, 24.0, "plumb_bob" if distortion else "none", distortion
    )
    depth = None if depth_m is None else np.full((48, 64), depth_m, dtype=np.float32)
    rgb = np.zeros((48, 64, 3), dtype=np.uint8)
    rgb[:] = (40, 160, 80)
    return Frame(0, camera, np.eye(4), rgb, depth)


@pytest.mark.parametrize("distortion", [(), (0.05, -0.02, 0.001, 0.001, 0.0)])
def test_a_wall_is_fused_where_it_stands(distortion: tuple[float, ...]) -> None:
    """At 2 m within a tenth of a voxel, facing the camera, in its colour."""
    pytest.importorskip("open3d")
    fusion = ReferenceFusion(ReferenceFusionConfig(voxel_size_m=0.05))
    fusion.integrate(wall_frame(2.0, distortion))
    fusion.integrate(wall_frame(None))
    mesh = fusion.mesh()
    assert (fusion.frames, fusion.skipped) == (1, 1)
    np.testing.assert_allclose(mesh.vertices[:, 2], 2.0, atol=0.005)
    a, b, c = (mesh.vertices[mesh.triangles[:, i]] for i in range(3))
    assert np.cross(b - a, c - a)[:, 2].max() < 0
    assert mesh.normals[:, 2].max() < -0.9
    np.testing.assert_allclose(np.median(mesh.colours, axis=0), (40, 160, 80), atol=2)


def test_nothing_fused_names_the_version() -> None:
    """An empty result is an error, since one release of Open3D returned it silently."""
    open3d = pytest.importorskip("open3d")
    fusion = ReferenceFusion()
    fusion.integrate(wall_frame(0.0))
    with pytest.raises(SourceError, match=rf"Open3D {open3d.__version__}.*1 frames"):
        fusion.mesh()


def test_without_open3d_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says how to install it."""
    monkeypatch.setitem(sys.modules, "open3d", None)
    with pytest.raises(MissingDependencyError, match=r"open3d.*\[eval\]"):
        ReferenceFusion()
