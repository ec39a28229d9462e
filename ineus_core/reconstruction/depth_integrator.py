# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What the depth of a keyframe tells: free space, surface, observed cells, blocks to mesh anew."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.geometry import rigid_inverse
from ineus_core.kernels.occupancy import rays_of_depth
from ineus_core.keyframes import DepthConfig, KeyframeBuffer, world_rays
from ineus_core.meshing import DirtyBlocks
from ineus_core.rendering import OccupancyGrid
from ineus_core.types import Camera, Frame, KeyframeId

_LOG_ODDS_STRIDE_PX = 4
_OBSERVED_STRIDE_PX = 2
"""Finer, as the cells are; both are for wide images, and half of it for others."""
_MOST_ACROSS = 1024
"""Rays along a side of a picture, however large it is."""
_OBSERVED_OVERLAP = 0.6
"""Half side of what a return has observed, by the distance of neighbouring returns head-on: more
than half, as surfaces are aslant; less than all, or webs at edges would count as measured."""
_SOME_RETURN_M = (1.0, 1.0, 2.0)
"""Where a return may lie in its camera: by how far it moves, a keyframe is judged."""
_Rays = tuple[Tensor, Tensor]
"""World directions [n 3], and ranges [n] in m, below 0 without a return."""


class DepthIntegrator:
    """Tells the grid and the surface what the depth of a keyframe shows.

    Args:
        config: The depth that is believed.
        truncation_m: Half width of the band around a return that is not free.
        reach_m: A return has observed what is at least so near along each axis.
        grid: Learns what is free and what is surface.
        dirty: Learns which blocks have new returns.
        device: Where the grid lies.
    """

    def __init__(
        self,
        config: DepthConfig,
        truncation_m: float,
        reach_m: float,
        grid: OccupancyGrid,
        dirty: DirtyBlocks,
        device: torch.device,
    ) -> None:
        """Hold what is told."""
        self._config, self._truncation_m, self._reach_m = config, truncation_m, reach_m
        self._grid, self._dirty, self._device = grid, dirty, device
        self._places: dict[KeyframeId, Float[np.ndarray, "4 4"]] = {}

    def integrate(self, frame: Frame) -> None:
        """Take in the depth of a frame from the host."""
        origin = self._tensor(frame.world_from_camera[:3, 3])
        coarse, coarse_m = world_rays(
            frame, self._config, _stride_px(_LOG_ODDS_STRIDE_PX, frame.camera)
        )
        returned = coarse_m >= 0
        directions, range_m = coarse[returned], coarse_m[returned]
        self._grid.observe(
            origin, self._tensor(directions), self._tensor(range_m), self._truncation_m
        )
        stride_px = _stride_px(_OBSERVED_STRIDE_PX, frame.camera)
        fine, fine_m = world_rays(frame, self._config, stride_px)
        self._mark_observed(
            origin,
            (self._tensor(fine), self._tensor(fine_m)),
            (self._tensor(coarse), self._tensor(coarse_m)),
            stride_px,
            frame.camera,
        )
        # In double precision, as the position may be far from the origin.
        points = frame.world_from_camera[:3, 3] + directions * range_m[:, None]
        self._dirty.mark(points)

    def _mark_observed(
        self,
        origin: Float[Tensor, " 3"],
        fine: _Rays,
        coarse: _Rays,
        stride_px: int,
        camera: Camera,
    ) -> None:
        """Mark cells by fine rays with a return, and by coarse rays without, which take longer."""
        spread = _OBSERVED_OVERLAP * stride_px / min(camera.fx, camera.fy)
        # What is 0.0 long marks nothing: fine rays without a return are left to the coarse ones.
        # With all fine rays a keyframe of a Kinect took twice as long on a CPU.
        for (directions, range_m), longest_m in ((fine, 0.0), (coarse, self._config.max_m)):
            self._grid.observed.add(origin, directions, range_m, self._reach_m, spread, longest_m)
        if self._grid.returned is not None:
            self._grid.returned.add(origin, *fine, self._reach_m, spread, 0.0)

    def integrate_added(self, frame: Frame, buffer: KeyframeBuffer, slot: int) -> None:
        """Take in the depth of a keyframe that now lies in a slot."""
        keyframe = frame.stamp_ns, frame.camera_id
        self._places = {
            # Keyframes that have left the buffer are never moved again.
            known: self._places[known]
            for known in buffer.ids
            if known in self._places
        }
        self._places[keyframe] = frame.world_from_camera
        if self._device.type == "cuda":
            self._integrate_on_gpu(buffer, slot)
        else:
            self.integrate(frame)

    def is_out_of_place(self, keyframe: KeyframeId, pose: Float[np.ndarray, "4 4"]) -> bool:
        """Tell whether a pose puts returns into other cells than when they were taken in."""
        if keyframe not in self._places:
            return False
        # Less the identity, so that what is left is how far a point moves.
        motion = rigid_inverse(self._places[keyframe]) @ pose - np.eye(4)
        return bool(np.abs(motion[:3] @ (*_SOME_RETURN_M, 1.0)).max() > self._reach_m)

    def integrate_held(self, keyframe: KeyframeId, buffer: KeyframeBuffer) -> None:
        """Take in the depth of a keyframe anew, from where it is now."""
        age = buffer.ids.index(keyframe)
        self._places[keyframe] = buffer.poses[age]
        # On a GPU the depth is where it is needed; as a frame it would come to the host and go
        # back.
        frame = None if self._device.type == "cuda" else buffer.frame_of(keyframe)
        if frame is None:
            self._integrate_on_gpu(buffer, buffer.slots[age])
        else:
            self.integrate(frame)

    def _integrate_on_gpu(self, buffer: KeyframeBuffer, slot: int) -> None:
        """Do as `integrate` with the stored depth, where the host waits for nothing."""
        grid, pose, reduction = self._grid, buffer.world_from_camera[slot], buffer.reduction

        def rays(stride_px: int) -> _Rays:
            return rays_of_depth(
                buffer.depth[slot],
                buffer.rays_of(slot),
                pose,
                buffer.depth_step_m,
                buffer.width_px,
                # The stored image is smaller by the reduction already.
                max(1, stride_px // reduction),
                *self._dirty.flags_over(grid.host_aabb),
            )

        camera = buffer.camera
        coarse = rays(_stride_px(_LOG_ODDS_STRIDE_PX, camera))
        grid.observe(pose[:, 3], *coarse, self._truncation_m)
        stride_px = _stride_px(_OBSERVED_STRIDE_PX, camera)
        self._mark_observed(pose[:, 3], rays(stride_px), coarse, max(reduction, stride_px), camera)

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.as_tensor(array, dtype=torch.float32).to(self._device)


def _stride_px(wide: int, camera: Camera) -> int:
    # Of larger pictures the keyframes hold no more either.
    least = -(-max(camera.width_px, camera.height_px) // _MOST_ACROSS)
    return max(least, wide if camera.width_px >= 480 else wide // 2)
