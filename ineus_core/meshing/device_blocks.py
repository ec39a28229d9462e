# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Meshes of many blocks at once on a GPU: few launches, and a wait only where a size is needed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ineus_core.kernels.block_lattice import lattice_points
from ineus_core.kernels.host_copy import to_host
from ineus_core.kernels.marching_cubes import marching_cubes
from ineus_core.meshing.samples import SdfFunction, in_batches
from ineus_core.types import Mesh

_TAPS = 6


@dataclass(frozen=True)
class DeviceBlocks:
    """Extracts blocks of a field whose value at a point does not depend on the other points.

    So corners that blocks share need no memory, and neighbours find the same vertices.
    """

    block_size_vox: int
    voxel_size_m: float
    max_slope: float
    group: int
    """Cells along the side of a group that is skipped as a whole."""
    points_per_batch: int

    def extract(
        self,
        sdf_fn: SdfFunction,
        colour_fn: Callable[[Tensor, Tensor], Tensor],
        origins: Int[Tensor, "b 3"],
        observed_fn: Callable[[Tensor], Tensor],
    ) -> list[Mesh | None]:
        """Return a mesh for each block, None where there is no surface.

        Args:
            origins: First corner of each block in voxels, on the device.
        """
        valid = self._observed(origins, observed_fn)
        if self.max_slope > 0 and self.block_size_vox % self.group == 0:
            valid &= self._near_surface(sdf_fn, origins, valid)
        surfaces = marching_cubes(self._samples(sdf_fn, origins, valid), valid)
        counts = surfaces.vertices_per_block
        if len(surfaces.triangles) == 0:
            return [None] * len(origins)
        origin = torch.repeat_interleave(
            origins, counts.to(origins.device), dim=0, output_size=len(surfaces.vertices)
        )
        # In double until the end, so that equal vertices of two blocks stay equal.
        points = ((origin + surfaces.vertices.double()) * self.voxel_size_m).float()
        normals = self._normals(sdf_fn, points)
        rgb = in_batches(colour_fn, self.points_per_batch, points, normals)
        colours = (rgb.nan_to_num().clamp(0, 1) * 255).round().to(torch.uint8)
        on_host = to_host(points, normals, colours, surfaces.triangles)
        return _meshes(
            [tensor.numpy() for tensor in on_host],
            counts.numpy(),
            surfaces.triangles_per_block.numpy(),
        )

    def _observed(
        self, origins: Int[Tensor, "b 3"], observed_fn: Callable[[Tensor], Tensor]
    ) -> Bool[Tensor, "b n n n"]:
        n = self.block_size_vox
        axis = torch.arange(n, device=origins.device) + 0.5
        centres = torch.cartesian_prod(axis, axis, axis)
        points = (origins[:, None] + centres) * self.voxel_size_m
        return observed_fn(points.view(-1, 3)).view(-1, n, n, n)

    def _near_surface(
        self, sdf_fn: SdfFunction, origins: Int[Tensor, "b 3"], valid: Bool[Tensor, "b n n n"]
    ) -> Bool[Tensor, "b n n n"]:
        """Find cells in groups that the surface can reach, by the distance at their centre."""
        groups = self.block_size_vox // self.group
        split = (len(origins), groups, self.group, groups, self.group, groups, self.group)
        wanted = valid.view(split).any(dim=(2, 4, 6))
        places = wanted.view(-1).nonzero()[:, 0]
        spacing = (float(self.group), 0.5 * self.group)
        distance_m = sdf_fn(self._points(places, origins, groups, spacing)).abs()
        half_diagonal_m = 0.5 * np.sqrt(3) * self.group * self.voxel_size_m
        near = torch.zeros_like(wanted)
        # Written this way round, NaN counts as near.
        near.view(-1)[places] = ~(distance_m > self.max_slope * half_diagonal_m)
        return near[:, :, None, :, None, :, None].expand(split).reshape(valid.shape)

    def _samples(
        self, sdf_fn: SdfFunction, origins: Int[Tensor, "b 3"], valid: Bool[Tensor, "b n n n"]
    ) -> Float[Tensor, "b k k k"]:
        """Distances on the corners that touch a valid cell, NaN on the others."""
        needed = torch.nn.functional.pad(valid, (1, 1, 1, 1, 1, 1))
        for axis in (1, 2, 3):
            k = needed.shape[axis] - 1
            needed = needed.narrow(axis, 0, k) | needed.narrow(axis, 1, k)
        places = needed.view(-1).nonzero()[:, 0]
        samples = torch.full(needed.shape, torch.nan, device=origins.device)
        for part in places.split(self.points_per_batch):
            points = self._points(part, origins, needed.shape[1], (1.0, 0.0))
            samples.view(-1)[part] = sdf_fn(points)
        return samples

    def _points(
        self,
        places: Int[Tensor, " n"],
        origins: Int[Tensor, "b 3"],
        side: int,
        spacing: tuple[float, float],
    ) -> Float[Tensor, "n 3"]:
        return lattice_points(places, origins, side, spacing, self.voxel_size_m)

    def _normals(self, sdf_fn: SdfFunction, points: Float[Tensor, "v 3"]) -> Float[Tensor, "v 3"]:
        """Return unit central differences over a voxel to each side."""
        step = self.voxel_size_m * torch.eye(3, device=points.device)
        shifts = torch.cat((step, -step))[:, None]
        normals = []
        for part in points.split(max(1, self.points_per_batch // _TAPS)):
            taps = sdf_fn((part + shifts).view(-1, 3)).view(2, 3, -1)
            normals.append((taps[0] - taps[1]).t().nan_to_num())
        return torch.nn.functional.normalize(torch.cat(normals), dim=-1)


def _meshes(
    arrays: list[np.ndarray],
    vertex_counts: Int[np.ndarray, " b"],
    triangle_counts: Int[np.ndarray, " b"],
) -> list[Mesh | None]:
    """Cut what all blocks share; copies, so that a block that stays does not hold the others."""
    points, normals, colours, triangles = arrays
    vertex_ends, triangle_ends = np.cumsum(vertex_counts), np.cumsum(triangle_counts)
    meshes: list[Mesh | None] = []
    for v, v_end, t, t_end in zip(
        (vertex_ends - vertex_counts).tolist(),
        vertex_ends.tolist(),
        (triangle_ends - triangle_counts).tolist(),
        triangle_ends.tolist(),
        strict=True,
    ):
        if t == t_end:
            meshes.append(None)
            continue
        own = slice(v, v_end)
        meshes.append(
            Mesh(
                points[own].copy(),
                triangles[t:t_end].copy(),
                normals[own].copy(),
                colours[own].copy(),
            )
        )
    return meshes
