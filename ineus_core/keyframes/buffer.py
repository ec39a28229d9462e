# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The keyframes on the device, in fixed buffers: colour as bytes, depth as 16-bit integers."""

import math

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int8
from pydantic import Field
from torch import Tensor

from ineus_core.config_model import ConfigModel
from ineus_core.errors import CapacityError
from ineus_core.geometry import pixel_rays
from ineus_core.kernels.host_copy import write_to
from ineus_core.kernels.ray_batch import WHOLE
from ineus_core.keyframes.depth import DepthConfig
from ineus_core.types import Camera, Frame, KeyframeId

MASKED = -1
"""Stored depth of a pixel that may not be used at all."""
UNKNOWN = -1
"""Stored foreground of a pixel of which nobody says whether it shows the object."""
_BYTES_PER_PIXEL = 5
_SAME_RAYS_PX = 0.1
"""Cameras whose pixels are nowhere farther apart share their rays."""
_CAMERAS = 8
"""That there is room for from the first one on."""


class KeyframeConfig(ConfigModel):
    """Size of the buffer."""

    capacity: int = Field(256, ge=2, description="Keyframes held on the device.")
    memory_mb: int = Field(
        1024, ge=1, description="Upper bound of their images, in MB; it lowers the capacity."
    )
    max_width_px: int = Field(
        640,
        ge=16,
        description="Wider images are stored reduced by a whole factor to at most this width.",
    )


class KeyframeBuffer:
    """A fixed number of slots; when all are full, the most redundant older keyframe makes room.

    Args:
        config: Size.
        camera: Of the first frame; images of another size are stored in the size of this one.
        device: Where the images lie.
        has_foreground: Also hold which pixels show the object; costs a byte for each.
        depth: The depth that is stored.
        has_confidence: Also hold how sure depth is that was estimated; costs a byte for each.
    """

    protected = 8
    """Newest keyframes that never make room."""

    def __init__(
        self,
        config: KeyframeConfig,
        camera: Camera,
        device: torch.device,
        has_foreground: bool = False,
        depth: DepthConfig | None = None,
        has_confidence: bool = False,
    ) -> None:
        """Allocate every slot at once."""
        self._limits, self.camera = depth or DepthConfig(), camera
        self._factor = -(-camera.width_px // config.max_width_px)
        self.width_px, self.height_px = camera.no_narrower(
            camera.width_px // self._factor, camera.height_px // self._factor
        )
        pixels = self.width_px * self.height_px
        # Three of colour and two of depth, and what is optional.
        bytes_per_pixel = _BYTES_PER_PIXEL + has_foreground + has_confidence
        affordable = int(config.memory_mb * 1e6 // (pixels * bytes_per_pixel))
        self.capacity = min(config.capacity, affordable)
        if self.capacity < 2:
            raise CapacityError(
                f"keyframes.memory_mb {config.memory_mb} holds {affordable} images of "
                f"{self.width_px} x {self.height_px}: expected room for 2, so at least "
                f"{2 * pixels * bytes_per_pixel / 1e6:.0f}"
            )
        # All of int16: negative numbers stand for masked pixels.
        self.depth_step_m = self._limits.max_m / 32767
        self.rgb = torch.zeros((self.capacity, pixels, 3), dtype=torch.uint8, device=device)
        # Half of float32; the step, 0.3 mm at 10 m, is far below the noise of a sensor.
        self.depth = torch.zeros((self.capacity, pixels), dtype=torch.int16, device=device)
        self.foreground: Int8[Tensor, "slots pixels"] | None = None
        """Share of a pixel that shows the object, from 0 to `WHOLE`, or `UNKNOWN`."""
        self.confidence: Int8[Tensor, "slots pixels"] | None = None
        """Chance that the depth of a pixel is right, from 0 to `WHOLE`."""
        if has_confidence:
            size = (self.capacity, pixels)
            self.confidence = torch.full(size, WHOLE, dtype=torch.int8, device=device)
        self.image_background = torch.ones(3, device=device)
        """Colour, 0 to 1, that the pictures have where no object is; white until one tells."""
        self._knows_background = False
        if has_foreground:
            size = (self.capacity, pixels)
            self.foreground = torch.full(size, UNKNOWN, dtype=torch.int8, device=device)
        self.world_from_camera = torch.zeros((self.capacity, 3, 4), device=device)
        self.camera_index = torch.zeros(self.capacity, dtype=torch.int64, device=device)
        self.camera_rays: Float[Tensor, "cameras pixels 3"] = torch.zeros(
            (0, pixels, 3), device=device
        )
        """Of the cameras of the keyframes held, and rows that the next new cameras will take."""
        self._cameras: dict[int, Camera] = {}
        """By row of `camera_rays`."""
        self._camera_of_slot: dict[int, int] = {}
        self.ids: list[KeyframeId] = []
        """By age, oldest first."""
        self.slots: list[int] = []
        """Slot of each keyframe by age."""
        self._poses: list[Float[np.ndarray, "4 4"]] = []

    def __len__(self) -> int:
        """Keyframes held."""
        return len(self.slots)

    @property
    def reduction(self) -> int:
        """Pixels of the camera along a side of a stored one."""
        return self._factor

    @property
    def nbytes(self) -> int:
        """Bytes of the images."""
        planes = self.rgb, self.depth, self.foreground, self.confidence
        return sum(plane.nbytes for plane in planes if plane is not None)

    @property
    def poses(self) -> list[Float[np.ndarray, "4 4"]]:
        """`world_from_camera` by age."""
        return self._poses

    def slot_to_free(self) -> int | None:
        """Return the slot that the next `add` overwrites, or None while there is an empty one."""
        if len(self) < self.capacity:
            return None
        return self.slots[self._most_redundant()]

    def add(self, frame: Frame) -> int:
        """Store a frame and return its slot."""
        if len(self) < self.capacity:
            slot = len(self)
        else:
            # Not the oldest: the first places of a map would be forgotten.
            victim = self._most_redundant()
            slot = self.slots.pop(victim)
            del self.ids[victim], self._poses[victim]
        device = self.rgb.device
        rgb, depth_m, mask = self._reduced(frame)
        # Not by a plain copy, which would wait for all steps that a GPU has still to do.
        write_to(self.rgb[slot], rgb)
        self._write_depth(slot, frame, depth_m, mask)
        if self.foreground is not None:
            self.foreground[slot] = self._reduced_foreground(frame).to(device)
            self._learn_background(frame)
        write_to(self.world_from_camera[slot], frame.world_from_camera[:3].astype(np.float32))
        # First, so that its rays may make room for those of the new camera.
        self._camera_of_slot.pop(slot, None)
        self._camera_of_slot[slot] = self._row_of(frame.camera)
        self.camera_index[slot] = self._camera_of_slot[slot]
        self.slots.append(slot)
        self.ids.append((frame.stamp_ns, frame.camera_id))
        self._poses.append(frame.world_from_camera)
        return slot

    def rays_of(self, slot: int) -> Float[Tensor, "pixels 3"]:
        """Return unit directions through the pixels of a keyframe, in its camera."""
        return self.camera_rays[self._camera_of_slot[slot]]

    def camera_of(self, slot: int) -> Camera:
        """Return the camera of a keyframe, in the size of the buffer."""
        return self._reduced_camera(self._cameras[self._camera_of_slot[slot]])

    def replace_pose(
        self, keyframe: KeyframeId, world_from_camera: Float[np.ndarray, "4 4"]
    ) -> bool:
        """Move a keyframe; False if it is not held."""
        if keyframe not in self.ids:
            return False
        age = self.ids.index(keyframe)
        self._poses[age] = world_from_camera
        pose = world_from_camera[:3].astype(np.float32)
        write_to(self.world_from_camera[self.slots[age]], pose)
        return True

    def replace_depth(self, frame: Frame) -> int | None:
        """Give a keyframe the depth of a frame of its stamp; return its slot, None if not held."""
        keyframe = frame.stamp_ns, frame.camera_id
        if keyframe not in self.ids:
            return None
        slot = self.slots[self.ids.index(keyframe)]
        _, depth_m, mask = self._reduced(frame)
        self._write_depth(slot, frame, depth_m, mask)
        return slot

    def exclude(self, keyframe: KeyframeId, pixels: Bool[np.ndarray, "h w"]) -> None:
        """Use pixels of a keyframe no more, given in the size of its camera, if it is held."""
        if keyframe not in self.ids:
            return
        slot = self.slots[self.ids.index(keyframe)]
        camera = self._cameras[self._camera_of_slot[slot]]
        if pixels.shape != (self.height_px, self.width_px):
            pixels = pixels[self._nearest(camera)]
        excluded = torch.empty(pixels.size, dtype=torch.bool, device=self.depth.device)
        write_to(excluded, pixels)
        self.depth[slot].masked_fill_(excluded, MASKED)

    def _write_depth(
        self, slot: int, frame: Frame, depth_m: np.ndarray | None, mask: np.ndarray | None
    ) -> None:
        """Store depth and confidence.

        Args:
            frame: As it came, with the confidence.
            depth_m: In the size of the buffer, like the mask.
        """
        if self.depth.device.type == "cuda":
            self._store_depth(slot, depth_m, mask)
        else:
            write_to(self.depth[slot], self._depth_steps(depth_m, mask))
        if self.confidence is not None:
            write_to(self.confidence[slot], self._reduced_confidence(frame))

    def frame_of(self, keyframe: KeyframeId) -> Frame | None:
        """Return a keyframe as it is held, in the size of the buffer; None if not held."""
        if keyframe not in self.ids:
            return None
        age = self.ids.index(keyframe)
        slot, size = self.slots[age], (self.height_px, self.width_px)
        # On a GPU this waits: what must not goes by the slot instead, see `DepthIntegrator`.
        steps = self.depth[slot].view(size).cpu().numpy()
        has_depth = bool((steps > 0).any())
        return Frame(
            keyframe[0],
            self.camera_of(slot),
            self._poses[age],
            self.rgb[slot].view(*size, 3).cpu().numpy(),
            # Masked pixels are below 0, and have no depth.
            np.maximum(steps, 0).astype(np.float32) * self.depth_step_m if has_depth else None,
            steps != MASKED,
            camera_id=keyframe[1],
            depth_confidence=self._held_confidence(slot) if has_depth else None,
        )

    def _most_redundant(self) -> int:
        """Find the age of the unprotected keyframe closest to its camera's neighbours in time."""
        poses = np.stack(self._poses)
        cameras = np.array([camera_id for _, camera_id in self.ids])
        # The first and the last of each camera have one neighbour only, and stay.
        around = np.full(len(poses), np.inf)
        for camera_id in np.unique(cameras):
            (ages,) = np.nonzero(cameras == camera_id)
            translation_m = np.linalg.norm(np.diff(poses[ages, :3, 3], axis=0), axis=1)
            turn = np.linalg.norm(np.diff(poses[ages, :3, 2], axis=0), axis=1)
            # Metres and the chord of a turn in one sum: 1 m counts as much as 60 degrees.
            step = translation_m + turn
            around[ages[1:-1]] = step[:-1] + step[1:]
        last = max(1, len(around) - 2 - self.protected)
        return 1 + int(around[1 : 1 + last].argmin()) if len(around) > 2 else 0

    def _reduced(self, frame: Frame) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Return colour, depth and mask in the size of the buffer."""
        rgb, depth_m, mask = frame.rgb, frame.depth_m, frame.mask
        size = (self.width_px, self.height_px)
        if (frame.camera.width_px, frame.camera.height_px) != size:
            rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
            # A mean of depths across an edge would lie in the air.
            nearest = self._nearest(frame.camera)
            depth_m = None if depth_m is None else depth_m[nearest]
            mask = None if mask is None else mask[nearest]
        return rgb, depth_m, mask

    def _nearest(self, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
        """Find rows and columns of an image that lie in the middle of the stored pixels."""
        rows, columns = (
            # The middle of each stored pixel, in whole numbers: no rounding makes it another one.
            ((2 * np.arange(stored) + 1) * given) // (2 * stored)
            for stored, given in (
                (self.height_px, camera.height_px),
                (self.width_px, camera.width_px),
            )
        )
        return rows[:, None], columns[None, :]

    def _depth_steps(
        self, depth_m: np.ndarray | None, mask: np.ndarray | None
    ) -> Int[np.ndarray, "h w"]:
        depth = np.zeros((self.height_px, self.width_px), dtype=np.int16)
        if depth_m is not None:
            in_range = (depth_m >= self._limits.min_m) & (depth_m <= self._limits.max_m)
            steps = np.where(in_range, depth_m / self.depth_step_m, 0.0)
            # Rounded, as cutting off would move all surfaces nearer by half a step.
            depth[:] = np.round(steps).astype(np.int16)
        if mask is not None:
            depth[~mask] = MASKED
        return depth

    def _store_depth(self, slot: int, depth_m: np.ndarray | None, mask: np.ndarray | None) -> None:
        """Store `_depth_steps` by the device, which takes the host a tenth of the time."""
        target = self.depth[slot]
        target.zero_()
        if depth_m is not None:
            metres = torch.empty(target.shape, device=target.device)
            write_to(metres, depth_m)
            in_range = (metres >= self._limits.min_m) & (metres <= self._limits.max_m)
            target.copy_(torch.where(in_range, metres / self.depth_step_m, 0.0).round())
        if mask is not None:
            usable = torch.empty(target.shape, dtype=torch.bool, device=target.device)
            write_to(usable, mask)
            target.masked_fill_(~usable, MASKED)

    def _reduced_foreground(self, frame: Frame) -> Int8[Tensor, " pixels"]:
        if frame.foreground is None:
            return torch.full(self.depth.shape[1:], UNKNOWN, dtype=torch.int8)
        share = frame.foreground.astype(np.float32)
        size = (self.width_px, self.height_px)
        if share.shape[::-1] != size:
            share = cv2.resize(share, size, interpolation=cv2.INTER_AREA)
        return torch.from_numpy(np.round(share * WHOLE).astype(np.int8).reshape(-1))

    def _reduced_confidence(self, frame: Frame) -> Int8[np.ndarray, "h w"]:
        if frame.depth_confidence is None:
            return np.full((self.height_px, self.width_px), WHOLE, dtype=np.int8)
        confidence = frame.depth_confidence
        if confidence.shape != (self.height_px, self.width_px):
            confidence = confidence[self._nearest(frame.camera)]
        # Rounded down, as only what a sensor measured is certain.
        return np.floor(confidence * WHOLE).astype(np.int8)

    def _held_confidence(self, slot: int) -> Float[np.ndarray, "h w"] | None:
        if self.confidence is None:
            return None
        held = self.confidence[slot].view(self.height_px, self.width_px)
        return held.cpu().numpy().astype(np.float32) / WHOLE

    def _learn_background(self, frame: Frame) -> None:
        if self._knows_background or frame.foreground is None:
            return
        # By the first frame that shows any: all pictures of a set have the same one.
        background = frame.rgb[frame.foreground == 0]
        if len(background):
            self._knows_background = True
            # The median, which strays do not move.
            colour = np.median(background, axis=0).astype(np.float32) / 255
            # In place, as a captured step reads it from there.
            self.image_background.copy_(torch.from_numpy(colour))

    def _row_of(self, camera: Camera) -> int:
        """Return the row of `camera_rays` for a camera, whose rays are made if none fit.

        A lens that focuses has a new camera with every frame: rays that no keyframe uses any more
        are overwritten. A captured step knows where all of them lie, so that there is room for a
        rig or a changed lens, and they move only when there are twice as many.
        """
        used = set(self._camera_of_slot.values())
        self._cameras = {row: known for row, known in self._cameras.items() if row in used}
        for row, known in self._cameras.items():
            if has_same_rays(camera, known):
                return row
        row = next(row for row in range(len(self._cameras) + 1) if row not in self._cameras)
        if row == len(self.camera_rays):
            larger = min(max(2 * row, _CAMERAS), self.capacity)
            grown = self.camera_rays.new_zeros((larger, *self.camera_rays.shape[1:]))
            grown[:row] = self.camera_rays
            self.camera_rays = grown
        rays = pixel_rays(self._reduced_camera(camera)).reshape(-1, 3)
        write_to(self.camera_rays[row], rays)
        self._cameras[row] = camera
        return row

    def _reduced_camera(self, camera: Camera) -> Camera:
        # cv2.resize stretches to the whole target, so a size that the factor does not divide
        # scales a little more.
        return camera.resized(self.width_px, self.height_px)


def has_same_rays(one: Camera, other: Camera) -> bool:
    """Decide whether pixels of two cameras are nowhere more than a tenth of one apart."""
    if one == other:
        return True
    size, lens = (one.width_px, one.height_px), (one.distortion_model, one.distortion)
    if (size, lens) != (
        (other.width_px, other.height_px),
        (other.distortion_model, other.distortion),
    ):
        return False
    # A ray that meets a pixel at the distance d from one centre is d * (f'/f - 1) further out in
    # the other camera; under equal distortion that holds for distorted rays.
    focal_lengths = ((one.fx, other.fx), (one.fy, other.fy))
    centres = ((one.cx, other.cx), (one.cy, other.cy))
    apart_px = [
        abs(theirs - ours) + max(abs(ours), abs(side - ours)) * abs(f_theirs / f_ours - 1.0)
        for side, (f_ours, f_theirs), (ours, theirs) in zip(
            size, focal_lengths, centres, strict=True
        )
    ]
    return math.hypot(*apart_px) < _SAME_RAYS_PX
