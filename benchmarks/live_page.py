# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What the live page costs training: steps a second with two browsers, against nobody's.

The built-in room; beside its own surface the page holds one of so many triangles, a tenth of
which changes as often as a mesh comes: five times a second on a GPU, once on a CPU. A browser is a
connection, in a process of its own, that reads all that it is sent. Periods without and with
browsers take turns.

Run: python benchmarks/live_page.py [--triangles N] [--seconds S] [--periods N] [--device DEVICE]
"""

import argparse
import json
import multiprocessing
import statistics
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import msgspec
import numpy as np
import torch
import viser
from rgbd_room import rendered_frames
from websockets.sync.client import connect

from ineus_core.config import Config
from ineus_core.pipeline import Pipeline, Worker
from ineus_core.reconstruction import Reconstructor
from ineus_core.sources import SyntheticConfig
from ineus_core.types import Mesh, MeshBlock, MeshUpdate
from ineus_core.viewer import LivePage, RunLink, ViewerConfig

_BLOCK_TRIANGLES = 200
_FAR = 1000
"""Index of the first block of the added surface, out of the way of the room's."""
_CAMERA = {
    "type": "ViewerCameraMessage",
    "wxyz": (0.0, 1.0, 0.0, 0.0),
    "position": (0.0, 0.0, 5.0),
    "fov": 1.2,
    "near": 0.01,
    "far": 1000.0,
    "image_height": 900,
    "image_width": 1600,
    "look_at": (0.0, 0.0, 0.0),
    "up_direction": (0.0, 1.0, 0.0),
}


class Browser:
    """Connects as a page does, and reads, in a process of its own."""

    def __init__(self, port: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_read, args=(port, theirs), daemon=True)
        self._process.start()
        # It has imported what it needs, and is connected.
        self._ours.recv()

    def close(self) -> float:
        """Leave; return how many MB were received."""
        self._ours.send(None)
        received_mb = self._ours.recv()
        self._process.join()
        return received_mb


def _read(port: int, told: Connection) -> None:
    protocol = f"viser-v{viser.__version__}"
    received_mb = 0.0
    with connect(f"ws://127.0.0.1:{port}", subprotocols=[protocol], max_size=None) as socket:
        socket.send(msgspec.msgpack.encode(_CAMERA))
        told.send(None)
        while not told.poll():
            with suppress(TimeoutError):
                received_mb += len(socket.recv(timeout=0.2)) * 1e-6
    told.send(received_mb)


def added_blocks(triangles: int) -> list[MeshBlock]:
    """Make blocks of random triangles beside the room."""
    rng = np.random.default_rng(0)
    blocks = []
    for number in range(triangles // _BLOCK_TRIANGLES):
        x, y = divmod(number, 50)
        vertices = rng.random((_BLOCK_TRIANGLES // 2, 3), np.float32) + np.float32((x, y, 0))
        faces = rng.integers(0, len(vertices), (_BLOCK_TRIANGLES, 3), np.int32)
        colours = rng.integers(0, 255, vertices.shape, np.uint8)
        mesh = Mesh(vertices, faces, np.full_like(vertices, 0.577), colours)
        blocks.append(MeshBlock((_FAR + x, y, 0), mesh))
    return blocks


def change(
    page: LivePage, blocks: list[MeshBlock], every_s: float, stopping: threading.Event
) -> None:
    """Change a tenth of the added blocks again and again."""
    tenth, turn = max(1, len(blocks) // 10), 0
    while not stopping.wait(every_s):
        some = blocks[turn * tenth : (turn + 1) * tenth]
        page.on_mesh(MeshUpdate(0, tuple(some), ()))
        turn = (turn + 1) % 10


def steps_a_second(worker: Worker, seconds: float) -> float:
    """Count the steps of a while."""
    before = worker.call(lambda p: (p.reconstructor.steps, time.perf_counter())).result()
    time.sleep(seconds)
    after = worker.call(lambda p: (p.reconstructor.steps, time.perf_counter())).result()
    return (after[0] - before[0]) / (after[1] - before[1])


def measure(page: LivePage, worker: Worker, arguments: argparse.Namespace) -> dict[str, Any]:
    """Take turns: without browsers, with two."""
    port = int(page.url.rpartition(":")[2])
    rates: dict[int, list[float]] = {0: [], 2: []}
    megabytes = 0.0
    for _ in range(arguments.periods):
        for count, found in rates.items():
            browsers = [Browser(port) for _ in range(count)]
            time.sleep(1.0)
            found.append(steps_a_second(worker, arguments.seconds))
            megabytes += sum(browser.close() for browser in browsers)
    pairs = [with_two / without for without, with_two in zip(*rates.values(), strict=True)]
    return {
        "steps_per_second": {
            str(count): [round(rate, 1) for rate in found] for count, found in rates.items()
        },
        "with two browsers, share of the steps": round(statistics.median(pairs), 4),
        "received, MB": round(megabytes, 1),
    }


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--triangles", type=int, default=500_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--periods", type=int, default=6)
    parser.add_argument("--device", default="cuda")
    arguments = parser.parse_args()
    reconstructor = Reconstructor(Config(), torch.device(arguments.device))
    link = RunLink(lambda function, key: worker.call(lambda p: function(p.reconstructor), key))
    page = LivePage(ViewerConfig(), link, "benchmark", arguments.device)
    worker = Worker(
        Pipeline(reconstructor, page, Config().pipeline, is_live=True),
        time.monotonic_ns,
        max_idle_steps=10**9,
    )
    for frame in rendered_frames(SyntheticConfig(frames=40, width_px=320, height_px=240)):
        reconstructor.add_frame(frame)
    worker.start()
    blocks, stopping = added_blocks(arguments.triangles), threading.Event()
    page.on_mesh(MeshUpdate(0, tuple(blocks), ()))
    every_s = 0.2 if reconstructor.device.type == "cuda" else 1.0
    given = page, blocks, every_s, stopping
    changing = threading.Thread(target=change, args=given, daemon=True)
    changing.start()
    steps_a_second(worker, arguments.seconds)
    print(json.dumps(measure(page, worker, arguments), indent=1))
    stopping.set()
    changing.join()
    worker.stop()
    page.close()


if __name__ == "__main__":
    main()
