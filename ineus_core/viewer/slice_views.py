# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Slices of the map in the scene, at heights that sliders choose: distances, and occupancy."""

from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from ineus_core.planning import FREE, OCCUPIED, EsdfSlice, OccupancySlice
from ineus_core.viewer.ask import Ask
from ineus_core.viewer.run_link import RunLink
from ineus_core.viewer.tiles import Extent

_FAR_M = 1.0
"""Distance at which the colours of distances end."""
_CONTOUR_M = 0.25
_FINE = 8
"""Pixels along a cell."""
_OPACITY = 215
_FREE_COLOUR, _OCCUPIED_COLOUR = (150, 205, 165), (196, 62, 48)


class SliceViews:
    """Two slices, each with a switch and a slider; nothing is asked for while they are off.

    Args:
        server: The viser server.
        panel: Where the controls stand.
    """

    def __init__(self, server: Any, panel: Any, link: RunLink) -> None:
        """Show none."""
        assert link.call is not None
        self._server = server
        self._distances: Ask[EsdfSlice | None] = Ask(link.call, "slice of distances")
        self._occupancy: Ask[OccupancySlice | None] = Ask(link.call, "slice of occupancy")
        self._nodes: dict[str, Any] = {}
        self._low_m, self._high_m = 0.0, 0.0
        gui = server.gui
        with panel:
            self._with_distances = gui.add_checkbox("distances", False)
            self._height = gui.add_slider("height, m", 0.0, 1.0, 0.01, 0.5)
            self._with_occupancy = gui.add_checkbox("occupancy", False)
            self._band = gui.add_multi_slider("from, to, m", 0.0, 1.0, 0.01, (0.15, 1.0))

    def set_extent(self, extent: Extent, origin_m: tuple[float, float, float]) -> None:
        """Let the sliders reach over the height of the surface; those not touched lie within."""
        low_m = float(np.floor(10 * (extent.low[2] + origin_m[2])) / 10)
        # A slider needs a range even where the surface is level.
        high_m = float(np.ceil(10 * (extent.high[2] + origin_m[2])) / 10) + 0.1
        if low_m >= self._low_m and high_m <= self._high_m and self._high_m > self._low_m:
            return
        is_first = self._high_m == self._low_m
        self._low_m, self._high_m = low_m, high_m
        for slider in (self._height, self._band):
            slider.min, slider.max = low_m, high_m
        if is_first:
            span_m = high_m - low_m
            self._height.value = round(low_m + 0.4 * span_m, 2)
            self._band.value = (round(low_m + 0.2 * span_m, 2), round(low_m + 0.7 * span_m, 2))

    def update(self, version: int, origin_m: tuple[float, float, float]) -> None:
        """Ask for the slices that are on, and show those that are there."""
        if self._with_distances.value:
            z_m = float(self._height.value)
            esdf = self._distances.poll(z_m, version, lambda r: r.esdf_slice(z_m))
            if esdf is not None:
                self._show(
                    "distances", distance_picture(esdf), esdf.origin_m, esdf.cell_m, z_m, origin_m
                )
        else:
            self._hide("distances", self._distances)
        if self._with_occupancy.value:
            low_m, high_m = sorted(float(value) for value in self._band.value)
            cells = self._occupancy.poll(
                (low_m, high_m), version, lambda r: r.occupancy_slice(low_m, high_m)
            )
            if cells is not None:
                picture = occupancy_picture(cells)
                self._show("occupancy", picture, cells.origin_m, cells.cell_m, low_m, origin_m)
        else:
            self._hide("occupancy", self._occupancy)

    def clear(self) -> None:
        """Show none until there is a new map."""
        for name, ask in (("distances", self._distances), ("occupancy", self._occupancy)):
            self._hide(name, ask)

    def _show(
        self,
        name: str,
        picture: UInt8[np.ndarray, "h w 4"],
        corner_m: tuple[float, float],
        cell_m: float,
        z_m: float,
        origin_m: tuple[float, float, float],
    ) -> None:
        ny, nx = picture.shape[0] // _FINE, picture.shape[1] // _FINE
        centre = (corner_m[0] + 0.5 * nx * cell_m, corner_m[1] + 0.5 * ny * cell_m, z_m)
        self._nodes[name] = self._server.scene.add_image(
            f"/slices/{name}",
            # The rows of a slice go up along y, those of an image go down.
            picture[::-1],
            nx * cell_m,
            ny * cell_m,
            # viser's images face z from below: half a turn about x.
            wxyz=(0.0, 1.0, 0.0, 0.0),
            position=np.subtract(centre, origin_m),
            cast_shadow=False,
            receive_shadow=False,
        )

    def _hide(self, name: str, ask: Ask[Any]) -> None:
        node = self._nodes.pop(name, None)
        if node is not None:
            node.remove()
            ask.forget()


def distance_picture(found: EsdfSlice) -> UInt8[np.ndarray, "h w 4"]:
    """Return distances as colours, red at the surface, clear where nothing was observed.

    Contours lie 25 cm apart.
    """
    ny, nx = found.distance_m.shape
    size = (_FINE * nx, _FINE * ny)
    # Before the picture is enlarged, which would spread NaN and infinity to the neighbours.
    near_m = np.nan_to_num(found.distance_m, posinf=_FAR_M, neginf=0.0).astype(np.float32)
    distance_m = cv2.resize(near_m, size, interpolation=cv2.INTER_LINEAR)
    share = (distance_m / _FAR_M).clip(0, 1)
    # The ends of the colour map are nearly black, and not used.
    bgr = cv2.applyColorMap(((1 - share) * 220 + 20).astype(np.uint8), cv2.COLORMAP_TURBO)
    rgba = np.concatenate((bgr[..., ::-1], np.full((*share.shape, 1), _OPACITY, np.uint8)), axis=2)
    contour_m = _CONTOUR_M * np.round(distance_m / _CONTOUR_M)
    # About one pixel wide, however large the cells are.
    is_contour = np.abs(distance_m - contour_m) < 0.6 * found.cell_m / _FINE
    rgba[is_contour & (contour_m > 0), :3] = 255
    observed = cv2.resize(found.observed.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    rgba[observed == 0, 3] = 0
    return rgba


def occupancy_picture(found: OccupancySlice) -> UInt8[np.ndarray, "h w 4"]:
    """Return what is free in green and what is occupied in red; the unknown is clear."""
    rgba = np.zeros((*found.cells.shape, 4), np.uint8)
    rgba[found.cells == FREE] = (*_FREE_COLOUR, _OPACITY)
    rgba[found.cells == OCCUPIED] = (*_OCCUPIED_COLOUR, _OPACITY)
    # A browser would blur single pixels into each other.
    return rgba.repeat(_FINE, axis=0).repeat(_FINE, axis=1)
