# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A browser that does not keep up: it gets less, and nothing piles up for it."""

import numpy as np
import pytest
from tile_making import block, update

from ineus_core.viewer.surface_view import SurfaceView
from ineus_core.viewer.tiles import SurfaceTiles

viser = pytest.importorskip("viser", reason="needs viser: pip install 'ineus_ros[view]'")


def test_nothing_piles_up_for_a_browser_that_does_not_read() -> None:
    from websockets.sync.client import connect

    server = viser.ViserServer(host="127.0.0.1", port=8080, verbose=False)
    clock = iter(np.arange(0.0, 1000.0, 0.3))
    tiles = SurfaceTiles()
    view = SurfaceView(server, tiles, lambda: float(next(clock)))
    address = f"ws://127.0.0.1:{server.get_port()}"
    waiting = server._websock_server._broadcast_buffer.message_from_id

    def change(times: int) -> int:
        for _ in range(times):
            tiles.update(update(*(block((x, 0, 0), 200) for x in range(32))))
            assert view.send()
        return len(waiting)

    try:
        with connect(address, subprotocols=[f"viser-v{viser.__version__}"]):
            few = change(20)
            # Megabytes that nobody reads: the newest state of each tile alone is kept.
            assert change(200) <= few
    finally:
        server.stop()
