# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Where the cameras were: the path and the frusta of the keyframes, and the newest image."""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from ineus_core.geometry import rotation_to_quaternion
from ineus_core.types import Camera, Frame

_PATH, _FRUSTUM, _NEWEST = (37, 99, 235), (100, 116, 139), (220, 38, 38)
_CORNERS = ((0, 0), (1, 0), (1, 1), (0, 1))
_THUMBNAIL_PX = 192
_IMAGE_PX = 480


class CameraViews:
    """Shows keyframes as lines, and the newest frame as a frustum with its image and in a panel.

    Args:
        server: The viser server.
        panel: Where the image is shown, a container of its GUI.
    """

    def __init__(self, server: Any, panel: Any) -> None:
        """Show nothing yet."""
        self._server = server
        self.size_m = 0.15
        """Of a frustum, from the eye to its far side."""
        self._nodes: dict[str, Any] = {}
        self._is_visible = {"path": True, "frusta": True}
        with panel:
            blank = np.full((9, 16, 3), 235, np.uint8)
            self._image = server.gui.add_image(blank, label="newest image", visible=False)

    def set_visible(self, what: str, is_visible: bool) -> None:
        """Show or hide `path` or `frusta`."""
        self._is_visible[what] = is_visible
        for name, node in self._nodes.items():
            if name == what or (what == "frusta" and name == "newest"):
                node.visible = is_visible

    def show_keyframes(
        self,
        poses: Sequence[Float[np.ndarray, "4 4"]],
        camera: Camera,
        origin_m: tuple[float, float, float],
    ) -> None:
        """Draw the keyframes, by the time at which they were taken.

        Args:
            poses: World from camera.
            origin_m: World position of the scene's origin.
        """
        if not poses:
            return
        placed = np.stack(poses).astype(np.float64)
        # In double precision before it becomes single: far from the origin of a map, as in UTM
        # coordinates, the path would stand in steps.
        placed[:, :3, 3] -= origin_m
        eyes = placed[:, :3, 3]
        if len(eyes) > 1:
            self._lines("path", np.stack((eyes[:-1], eyes[1:]), axis=1), _PATH, 2.5)
        self._lines("frusta", frustum_lines(placed, camera, self.size_m), _FRUSTUM, 1.0)

    def show_frame(self, frame: Frame, origin_m: tuple[float, float, float]) -> None:
        """Show the newest frame."""
        self._image.image = reduced(frame.rgb, _IMAGE_PX)
        self._image.visible = True
        pose, camera = frame.world_from_camera, frame.camera
        x, y, z, w = rotation_to_quaternion(pose[:3, :3])
        self._nodes["newest"] = self._server.scene.add_camera_frustum(
            "/cameras/newest",
            fov=2 * float(np.arctan(0.5 * camera.height_px / camera.fy)),
            aspect=camera.width_px / camera.height_px,
            scale=1.5 * self.size_m,
            thickness=2.0,
            thickness_units="screen",
            color=_NEWEST,
            image=reduced(frame.rgb, _THUMBNAIL_PX),
            wxyz=(w, x, y, z),
            position=pose[:3, 3] - origin_m,
            visible=self._is_visible["frusta"],
            cast_shadow=False,
            receive_shadow=False,
        )

    def clear(self) -> None:
        """Show nothing any more."""
        for node in self._nodes.values():
            node.remove()
        self._nodes.clear()
        self._image.visible = False

    def _lines(
        self,
        name: str,
        points: Float[np.ndarray, "n 2 3"],
        colour: tuple[int, int, int],
        width_px: float,
    ) -> None:
        self._nodes[name] = self._server.scene.add_line_segments(
            f"/cameras/{name}",
            points=points.astype(np.float32),
            colors=colour,
            thickness=width_px,
            thickness_units="screen",
            visible=self._is_visible[name],
        )


def frustum_lines(
    poses: Float[np.ndarray, "n 4 4"], camera: Camera, size_m: float
) -> Float[np.ndarray, "lines 2 3"]:
    """Return the eight edges of the pyramid that each camera sees, as deep as `size_m`."""
    corners = [
        (
            (u * camera.width_px - camera.cx) / camera.fx,
            (v * camera.height_px - camera.cy) / camera.fy,
        )
        for u, v in _CORNERS
    ]
    rays = size_m * np.array([(x, y, 1.0) for x, y in corners])
    far = rays @ poses[:, :3, :3].transpose(0, 2, 1) + poses[:, None, :3, 3]
    eye = np.broadcast_to(poses[:, None, :3, 3], far.shape)
    edges = (np.stack((eye, far), axis=2), np.stack((far, np.roll(far, -1, axis=1)), axis=2))
    return np.concatenate(edges, axis=1).reshape(-1, 2, 3)


def reduced(picture: UInt8[np.ndarray, "h w 3"], most_px: int) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Reduce a picture to no more than a width."""
    height, width = picture.shape[:2]
    if width <= most_px:
        return picture
    size = (most_px, max(1, round(height * most_px / width)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def keyframes_of(reconstructor: Any) -> tuple[Mapping[Any, np.ndarray], Camera]:
    """Return the poses of the keyframes, world from camera, and the camera of their images."""
    return reconstructor.keyframe_poses(), reconstructor.reconstruction.buffer.camera
