# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Frames as the check compares them: pinhole views of moderate size, with features and samples."""

import functools
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from ineus_core.geometry import project
from ineus_core.types import Camera, Frame

WIDTH_PX = 640
"""Widest view; errors in pixels are given at this width."""
_FEATURES = 800
_SAMPLES = 1200
_NODE_PX = 4
"""Distance of the places where the distortion of a lens is asked for."""
_EDGE_SPREAD = 0.03
"""Share of depth that a 3 x 3 neighbourhood may span; more is an edge."""

Intrinsics = tuple[float, float, float, float]
"""fx fy cx cy in pixels, centres at + 0.5."""


@dataclass(frozen=True)
class View:
    """A frame without distortion, and what is compared of it."""

    index: int
    stamp_ns: int
    given_pose: Float[np.ndarray, "4 4"]
    """Before any hypothesis."""
    grey: UInt8[np.ndarray, "h w"]
    depth: Float[np.ndarray, "h w"] | None
    """As the source gives it, 0 where there is none."""
    intrinsics: Intrinsics
    anchor: int = 0
    """Which group of frames it was read with."""
    full_width_px: int | None = None
    """Of the frame, where the view is smaller."""

    @property
    def width_px(self) -> int:
        """Return the width."""
        return self.grey.shape[1]

    @functools.cached_property
    def features(self) -> tuple[Float[np.ndarray, "n 2"], UInt8[np.ndarray, "n 32"]]:
        """Return pixels and descriptors of features."""
        threshold = 12 if self.width_px >= WIDTH_PX // 2 else 6
        detector = cv2.ORB_create(_FEATURES, fastThreshold=threshold)
        points, descriptors = detector.detectAndCompute(self.grey, None)
        if descriptors is None:
            return np.zeros((0, 2)), np.zeros((0, 32), np.uint8)
        # OpenCV counts from the centre of the first pixel.
        return np.array([point.pt for point in points], dtype=np.float64) + 0.5, descriptors

    @functools.cached_property
    def samples(self) -> Float[np.ndarray, "n 3"]:
        """Return column, row (centres at + 0.5) and depth of places that are on no edge."""
        if self.depth is None:
            return np.zeros((0, 3))
        rows, columns = np.nonzero(self._grid & (self.depth > 0) & ~self.is_depth_edge)
        found = np.stack((columns + 0.5, rows + 0.5, self.depth[rows, columns]), axis=1)
        return found.astype(np.float64)

    @functools.cached_property
    def is_depth_edge(self) -> Bool[np.ndarray, "h w"]:
        """Return where depth jumps within a 3 x 3 neighbourhood."""
        assert self.depth is not None
        kernel = np.ones((3, 3), np.uint8)
        # A missing return is no edge: it would else be the nearest of all.
        nearest = cv2.erode(np.where(self.depth > 0, self.depth, np.float32(np.inf)), kernel)
        farthest = cv2.dilate(self.depth, kernel)
        return farthest - nearest > _EDGE_SPREAD * self.depth

    @property
    def _grid(self) -> Bool[np.ndarray, "h w"]:
        height, width = self.grey.shape
        step = max(2, round(np.sqrt(height * width / _SAMPLES)))
        chosen = np.zeros((height, width), dtype=bool)
        chosen[step // 2 :: step, step // 2 :: step] = True
        return chosen

    def depth_at(self, pixels: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, " n"]:
        """Return depth at pixels, 0 where there is none or an edge."""
        assert self.depth is not None
        columns, rows = pixels.astype(int).T
        found = self.depth[rows, columns]
        return np.where(self.is_depth_edge[rows, columns], 0, found).astype(np.float64)


def view_of(frame: Frame, index: int, anchor: int = 0) -> View:
    """Make a view of a frame."""
    grey = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY)
    depth = frame.depth_m
    if depth is not None:
        # What is no number is no return.
        depth = np.where((depth > 0) & (depth < np.inf), depth, 0).astype(np.float32)
    camera = frame.camera
    width = min(WIDTH_PX, camera.width_px)
    height = round(camera.height_px * width / camera.width_px)
    width, height = camera.no_narrower(width, height)
    small = camera.resized(width, height)
    if any(camera.distortion) or camera.distortion_model == "equidistant":
        columns, rows = _distorted_pixels(camera, width, height)
        grey = cv2.remap(grey, columns, rows, cv2.INTER_LINEAR)
        depth = None if depth is None else cv2.remap(depth, columns, rows, cv2.INTER_NEAREST)
    elif width != camera.width_px:
        grey = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
        if depth is not None:
            depth = cv2.resize(depth, (width, height), interpolation=cv2.INTER_NEAREST)
    intrinsics = (small.fx, small.fy, small.cx, small.cy)
    return View(
        index,
        frame.stamp_ns,
        frame.world_from_camera,
        grey,
        depth,
        intrinsics,
        anchor=anchor,
        full_width_px=camera.width_px,
    )


@functools.lru_cache(maxsize=2)
def _distorted_pixels(camera: Camera, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where the pixels of the undistorted view lie in the picture, for OpenCV.

    A lens is smooth: asked for are nodes of a grid, as each photograph may have its own camera.
    """
    small = camera.resized(width, height)
    at_columns, at_rows = _nodes(width), _nodes(height)
    columns, rows = np.meshgrid(at_columns, at_rows)
    x, y = (columns - small.cx) / small.fx, (rows - small.cy) / small.fy
    rays = np.stack((x, y, np.ones_like(x)), axis=-1).reshape(-1, 3)
    nodes = project(camera, rays).reshape(len(at_rows), len(at_columns), 2) - 0.5
    down, across = _shares_of_nodes(height), _shares_of_nodes(width)
    found = [(down @ nodes[..., axis] @ across.T).astype(np.float32) for axis in (0, 1)]
    return found[0], found[1]


def _nodes(size: int) -> Float[np.ndarray, " n"]:
    """Return places along a side, the centres of the first and the last pixel among them."""
    return np.linspace(0.5, size - 0.5, max(2, -(-size // _NODE_PX)))


def _shares_of_nodes(size: int) -> Float[np.ndarray, "size n"]:
    """Return how much each node counts at the pixels of a side, linear between two."""
    nodes, centres = _nodes(size), np.arange(size) + 0.5
    return np.stack([np.interp(centres, nodes, one) for one in np.eye(len(nodes))], axis=1)
