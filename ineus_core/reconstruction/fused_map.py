# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The map that goes out on a CPU: what depth has measured, until the field is better than it."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ineus_core.fields import HashSdf
from ineus_core.fusion import FieldShare, FusedVolume, PosedImage
from ineus_core.geometry import blocks_touched, rigid_inverse
from ineus_core.kernels.shapes import expect_shape
from ineus_core.kernels.voxel_evidence import DepthView
from ineus_core.keyframes import DepthConfig, believed_depth, world_points
from ineus_core.meshing import ColourFunction, ObservedFunction
from ineus_core.types import BlockIndex, Camera, Frame, KeyframeId, RayBatch

_SURE = 0.99
"""Confidence of depth that a sensor has measured; what was estimated is not fused."""
_STRIDE_PX = 8
_KNOWN = 0.5
_FLATTEST = 0.2
"""Gradient of a field below which its values say nothing of distances."""
_LEAST_ERROR_VOX = 0.1
"""Of what was fused, counted at returns: between them it is no better than voxels are fine."""
_TORN_VOX = 1.8
"""Jump between corners of a cell above which they do not lie about a plane: at most a diagonal."""
_CHANGED = 0.2
"""Change of a share that makes a mesh out of date."""


class FusedMap:
    """Blends what was fused with the field, block by block and without steps between them.

    Args:
        volume: What was fused.
        field: What is trained.
        depth: The depth that is believed.
        block_m: Side of the blocks that are meshed.
    """

    def __init__(
        self, volume: FusedVolume, field: HashSdf, depth: DepthConfig, block_m: float
    ) -> None:
        """Hold nothing yet."""
        self.volume, self._field, self._depth, self._block_m = volume, field, depth, block_m
        self._share = FieldShare(_LEAST_ERROR_VOX * volume.voxel_m)
        self._places: dict[KeyframeId, tuple[Float[np.ndarray, "4 4"], int]] = {}
        """Where keyframes were taken in, and as which image."""
        self._last_meshed: BlockIndex | None = None

    def fuse(self, frame: Frame) -> Float[np.ndarray, "n 3"]:
        """Take in a frame that is not kept; return some of the points where it has returns."""
        self._share.forget(self.volume.fuse(self._measured(frame)))
        return world_points(frame, self._depth, _STRIDE_PX)

    def fuse_keyframe(self, frame: Frame) -> None:
        """Take in a keyframe; if only its pose has changed since, what it told is taken back."""
        self.take_back(frame)
        if frame.depth_confidence is not None:
            self.volume.is_complete = False
        self._share.forget(self.volume.fuse(self._measured(frame)))
        keyframe = frame.stamp_ns, frame.camera_id
        self._places[keyframe] = frame.world_from_camera, self.volume.images

    def take_back(self, frame: Frame) -> None:
        """Undo `fuse_keyframe`, if that was done, of a frame with the same depth at any pose."""
        place = self._places.pop((frame.stamp_ns, frame.camera_id), None)
        if place is not None:
            pose, image = place
            self.volume.take_back(self._measured_at(frame, pose), image)

    def tell_otherwise(
        self, before: Frame, after: Frame | None, points: Float[np.ndarray, "n 3"]
    ) -> None:
        """Replace what a keyframe has told around points, in the blocks there alone.

        Args:
            before: As it was taken in.
            after: The same with other depth; None: without any.
        """
        place = self._places.get((before.stamp_ns, before.camera_id))
        if place is None:
            return
        slots, (pose, image) = self.volume.slots_around(points), place
        self.volume.take_back(self._measured_at(before, pose), image, slots)
        if after is not None:
            self.volume.put_back(self._measured_at(after, pose), image, slots)

    def forget_contradicted(
        self, view: DepthView, evidence: tuple[int, int]
    ) -> Float[np.ndarray, "n 3"]:
        """Empty surface that enough keyframes look through; return where it was."""
        return self.volume.forget_contradicted(view, evidence)

    def distrust_field(self, points: Float[np.ndarray, "n 3"]) -> None:
        """Have what was fused stand alone where something is gone, until returns say otherwise.

        The field still shows it there until it has learnt of the free space.
        """
        slots = self.volume.slots_at(points)
        slots = slots[slots >= 0]
        self._share.forget(slots)
        self.volume.shares[slots] = 0

    def hold_only(self, keyframes: list[KeyframeId]) -> None:
        """Forget where other keyframes were taken in."""
        self._places = {key: self._places[key] for key in keyframes if key in self._places}

    def _measured(self, frame: Frame) -> PosedImage:
        """Return the depth of a frame that a sensor has measured, and what goes with it."""
        depth_m, is_return = believed_depth(frame, self._depth)
        sure = frame.depth_confidence
        # What fills holes of a sensor stands alone there; a keyframe that is all estimates would
        # be averaged with what others have measured.
        if sure is not None and not (sure >= _SURE).any():
            is_return = np.zeros_like(is_return)
        believed_m = np.where(is_return, depth_m, np.float32(0))
        return PosedImage(believed_m, frame.rgb, frame.camera, frame.world_from_camera)

    def _measured_at(self, frame: Frame, pose: Float[np.ndarray, "4 4"]) -> PosedImage:
        return self._measured(replace(frame, world_from_camera=pose))

    def sdf(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Return the distance at points; the field's where nothing is fused."""
        fused = self.volume.at(points.numpy())
        share = torch.from_numpy(np.where(fused.known > _KNOWN, fused.shares[:, 0], 1))
        return self._blended(points, torch.from_numpy(fused.distance_m), share)

    def is_as_fine_as(self, voxel_m: float) -> bool:
        """Tell whether voxels of some size are no larger than those that were fused."""
        # The same size may have been rounded on its way through a file.
        return voxel_m <= (1 + 1e-3) * self.volume.voxel_m

    def sdf_of_mesh(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Return the distance at points; NaN in gaps between what was measured.

        There a field that is hardly trained would close the gap with a surface of its own.
        """
        fused = self.volume.at(points.numpy())
        is_known = fused.known > _KNOWN
        is_gap = ~is_known & (fused.shares[:, 0] < _KNOWN)
        share = np.where(is_gap, 0, np.where(is_known, fused.shares[:, 0], 1))
        fused_m = torch.from_numpy(fused.distance_m)
        distance = self._blended(points, fused_m, torch.from_numpy(share))
        distance[torch.from_numpy(is_gap)] = torch.nan
        return distance

    def _blended(
        self,
        points: Float[Tensor, "n 3"],
        fused_m: Float[Tensor, " n"],
        share: Float[Tensor, " n"],
    ) -> Float[Tensor, " n"]:
        """Ask the field only where it has a share: that is what costs time."""
        asked = (share > 0).nonzero()[:, 0]
        if len(asked) == 0:
            return fused_m
        blended = fused_m.clone()
        of_field = self._field.sdf(points[asked])
        blended[asked] = torch.lerp(fused_m[asked], of_field, share[asked])
        return blended

    def colours(
        self,
        of_field: ColourFunction,
        points: Float[Tensor, "n 3"],
        along: Float[Tensor, "n 3"],
    ) -> Float[Tensor, "n 3"]:
        """Return the colours, 0 to 1, of surface points.

        Args:
            of_field: What they are where the field is the map.
            along: Normals or directions of view, as it takes them.
        """
        fused = self.volume.at(points.numpy())
        share = torch.from_numpy(np.where(fused.rgb_known > 0, fused.shares[:, 1], 1))
        blended = torch.from_numpy(fused.rgb) / 255
        asked = (share > 0).nonzero()[:, 0]
        if len(asked):
            rgb = of_field(points[asked], along[asked])
            blended[asked] = torch.lerp(blended[asked], rgb, share[asked, None])
        return blended

    def near_surface(
        self, camera: Camera, world_from_camera: Float[np.ndarray, "4 4"], within_m: float
    ) -> Float[Tensor, "n 3"]:
        """Return points around what was fused in a view, some in each voxel within a distance."""
        # In a voxel the distance at the corner may be larger by the diagonal.
        within_m += 3**0.5 * self.volume.voxel_m
        corners = self.volume.near_surface(camera, rigid_inverse(world_from_camera), within_m)
        return torch.from_numpy(corners).float()

    def may_hold_mesh(
        self,
        of_field: ObservedFunction,
        has_returned: ObservedFunction,
        points: Float[Tensor, "n 3"],
    ) -> Bool[Tensor, " n"]:
        """Tell for the centres of cells whether something is fused, or the field may show it.

        Behind the edge of a thing the distance jumps from behind its surface to free space: where
        no return has observed that, nothing was measured.

        While no part of the map is the field's, it is not asked: that takes half of the time of a
        mesh.
        """
        jumps = torch.from_numpy(self.volume.cell_jumps(points.numpy()))
        is_fused = jumps < _TORN_VOX
        is_torn = torch.isfinite(jumps) & ~is_fused
        doubtful = is_torn.nonzero()[:, 0]
        is_fused[doubtful] = has_returned(points[doubtful])
        if self.volume.is_complete and self.volume.shares.max(initial=0) < _KNOWN:
            return is_fused
        # What the field shows beside that, nobody has measured.
        known = torch.isfinite(jumps).nonzero()[:, 0]
        slots = self.volume.slots_at(points[known].numpy())
        is_ours = torch.zeros_like(is_fused)
        is_ours[known] = torch.from_numpy(self.volume.shares[slots, 0] < _KNOWN)
        return (is_fused & is_ours) | (of_field(points) & ~(is_torn & is_ours))

    @torch.no_grad()
    def weigh(self, rays: RayBatch, knows_views: bool) -> list[BlockIndex]:
        """Compare field and fused blocks at returns; return the blocks whose mesh has changed.

        Args:
            rays: Drawn from keyframes.
            knows_views: Colours were never trained without a direction.
        """
        usable = rays.valid & rays.has_depth
        if rays.depth_weight is not None:
            usable &= rays.depth_weight >= _SURE
        directions = rays.directions[usable]
        points = rays.origins[usable] + directions * rays.range_m[usable, None]
        fused = self.volume.at(points.numpy())
        slots = self.volume.slots_at(points.numpy())
        is_known = (fused.known > _KNOWN) & (fused.rgb_known > _KNOWN) & (slots >= 0)
        output = self._field(points, directions if knows_views else torch.zeros_like(directions))
        steepness = output.gradient.norm(dim=1).clamp(min=_FLATTEST)
        measured = rays.rgb[usable]
        errors = torch.stack(
            (
                (output.sdf / steepness).abs(),
                torch.from_numpy(fused.distance_m).abs(),
                (output.rgb - measured).abs().mean(dim=1),
                (torch.from_numpy(fused.rgb) / 255 - measured).abs().mean(dim=1),
            ),
            dim=1,
        ).numpy()
        shares = self.volume.shares
        self._share.tell(slots[is_known], len(shares), errors[is_known].astype(np.float64))
        return self.follow_shares()

    def follow_shares(self) -> list[BlockIndex]:
        """Adopt the shares that follow from what was told; return the blocks to mesh anew."""
        slots = self.volume.slots_in_use
        shares = self._share.shares(slots)
        moved = np.abs(shares - self.volume.shares[slots]).max(axis=1) > _CHANGED
        self.volume.shares[slots[moved]] = shares[moved]
        return self._mesh_blocks(self.volume.blocks_in_use[moved])

    def state(self) -> dict[str, Tensor]:
        """Return what is fused and what has been told of the field, to be saved."""
        errors = torch.from_numpy(self._share.told(self.volume.slots_in_use))
        return self.volume.state() | {"errors": errors}

    def resume_shares(self, blocks: Int[Tensor, "n 3"], errors: Float[Tensor, "n 5"]) -> None:
        """Know what had been told of the field when `state` was taken.

        Args:
            blocks: This and what follows of it.

        Raises:
            ValueError: It is not what it should be.
        """
        expect_shape("errors", errors, (len(blocks), 5))
        if bool((errors < 0).any()):
            raise ValueError("errors of field and fused blocks: expected none below 0")
        # Of more blocks than there is memory for, some are left out.
        slots = self.volume.slots_at((blocks.numpy() + 0.5) * self.volume.block_m)
        is_held, count = slots >= 0, len(self.volume.shares)
        self._share.resume(slots[is_held], count, errors.numpy()[is_held])

    def next_of_field(self, count: int) -> list[BlockIndex]:
        """Return some of the blocks that are the field's, in turn, to be meshed as it is now."""
        is_of_field = self.volume.shares[self.volume.slots_in_use].max(axis=1) > _KNOWN
        blocks = self._mesh_blocks(self.volume.blocks_in_use[is_of_field])
        later = [
            block for block in blocks if self._last_meshed is None or block > self._last_meshed
        ]
        chosen = (later + blocks)[: min(count, len(blocks))]
        self._last_meshed = chosen[-1] if chosen else None
        return chosen

    def mesh_blocks(self) -> list[BlockIndex]:
        """Return the blocks that what was fused reaches into."""
        return self._mesh_blocks(self.volume.blocks_in_use)

    def _mesh_blocks(self, blocks: Int[np.ndarray, "n 3"]) -> list[BlockIndex]:
        side_m = self.volume.block_m
        # Shares reach from centre to centre, so over half of the blocks around.
        return blocks_touched((blocks + 0.5) * side_m, side_m, self._block_m)
