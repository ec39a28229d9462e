# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What the map shows from where a browser's camera rests: colour, depth and normals."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from ineus_core.evaluation import depth_colours, depth_limits_m, normal_colours
from ineus_core.geometry import rigid_transform
from ineus_core.types import Camera, RenderedImage
from ineus_core.viewer.ask import Ask

_WIDTH_PX = {"cpu": 160, "cuda": 480}
# A view that is being turned would ask for pictures that nobody looks at, and training waits for
# each of them.
_REST_S = 0.4
_BLANK = np.full((9, 16, 3), 235, np.uint8)


class FieldView:
    """The pictures of one browser, in a folder of its own panel.

    Args:
        client: The browser, as viser has it.
        ask: For renderings.
        device_type: Of the reconstruction; a CPU renders smaller pictures.
        now_s: The clock.
    """

    def __init__(
        self,
        client: Any,
        ask: Ask[RenderedImage],
        device_type: str,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Show nothing yet."""
        self._client, self._ask, self._now_s = client, ask, now_s
        self._width_px = _WIDTH_PX[device_type]
        self._seen: tuple[float, ...] = ()
        self._rests_since_s = now_s()
        with client.gui.add_folder("The map from here", order=30, expand_by_default=False):
            self._hint = client.gui.add_markdown("Rendered when the view rests.")
            self._pictures = {
                name: client.gui.add_image(_BLANK, label=name, visible=False)
                for name in ("colour", "depth", "normals")
            }

    def update(self, version: int, origin_m: tuple[float, float, float]) -> None:
        """Ask for pictures if the camera rests, and show those that are there."""
        camera = self._client.camera
        seen = (*camera.position, *camera.wxyz, camera.fov, camera.aspect)
        if seen != self._seen:
            self._seen, self._rests_since_s = seen, self._now_s()
        if self._now_s() - self._rests_since_s < _REST_S:
            return
        pose = world_from_camera(camera.wxyz, camera.position)
        # The scene of the page counts from the origin of the map, the reconstructor from that of
        # the world.
        pose[:3, 3] += origin_m
        view = pinhole(camera.fov, camera.aspect, self._width_px)
        image = self._ask.poll(seen, version, lambda r: r.render(view, pose))
        if image is not None:
            self._show(image)

    def _show(self, image: RenderedImage) -> None:
        low_m, high_m = depth_limits_m(image.depth_m)
        shown = {
            "colour": image.rgb,
            "depth": depth_colours(image.depth_m, low_m, high_m),
            "normals": normal_colours(image.normal),
        }
        self._hint.content = f"Depth from {low_m:.2f} m (red) to {high_m:.2f} m (blue)."
        for name, picture in shown.items():
            self._pictures[name].image = np.ascontiguousarray(picture)
            self._pictures[name].visible = True


def pinhole(fov_rad: float, aspect: float, width_px: int) -> Camera:
    """Return the camera of a browser's view in small.

    Args:
        fov_rad: Of the height.
        aspect: Width over height.
    """
    height_px = max(8, round(width_px / aspect))
    focal = 0.5 * height_px / float(np.tan(0.5 * fov_rad))
    return Camera(width_px, height_px, focal, focal, width_px / 2, height_px / 2)


def world_from_camera(wxyz: Any, position: Any) -> Float[np.ndarray, "4 4"]:
    """Return a pose from a quaternion, w first, and a position."""
    xyzw = np.roll(np.asarray(wxyz, dtype=np.float64), -1)
    return rigid_transform(np.asarray(position, dtype=np.float64), xyzw)
