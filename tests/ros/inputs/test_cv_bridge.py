# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Images through cv_bridge, where that is installed, are those that our own decoder gives."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("cv_bridge", reason="needs cv_bridge, which comes with a ROS distribution")

from std_msgs.msg import Header

import ineus_ros.inputs.decoding
from ineus_core.sources.bags.ros_messages import decode_image
from ineus_ros.inputs.decoding import decode_any_image
from ineus_ros.outputs.image_topics import image_message

pytestmark = pytest.mark.ros


def picture(encoding: str, kind: type, channels: int) -> Any:
    rng = np.random.default_rng(0)
    values = rng.integers(0, np.iinfo(kind).max, (12, 16, channels), dtype=kind, endpoint=True)
    return image_message(Header(), encoding, values)


@pytest.mark.parametrize(
    ("encoding", "kind", "channels"),
    [
        ("rgb8", np.uint8, 3),
        ("bgra8", np.uint8, 4),
        ("mono8", np.uint8, 1),
        ("bgr16", np.uint16, 3),
        ("bayer_rggb8", np.uint8, 1),
        ("bayer_gbrg8", np.uint8, 1),
        ("yuv422", np.uint8, 2),
        ("yuv422_yuy2", np.uint8, 2),
    ],
)
def test_an_encoding_that_both_know(
    monkeypatch: pytest.MonkeyPatch, encoding: str, kind: type, channels: int
) -> None:
    """As if it were none of ours: 16 bit may be rounded there, they are cut here."""
    message = picture(encoding, kind, channels)
    ours = decode_image(message).astype(int)
    monkeypatch.setattr(ineus_ros.inputs.decoding, "knows_encoding", lambda encoding: False)
    theirs = decode_any_image(message)
    assert theirs.dtype == np.uint8 and theirs.shape == (12, 16, 3)
    assert np.abs(theirs - ours).max() <= (kind is np.uint16)


def test_an_encoding_that_neither_knows_is_refused_by_name() -> None:
    message = picture("no_such_encoding", np.uint8, 1)
    with pytest.raises(Exception, match="no_such_encoding"):
        decode_any_image(message)
