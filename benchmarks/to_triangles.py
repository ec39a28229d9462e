# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How near meshes are to the triangles of a true one, where samples of it would be too coarse.

Of 100,000 points on a mesh, in the box of the visible points, the distance to the true triangles
(Open3D's RaycastingScene); of the visible points, that to a million points on the mesh.

Run: python benchmarks/to_triangles.py TRUE_MESH VISIBLE_POINTS MESH...
"""

import argparse
import json

import numpy as np
from scipy.spatial import cKDTree

from ineus_core.evaluation.surface_samples import sample_surface
from ineus_core.meshing import read_mesh

_BORDER_M = 0.1
_WITHIN_M = (0.02, 0.05)


def main() -> None:
    """Measure and print, a line a mesh."""
    import open3d as o3d

    parser = argparse.ArgumentParser()
    parser.add_argument("truth")
    parser.add_argument("visible")
    parser.add_argument("meshes", nargs="+")
    arguments = parser.parse_args()
    scene = o3d.t.geometry.RaycastingScene()
    truth = o3d.io.read_triangle_mesh(arguments.truth)
    scene.add_triangles(o3d.t.geometry.TriangleMesh.from_legacy(truth))
    visible = np.asarray(o3d.io.read_point_cloud(arguments.visible).points)
    low, high = visible.min(axis=0) - _BORDER_M, visible.max(axis=0) + _BORDER_M
    for path in arguments.meshes:
        mesh = read_mesh(path)
        points = sample_surface(mesh, 100_000, 0).positions
        points = points[((points > low) & (points < high)).all(axis=1)].astype(np.float32)
        off_m = scene.compute_distance(o3d.core.Tensor(points)).numpy()
        tree = cKDTree(sample_surface(mesh, 1_000_000, 1).positions)
        missed_m = tree.query(visible, workers=-1)[0]
        figures = {"mean_m": float(off_m.mean()), "median_m": float(np.median(off_m))}
        for limit_m in _WITHIN_M:
            precision, recall = float((off_m < limit_m).mean()), float((missed_m < limit_m).mean())
            f_score = 2 * precision * recall / (precision + recall)
            figures[f"precision, recall, f-score at {limit_m} m"] = [precision, recall, f_score]
        print(path, json.dumps(figures))


if __name__ == "__main__":
    main()
