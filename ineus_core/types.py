# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The records that travel through ineus, in the order in which a frame becomes a mesh."""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from ineus_core.errors import SourceError

BlockIndex = tuple[int, int, int]
KeyframeId = tuple[int, int]
"""Stamp in ns, and which camera of a rig: two cameras may expose at the same moment."""

_LARGEST_PX = 1 << 15
_MOST_PIXELS = 1 << 28
_MOST_NARROW = 100
_FOCAL_RANGE = (1e-3, 1e4)
"""Of a camera, in widths or heights of its picture, whichever is more."""
_FARTHEST_CENTRE_PX = 1e6
_LARGEST_COEFFICIENT = 1e5
_FARTHEST_M = 1e7
"""Poses beyond are no places on Earth; single precision would have steps of metres there."""

DISTORTION_MODELS = {"none": 0, "plumb_bob": 5, "rational_polynomial": 14, "equidistant": 4}
"""The names of ROS, and how many coefficients each may have."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera with OpenCV distortion.

    The centre of the pixel in column i and row j lies at (i + 0.5, j + 0.5). OpenCV and ROS put it
    at (i, j), so a source adds half a pixel to their `cx` and `cy`.
    """

    width_px: int
    height_px: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion_model: str = "none"
    """`none`, `plumb_bob` (k1 k2 p1 p2 k3), `rational_polynomial` (and k4 k5 k6) or
    `equidistant` (k1 k2 k3 k4)."""
    distortion: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a camera that projects nothing, or that nobody builds."""
        numbers = (self.fx, self.fy, self.cx, self.cy, *self.distortion)
        if not np.isfinite(numbers).all() or self.fx <= 0 or self.fy <= 0:
            raise SourceError(
                f"camera with fx {self.fx}, fy {self.fy}, cx {self.cx}, cy {self.cy}: "
                "expected finite numbers and positive focal lengths"
            )
        if self.width_px <= 0 or self.height_px <= 0:
            raise SourceError(
                f"camera of {self.width_px} x {self.height_px} pixels: expected a positive size"
            )
        self._check_size()
        self._check_lens()
        if self.distortion_model not in DISTORTION_MODELS:
            known = ", ".join(DISTORTION_MODELS)
            raise SourceError(
                f"camera of distortion model {self.distortion_model!r}: expected one of {known}"
            )
        most = DISTORTION_MODELS[self.distortion_model]
        if len(self.distortion) > most:
            raise SourceError(
                f"{len(self.distortion)} coefficients of distortion {self.distortion_model}: "
                f"expected at most {most}"
            )

    @staticmethod
    def no_narrower(width_px: int, height_px: int) -> tuple[int, int]:
        """Return a size for smaller images with sides as far from equal as a camera may have.

        Rounding halves the short side of a narrow picture at most, which is then too short.
        """
        least = -(-max(width_px, height_px) // _MOST_NARROW)
        return max(width_px, least), max(height_px, least)

    def _check_size(self) -> None:
        """Refuse sizes whose rays and images would fill the memory, or that are but a line."""
        short, long = sorted((self.width_px, self.height_px))
        if long > _LARGEST_PX or short * long > _MOST_PIXELS or long > _MOST_NARROW * short:
            raise SourceError(
                f"camera of {self.width_px} x {self.height_px} pixels: expected at most "
                f"{_LARGEST_PX} along a side, {_MOST_PIXELS} in all, and sides no more than "
                f"{_MOST_NARROW} to 1"
            )

    def _check_lens(self) -> None:
        """Refuse numbers that overflow in single precision as soon as a ray is made of them."""
        side = max(self.width_px, self.height_px)
        low, high = (limit * side for limit in _FOCAL_RANGE)
        if not (low <= self.fx <= high and low <= self.fy <= high):
            raise SourceError(
                f"camera of {self.width_px} x {self.height_px} pixels with fx {self.fx}, "
                f"fy {self.fy}: expected {low:g} to {high:g}"
            )
        if max(abs(self.cx), abs(self.cy)) > _FARTHEST_CENTRE_PX:
            raise SourceError(
                f"camera with cx {self.cx}, cy {self.cy}: expected at most "
                f"{_FARTHEST_CENTRE_PX:g} pixels from the picture"
            )
        if max(map(abs, self.distortion), default=0.0) > _LARGEST_COEFFICIENT:
            raise SourceError(
                f"camera with distortion {self.distortion}: expected coefficients of at most "
                f"{_LARGEST_COEFFICIENT:g}"
            )

    def resized(self, width_px: int, height_px: int) -> "Camera":
        """Return the camera of the same view in images of another size."""
        x, y = width_px / self.width_px, height_px / self.height_px
        return replace(
            self,
            width_px=width_px,
            height_px=height_px,
            fx=self.fx * x,
            fy=self.fy * y,
            cx=self.cx * x,
            cy=self.cy * y,
        )


@dataclass(frozen=True)
class Frame:
    """One posed image, on the host."""

    stamp_ns: int
    camera: Camera
    world_from_camera: Float[np.ndarray, "4 4"]
    """Rigid, float64, metres; camera axes are x right, y down, z forward."""
    rgb: UInt8[np.ndarray, "h w 3"]
    depth_m: Float[np.ndarray, "depth_h depth_w"] | None = None
    """Along the optical axis, float32; 0 where the sensor has no return."""
    mask: Bool[np.ndarray, "mask_h mask_w"] | None = None
    """True where the pixel may be used."""
    foreground: (
        Bool[np.ndarray, "foreground_h foreground_w"]
        | Float[np.ndarray, "foreground_h foreground_w"]
        | None
    ) = None
    """Share of each pixel that shows the object, 0 to 1 or False and True; the rest has the one
    colour of the picture's background. None where nobody knows."""
    camera_id: int = 0
    """Which camera of a rig took it."""
    depth_confidence: Float[np.ndarray, "depth_h depth_w"] | None = None
    """Chance that the depth is right, 0 to 1; None where a sensor measured all of it."""

    def __post_init__(self) -> None:
        """Refuse a frame whose parts do not belong together."""
        size = (self.camera.height_px, self.camera.width_px)
        if self.rgb.shape[:2] != size:
            raise SourceError(
                f"colour image of {_size(self.rgb)} pixels: the camera has {size[1]} x {size[0]}"
            )
        if self.depth_m is not None and self.depth_m.shape != size:
            raise SourceError(
                f"depth image of {_size(self.depth_m)} pixels: "
                f"expected the colour image's {size[1]} x {size[0]} (registered depth)"
            )
        for name in ("mask", "foreground", "depth_confidence"):
            mask = getattr(self, name)
            if mask is not None and mask.shape != size:
                raise SourceError(
                    f"{name} of {_size(mask)} pixels: "
                    f"expected the colour image's {size[1]} x {size[0]}"
                )
        check_rigid(self.world_from_camera)
        position_m = self.world_from_camera[:3, 3]
        if np.abs(position_m).max() > _FARTHEST_M:
            raise SourceError(
                f"pose at {position_m.tolist()} m: expected at most {_FARTHEST_M:g} m from the "
                f"origin"
            )

    @property
    def bytes(self) -> int:
        """Memory that its images take."""
        images = (self.rgb, self.depth_m, self.mask, self.foreground)
        return sum(image.nbytes for image in images if image is not None)


def check_rigid(transform: Float[np.ndarray, "4 4"], tolerance: float = 1e-3) -> None:
    """Raise `SourceError` unless the transform is finite and its upper left is a rotation."""
    if transform.shape != (4, 4):
        raise SourceError(f"pose of shape {transform.shape}: expected (4, 4)")
    if not np.isfinite(transform).all():
        raise SourceError("pose with a NaN or infinite entry: expected a rigid transform")
    rotation = transform[:3, :3]
    error = float(np.abs(rotation.T @ rotation - np.eye(3)).max())
    determinant = float(np.linalg.det(rotation))
    # A mirrored frame passes the first test, whose product has a determinant of 1 either way.
    if error > tolerance or determinant < 0 or not np.allclose(transform[3], (0, 0, 0, 1)):
        raise SourceError(
            f"pose is not rigid: |R'R - 1| is {error:.3g}, det R is "
            f"{determinant:.3g}, last row {transform[3].tolist()}; expected a rotation and 0 0 0 1"
        )


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]} x {image.shape[0]}"


@dataclass(frozen=True)
class RayBatch:
    """Rays drawn from keyframes, on the device."""

    origins: Float[Tensor, "rays 3"]
    directions: Float[Tensor, "rays 3"]
    """Unit length, world."""
    rgb: Float[Tensor, "rays 3"]
    """0 to 1."""
    range_m: Float[Tensor, " rays"]
    """Measured distance along the ray; 0 where there is none."""
    normal: Float[Tensor, "rays 3"]
    """World normal of the measured surface, towards the camera; 0 where it is unknown."""
    has_depth: Bool[Tensor, " rays"]
    valid: Bool[Tensor, " rays"]
    foreground: Float[Tensor, " rays"] | None = None
    """1 on the object, 0 on background, -1 where it is unknown; None if no frame says."""
    depth_weight: Float[Tensor, " rays"] | None = None
    """How much the depth of a ray counts, 0 to 1; None if all depth counts as much."""


@dataclass(frozen=True)
class RaySamples:
    """Intervals on rays in a fixed budget, packed ray after ray; what is left over is not `valid`.

    The samples of ray r are `first[r]` to `first[r] + count[r]`, near to far.
    """

    t_starts: Float[Tensor, " samples"]
    t_ends: Float[Tensor, " samples"]
    ray_index: Int[Tensor, " samples"]
    valid: Bool[Tensor, " samples"]
    first: Int[Tensor, " rays"]
    count: Int[Tensor, " rays"]


@dataclass(frozen=True)
class FieldOutput:
    """What the field says at points."""

    sdf: Float[Tensor, " n"]
    gradient: Float[Tensor, "n 3"]
    rgb: Float[Tensor, "n 3"]
    laplacian: Float[Tensor, " n"] | None = None
    """Of the distance, 1/m; only of a field whose gradient is by finite differences."""
    density: Float[Tensor, " n"] | None = None
    """Extinction in 1/m, of a field that has one; of `sdf` only the sign then counts."""


@dataclass(frozen=True)
class RenderedRays:
    """Rays after compositing."""

    rgb: Float[Tensor, "rays 3"]
    range_m: Float[Tensor, " rays"]
    """Sum of weight times t; divide by `opacity` for the expected range."""
    normal: Float[Tensor, "rays 3"]
    opacity: Float[Tensor, " rays"]
    weights: Float[Tensor, " samples"] | None = None
    """Share of its ray's light that each sample gives, where the backend tells."""


@dataclass(frozen=True)
class RenderedImage:
    """A rendered view, on the host."""

    rgb: UInt8[np.ndarray, "h w 3"]
    depth_m: Float[np.ndarray, "h w"]
    """Along the optical axis, float32; 0 where the view ray meets no surface."""
    normal: Float[np.ndarray, "h w 3"]
    """World, unit length; 0 where there is no surface."""
    opacity: Float[np.ndarray, "h w"]


@dataclass(frozen=True)
class Mesh:
    """Triangles in the world frame, on the host."""

    vertices: Float[np.ndarray, "v 3"]
    """float32, or float64 so far from the origin that single precision would move them."""
    triangles: Int[np.ndarray, "t 3"]
    normals: Float[np.ndarray, "v 3"]
    colours: UInt8[np.ndarray, "v 3"]


@dataclass(frozen=True)
class TexturedMesh:
    """A mesh whose colours are a picture, to which each vertex has a place."""

    mesh: Mesh
    """Vertices on a seam of the texture are there once for each side."""
    uv: Float[np.ndarray, "v 2"]
    """0 to 1, from the left and from the bottom of the picture, as OBJ has it."""
    texture: UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True)
class MeshBlock:
    """The triangles of one block, indexed within the block, as the map has them."""

    index: BlockIndex
    mesh: Mesh


@dataclass(frozen=True)
class MeshUpdate:
    """What changed since the last update: blocks to replace and blocks that are now empty."""

    stamp_ns: int
    """Stamp of the newest frame that the mesh knows."""
    upserts: tuple[MeshBlock, ...]
    removed: tuple[BlockIndex, ...]
    origin_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """World position that blocks and their vertices count from; `Reconstructor.origin_m`."""
    begins_anew: bool = False
    """Whether every block of earlier updates is void, as the map is another one."""


@dataclass(frozen=True)
class StepReport:
    """Progress of a reconstruction, as host numbers."""

    step: int
    stamp_ns: int
    losses: dict[str, float]
    """Means since the last report; `total` is the weighted sum."""
    counters: dict[str, int]
    inv_s: float
    samples_per_second: float
    rays_per_second: float
    keyframes: int
    memory_mb: dict[str, float] = field(default_factory=dict)
