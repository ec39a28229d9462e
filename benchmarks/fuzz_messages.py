# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Mutated messages for `fuzz.py`, through the decoders and the node's maker of frames."""

import math
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np

from ineus_core.sources.bags import ros_encoders as encode
from ineus_core.sources.bags.frame_making import PlacedImages
from ineus_core.sources.bags.ros_messages import (
    decode_camera,
    decode_compressed_depth,
    decode_compressed_image,
    decode_depth,
    decode_image,
    decode_mask,
    decode_transform,
)
from ineus_core.types import Camera
from ineus_ros.drops import Drops
from ineus_ros.inputs.decoding import Decoders, FrameDecoder

_MOST_WAIT_S = 30.0
"""By the clock of the wall, as the machine may be busy; `fuzz.py` counts the processor's time."""
_LARGE, _SMALL = (480, 640), (24, 32)
_INTEGERS = (0, 1, -1, 2, 7, 255, 256, 2**15, 2**16 - 1, 2**20, 2**31 - 1, 2**31, 2**32 - 1, 2**63)
_FLOATS = (0.0, -0.0, 1e-300, -1.0, 1e7, 1e30, 1e300, math.inf, -math.inf, math.nan)
_WORDS = (
    "", "rgb8", "bgr8", "rgba8", "mono8", "mono16", "16UC1", "32FC1", "bayer_rggb8", "yuv422",
    "nv12", "nv21", "nv24", "8UC0", "64FC4", "jpeg", "png", "16UC1; compressedDepth rvl",
    "32FC1; compressedDepth png", "plumb_bob", "equidistant", "rational_polynomial", "fisheye",
    "\0", "x" * 5000, "ü", "../../etc",
)  # fmt: skip


class _Log:
    """Where the drops of the node are said; here nobody listens."""

    def warning(self, *_: Any, **__: Any) -> None:
        """Ignore."""


class Messages:
    """Cases by number: which message, which of its fields, which value."""

    honest = 8

    def __init__(self, seed: int) -> None:
        """Make the honest messages and start the node's decoder."""
        self._seed = seed
        self._done = threading.Semaphore(0)
        self._drops = _CountedDrops(self._done)
        self._maker = FrameDecoder(
            [Decoders(False, False)], self._drops, lambda frame, header: self._done.release()
        )

    def run_honest(self, number: int) -> str:
        """Decode a whole message at the usual size."""
        made = self._messages(_LARGE)
        if number == len(made):
            # What registers depth and makes a frame is compiled by this one.
            return self._through_the_node(made, made[4][0], _LARGE, np.random.default_rng(0))
        message, decode = made[number]
        decode(message)
        return "decoded"

    def run(self, number: int) -> str:
        """Decode a mutated message; every other one goes through the node's maker of frames."""
        rng = np.random.default_rng((self._seed, number))
        made = self._messages(_SMALL)
        message, decode = made[int(rng.integers(len(made)))]
        for _ in range(int(rng.integers(1, 4))):
            mutate(message, rng)
        if number % 2:
            decode(message)
            return "decoded"
        return self._through_the_node(made, message, _SMALL, rng)

    def _through_the_node(
        self, made: list[Any], message: Any, size: tuple[int, int], rng: np.random.Generator
    ) -> str:
        color, depth = made[0][0], made[2][0]
        if hasattr(message, "encoding"):
            color, depth = (message, depth) if rng.random() < 0.5 else (color, message)
        camera = Camera(size[1], size[0], 30.0, 30.0, size[1] / 2, size[0] / 2)
        depth_camera = None
        if hasattr(message, "k"):
            depth_camera = decode_camera(message)
        before = self._drops.count
        placed = PlacedImages(color, depth, None, camera, np.eye(4), depth_camera, np.eye(4))
        self._maker.submit(placed)
        if not self._done.acquire(timeout=_MOST_WAIT_S):
            raise TimeoutError("neither a frame nor a drop")
        return "counted drop" if self._drops.count > before else "frame"

    def _messages(self, size: tuple[int, int]) -> list[tuple[Any, Any]]:
        rgb = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
        depth_m = np.full(size, 2.0, np.float32)
        camera = Camera(size[1], size[0], 30.0, 30.0, size[1] / 2, size[0] / 2)
        header = encode.encode_header(make, 10**9, "camera")
        transforms = encode.encode_transforms(make, header, "camera", np.eye(4))
        return [
            (encode.encode_image(make, header, rgb), decode_image),
            (encode.encode_compressed_image(make, header, rgb), decode_compressed_image),
            (encode.encode_depth(make, header, depth_m, "32FC1"), decode_depth),
            (encode.encode_compressed_depth(make, header, depth_m), decode_compressed_depth),
            (encode.encode_camera(make, header, camera), decode_camera),
            (encode.encode_image(make, header, rgb), decode_mask),
            (transforms.transforms[0].transform, decode_transform),
        ]


class _CountedDrops(Drops):
    def __init__(self, done: threading.Semaphore) -> None:
        super().__init__(_Log())  # type: ignore[arg-type]
        self._done, self.count = done, 0

    def add(self, reason: str, message: object, count: int = 1) -> None:
        super().add(reason, message, count)
        self.count += 1
        self._done.release()


def make(type_name: str, /, **fields: Any) -> Any:
    """Make a message whose fields take any value, as those of a faulty publisher do."""
    return SimpleNamespace(**fields)


def mutate(message: Any, rng: np.random.Generator) -> None:
    """Change one field somewhere in a message."""
    names = list(vars(message))
    name = names[int(rng.integers(len(names)))]
    value = getattr(message, name)
    if isinstance(value, SimpleNamespace):
        mutate(value, rng)
    else:
        changed = _mutated(value, rng)
        # The middleware gives matrices their length, whatever is sent.
        is_fixed = name in ("k", "r", "p") and len(changed) != len(value)
        setattr(message, name, value if is_fixed else changed)


def _mutated(value: Any, rng: np.random.Generator) -> Any:
    match value:
        case bool():
            return not value
        case int():
            near = rng.random() < 0.3
            return value + int(rng.integers(-2, 3)) if near else _one_of(_INTEGERS, rng)
        case float():
            return _one_of(_FLOATS, rng)
        case str():
            return _one_of(_WORDS, rng)
        case np.ndarray():
            return _mutated_array(value, rng)
    return value


def _mutated_array(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if values.dtype == np.uint8:
        return np.frombuffer(damaged(values.tobytes(), rng), np.uint8)
    shorter = int(rng.integers(0, len(values) + 1)) if rng.random() < 0.3 else len(values)
    changed = values[:shorter].copy()
    if len(changed):
        changed[int(rng.integers(len(changed)))] = _one_of(_FLOATS, rng)
    return changed


def _one_of(values: Any, rng: np.random.Generator) -> Any:
    return values[int(rng.integers(len(values)))]


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut, lengthen, or change some bytes."""
    kind = rng.random()
    if kind < 0.2:
        return content[: int(rng.integers(0, len(content) + 1))]
    if kind < 0.3:
        return content + rng.bytes(int(rng.integers(1, 4096)))
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 17)) if changed else 0):
        # Claims of sizes stand at the beginning.
        reach = min(len(changed), 64) if rng.random() < 0.5 else len(changed)
        changed[int(rng.integers(reach))] = int(rng.choice((0, 1, 0x7F, 0x80, 0xFF, 0x41)))
    return bytes(changed)
