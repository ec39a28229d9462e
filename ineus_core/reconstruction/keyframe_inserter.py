# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Frames on their way in: which become keyframes, and what their depth shows of the scene."""

import logging
from collections import Counter
from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.errors import CapacityError
from ineus_core.fields import HashSdf
from ineus_core.geometry import cached_pixel_rays
from ineus_core.kernels.occupancy import rays_of_depth
from ineus_core.keyframes import KeyframeBuffer, KeyframeConfig, KeyframeSelector, Replay
from ineus_core.meshing import DirtyBlocks
from ineus_core.reconstruction.completion import DepthCompletion
from ineus_core.reconstruction.scene_bounds import BoundsConfig, box_of_depth
from ineus_core.rendering import OccupancyGrid
from ineus_core.types import Camera, Frame, KeyframeId

_LOG = logging.getLogger(__name__)
_OBSERVE_STRIDE_PX = 4
_PROBE_STRIDE_PX = 2
"""Finer, as the cells are; both are for wide images, and half of it for others."""
_PROBE_OVERLAP = 0.6
"""Half side of what a return has observed, by the distance of neighbouring returns head-on: more
than half, as surfaces are aslant; less than all, or webs at edges would count as measured."""
_Rays = tuple[Tensor, Tensor]
"""World directions [n 3], and ranges [n] in m, below 0 without a return."""
_SPARE_M = 0.5
"""Room beyond what a frame needs when the grid grows: a GPU then captures its step anew."""


class DepthIntegrator:
    """Tells the grid and the surface what the depth of a keyframe shows.

    Args:
        config: Limits of the depth that is believed.
        truncation_m: Half width of the band around a return that is not free.
        reach_m: A return has observed what is at least so near along each axis.
        grid: Learns what is free and what is surface.
        dirty: Learns which blocks have new returns.
        device: Where the grid lies.
    """

    def __init__(
        self,
        config: KeyframeConfig,
        truncation_m: float,
        reach_m: float,
        grid: OccupancyGrid,
        dirty: DirtyBlocks,
        device: torch.device,
    ) -> None:
        """Hold what is told."""
        self._config, self._truncation_m, self._reach_m = config, truncation_m, reach_m
        self._grid, self._dirty, self._device = grid, dirty, device

    def observe(self, frame: Frame) -> None:
        """Take in the depth of a frame from the host."""
        origin = self._tensor(frame.world_from_camera[:3, 3])
        coarse, coarse_m = self._rays(frame, _stride_px(_OBSERVE_STRIDE_PX, frame.camera))
        returned = coarse_m >= 0
        directions, range_m = coarse[returned], coarse_m[returned]
        self._grid.observe(
            origin, self._tensor(directions), self._tensor(range_m), self._truncation_m
        )
        stride_px = _stride_px(_PROBE_STRIDE_PX, frame.camera)
        fine, fine_m = self._rays(frame, stride_px)
        self._mark_observed(
            origin,
            (self._tensor(fine), self._tensor(fine_m)),
            (self._tensor(coarse), self._tensor(coarse_m)),
            stride_px,
            frame.camera,
        )
        points = frame.world_from_camera[:3, 3] + directions * range_m[:, None]
        self._dirty.mark(points)

    def _rays(
        self, frame: Frame, stride_px: int
    ) -> tuple[Float[np.ndarray, "rays 3"], Float[np.ndarray, " rays"]]:
        """World directions and ranges of every `stride_px`-th pixel that is not masked.

        A range without a return is -1.
        """
        assert frame.depth_m is not None
        s = stride_px
        depth_m, limits = frame.depth_m[::s, ::s], self._config
        in_camera = cached_pixel_rays(frame.camera)[::s, ::s]
        hit = (depth_m >= limits.min_depth_m) & (depth_m <= limits.max_depth_m)
        range_m = np.where(hit, depth_m / in_camera[..., 2], np.float32(-1.0))
        directions = in_camera @ frame.world_from_camera[:3, :3].T.astype(np.float32)
        if frame.mask is None:
            return directions.reshape(-1, 3), range_m.reshape(-1)
        used = frame.mask[::s, ::s]
        return directions[used], range_m[used]

    def _mark_observed(
        self,
        origin: Float[Tensor, " 3"],
        fine: _Rays,
        coarse: _Rays,
        stride_px: int,
        camera: Camera,
    ) -> None:
        """Returns by the fine rays; of rays without one, which take longer, the coarse do."""
        spread = _PROBE_OVERLAP * stride_px / min(camera.fx, camera.fy)
        for (directions, range_m), longest_m in ((fine, 0.0), (coarse, self._config.max_depth_m)):
            self._grid.observed.add(origin, directions, range_m, self._reach_m, spread, longest_m)

    def observe_added(self, frame: Frame, buffer: KeyframeBuffer, slot: int) -> None:
        """Take in the depth of a keyframe that now lies in a slot."""
        if self._device.type == "cuda":
            self._observe_on_gpu(buffer, slot)
        else:
            self.observe(frame)

    def _observe_on_gpu(self, buffer: KeyframeBuffer, slot: int) -> None:
        """`observe` of the stored depth, where the host waits for nothing."""
        grid, pose, reduction = self._grid, buffer.world_from_camera[slot], buffer.reduction

        def rays(stride_px: int) -> _Rays:
            return rays_of_depth(
                buffer.depth[slot],
                buffer.rays_of(slot),
                pose,
                buffer.depth_step_m,
                buffer.width_px,
                max(1, stride_px // reduction),
                *self._dirty.flags_over(grid.host_aabb),
            )

        camera = buffer.camera
        coarse = rays(_stride_px(_OBSERVE_STRIDE_PX, camera))
        grid.observe(pose[:, 3], *coarse, self._truncation_m)
        stride_px = _stride_px(_PROBE_STRIDE_PX, camera)
        self._mark_observed(pose[:, 3], rays(stride_px), coarse, max(reduction, stride_px), camera)

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.as_tensor(array, dtype=torch.float32).to(self._device)


def _stride_px(wide: int, camera: Camera) -> int:
    return wide if camera.width_px >= 480 else wide // 2


class KeyframeInserter:
    """Takes the frames that are needed as keyframes, and their poses when these are corrected.

    Args:
        selector: Decides which frames are needed.
        bounds: How far depth widens the box of the scene.
        field: Says how far it reaches.
        grid: Grows with what is measured.
        buffer: Holds the keyframes.
        replay: Keeps rays of those that leave.
        observer: Is shown the depth of those that come.
        completion: Closes holes of their depth.
        counters: Counts what becomes of the frames.
    """

    def __init__(
        self,
        selector: KeyframeSelector,
        bounds: BoundsConfig,
        field: HashSdf,
        grid: OccupancyGrid,
        buffer: KeyframeBuffer,
        replay: Replay,
        observer: DepthIntegrator,
        completion: DepthCompletion,
        counters: Counter[str],
    ) -> None:
        """Begin without a keyframe."""
        self._selector, self._bounds = selector, bounds
        self._field, self._grid, self._buffer, self._replay = field, grid, buffer, replay
        self._integrator, self._completion, self._counters = observer, completion, counters

    def add(self, frame: Frame, expected: int) -> bool:
        """Take a frame; False if it is not needed as a keyframe or does not fit.

        Args:
            expected: Frames that come in all, where that is known; else 0.
        """
        if not self._selector.is_keyframe(frame) and not self._is_one_of_few(frame, expected):
            return False
        if frame.depth_m is not None and not self._grow(frame):
            return False
        completed = self._completion.completed(frame)
        if completed is not frame:
            frame = completed
            self._counters["keyframes_completed"] += 1
        leaving = self._buffer.slot_to_free()
        if leaving is not None:
            self._replay.keep_rays_of(leaving)
            self._counters["keyframes_to_reservoir"] += 1
        slot = self._buffer.add(frame)
        self._replay.on_keyframe_added()
        if frame.depth_m is not None:
            self._integrator.observe_added(frame, self._buffer, slot)
        self._counters["keyframes"] += 1
        return True

    def _is_one_of_few(self, frame: Frame, expected: int) -> bool:
        """Whether a frame is of a set of views without depth that the buffer holds as a whole."""
        return frame.depth_m is None and 0 < expected <= self._buffer.capacity

    def _grow(self, frame: Frame) -> bool:
        box = box_of_depth(frame, cached_pixel_rays(frame.camera), self._bounds)
        if not self._field.holds(torch.as_tensor(box, dtype=torch.float32)):
            self._counters["frames_out_of_bounds"] += 1
            _LOG.warning(
                "frame at %s lies outside the field's %.0f m", box.tolist(), self._field.side_m
            )
            return False
        try:
            if self._grid.grow(torch.as_tensor(box, dtype=torch.float32), spare_m=_SPARE_M):
                _LOG.info("occupancy grid grown to %s", tuple(self._grid.log_odds.shape))
        except CapacityError as error:
            self._counters["frames_out_of_bounds"] += 1
            _LOG.warning("%s", error)
            return False
        return True

    def move(self, poses: Mapping[KeyframeId, Float[np.ndarray, "4 4"]]) -> int:
        """Give keyframes corrected poses, and observe their depth anew; how many are held."""
        moved = 0
        for keyframe, world_from_camera in poses.items():
            self._completion.move(keyframe, world_from_camera)
            if not self._buffer.replace_pose(keyframe, world_from_camera):
                continue
            moved += 1
            frame = self._buffer.frame_of(keyframe)
            if frame is not None and frame.depth_m is not None and self._grow(frame):
                self._integrator.observe(frame)
        return moved
