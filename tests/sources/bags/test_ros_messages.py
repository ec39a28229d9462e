# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Decoding of ROS messages on pixels and numbers written by hand."""

import array
import struct
from types import SimpleNamespace as Message
from typing import Any

import cv2
import numpy as np
import pytest
from png_header import png_of

from ineus_core.errors import SourceError
from ineus_core.geometry import project
from ineus_core.sources.bags import ros_encoders as encode
from ineus_core.sources.bags.ros_messages import (
    decode_camera,
    decode_compressed_depth,
    decode_compressed_image,
    decode_depth,
    decode_image,
    decode_transform,
    is_depth_picture,
    stamp_ns,
)
from ineus_core.types import Camera

RED, GREY = [200, 10, 30], [90, 90, 90]


def image(
    encoding: str, data: Any, width: int, height: int, *, step: int = 0, big: int = 0
) -> Message:
    return Message(
        encoding=encoding, data=data, width=width, height=height, step=step, is_bigendian=big
    )


@pytest.mark.parametrize(
    ("encoding", "pixel", "rgb"),
    [
        ("rgb8", bytes(RED), RED),
        ("bgr8", bytes(RED[::-1]), RED),
        ("rgba8", bytes([*RED, 255]), RED),
        ("bgra8", bytes([*RED[::-1], 255]), RED),
        ("8UC3", bytes(RED[::-1]), RED),
        ("8UC4", bytes([*RED[::-1], 255]), RED),
        ("mono8", bytes([90]), GREY),
        ("8UC1", bytes([90]), GREY),
        ("mono16", struct.pack("<H", 90 * 256 + 7), GREY),
        ("rgb16", struct.pack("<3H", *(256 * v for v in RED)), RED),
        ("bgra16", struct.pack("<4H", *(256 * v for v in RED[::-1]), 0), RED),
    ],
)
def test_every_encoding_of_a_pixel(encoding: str, pixel: bytes, rgb: list[int]) -> None:
    decoded = decode_image(image(encoding, pixel * 6, 3, 2, step=3 * len(pixel)))
    assert decoded.shape == (2, 3, 3) and decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, np.broadcast_to(rgb, (2, 3, 3)))


def test_big_endian_values() -> None:
    grey = decode_image(image("mono16", struct.pack(">2H", 90 * 256, 256), 2, 1, big=1))
    np.testing.assert_array_equal(grey[0, :, 0], [90, 1])
    depth = decode_depth(image("16UC1", struct.pack(">2H", 1500, 0), 2, 1, big=1))
    np.testing.assert_allclose(depth, [[1.5, 0]])
    depth = decode_depth(image("32FC1", struct.pack(">2f", 1.5, -1), 2, 1, big=1))
    np.testing.assert_allclose(depth, [[1.5, 0]])


def test_rows_with_padding_and_a_last_row_without() -> None:
    data = bytes([1, 2, 99, 99, 3, 4])
    np.testing.assert_array_equal(
        decode_image(image("mono8", data, 2, 2, step=4))[..., 0], [[1, 2], [3, 4]]
    )


def test_the_step_of_a_single_row_may_be_any() -> None:
    for step in (2, 3, 2**32 - 1, 2**63):
        assert decode_image(image("mono8", b"\1\2", 2, 1, step=step))[..., 0].tolist() == [[1, 2]]


@pytest.mark.parametrize("order", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_patterns(order: str) -> None:
    values = {"r": 200, "g": 120, "b": 40}
    tile = np.array([values[c] for c in order], np.uint8).reshape(2, 2)
    decoded = decode_image(image(f"bayer_{order}8", np.tile(tile, (4, 4)).tobytes(), 8, 8))
    np.testing.assert_array_equal(decoded[2:6, 2:6], np.broadcast_to([200, 120, 40], (4, 4, 3)))
    wide = (np.tile(tile, (4, 4)).astype("<u2") * 256).tobytes()
    np.testing.assert_array_equal(decode_image(image(f"bayer_{order}16", wide, 8, 8)), decoded)


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("yuv422", bytes([90, 82, 240, 82] * 4)),
        ("yuv422_yuy2", bytes([82, 90, 82, 240] * 4)),
        ("nv12", bytes([82] * 8 + [90, 240] * 2)),
        ("nv21", bytes([82] * 8 + [240, 90] * 2)),
        ("nv24", bytes([82] * 8 + [90, 240] * 8)),
    ],
)
def test_red_in_yuv(encoding: str, data: bytes) -> None:
    # ITU-R BT.601, studio range: pure red is Y 82, U 90, V 240.
    decoded = decode_image(image(encoding, data, 4, 2)).astype(int)
    assert np.abs(decoded - [255, 0, 0]).max() <= 3


def test_nv24_has_a_colour_for_each_pixel_and_padding_after_both_planes() -> None:
    # Red as above; blue is Y 41, U 240, V 110. Rows of two pixels take the bytes of three.
    grey = bytes([82, 41, 99, 41, 82, 99])
    pairs = bytes([90, 240, 240, 110, 99, 99, 240, 110, 90, 240, 99, 99])
    decoded = decode_image(image("nv24", grey + pairs, 2, 2, step=3)).astype(int)
    red, blue = [255, 0, 0], [0, 0, 255]
    assert np.abs(decoded - [[red, blue], [blue, red]]).max() <= 3


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (image("rgb8", b"123", 2, 2), "12 bytes"),
        (image("rgb8", b"", 0, 0), "0 x 0"),
        (image("rgb8", b"1" * 12, 2, 2, step=5), "step"),
        (image("nv24", b"1" * 11, 2, 2, step=2), "12 bytes"),
        (image("nv24", b"1" * 12, 2, 2, step=1), "step of at least 2"),
        (image("hsv9", b"", 1, 1), "hsv9"),
        (image("16UC1", b"12", 1, 1), "depth"),
    ],
)
def test_images_that_make_no_sense(broken: Message, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        decode_image(broken)


def test_data_of_rclpy_and_of_rosbags_serve_alike() -> None:
    data = bytes(range(12))
    for same in (data, array.array("B", data), np.frombuffer(data, np.uint8), memoryview(data)):
        np.testing.assert_array_equal(decode_image(image("rgb8", same, 2, 2)).ravel(), range(12))


def test_depth_in_metres_has_zero_for_none() -> None:
    values = struct.pack("<4f", 2.5, float("nan"), float("inf"), -1)
    depth = decode_depth(image("32FC1", values, 4, 1))
    assert depth.dtype == np.float32
    np.testing.assert_array_equal(depth, [[2.5, 0, 0, 0]])
    with pytest.raises(SourceError, match="rgb8"):
        decode_depth(image("rgb8", b"123", 1, 1))


def test_compressed_colour() -> None:
    rgb = np.zeros((8, 8, 3), np.uint8)
    rgb[:] = RED
    _, png = cv2.imencode(".png", rgb[..., ::-1])
    decoded = decode_compressed_image(Message(format="png", data=png.tobytes()))
    np.testing.assert_array_equal(decoded, rgb)
    for data in (png.tobytes()[:20], b""):
        with pytest.raises(SourceError, match="png"):
            decode_compressed_image(Message(format="png", data=data))


def test_compressed_depth_in_millimetres_and_quantised() -> None:
    raw = np.array([[1500, 0], [2500, 65535]], np.uint16)
    png = cv2.imencode(".png", raw)[1].tobytes()
    plain = Message(format="16UC1; compressedDepth", data=struct.pack("<iff", 0, 0, 0) + png)
    np.testing.assert_allclose(decode_compressed_depth(plain), [[1.5, 0], [2.5, 65.535]])
    # With a = 1000 and b = 500: 1000 / (1500 - 500) = 1 m and 1000 / (2500 - 500) = 0.5 m.
    header = struct.pack("<iff", 0, 1000, 500)
    quantised = Message(format="32FC1; compressedDepth png", data=header + png)
    depth = decode_compressed_depth(quantised)
    np.testing.assert_allclose(depth[:, 0], [1, 0.5])
    assert depth[0, 1] == 0
    for fmt, data in (("16UC1; compressedDepth", b"123"), ("16UC1; compressedDepth rvl", b"1234")):
        with pytest.raises(SourceError, match="16UC1"):
            decode_compressed_depth(Message(format=fmt, data=data))


@pytest.mark.parametrize(
    "form", ["png", "16UC1; png compressed", "", "16UC1; compressedDepth rvl"]
)
@pytest.mark.parametrize("head", [b"", struct.pack("<iff", 0, 0, 0)])
def test_a_png_of_16_bits_is_depth_whatever_its_format_says(form: str, head: bytes) -> None:
    raw = np.array([[1500, 0], [2500, 65535]], np.uint16)
    message = Message(format=form, data=head + cv2.imencode(".png", raw)[1].tobytes())
    assert is_depth_picture(message)
    np.testing.assert_allclose(decode_compressed_depth(message), [[1.5, 0], [2.5, 65.535]])


@pytest.mark.parametrize("dtype, channels", [(np.uint8, 1), (np.uint8, 3), (np.uint16, 3)])
def test_other_pngs_are_colour(dtype: type, channels: int) -> None:
    picture: np.ndarray = np.zeros((4, 4, channels), dtype)
    message = Message(format="png", data=cv2.imencode(".png", picture)[1].tobytes())
    assert not is_depth_picture(message)
    assert decode_compressed_image(message).shape == (4, 4, 3)


def rvl(depth: np.ndarray) -> bytes:
    """Encode an image as in the paper: runs of zeros and of steps, three bits at a time."""
    nibbles: list[int] = []

    def put(number: int) -> None:
        while number > 7:
            nibbles.append(number & 7 | 8)
            number >>= 3
        nibbles.append(number)

    values, place, previous = depth.ravel().astype(int).tolist(), 0, 0
    while place < len(values):
        begin = place
        while place < len(values) and not values[place]:
            place += 1
        put(place - begin)
        begin = place
        while place < len(values) and values[place]:
            place += 1
        put(place - begin)
        for value in values[begin:place]:
            step, previous = value - previous, value
            put(2 * step if step >= 0 else -2 * step - 1)
    nibbles += [0] * (-len(nibbles) % 8)
    words = np.array(nibbles, np.uint32).reshape(-1, 8) << np.arange(28, -1, -4, dtype=np.uint32)
    size = struct.pack("<ii", depth.shape[1], depth.shape[0])
    return size + words.sum(axis=1, dtype=np.uint32).tobytes()


def rvl_of_zeros(width: int, height: int) -> bytes:
    """Claim of any size in a few bytes: one run of zeros."""
    nibbles, count = [], width * height
    while True:
        nibbles.append((count & 7) | (8 if count > 7 else 0))
        count >>= 3
        if not count:
            break
    nibbles += [0] * (-len(nibbles) % 8)
    words = np.array(nibbles, np.uint32).reshape(-1, 8) << np.arange(28, -1, -4, dtype=np.uint32)
    return struct.pack("<ii", width, height) + words.sum(axis=1, dtype=np.uint32).tobytes()


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_claims_of_compressed_images_are_judged_before_memory_is_taken() -> None:
    head = struct.pack("<iff", 0, 0, 0)
    rvl_form, png_form = (f"16UC1; compressedDepth {name}" for name in ("rvl", "png"))
    small = decode_compressed_depth(Message(format=rvl_form, data=head + rvl_of_zeros(30, 20)))
    assert small.shape == (20, 30)
    claims = [
        (decode_compressed_depth, rvl_form, head + rvl_of_zeros(16384, 16384)),
        (decode_compressed_depth, rvl_form, head + rvl_of_zeros(1 << 20, 1 << 20)),
        (decode_compressed_depth, png_form, head + png_of(16_000, 16_000, 16)),
        (decode_compressed_image, "png", png_of(10_000, 10_000, 8, 2)),
        (decode_compressed_image, "png", png_of(32_000, 32_000)),
        (decode_compressed_image, "png", png_of(60_000, 60_000)),
    ]
    for decode, form, data in claims:
        with pytest.raises(SourceError, match=r"claims .* pixels; expected at most 64"):
            decode(Message(format=form, data=data))


def test_compressed_images_have_the_size_of_their_camera_before_memory_is_taken() -> None:
    camera, head = Camera(30, 20, 30.0, 30.0, 15.0, 10.0), struct.pack("<iff", 0, 0, 0)
    rvl_form, png_form = (f"16UC1; compressedDepth {name}" for name in ("rvl", "png"))
    png = cv2.imencode(".png", np.zeros((20, 30), np.uint16))[1].tobytes()
    for form, data in ((rvl_form, rvl_of_zeros(30, 20)), (png_form, png)):
        message = Message(format=form, data=head + data)
        assert decode_compressed_depth(message, camera).shape == (20, 30)
    for size in ((30, 21), (20, 30), (8000, 8000)):
        claim = f"claims {size[0]} x {size[1]} pixels; expected the 30 x 20 of its camera_info"
        for decode, form, data in (
            (decode_compressed_depth, rvl_form, head + rvl_of_zeros(*size)),
            (decode_compressed_depth, png_form, head + png_of(*size, 16)),
            (decode_compressed_image, "png", png_of(*size, 8, 2)),
        ):
            with pytest.raises(SourceError, match=claim):
                decode(Message(format=form, data=data), camera)


def test_camera_info_of_a_size_that_no_image_has() -> None:
    with pytest.raises(SourceError, match="camera_info: claims 16384 x 16384 pixels"):
        decode_camera(info(width=16384, height=16384))


def test_compressed_depth_in_runs() -> None:
    pytest.importorskip("numba")
    head = struct.pack("<iff", 0, 0, 0)
    form = "16UC1; compressedDepth rvl"
    # 2 zeros, 2 values, step 1500 (zigzag 3000 is 0 7 6 5 in threes), step 1, 1 zero, 0 values.
    by_hand = struct.pack("<iiII", 5, 1, 0x228FE521, 0)
    depth_m = decode_compressed_depth(Message(format=form, data=head + by_hand))
    np.testing.assert_allclose(depth_m, [[0, 0, 1.5, 1.501, 0]])
    raw = np.random.default_rng(0).integers(0, 9000, (30, 41), dtype=np.uint16)
    raw[raw < 3000] = 0
    data = head + rvl(raw)
    np.testing.assert_allclose(
        decode_compressed_depth(Message(format=form, data=data)), raw * 1e-3, rtol=1e-6
    )
    for spoilt in (data[:40], data[:18], head + struct.pack("<ii", -4, 9), head):
        with pytest.raises(SourceError, match="cannot be decoded"):
            decode_compressed_depth(Message(format=form, data=spoilt))
    rng = np.random.default_rng(1)
    for _ in range(50):
        noise = head + struct.pack("<ii", 20, 20) + rng.bytes(80)
        try:
            assert decode_compressed_depth(Message(format=form, data=noise)).shape == (20, 20)
        except SourceError as error:
            assert "cannot be decoded" in str(error)


def info(model: str = "plumb_bob", d: tuple[float, ...] = (), **changes: Any) -> Message:
    roi = Message(x_offset=0, y_offset=0, width=0, height=0)
    k = np.array([500, 0, 319.5, 0, 510, 239.5, 0, 0, 1.0])
    p = np.array([400, 0, 300, 0, 0, 400, 200, 0, 0, 0, 1, 0.0])
    fields = {"width": 640, "height": 480, "k": k, "p": p, "roi": roi, "binning_x": 0}
    return Message(distortion_model=model, d=d, **{**fields, "binning_y": 0, **changes})


def test_pixel_centres_move_by_half_a_pixel() -> None:
    camera = decode_camera(info())
    assert camera == Camera(640, 480, 500, 510, 320, 240)


@pytest.mark.parametrize(
    ("model", "given", "expected"),
    [
        ("plumb_bob", (0.1, 0.2, 0, 0), ("plumb_bob", (0.1, 0.2, 0, 0, 0))),
        ("plumb_bob", (0.0,) * 5, ("none", ())),
        ("", (), ("none", ())),
        (
            "rational_polynomial",
            (1, 2, 3, 4, 5, 6, 7, 8),
            ("rational_polynomial", (1, 2, 3, 4, 5, 6, 7, 8)),
        ),
        ("equidistant", (0.1, 0, 0, 0), ("equidistant", (0.1, 0, 0, 0))),
        ("fisheye", (), ("equidistant", (0, 0, 0, 0))),
    ],
)
def test_distortion_models(model: str, given: tuple[float, ...], expected: object) -> None:
    camera = decode_camera(info(model, given))
    assert (camera.distortion_model, camera.distortion) == expected


def test_distortion_is_that_of_opencv() -> None:
    coefficients = (0.1, -0.2, 0.01, -0.02, 0.05)
    camera = decode_camera(info(d=coefficients))
    points = np.array([[0.2, -0.3, 1.0], [-0.5, 0.1, 2.0]])
    matrix = np.array([[500, 0, 319.5], [0, 510, 239.5], [0, 0, 1.0]])
    expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), matrix, coefficients)
    np.testing.assert_allclose(project(camera, points), expected[:, 0] + 0.5, atol=1e-9)


def test_region_of_interest_binning_and_rectified_images() -> None:
    roi = Message(x_offset=100, y_offset=40, width=320, height=240)
    camera = decode_camera(info(roi=roi, binning_x=2, binning_y=2))
    assert camera == Camera(160, 120, 250, 255, 110, 100)
    rectified = decode_camera(info(d=(0.1, 0, 0, 0, 0)), rectified=True)
    assert decode_camera(info(d=(0.1, 0, 0, 0, 0), k=np.zeros(9))) == rectified
    assert rectified == Camera(640, 480, 400, 400, 300.5, 200.5)


def test_cameras_that_make_no_sense() -> None:
    with pytest.raises(SourceError, match="fx > 0"):
        decode_camera(info(k=np.zeros(9), p=np.zeros(12)))
    with pytest.raises(SourceError, match="mirror_ball"):
        decode_camera(info("mirror_ball", (1.0,)))


def pose(xyzw: tuple[float, ...], x: float = 1.0) -> Message:
    return Message(
        position=Message(x=x, y=2.0, z=3.0),
        orientation=Message(**dict(zip("xyzw", xyzw, strict=True))),
    )


def test_poses_of_all_messages() -> None:
    plain = pose((0, 0, 1, 0))
    expected = np.array([[-1, 0, 0, 1], [0, -1, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1.0]])
    transform = Message(translation=plain.position, rotation=plain.orientation)
    for message in (plain, Message(pose=Message(pose=plain)), Message(transform=transform)):
        np.testing.assert_allclose(decode_transform(message), expected, atol=1e-12)


@pytest.mark.parametrize(
    "broken", [pose((0, 0, 0, 0)), pose((0, 0, 0, 2)), pose((0, 0, 0, 1), x=float("nan"))]
)
def test_poses_that_make_no_sense(broken: Message) -> None:
    with pytest.raises(SourceError, match="pose with"):
        decode_transform(broken)


def make(_name: str, /, **fields: Any) -> Message:
    return Message(**fields)


def test_encoding_and_decoding_give_back_the_same() -> None:
    generator = np.random.default_rng(0)
    header = encode.encode_header(make, 12_345_678_901, "camera")
    assert stamp_ns(header) == 12_345_678_901 and header.stamp.sec == 12
    rgb = generator.integers(0, 255, (12, 16, 3), dtype=np.uint8)
    np.testing.assert_array_equal(decode_image(encode.encode_image(make, header, rgb)), rgb)
    smooth = cv2.resize(rgb[:2, :2], (64, 48))
    jpeg = decode_compressed_image(encode.encode_compressed_image(make, header, smooth, 100))
    assert np.abs(jpeg.astype(int) - smooth).mean() < 3
    depth = generator.uniform(0.5, 5, (12, 16)).astype(np.float32)
    depth[0, 0] = 0
    exact = decode_depth(encode.encode_depth(make, header, depth, "32FC1"))
    np.testing.assert_array_equal(exact, depth)
    for rounded in (
        decode_depth(encode.encode_depth(make, header, depth)),
        decode_compressed_depth(encode.encode_compressed_depth(make, header, depth)),
    ):
        np.testing.assert_allclose(rounded, depth, atol=5.1e-4)
        assert rounded[0, 0] == 0
    for camera in (
        Camera(16, 12, 10, 11, 8.25, 6.5),
        Camera(16, 12, 10, 11, 8, 6, "equidistant", (0.1, 0.2, 0.3, 0.4)),
    ):
        assert decode_camera(encode.encode_camera(make, header, camera)) == camera


def test_depth_beyond_sixteen_bits_is_none() -> None:
    depth = encode.encode_depth(make, None, np.array([[70.0, 1.0]], np.float32))
    np.testing.assert_allclose(decode_depth(depth), [[0, 1]])
