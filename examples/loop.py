# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Reconstruct a scene frame by frame, without the command line and without ROS."""

from ineus_core import Reconstructor, load_config, open_source, resolve_device, write_mesh

small = [f"source.synthetic.{key}" for key in ("frames=12", "width_px=80", "height_px=60")]
config = load_config(overrides=[*small, "meshing.voxel_size_m=0.08"])
reconstructor = Reconstructor(config, resolve_device(config.device))
for frame in open_source("synthetic:room", config=config.source):
    reconstructor.add_frame(frame)
    for _ in range(5):
        reconstructor.step()
    update = reconstructor.extract_mesh()
    print(f"{frame.stamp_ns / 1e9:.1f} s: {len(update.upserts)} blocks of the mesh changed")
mesh = reconstructor.mesh()
print(f"{write_mesh(mesh, 'room.ply')}: {len(mesh.triangles)} triangles")
