# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth and colour of posed frames, fused into sparse blocks of voxels in bounded memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from pydantic import Field
from torch import Tensor

from ineus_core.config_model import ConfigModel
from ineus_core.fusion.incidence import incidence
from ineus_core.geometry import (
    block_indices,
    blocks_touched,
    cached_pixel_rays,
    rigid_inverse,
)
from ineus_core.kernels.depth_fusion import (
    COLUMNS,
    DISTANCE,
    SIDE,
    WEIGHT,
    DepthImage,
    FusedValues,
    FusionLimits,
    block_keys,
    blocks_of_keys,
    cell_jumps,
    fuse_depth,
    values_at,
)
from ineus_core.kernels.shapes import expect_shape
from ineus_core.kernels.voxel_evidence import DepthView, EvidenceLimits, forget_contradicted
from ineus_core.types import Camera

_MOST_STRIDE_PX = 8
"""Of the returns that say which blocks are needed; less where blocks are small."""
_MARGIN_VOX = 2
"""A block this near to a return is needed: the surface's normals are told by what is around it."""
_BYTES_PER_BLOCK = (4 * COLUMNS + 1) * SIDE**3
_FIRST_BLOCKS = 256


class FusionConfig(ConfigModel):
    """What is fused beside the field, and when the field stands for it."""

    enabled: bool = Field(
        True,
        description="Whether, on a CPU, the map holds what depth has measured until the field is "
        "better than it; of frames between keyframes too. On a GPU the field alone is the map.",
    )
    truncation_vox: float = Field(
        4.0, ge=2, description="Least half width of the band around the surface, voxels."
    )
    noise_per_m2: float = Field(
        0.0019,
        ge=0,
        description="Noise of a return by the square of its depth, in 1/m; the band is at least "
        "three times it.",
    )
    max_weight: float = Field(
        200.0,
        gt=0,
        description="Returns from nearby, head-on, whose weight a voxel can have; with more, "
        "older ones fade, and a keyframe that moves is taken back less exactly.",
    )
    memory_mb: float = Field(
        512.0,
        gt=0,
        description="Memory of the blocks, in MB; beyond it those that were seen longest ago make "
        "room, and the field alone is the map there.",
    )


@dataclass(frozen=True)
class PosedImage:
    """What of a frame is fused, and from where it was taken."""

    depth_m: Float[np.ndarray, "h w"]
    """0 where nothing is believed."""
    rgb: UInt8[np.ndarray, "h w 3"]
    camera: Camera
    world_from_camera: Float[np.ndarray, "4 4"]


class FusedVolume:
    """Blocks of voxels around measured surfaces; allocated when a return comes near.

    Args:
        config: Sizes.
        voxel_m: Side of a voxel; its corners are those of the mesh's cells.
    """

    def __init__(self, config: FusionConfig, voxel_m: float) -> None:
        """Hold nothing."""
        self.voxel_m = voxel_m
        self._limits = FusionLimits(
            voxel_m, config.truncation_vox * voxel_m, config.noise_per_m2, config.max_weight
        )
        self._most = max(1, int(1e6 * config.memory_mb) // _BYTES_PER_BLOCK)
        self._values = np.zeros((0, SIDE, SIDE, SIDE, COLUMNS), np.float32)
        self._evidence = np.zeros((0, SIDE, SIDE, SIDE), np.int8)
        """How many more views have shown a voxel than looked through it, within bounds."""
        self.shares = np.zeros((0, 2), np.float32)
        """Of the field in each slot, for distance and for colour."""
        self._seen_at, self._used_since = (np.zeros(0, np.int64) for _ in range(2))
        """Number of the image that last came near to the block in a slot, and of the first one."""
        self._keys = np.zeros(0, np.int64)
        self._slots = np.zeros(0, np.int64)
        self._blocks = np.zeros((0, 3), np.int64)
        self._free: list[int] = []
        self.is_complete = True
        """Whether all that was measured is in here; else some of it is in the field alone."""
        self.images = 0
        """That were fused so far."""

    def __len__(self) -> int:
        """Return the number of blocks in use."""
        return len(self._keys)

    @property
    def block_m(self) -> float:
        """Side of a block."""
        return SIDE * self.voxel_m

    @property
    def nbytes(self) -> int:
        """Memory of the blocks."""
        return self._values.nbytes + self._evidence.nbytes

    def fuse(self, image: PosedImage) -> Int[np.ndarray, " new"]:
        """Average in what a frame shows; return the slots that are in use from now on."""
        self.images += 1
        new = self._allocate(self._blocks_of(image))
        self._apply(image, 1, self.images)
        return new

    def take_back(
        self, image: PosedImage, number: int, slots: Int[np.ndarray, " n"] | None = None
    ) -> None:
        """Undo `fuse` of the same frame, where weights have not reached their limit since.

        Args:
            number: The value of `images` after it: blocks that are in use since later have nothing
                of it.
            slots: Of the only blocks in which that is done.
        """
        self._apply(image, -1, number, slots)

    def put_back(self, image: PosedImage, number: int, slots: Int[np.ndarray, " n"]) -> None:
        """Fuse a frame again in blocks that it was taken back from; see `take_back`."""
        self._apply(image, 1, number, slots)

    def forget_contradicted(
        self, view: DepthView, evidence: tuple[int, int]
    ) -> Float[np.ndarray, "n 3"]:
        """Empty surface that enough views look through; return where it was.

        Args:
            view: The newest view, without a lens.
            evidence: At which surface is emptied, and its upper bound.
        """
        height_px, width_px = view.depth_m.shape
        camera = Camera(width_px, height_px, *view.intrinsics)
        farthest_m = float(view.depth_m.max(initial=0))
        seen = self._in_view(camera, view.camera_from_world, farthest_m)
        limits = EvidenceLimits(self.voxel_m, *evidence)
        blocks, slots = self._blocks[seen], self._slots[seen]
        is_gone = forget_contradicted(self._values, self._evidence, slots, blocks, view, limits)
        block, *place = np.nonzero(is_gone)
        return (SIDE * blocks[block] + np.stack(place, axis=-1)) * self.voxel_m

    def slots_around(self, points: Float[np.ndarray, "n 3"]) -> Int[np.ndarray, " m"]:
        """Return the slots of the blocks in use that a return at one of some points changes."""
        reach_m = self._limits.truncation_m + self.voxel_m
        touched = np.array(blocks_touched(points, reach_m, self.block_m), np.int64).reshape(-1, 3)
        return self._slots[np.isin(self._keys, block_keys(touched))]

    def at(self, points: Float[np.ndarray, "n 3"]) -> FusedValues:
        """Return what is fused at points."""
        in_voxels = np.asarray(points, np.float64) / self.voxel_m
        return values_at(in_voxels, self._values, self._keys, self._slots, self.shares)

    def near_surface(
        self, camera: Camera, camera_from_world: Float[np.ndarray, "4 4"], within_m: float
    ) -> Float[np.ndarray, "n 3"]:
        """Return the corners of voxels that a camera may see, no farther from a surface."""
        slots, blocks = (
            of_all[self._in_view(camera, camera_from_world, np.inf)]
            for of_all in (self._slots, self._blocks)
        )
        is_near = np.abs(self._values[slots, ..., DISTANCE]) <= within_m
        is_near &= self._values[slots, ..., WEIGHT] > 0
        block, *place = np.nonzero(is_near)
        return (SIDE * blocks[block] + np.stack(place, axis=-1)) * self.voxel_m

    def cell_jumps(self, centres: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Return by how much distances at the corners of cells differ, in voxels; inf: unknown."""
        in_voxels = np.asarray(centres, np.float64) / self.voxel_m
        return cell_jumps(in_voxels, self._values, self._keys, self._slots) / self.voxel_m

    @property
    def blocks_in_use(self) -> Int[np.ndarray, "n 3"]:
        """Places of the blocks in use, in blocks."""
        return self._blocks

    @property
    def slots_in_use(self) -> Int[np.ndarray, " n"]:
        """Slots of the blocks in use."""
        return self._slots

    def slots_at(self, points: Float[np.ndarray, "n 3"]) -> Int[np.ndarray, " n"]:
        """Return the slots of the blocks that points lie in, -1 where none is in use."""
        if not len(self._keys):
            return np.full(len(points), -1)
        keys = block_keys(block_indices(points, self.block_m))
        at = np.searchsorted(self._keys, keys).clip(max=len(self._keys) - 1)
        return np.where(self._keys[at] == keys, self._slots[at], -1)

    def state(self) -> dict[str, Tensor]:
        """Return what is fused, to be saved."""
        arrays = {
            "voxel_m": np.array([self.voxel_m]),
            "is_complete": np.array([self.is_complete]),
            "blocks": self._blocks.astype(np.int32),
            "values": self._values[self._slots],
            "shares": self.shares[self._slots],
        }
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    @classmethod
    def from_state(cls, config: FusionConfig, state: Mapping[str, Tensor]) -> "FusedVolume":
        """Become what `state` was taken of.

        Raises:
            ValueError: It does not hold what it should.
        """
        blocks, values = state["blocks"].numpy(), state["values"].float().numpy()
        expect_shape("blocks", blocks, (-1, 3))
        expect_shape("values", values, (len(blocks), SIDE, SIDE, SIDE, COLUMNS))
        expect_shape("shares", state["shares"], (len(blocks), 2))
        voxel_m = float(state["voxel_m"][0])
        if not voxel_m > 0 or len(np.unique(blocks, axis=0)) < len(blocks):
            raise ValueError(f"fused voxels of {voxel_m} m: expected above 0, and each block once")
        volume = cls(config, voxel_m)
        volume.is_complete = bool(state["is_complete"][0])
        # Of more than there is memory for, the first ones are as good as any.
        slots = volume._allocate(blocks.astype(np.int64))
        volume._values[slots] = values[: len(slots)]
        volume.shares[slots] = state["shares"].numpy()[: len(slots)].clip(0, 1)
        return volume

    def _blocks_of(self, image: PosedImage) -> Int[np.ndarray, "n 3"]:
        """Return the blocks that returns lie in or near."""
        depth_m, camera, world_from_camera = image.depth_m, image.camera, image.world_from_camera
        block_m, farthest_m = self.block_m, float(depth_m.max(initial=0))
        apart_px = int(0.5 * block_m * min(camera.fx, camera.fy) / max(farthest_m, 1e-6))
        stride_px = min(max(apart_px, 1), _MOST_STRIDE_PX)
        depth_m = depth_m[::stride_px, ::stride_px]
        rays = cached_pixel_rays(camera, stride_px)[depth_m > 0]
        in_camera = rays * (depth_m[depth_m > 0] / rays[:, 2])[:, None]
        points = in_camera @ world_from_camera[:3, :3].T + world_from_camera[:3, 3]
        reach = _MARGIN_VOX * self.voxel_m * np.array(list(product((-1, 1), repeat=3)))
        touched = block_indices((points[:, None] + reach).reshape(-1, 3), block_m)
        return blocks_of_keys(np.unique(block_keys(touched)))

    def _allocate(self, blocks: Int[np.ndarray, "n 3"]) -> Int[np.ndarray, " new"]:
        """Have blocks in use, as many as there is memory for; return the slots of new ones."""
        self.is_complete &= len(blocks) <= self._most
        blocks = blocks[: self._most]
        keys = block_keys(blocks)
        is_new = ~np.isin(keys, self._keys)
        self._seen_at[self._slots[np.isin(self._keys, keys)]] = self.images
        new = blocks[is_new]
        self._free_oldest(len(self._keys) + len(new) - self._most)
        self._grow_to(len(self._keys) + len(new))
        taken = np.array([self._free.pop() for _ in range(len(new))], np.int64)
        self._values[taken], self.shares[taken], self._evidence[taken] = 0, 0, 0
        self._seen_at[taken] = self._used_since[taken] = self.images
        keys = np.concatenate((self._keys, keys[is_new]))
        order = np.argsort(keys)
        self._keys = keys[order]
        self._slots = np.concatenate((self._slots, taken))[order]
        self._blocks = np.concatenate((self._blocks, new))[order]
        return taken

    def _free_oldest(self, count: int) -> None:
        if count <= 0:
            return
        self.is_complete = False
        order = np.argsort(self._seen_at[self._slots], kind="stable")
        stays = np.ones(len(self._keys), bool)
        stays[order[:count]] = False
        self._free += self._slots[~stays].tolist()
        self._keys, self._slots = self._keys[stays], self._slots[stays]
        self._blocks = self._blocks[stays]

    def _grow_to(self, blocks: int) -> None:
        """Double the memory until so many blocks fit."""
        held = len(self._values)
        if blocks <= held:
            return
        size = max(held, _FIRST_BLOCKS)
        while size < blocks:
            size *= 2
        size = min(size, self._most)
        more = size - held
        empty = np.zeros((more, *self._values.shape[1:]), np.float32)
        self._values = np.concatenate((self._values, empty))
        none = np.zeros((more, SIDE, SIDE, SIDE), np.int8)
        self._evidence = np.concatenate((self._evidence, none))
        self.shares = np.concatenate((self.shares, np.zeros((more, 2), np.float32)))
        self._seen_at = np.concatenate((self._seen_at, np.zeros(more, np.int64)))
        self._used_since = np.concatenate((self._used_since, np.zeros(more, np.int64)))
        self._free += range(held, size)

    def _apply(
        self, posed: PosedImage, sign: int, number: int, slots: Int[np.ndarray, " n"] | None = None
    ) -> None:
        depth_m, camera = posed.depth_m, posed.camera
        camera_from_world = rigid_inverse(posed.world_from_camera)
        seen = self._in_view(camera, camera_from_world, float(depth_m.max(initial=0)))
        seen = seen[self._used_since[self._slots[seen]] <= number]
        if slots is not None:
            seen = seen[np.isin(self._slots[seen], slots)]
        image = DepthImage(
            depth_m, incidence(depth_m, camera), posed.rgb, camera, camera_from_world
        )
        fuse_depth(self._values, self._slots[seen], self._blocks[seen], image, self._limits, sign)

    def _in_view(
        self, camera: Camera, camera_from_world: Float[np.ndarray, "4 4"], farthest_m: float
    ) -> Int[np.ndarray, " n"]:
        """Return the blocks whose ball meets the cone around the view and is not behind all."""
        block_m = self.block_m
        centres = (self._blocks + 0.5) * block_m
        points = centres @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
        radius_m = 0.5 * np.sqrt(3) * block_m
        down, across = max(1, camera.height_px - 1), max(1, camera.width_px - 1)
        corners = cached_pixel_rays(camera, 1)[::down, ::across]
        widest = float(np.arccos(np.clip(corners[..., 2].min(), -1, 1)))
        away_m = np.linalg.norm(points, axis=1)
        angle = np.arccos(np.clip(points[:, 2] / np.maximum(away_m, 1e-9), -1, 1))
        reach = np.arcsin(np.clip(radius_m / np.maximum(away_m, 1e-9), 0, 1))
        near = points[:, 2] <= farthest_m + self._limits.truncation_m + radius_m
        return (near & ((angle <= widest + reach) | (away_m < radius_m))).nonzero()[0]
