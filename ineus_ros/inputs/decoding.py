# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Messages to frames, on threads of their own: callbacks only queue."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ineus_core.sources import decoder_threads
from ineus_core.sources.bags.frame_making import (
    Decode,
    PlacedImages,
    UnusableImages,
    make_frame,
)
from ineus_core.sources.bags.ros_messages import (
    UsedBits,
    decode_compressed_depth,
    decode_compressed_image,
    decode_depth,
    decode_image,
    knows_encoding,
    stamp_ns,
)
from ineus_core.types import Camera, Frame
from ineus_ros.drops import Drops

_LOG = logging.getLogger(__name__)


class Decoders:
    """The decoders for the transports of colour and depth.

    Args:
        image_bits: Bits that raw images of 16 bits use; 0: by the first ones.
    """

    def __init__(
        self, is_color_compressed: bool, is_depth_compressed: bool, image_bits: int = 0
    ) -> None:
        """Choose."""
        self._used_bits, self._has_told_bits = UsedBits(image_bits), image_bits > 0
        self._is_color_compressed = is_color_compressed
        self._is_depth_compressed = is_depth_compressed

    def color(self, camera: Camera) -> Decode:
        """Return the decoder of colour images of a camera."""
        # A compressed one may claim any size; a raw one has the bytes that it claims.
        if self._is_color_compressed:
            return partial(decode_compressed_image, camera=camera)
        return self._decode_any_image

    def depth(self, camera: Camera) -> Decode:
        """Return the decoder of depth images of a camera."""
        if self._is_depth_compressed:
            return partial(decode_compressed_depth, camera=camera)
        return decode_depth

    def _decode_any_image(self, message: Any) -> np.ndarray:
        used = self._used_bits
        used.look(message)
        if used.is_known and used.bits < 16 and not self._has_told_bits:
            self._has_told_bits = True
            _LOG.warning(
                "raw images use %d of their 16 bits and are read so; image_bits:=16 reads them as "
                "they are",
                used.bits,
            )
        return decode_any_image(message, used.bits)


class FrameDecoder:
    """Decodes on several threads, and hands on in the order of submission.

    Args:
        decoders: By camera.
        take: Gets each frame and the header of its colour image, one at a time.
        threads: That decode; as many as there are cores if not given.
    """

    def __init__(
        self,
        decoders: list[Decoders],
        drops: Drops,
        take: Callable[[Frame, Any], None],
        threads: int | None = None,
    ) -> None:
        """Start the threads."""
        self._decoders, self._drops, self._take = decoders, drops, take
        self._waiting: deque[PlacedImages] = deque()
        self._wake = threading.Condition()
        self._is_closed = False
        # A thread takes the first as the number of its images, and hands on when the second is
        # there.
        self._begun = self._handed_on = 0
        self._threads = [
            threading.Thread(target=self._run, name=f"ineus-decoder-{number}", daemon=True)
            for number in range(threads or decoder_threads())
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, images: PlacedImages) -> None:
        """Let images wait for their turn."""
        with self._wake:
            # All are woken, as those that wait for their turn to hand on wait for the same
            # condition.
            self._waiting.append(images)
            self._wake.notify_all()

    def __len__(self) -> int:
        """Return how many sets of images wait."""
        return len(self._waiting)

    @property
    def oldest_ns(self) -> int | None:
        """Stamp of the oldest images, if there are any."""
        with self._wake:
            return stamp_ns(self._waiting[0].color.header) if self._waiting else None

    def drop_oldest(self) -> None:
        """Make room for newer images, unless a thread has just done so."""
        with self._wake:
            is_there = bool(self._waiting)
            if is_there:
                self._waiting.popleft()
        reason = "images come faster than they are decoded"
        self._drops.add("decoding_too_slow", reason, int(is_there))

    def clear(self) -> int:
        """Forget what waits; how much it was."""
        with self._wake:
            count = len(self._waiting)
            self._waiting.clear()
        return count

    def close(self) -> None:
        """End the threads after what they are at."""
        with self._wake:
            self._is_closed = True
            self._waiting.clear()
            self._wake.notify_all()
        for thread in self._threads:
            # Daemons: one that hangs in a decoder does not hold up the end.
            thread.join(1.0)

    def _run(self) -> None:
        while self._decode_next():
            pass

    def _decode_next(self) -> bool:
        """Wait for images, decode the oldest, hand them on in their turn; False at the end.

        A method of its own, so that nothing holds the images when it has returned.
        """
        with self._wake:
            self._wake.wait_for(lambda: self._is_closed or self._waiting)
            if self._is_closed:
                return False
            placed, number = self._waiting.popleft(), self._begun
            self._begun += 1
        # Without the lock: callbacks queue meanwhile.
        frame = self._decoded(placed)
        with self._wake:
            # By number: a small image is decoded sooner than a large one before it.
            self._wake.wait_for(lambda: self._is_closed or self._handed_on == number)
        try:
            if frame is not None and not self._is_closed:
                self._take(frame, placed.color.header)
        finally:
            with self._wake:
                # Also after an error, or all behind it would wait for ever.
                self._handed_on += 1
                self._wake.notify_all()
        return True

    def _decoded(self, placed: PlacedImages) -> Frame | None:
        decoders = self._decoders[placed.camera_id]
        try:
            return make_frame(
                placed,
                decoders.color(placed.camera),
                decoders.depth(placed.depth_camera or placed.camera),
            )
        except UnusableImages as error:
            self._drops.add(error.reason, error)
            return None


def decode_any_image(message: Any, bits: int = 16) -> np.ndarray:
    """Decode a sensor_msgs/Image to RGB; by cv_bridge, if installed, what we do not know.

    Args:
        bits: How many of 16 the values have.
    """
    if not knows_encoding(message.encoding):
        try:
            from cv_bridge import CvBridge
        except ImportError:
            pass
        else:
            return np.asarray(CvBridge().imgmsg_to_cv2(message, "rgb8"))
    return decode_image(message, bits)
