# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Meshes of single blocks of a signed distance field; joining them is in `clean`."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor

from ineus_core.config_model import ConfigModel
from ineus_core.kernels.host_copy import write_to
from ineus_core.kernels.marching_cubes import BlockTriangles, marching_cubes
from ineus_core.meshing.device_blocks import DeviceBlocks
from ineus_core.meshing.samples import LatticeSampler, SdfFunction, in_batches
from ineus_core.timing import InParts, at_once
from ineus_core.types import BlockIndex, Mesh, MeshBlock

ColourFunction = Callable[[Tensor, Tensor], Tensor]
ObservedFunction = Callable[[Tensor], Tensor]

_GROUP = 4
"""Cells along the side of a group that is skipped as a whole."""
_CELLS_AT_ONCE = 1 << 24
"""Of the blocks of a batch on a GPU: each takes about 30 bytes, and a batch about 70 launches."""


class MeshingConfig(ConfigModel):
    """How finely the surface is sampled, and which pieces of it are left out."""

    voxel_size_m: float = Field(
        default=0.0,
        ge=0,
        description="Spacing of the SDF samples, m; 0 = 0.025, finer where the first frames are "
        "closer than 1 m",
    )
    block_size_vox: int = Field(
        default=32, ge=1, le=256, description="Cells along the side of a block"
    )
    min_component_triangles: int = Field(
        default=64,
        ge=0,
        description="Connected pieces with fewer triangles are left out of a saved mesh",
    )
    max_slope: float = Field(
        default=2.0,
        ge=0,
        description="Assumed bound of |d sdf / d x|: cells that the surface cannot reach by it "
        "are skipped; 0 samples every observed cell",
    )
    points_per_batch: int = Field(
        default=0, ge=0, description="Points in one evaluation of the field; 0 = by device"
    )
    blocks_per_update: int = Field(
        default=0,
        ge=0,
        description="Blocks in one update of a stream, the longest dirty first; 0 = by device",
    )
    blocks_per_batch: int = Field(
        default=0, ge=0, description="Blocks whose samples are held at once; 0 = by device"
    )

    @property
    def block_size_m(self) -> float:
        """Side of a block, m."""
        return self.block_size_vox * self.voxel_size_m


def _resolved(config: MeshingConfig, device: torch.device) -> MeshingConfig:
    """Fill in what the configuration leaves to the device; the memory of a batch is bounded."""
    on_gpu = device.type == "cuda"
    blocks = max(1, _CELLS_AT_ONCE // config.block_size_vox**3) if on_gpu else 8
    return config.model_copy(
        update={
            "points_per_batch": config.points_per_batch or ((1 << 21) if on_gpu else 65536),
            "blocks_per_batch": config.blocks_per_batch or blocks,
        }
    )


class BlockMesher:
    """Extracts the zero level of a field, block by block, in the cells that were observed."""

    def __init__(self, config: MeshingConfig) -> None:
        self.config = config

    def extract(
        self,
        sdf_fn: SdfFunction,
        colour_fn: ColourFunction,
        blocks: list[BlockIndex],
        observed_fn: ObservedFunction,
        device: torch.device,
        is_pointwise: bool = False,
    ) -> list[MeshBlock]:
        """Mesh blocks, in the order given; a block without a surface has no triangles.

        Blocks of one call meet without a crack. Normals point to free space.

        Args:
            sdf_fn: Signed distances [n] of world points [n 3], positive in free space.
            colour_fn: Colours [n 3], 0 to 1, of surface points [n 3] with unit normals [n 3].
            observed_fn: Whether [n] the space around points [n 3] was observed; no surface is
                made elsewhere.
            is_pointwise: What `sdf_fn` gives for a point does not depend, to the last bit, on the
                other points of the call.
        """
        return at_once(
            self.extract_in_parts(sdf_fn, colour_fn, blocks, observed_fn, device, is_pointwise)
        )

    @torch.no_grad()
    def extract_in_parts(
        self,
        sdf_fn: SdfFunction,
        colour_fn: ColourFunction,
        blocks: list[BlockIndex],
        observed_fn: ObservedFunction,
        device: torch.device,
        is_pointwise: bool = False,
    ) -> InParts[list[MeshBlock]]:
        """Mesh as `extract` does, with pauses in which the field may change.

        Blocks meet without a crack all the same, as what they share is sampled once.
        """
        config = _resolved(self.config, device)
        if is_pointwise and device.type == "cuda":
            return _extract_on_gpu(config, sdf_fn, colour_fn, blocks, observed_fn, device)
        sampler = LatticeSampler(sdf_fn, config.voxel_size_m, config.points_per_batch, device)
        meshes: list[MeshBlock] = []
        for batch in _batches(blocks, config.blocks_per_batch):
            if meshes:
                yield
            meshes += self._extract_batch(sampler, colour_fn, batch, observed_fn, device)
        return meshes

    def _extract_batch(
        self,
        sampler: LatticeSampler,
        colour_fn: ColourFunction,
        blocks: list[BlockIndex],
        observed_fn: ObservedFunction,
        device: torch.device,
    ) -> list[MeshBlock]:
        origins = torch.tensor(blocks, device=device) * self.config.block_size_vox
        valid = self._observed_cells(sampler, origins, observed_fn)
        if self.config.max_slope > 0 and self.config.block_size_vox % _GROUP == 0:
            valid &= self._near_surface(sampler, origins, valid)
        # Most blocks that are dirty have no surface.
        busy = valid.flatten(1).any(dim=1).nonzero()[:, 0]
        meshes = [_empty_mesh()] * len(blocks)
        if len(busy):
            origins, valid = origins[busy], valid[busy]
            samples = _Samples(sampler, origins, valid)
            surfaces = marching_cubes(samples.corners(), valid)
            if len(surfaces.triangles):
                pieces = self._finish(samples, surfaces, origins, sampler, colour_fn)
                for block, mesh in zip(busy.tolist(), pieces, strict=True):
                    meshes[block] = mesh
        return [MeshBlock(index, mesh) for index, mesh in zip(blocks, meshes, strict=True)]

    def _observed_cells(
        self, sampler: LatticeSampler, origins: Int[Tensor, "b 3"], observed_fn: ObservedFunction
    ) -> Bool[Tensor, "b n n n"]:
        n = self.config.block_size_vox
        centres = _grid(n, origins.device) + 0.5
        rows = [
            in_batches(observed_fn, sampler.batch, sampler.points(origin + centres))
            for origin in origins
        ]
        return torch.stack(rows).reshape(-1, n, n, n)

    def _near_surface(
        self,
        sampler: LatticeSampler,
        origins: Int[Tensor, "b 3"],
        valid: Bool[Tensor, "b n n n"],
    ) -> Bool[Tensor, "b n n n"]:
        """Find cells in groups that the surface can reach, by the distance at their centre."""
        groups = self.config.block_size_vox // _GROUP
        split = (len(origins), groups, _GROUP, groups, _GROUP, groups, _GROUP)
        wanted = valid.reshape(split).any(dim=6).any(dim=4).any(dim=2)
        block, *place = wanted.nonzero(as_tuple=True)
        centres = origins[block] + (torch.stack(place, dim=-1) + 0.5) * _GROUP
        half_diagonal_m = 0.5 * np.sqrt(3) * _GROUP * self.config.voxel_size_m
        distance_m = sampler.evaluate(centres).abs()
        near = torch.zeros_like(wanted)
        # Written this way round, NaN counts as near and is looked at.
        near[wanted] = ~(distance_m > self.config.max_slope * half_diagonal_m)
        return near[:, :, None, :, None, :, None].expand(split).reshape(valid.shape)

    def _finish(
        self,
        samples: "_Samples",
        surfaces: BlockTriangles,
        origins: Int[Tensor, "b 3"],
        sampler: LatticeSampler,
        colour_fn: ColourFunction,
    ) -> list[Mesh]:
        """Add normals and colours and bring the meshes of the blocks to the host."""
        counts = surfaces.vertices_per_block.to(origins.device)
        block = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
        normals = samples.normals(block, surfaces.vertices)
        points = sampler.points(origins[block] + surfaces.vertices.double())
        rgb = in_batches(colour_fn, sampler.batch, points, normals)
        colours = (rgb.nan_to_num().clamp(0, 1) * 255).round().to(torch.uint8)
        per_vertex = [tensor.cpu().split(counts.tolist()) for tensor in (points, normals, colours)]
        triangles = surfaces.triangles.int().cpu().split(surfaces.triangles_per_block.tolist())
        return [
            Mesh(p.numpy(), t.numpy(), n.numpy(), c.numpy())
            for p, n, c, t in zip(*per_vertex, triangles, strict=True)
        ]


def _batches(blocks: list[BlockIndex], size: int) -> list[list[BlockIndex]]:
    return [blocks[first : first + size] for first in range(0, len(blocks), size)]


def _extract_on_gpu(
    config: MeshingConfig,
    sdf_fn: SdfFunction,
    colour_fn: ColourFunction,
    blocks: list[BlockIndex],
    observed_fn: ObservedFunction,
    device: torch.device,
) -> list[MeshBlock]:
    extractor = DeviceBlocks(
        config.block_size_vox,
        config.voxel_size_m,
        config.max_slope,
        _GROUP,
        config.points_per_batch,
    )
    found: list[MeshBlock] = []
    for batch in _batches(blocks, config.blocks_per_batch):
        origins = torch.empty((len(batch), 3), dtype=torch.int32, device=device)
        write_to(origins, np.array(batch, dtype=np.int32) * config.block_size_vox)
        meshes = extractor.extract(sdf_fn, colour_fn, origins, observed_fn)
        found += [
            MeshBlock(index, mesh or _empty_mesh())
            for index, mesh in zip(batch, meshes, strict=True)
        ]
    return found


class _Samples:
    """Samples on the corners of blocks and one corner beyond; NaN where none was needed."""

    def __init__(
        self,
        sampler: LatticeSampler,
        origins: Int[Tensor, "b 3"],
        valid_cells: Bool[Tensor, "b n n n"],
    ) -> None:
        self._sampler = sampler
        self._origins = origins
        n = valid_cells.shape[1]
        self._side = n + 3
        self._sdf = torch.full(
            (len(origins), *(self._side,) * 3), torch.nan, device=origins.device
        )
        needed = _corners_of(valid_cells)
        border = torch.ones_like(needed)
        # Only corners on the faces of a block belong to others as well.
        border[:, 1:-1, 1:-1, 1:-1] = False
        self._fill(needed & ~border, sampler.evaluate)
        self._fill(needed & border, sampler.evaluate_shared)

    def corners(self) -> Float[Tensor, "b k k k"]:
        """Return the samples on the corners of the blocks."""
        return self._sdf[:, 1:-1, 1:-1, 1:-1]

    def _fill(self, where: Bool[Tensor, "b k k k"], evaluate: SdfFunction) -> None:
        block, *place = where.nonzero(as_tuple=True)
        lattice = self._origins[block] + torch.stack(place, dim=-1)
        self.corners()[where] = evaluate(lattice)

    def normals(
        self, block: Int[Tensor, " v"], vertices: Float[Tensor, "v 3"]
    ) -> Float[Tensor, "v 3"]:
        """Interpolate unit normals on lattice edges between the gradients of the two ends.

        The gradients are central differences; corners that they need and that were not sampled
        yet are sampled now, so that neighbouring blocks find the same normals.
        """
        start = vertices.floor()
        # A vertex lies on an edge of the lattice: along the two other axes there is no fraction.
        fraction, axis = (vertices - start).max(dim=-1)
        end = start.long() + torch.nn.functional.one_hot(axis, 3)
        ends, index = torch.unique(
            torch.cat((self._key(block, start.long()), self._key(block, end))), return_inverse=True
        )
        gradients = self._gradients(ends)[index]
        at_start, at_end = gradients.chunk(2)
        gradient = torch.lerp(at_start, at_end, fraction[:, None])
        return torch.nn.functional.normalize(gradient.nan_to_num(), dim=-1)

    def _key(self, block: Int[Tensor, " v"], corner: Int[Tensor, "v 3"]) -> Int[Tensor, " v"]:
        """Place in the flat samples."""
        x, y, z = (corner + 1).unbind(-1)
        return ((block * self._side + x) * self._side + y) * self._side + z

    def _gradients(self, keys: Int[Tensor, " n"]) -> Float[Tensor, "n 3"]:
        """Central differences per voxel, of one side where there is nothing on the other."""
        side, samples = self._side, self._sdf.reshape(-1)
        stride = torch.tensor((side * side, side, 1), device=keys.device)
        ahead, behind = keys[:, None] + stride, keys[:, None] - stride
        stencil = torch.unique(torch.cat((ahead, behind)))
        # Only what the surface needs and nobody has asked for yet.
        missing = stencil[samples[stencil].isnan()]
        place = torch.stack((missing // side**2, missing // side, missing), dim=-1) % side - 1
        samples[missing] = self._sampler.evaluate(self._origins[missing // side**3] + place)
        here, after, before = samples[keys][:, None], samples[ahead], samples[behind]
        mirrored = torch.where(after.isnan(), 2 * here - before, after)
        return mirrored - torch.where(before.isnan(), 2 * here - after, before)


def _corners_of(cells: Bool[Tensor, "b n n n"]) -> Bool[Tensor, "b k k k"]:
    """Find the corners that touch any of the cells."""
    padded = torch.nn.functional.pad(cells, (1, 1, 1, 1, 1, 1))
    for axis in (1, 2, 3):
        k = padded.shape[axis] - 1
        padded = padded.narrow(axis, 0, k) | padded.narrow(axis, 1, k)
    return padded


def _grid(n: int, device: torch.device) -> Int[Tensor, "cells 3"]:
    """List the coordinates of the cells of a block, z fastest."""
    axis = torch.arange(n, device=device)
    return torch.cartesian_prod(axis, axis, axis)


def _empty_mesh() -> Mesh:
    return Mesh(
        vertices=np.zeros((0, 3), dtype=np.float32),
        triangles=np.zeros((0, 3), dtype=np.int32),
        normals=np.zeros((0, 3), dtype=np.float32),
        colours=np.zeros((0, 3), dtype=np.uint8),
    )
