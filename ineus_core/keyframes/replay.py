# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which rays a step draws: of the newest keyframes, of all that are held, of those that left."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int, Int8
from pydantic import Field
from torch import Tensor

from ineus_core.config_model import ConfigModel
from ineus_core.kernels.host_copy import write_to
from ineus_core.kernels.ray_batch import (
    DIRECTION,
    KNOWN_FOREGROUND,
    NORMAL,
    ORIGIN,
    RANGE,
    RESERVOIR_COLUMNS,
    RGB,
    UNKNOWN_FOREGROUND,
    UNUSABLE,
    USE,
    WHOLE,
    RayStore,
)
from ineus_core.keyframes.buffer import MASKED, KeyframeBuffer
from ineus_core.types import RayBatch


class ReplayConfig(ConfigModel):
    """Shares of a batch."""

    newest_share: float = Field(
        0.3, ge=0, le=1, description="Share of the rays drawn from the newest keyframes."
    )
    newest_keyframes: int = Field(5, ge=1, description="How many keyframes count as newest.")
    one_keyframe: bool = Field(
        False, description="Whether all rays of a batch are of one random keyframe."
    )
    reservoir_share: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Share drawn from keyframes that left the buffer, once there are any.",
    )
    reservoir_rays: int = Field(
        1 << 18, ge=0, description="Rays kept of keyframes that left the buffer."
    )
    rays_kept_per_keyframe: int = Field(
        4096, ge=1, description="Rays that a keyframe leaves in the reservoir when it makes room."
    )


class Replay:
    """Draws batches of a fixed number of rays from a buffer.

    Args:
        config: Shares.
        buffer: Keyframes to draw from.
        generator: Source of randomness, on the buffer's device.
    """

    def __init__(
        self, config: ReplayConfig, buffer: KeyframeBuffer, generator: torch.Generator
    ) -> None:
        """Allocate the reservoir."""
        self._config, self._buffer, self._generator = config, buffer, generator
        device = buffer.rgb.device
        self.device = device
        self._slot_cdf = torch.zeros(buffer.capacity, device=device)
        # At least one row, so that kernels have something to point at.
        self._reservoir = torch.zeros(
            (max(config.reservoir_rays, 1), RESERVOIR_COLUMNS), device=device
        )
        self._has_reservoir = False
        self._newest_share = config.newest_share
        # The share as a device scalar, so that a captured draw follows it.
        self._reservoir_share = torch.zeros((), device=device)
        self._reservoir_count = torch.zeros((), device=device)
        self._filled = 0
        self._evidence = torch.zeros(len(self._reservoir), dtype=torch.int8, device=device)
        """That returns of the reservoir are still there, by who judges them."""

    @property
    def width_px(self) -> int:
        """Width of the stored images."""
        return self._buffer.width_px

    @property
    def depth_step_m(self) -> float:
        """Metres of a unit of stored depth."""
        return self._buffer.depth_step_m

    def store(self) -> RayStore:
        """Return what a kernel draws rays from; `camera_rays` moves when it grows."""
        buffer = self._buffer
        return RayStore(
            buffer.rgb,
            buffer.depth,
            buffer.world_from_camera,
            buffer.camera_index,
            buffer.camera_rays,
            self._slot_cdf,
            self._reservoir,
            self._reservoir_share,
            self._reservoir_count,
            buffer.foreground,
            buffer.confidence,
        )

    @property
    def image_background(self) -> Float[Tensor, " 3"]:
        """Colour that the pictures have where no object is."""
        return self._buffer.image_background

    @property
    def one_keyframe(self) -> bool:
        """Whether the rays of a batch are of one keyframe."""
        return self._config.one_keyframe

    @property
    def has_foreground(self) -> bool:
        """Whether rays know if they show the object."""
        return self._buffer.foreground is not None

    @property
    def has_confidence(self) -> bool:
        """Whether the depth of some rays counts more than that of others."""
        return self._buffer.confidence is not None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return len(self._buffer) == 0 and not self._has_reservoir

    def on_keyframe_added(self) -> None:
        """Renew the odds of the slots; call after `KeyframeBuffer.add`."""
        slots = self._buffer.slots
        odds = torch.zeros(self._buffer.capacity)
        odds[slots] = 1.0 / len(slots)
        newest = slots[-self._config.newest_keyframes :]
        # The newest keyframes have their share of all as well, so that no share leaves nothing for
        # the others.
        odds *= 1.0 - self._newest_share
        odds[newest] += self._newest_share / len(newest)
        cdf = torch.cumsum(odds / odds.sum(), 0)
        # Rounding leaves the sum a little below 1, where a draw would fall on an empty slot.
        cdf[max(slots) :] = 2.0
        write_to(self._slot_cdf, cdf.numpy())

    def replay_uniformly(self) -> None:
        """Draw from all keyframes alike, as no newer ones will come."""
        self._newest_share = 0.0
        if self._buffer.slots:
            self.on_keyframe_added()

    def keep_rays_of(self, slot: int) -> None:
        """Put random rays of a keyframe that is about to leave into the reservoir.

        A full reservoir loses older ones.
        """
        self.keep(self._packed_rays(slot, self._config.rays_kept_per_keyframe))

    def keep(self, packed: Float[Tensor, "n 14"]) -> None:
        """Put packed rays into the reservoir."""
        if self._config.reservoir_rays == 0 or len(packed) == 0:
            return
        packed = packed.to(self.device)
        if len(packed) > len(self._reservoir):
            # Any of them, as those in front are of the oldest keyframes.
            some = torch.randperm(len(packed), generator=self._generator, device=self.device)
            packed = packed[some[: len(self._reservoir)]]
        filled = self._filled
        if filled + len(packed) <= len(self._reservoir):
            rows = torch.arange(filled, filled + len(packed), device=self.device)
        else:
            # Any rows give way, so that what is kept thins out alike for all places that were
            # seen.
            rows = torch.randperm(
                len(self._reservoir), generator=self._generator, device=self.device
            )
        self._reservoir[rows[: len(packed)]] = packed
        # Nobody has judged the new ones yet.
        self._evidence[rows[: len(packed)]] = 0
        self._filled = min(filled + len(packed), len(self._reservoir))
        # In place and as float, as kernels multiply random numbers by it.
        self._reservoir_count.fill_(float(self._filled))
        self._reservoir_share.fill_(self._config.reservoir_share)
        self._has_reservoir = True

    def judge_kept(
        self,
        told_of: Callable[[Float[Tensor, "n 3"]], Int8[Tensor, " n"]],
        bounds: tuple[int, int],
    ) -> None:
        """Use rays of the reservoir no more that keyframes contradict.

        Args:
            told_of: Tells of points: 1 there is a surface, -1 there is none, 0 nobody knows.
            bounds: Of the sum of what is told of a ray; at the lower one it is not used any more.
        """
        if not self._has_reservoir:
            return
        kept = self._reservoir[: self._filled]
        returns = kept[:, ORIGIN:DIRECTION] + kept[:, DIRECTION:RGB] * kept[:, RANGE, None]
        told = torch.where(kept[:, RANGE] > 0, told_of(returns), 0)
        evidence = (self._evidence[: self._filled] + told).clamp(*bounds)
        self._evidence[: self._filled] = evidence
        kept[:, USE] = torch.where(evidence <= bounds[0], UNUSABLE, kept[:, USE])

    def rays_to_save(self) -> Float[Tensor, "n 14"]:
        """Pack rays that stand for all frames: the reservoir, and some of every keyframe."""
        kept = [
            self._packed_rays(slot, self._config.rays_kept_per_keyframe)
            for slot in self._buffer.slots
        ]
        return torch.cat((self._reservoir[: self._filled], *kept))

    def _packed_rays(self, slot: int, count: int) -> Float[Tensor, "n 14"]:
        slots = torch.full((count,), slot, dtype=torch.int64, device=self.device)
        rays = self._look_up(slots, self._random_pixels(count))
        # Above 0 for every ray that may be used, so that who knows of no foreground asks for that.
        usable = torch.where(rays.valid, UNKNOWN_FOREGROUND, UNUSABLE)
        if rays.foreground is not None:
            # One column for both: 0 is not usable, 1 is unknown (2 - 1), above that lies the
            # share.
            usable = usable * (KNOWN_FOREGROUND + rays.foreground)
        range_m = rays.range_m
        if rays.depth_weight is not None:
            # Depth that is kept counts as a whole, so as much of it is kept as is trusted.
            range_m = torch.where(self._uniform(count) < rays.depth_weight, range_m, 0.0)
        scalars = torch.stack((range_m, usable), dim=1)
        return torch.cat((rays.origins, rays.directions, rays.rgb, rays.normal, scalars), dim=1)

    def draw(self, rays: int) -> RayBatch:
        """Draw a batch of random rays; those of pixels that may not be used are not `valid`."""
        if len(self._buffer) == 0:
            rows = (self._uniform(rays) * self._reservoir_count).long()
            return self._unpacked(self._reservoir[rows])
        drawn = self._uniform(1 if self._config.one_keyframe else rays)
        slots = torch.searchsorted(self._slot_cdf, drawn).clamp(max=self._buffer.capacity - 1)
        batch = self._look_up(slots.expand(rays), self._random_pixels(rays))
        if not self._has_reservoir:
            return batch
        rows = (self._uniform(rays) * self._reservoir_count).long()
        old = self._reservoir[rows]
        take = self._uniform(rays) < self._reservoir_share
        return _select(take, self._unpacked(old), batch)

    def _unpacked(self, packed: Float[Tensor, "rays 14"]) -> RayBatch:
        range_m, usable = packed[:, RANGE], packed[:, USE]
        return RayBatch(
            origins=packed[:, ORIGIN:DIRECTION],
            directions=packed[:, DIRECTION:RGB],
            rgb=packed[:, RGB:NORMAL],
            range_m=range_m,
            normal=packed[:, NORMAL:RANGE],
            has_depth=range_m > 0,
            valid=usable > UNUSABLE,
            foreground=None
            if self._buffer.foreground is None
            else (usable - KNOWN_FOREGROUND).clamp(min=-1),
            depth_weight=torch.ones_like(range_m) if self.has_confidence else None,
        )

    def _uniform(self, count: int) -> Float[Tensor, " n"]:
        return torch.rand(count, generator=self._generator, device=self.device)

    def _random_pixels(self, count: int) -> Int[Tensor, " n"]:
        pixels = self._buffer.width_px * self._buffer.height_px
        return torch.randint(pixels, (count,), generator=self._generator, device=self.device)

    def _look_up(self, slots: Int[Tensor, " rays"], pixels: Int[Tensor, " rays"]) -> RayBatch:
        buffer = self._buffer
        cameras = buffer.camera_index[slots]
        in_camera = buffer.camera_rays[cameras, pixels]
        rotation = buffer.world_from_camera[slots, :, :3]
        directions = torch.einsum("rij,rj->ri", rotation, in_camera)
        depth = buffer.depth[slots, pixels]
        range_m = (
            depth.clamp(min=0).float() * buffer.depth_step_m / in_camera[:, 2].clamp(min=1e-6)
        )
        normal = torch.einsum("rij,rj->ri", rotation, self._normals(slots, cameras, pixels))
        return RayBatch(
            origins=buffer.world_from_camera[slots, :, 3],
            directions=directions,
            rgb=buffer.rgb[slots, pixels].float() / 255.0,
            range_m=range_m,
            normal=normal,
            has_depth=range_m > 0,
            valid=depth != MASKED,
            foreground=self._foreground(slots, pixels),
            depth_weight=self._confidence(slots, pixels),
        )

    def _foreground(
        self, slots: Int[Tensor, " rays"], pixels: Int[Tensor, " rays"]
    ) -> Float[Tensor, " rays"] | None:
        plane = self._buffer.foreground
        if plane is None:
            return None
        share = plane[slots, pixels].float()
        return torch.where(share < 0, share, share / WHOLE)

    def _confidence(
        self, slots: Int[Tensor, " rays"], pixels: Int[Tensor, " rays"]
    ) -> Float[Tensor, " rays"] | None:
        plane = self._buffer.confidence
        return None if plane is None else plane[slots, pixels].float() / WHOLE

    def _normals(
        self,
        slots: Int[Tensor, " rays"],
        cameras: Int[Tensor, " rays"],
        pixels: Int[Tensor, " rays"],
    ) -> Float[Tensor, "rays 3"]:
        """Estimate normals in the camera by four neighbours; 0 across an edge or a hole."""
        buffer = self._buffer
        width, height = buffer.width_px, buffer.height_px
        # Wider than a pixel, or the noise of a depth sensor would be all there is.
        reach = max(1, width // 160)
        row, column = pixels // width, pixels % width
        points, depths = [], []
        for d_column, d_row in ((-reach, 0), (reach, 0), (0, -reach), (0, reach)):
            neighbour = (row + d_row).clamp(0, height - 1) * width + (column + d_column).clamp(
                0, width - 1
            )
            depth_m = buffer.depth[slots, neighbour].float() * buffer.depth_step_m
            ray = buffer.camera_rays[cameras, neighbour]
            points.append(ray * (depth_m / ray[:, 2].clamp(min=1e-6))[:, None])
            depths.append(depth_m)
        centre_m = buffer.depth[slots, pixels].float() * buffer.depth_step_m
        bend_m = torch.maximum(
            (depths[0] + depths[1] - 2 * centre_m).abs(),
            (depths[2] + depths[3] - 2 * centre_m).abs(),
        )
        # A plane bends by nothing, an edge by its step; noise grows with the range.
        nearest_m = torch.stack((*depths, centre_m)).amin(0)
        smooth = (nearest_m > 0) & (bend_m < 0.03 * nearest_m)
        normal = torch.linalg.cross(points[3] - points[2], points[1] - points[0])
        normal = torch.nn.functional.normalize(normal, dim=1, eps=1e-12)
        return torch.where(smooth[:, None], normal, torch.zeros_like(normal))


def _select(take_first: Tensor, first: RayBatch, second: RayBatch) -> RayBatch:
    wide = take_first[:, None]

    def either(a: Tensor | None, b: Tensor | None) -> Tensor | None:
        return None if a is None or b is None else torch.where(take_first, a, b)

    return RayBatch(
        origins=torch.where(wide, first.origins, second.origins),
        directions=torch.where(wide, first.directions, second.directions),
        rgb=torch.where(wide, first.rgb, second.rgb),
        range_m=torch.where(take_first, first.range_m, second.range_m),
        normal=torch.where(wide, first.normal, second.normal),
        has_depth=torch.where(take_first, first.has_depth, second.has_depth),
        valid=torch.where(take_first, first.valid, second.valid),
        foreground=either(first.foreground, second.foreground),
        depth_weight=either(first.depth_weight, second.depth_weight),
    )
