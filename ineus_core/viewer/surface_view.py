# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The surface in the scene of a page: tiles that have changed, a bounded number at a time."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from ineus_core.evaluation import Look, colours_on_screen
from ineus_core.viewer.glb import unlit_glb
from ineus_core.viewer.tiles import SurfaceTiles, TileIndex

_TRIANGLES_AT_ONCE = 100_000
_OVERLAP_S = 0.4
"""How long the former state of a tile stays beneath the new one, which takes a while to appear."""


@dataclass
class _Shown:
    """A tile in the scene, under one of two names in turn."""

    name: str
    node: Any
    former: Any = None
    former_until_s: float = 0.0


class SurfaceView:
    """Sends changed tiles to all browsers.

    The server holds the newest state of each node alone, so that a slow browser skips what came
    between. Two names in turn keep the old state until the new one is drawn, without names that
    grow in number.

    Args:
        server: The viser server.
        now_s: The clock.
    """

    def __init__(
        self, server: Any, tiles: SurfaceTiles, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        """Show nothing yet."""
        self._server, self._tiles, self._now_s = server, tiles, now_s
        self._shown: dict[TileIndex, _Shown] = {}
        self._look: Look = "colour, shaded"
        self.upright_from_world: Float[np.ndarray, "3 3"] = np.eye(3)

    def set_look(self, look: Look) -> None:
        """Colour everything anew."""
        self._look = look
        self._tiles.touch_all()

    def send(self) -> bool:
        """Send some of what has changed; True if there was anything."""
        now_s = self._now_s()
        for shown in self._shown.values():
            if shown.former is not None and now_s >= shown.former_until_s:
                shown.former.remove()
                shown.former = None
        changed = self._tiles.take(_TRIANGLES_AT_ONCE)
        for index, mesh in changed.items():
            if len(mesh.triangles) == 0:
                self._hide(index)
                continue
            colours = colours_on_screen(mesh, self._look, self.upright_from_world)
            self._show(index, unlit_glb(mesh.vertices, mesh.triangles, colours), now_s)
        return bool(changed)

    def _show(self, index: TileIndex, glb: bytes, now_s: float) -> None:
        base = "/surface/{}_{}_{}".format(*index)
        shown = self._shown.get(index)
        name = f"{base}/a" if shown is None or shown.name.endswith("b") else f"{base}/b"
        if shown is not None and shown.former is not None:
            # It has the name that is needed now.
            shown.former.remove()
        node = self._server.scene.add_glb(name, glb, cast_shadow=False, receive_shadow=False)
        former = None if shown is None else shown.node
        self._shown[index] = _Shown(name, node, former, now_s + _OVERLAP_S)

    def _hide(self, index: TileIndex) -> None:
        shown = self._shown.pop(index, None)
        for node in () if shown is None else (shown.node, shown.former):
            if node is not None:
                node.remove()
