# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""ROS messages to arrays and cameras, by attribute, be they of rosbags or of rclpy."""

import struct
import threading
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8, UInt16

from ineus_core.errors import SourceError
from ineus_core.geometry import rigid_transform
from ineus_core.kernels.rvl import decode_rvl
from ineus_core.sources.picture_files import check_believable, encoded_size
from ineus_core.types import Camera

_LAYOUTS = {
    "rgb8": ("u1", 3),
    "bgr8": ("u1", 3),
    "rgba8": ("u1", 4),
    "bgra8": ("u1", 4),
    "rgb16": ("u2", 3),
    "bgr16": ("u2", 3),
    "rgba16": ("u2", 4),
    "bgra16": ("u2", 4),
    "mono8": ("u1", 1),
    "mono16": ("u2", 1),
    "8UC1": ("u1", 1),
    "8UC3": ("u1", 3),
    "8UC4": ("u1", 4),
    "16UC1": ("u2", 1),
    "32FC1": ("f4", 1),
    "bayer_rggb8": ("u1", 1),
    "bayer_bggr8": ("u1", 1),
    "bayer_gbrg8": ("u1", 1),
    "bayer_grbg8": ("u1", 1),
    "bayer_rggb16": ("u2", 1),
    "bayer_bggr16": ("u2", 1),
    "bayer_gbrg16": ("u2", 1),
    "bayer_grbg16": ("u2", 1),
    "yuv422": ("u1", 2),
    "uyvy": ("u1", 2),
    "yuv422_yuy2": ("u1", 2),
    "yuyv": ("u1", 2),
    "nv12": ("u1", 1),
    "nv21": ("u1", 1),
    "nv24": ("u1", 1),
}
"""Type and count of the values of a pixel."""

_TO_RGB = {
    "bgr8": cv2.COLOR_BGR2RGB,
    "rgba8": cv2.COLOR_RGBA2RGB,
    "bgra8": cv2.COLOR_BGRA2RGB,
    "mono8": cv2.COLOR_GRAY2RGB,
    "8UC1": cv2.COLOR_GRAY2RGB,
    # Untyped channels are blue first, as RViz and OpenCV have them.
    "8UC3": cv2.COLOR_BGR2RGB,
    "8UC4": cv2.COLOR_BGRA2RGB,
    # OpenCV's older names start at the second pixel of the second row; these start at the first.
    "bayer_rggb8": cv2.COLOR_BayerRGGB2RGB,
    "bayer_bggr8": cv2.COLOR_BayerBGGR2RGB,
    "bayer_gbrg8": cv2.COLOR_BayerGBRG2RGB,
    "bayer_grbg8": cv2.COLOR_BayerGRBG2RGB,
    "yuv422": cv2.COLOR_YUV2RGB_UYVY,
    "uyvy": cv2.COLOR_YUV2RGB_UYVY,
    "yuv422_yuy2": cv2.COLOR_YUV2RGB_YUY2,
    "yuyv": cv2.COLOR_YUV2RGB_YUY2,
    "nv12": cv2.COLOR_YUV2RGB_NV12,
    "nv21": cv2.COLOR_YUV2RGB_NV21,
}

DEPTH_ENCODINGS = ("16UC1", "32FC1")
_COMPRESSED_DEPTH_HEADER = struct.Struct("<iff")
_RVL_SIZE = struct.Struct("<ii")
_LOOKED_AT = 10
"""Images whose values tell how many bits they use."""
_PNG_MAGIC = b"\x89PNG"
_COEFFICIENTS = {"plumb_bob": 5, "rational_polynomial": 8, "equidistant": 4}
_MODEL_NAMES = {
    "": "plumb_bob",
    "none": "plumb_bob",
    "fisheye": "equidistant",
    "kannala_brandt": "equidistant",
    "kannala_brandt4": "equidistant",
}


def stamp_ns(header: Any) -> int:
    """Return the stamp of a std_msgs/Header in nanoseconds."""
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)


def used_stamp_ns(header: Any, log_ns: int, stamps: str) -> int:
    """Return the time of a message: that of its header, or of its recording where that is asked.

    A driver without a clock leaves the stamp at zero, which is none.
    """
    return log_ns if stamps == "recording" else stamp_ns(header) or log_ns


def knows_encoding(encoding: str) -> bool:
    """Decide whether `decode_image` or `decode_depth` read images of an encoding."""
    return encoding in _LAYOUTS


def decode_image(msg: Any, bits: int = 16) -> UInt8[np.ndarray, "h w 3"]:
    """Decode a sensor_msgs/Image to RGB.

    Args:
        bits: How many of 16 the values have, for cameras of 10 or 12.

    Raises:
        SourceError: If the encoding carries no colour or the data are short.
    """
    if msg.encoding in DEPTH_ENCODINGS:
        raise SourceError(
            f"image of encoding {msg.encoding!r}: expected a colour image, not depth"
        )
    if msg.encoding == "nv24":
        return _decode_nv24(msg)
    pixels = _pixels(msg)
    encoding = msg.encoding
    if pixels.dtype == np.uint16:
        # The upper eight of the bits that are used; what is above counts as white.
        pixels = np.minimum(pixels >> (bits - 8), 255).astype(np.uint8)
        encoding = encoding.replace("16", "8")
    if encoding == "rgb8":
        return np.array(pixels)
    try:
        return cv2.cvtColor(np.ascontiguousarray(pixels), _TO_RGB[encoding])
    except cv2.error as error:
        size = f"{msg.width} x {msg.height}"
        raise SourceError(f"image of {size} pixels does not fit {encoding!r}: {error}") from error


class UsedBits:
    """Of how many bits the images of a camera are: 10 or 12 where their 16 are never used.

    Args:
        told: What somebody has said; 0: it is judged by the first images.
    """

    def __init__(self, told: int = 0) -> None:
        self._told, self._highest, self._looked_at = told, 0, 0
        self._lock = threading.Lock()

    @property
    def is_known(self) -> bool:
        """Whether further images change nothing."""
        return self._told > 0 or self._looked_at >= _LOOKED_AT

    @property
    def bits(self) -> int:
        """As judged by now."""
        # Images that are black say nothing.
        by_values = (bits for bits in (10, 12) if 255 < self._highest < 1 << bits)
        return self._told or next(by_values, 16)

    def look(self, msg: Any) -> None:
        """Look at a raw image, on any thread; one of other than 16 bits says nothing."""
        if self.is_known or _LAYOUTS.get(msg.encoding, ("", 0))[0] != "u2":
            return
        highest = int(_pixels(msg).max(initial=0))
        with self._lock:
            self._highest = max(self._highest, highest)
            self._looked_at += 1


def decode_compressed_image(msg: Any, camera: Camera | None = None) -> UInt8[np.ndarray, "h w 3"]:
    """Decode a sensor_msgs/CompressedImage (JPEG, PNG) to RGB.

    Args:
        camera: Its picture has the size of this one, as is checked before memory is taken.
    """
    data = bytes(msg.data)
    what = f"compressed image of format {msg.format!r} with {len(data)} bytes"
    # The camera_info is that of the sensor, however the picture says it was held.
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    picture = _decode_picture(data, flags, what, camera)
    if picture is None:
        raise SourceError(f"{what} cannot be decoded: expected a complete JPEG or PNG")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def is_depth_picture(msg: Any) -> bool:
    """Decide whether a CompressedImage is depth by its data: a PNG of 16 bits and one channel."""
    # Signature, length and name of the first chunk, width and height; then depth and colour type.
    head = bytes(msg.data[: 26 + _COMPRESSED_DEPTH_HEADER.size])
    start = head.find(_PNG_MAGIC)
    return start in (0, _COMPRESSED_DEPTH_HEADER.size) and head[start + 24 : start + 26] == (
        b"\x10\x00"
    )


def decode_mask(msg: Any) -> Bool[np.ndarray, "h w"]:
    """Decode a sensor_msgs/Image to where it is above 0 in any of its colours."""
    return np.any(_pixels(msg)[..., :3] > 0, axis=-1)


def decode_depth(msg: Any) -> Float[np.ndarray, "h w"]:
    """Decode a sensor_msgs/Image to depth in m, float32; 0 where there is no return."""
    if msg.encoding in ("16UC1", "mono16"):
        # REP 118: whole numbers are millimetres.
        return _pixels(msg)[..., 0].astype(np.float32) * np.float32(1e-3)
    if msg.encoding == "32FC1":
        return _without_invalid(_pixels(msg)[..., 0])
    expected = ", ".join(DEPTH_ENCODINGS)
    raise SourceError(f"depth image of encoding {msg.encoding!r}: expected one of {expected}")


def decode_compressed_depth(msg: Any, camera: Camera | None = None) -> Float[np.ndarray, "h w"]:
    """Decode a compressedDepth sensor_msgs/CompressedImage to depth in m, float32; 0 for none.

    A 12-byte header (format, two quantisation parameters) stands before a 16-bit PNG, or before
    width, height and the words of an RVL stream.

    Args:
        camera: Its picture has the size of this one, as is checked before memory is taken.
    """
    data = bytes(msg.data)
    has_header = not data.startswith(_PNG_MAGIC)
    body = data[_COMPRESSED_DEPTH_HEADER.size :] if has_header else data
    what = f"compressed depth of format {msg.format!r} with {len(data)} bytes"
    # Some publishers name RVL and send PNG.
    if "rvl" in msg.format.lower() and not is_depth_picture(msg):
        values = _decode_rvl(body, what, camera)
    else:
        values = _decode_picture(body, cv2.IMREAD_UNCHANGED, what, camera)
    if values is None or values.ndim != 2 or values.dtype != np.uint16:
        raise SourceError(
            f"{what} cannot be decoded: "
            "expected a 12-byte header and a 16-bit PNG of one channel, or RVL"
        )
    if not (has_header and msg.format.startswith("32FC1")):
        return values.astype(np.float32) * np.float32(1e-3)
    # Metres are sent as inverse depth between two bounds.
    _, quant_a, quant_b = _COMPRESSED_DEPTH_HEADER.unpack_from(data)
    # Values without a return divide by 0, and are taken out below.
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = quant_a / (values.astype(np.float32) - np.float32(quant_b))
    return _without_invalid(np.where(values == 0, 0, inverse))


def _decode_picture(
    data: bytes, flags: int, what: str, camera: Camera | None
) -> np.ndarray | None:
    """Decode a picture whose header claims no more than is believed."""
    size = encoded_size(data, what)
    if size is None:
        return None
    _check_claim(size, what, camera)
    return cv2.imdecode(np.frombuffer(data, np.uint8), flags)


def _check_claim(size: tuple[int, int], what: str, camera: Camera | None) -> None:
    """Raise unless width and height that a message claims are its camera's, or believable."""
    if camera is None:
        check_believable(size, what)
    elif size != (camera.width_px, camera.height_px):
        raise SourceError(
            f"{what}: claims {size[0]} x {size[1]} pixels; expected the "
            f"{camera.width_px} x {camera.height_px} of its camera_info"
        )


def _decode_rvl(body: bytes, what: str, camera: Camera | None) -> UInt16[np.ndarray, "h w"] | None:
    if len(body) < _RVL_SIZE.size:
        return None
    width, height = _RVL_SIZE.unpack_from(body)
    stream = body[_RVL_SIZE.size :]
    words = np.frombuffer(stream[: len(stream) // 4 * 4], np.uint32)
    if width <= 0 or height <= 0:
        return None
    # A run of zeros takes a few bytes, however long it is.
    _check_claim((width, height), what, camera)
    values = decode_rvl(words, width * height)
    return None if values is None else values.reshape(height, width)


def decode_camera(
    msg: Any, rectified: bool = False, image_size: tuple[int, int] = (0, 0)
) -> Camera:
    """Decode a sensor_msgs/CameraInfo to a camera, with its region of interest and binning.

    Args:
        rectified: The image is rectified: its matrix is P, and it has no distortion.
        image_size: Width and height of the images, for a message that has none.
    """
    matrix = np.asarray(msg.k, dtype=np.float64).reshape(3, 3)
    # Some drivers fill in P alone.
    by_projection = float(msg.p[0]) > 0 and (rectified or not matrix[0, 0] > 0)
    if by_projection:
        matrix = np.asarray(msg.p, dtype=np.float64).reshape(3, 4)[:, :3]
    model, coefficients = ("none", ()) if by_projection else _distortion(msg)
    if not matrix[0, 0] > 0:
        raise SourceError(
            f"camera_info with K {matrix.ravel().tolist()}: expected a calibrated camera (fx > 0)"
        )
    roi = msg.roi
    bin_x, bin_y = max(1, int(msg.binning_x)), max(1, int(msg.binning_y))
    size = int(roi.width or msg.width) // bin_x, int(roi.height or msg.height) // bin_y
    size = (size[0] or image_size[0], size[1] or image_size[1])
    check_believable(size, "camera_info")
    return Camera(
        *size,
        fx=float(matrix[0, 0]) / bin_x,
        fy=float(matrix[1, 1]) / bin_y,
        # The half pixel is of the full picture, so it is added before binning.
        cx=(float(matrix[0, 2]) + 0.5 - int(roi.x_offset)) / bin_x,
        cy=(float(matrix[1, 2]) + 0.5 - int(roi.y_offset)) / bin_y,
        distortion_model=model,
        distortion=coefficients,
    )


def size_of_image(msg: Any) -> tuple[int, int]:
    """Return width and height of an image, of a compressed one by its header; 0 if not told."""
    if hasattr(msg, "width"):
        return int(msg.width), int(msg.height)
    try:
        return encoded_size(bytes(msg.data), "image") or (0, 0)
    except SourceError:
        # Damaged ones are counted when they are decoded.
        return 0, 0


def decode_transform(msg: Any) -> Float[np.ndarray, "4 4"]:
    """Decode the rigid transform of a Pose or Transform, or of a message around one."""
    while not (hasattr(msg, "position") or hasattr(msg, "translation")):
        msg = msg.pose if hasattr(msg, "pose") else msg.transform
    # By attribute, as the messages of bags and of rclpy are of unlike classes.
    is_pose = hasattr(msg, "position")
    t, q = (msg.position, msg.orientation) if is_pose else (msg.translation, msg.rotation)
    translation_m = np.array((t.x, t.y, t.z), dtype=np.float64)
    xyzw = np.array((q.x, q.y, q.z, q.w), dtype=np.float64)
    if not (np.isfinite(translation_m).all() and np.isfinite(xyzw).all()):
        raise SourceError(
            f"pose with position {translation_m.tolist()}, quaternion {xyzw.tolist()}: "
            "expected finite numbers"
        )
    norm = float(np.linalg.norm(xyzw))
    # Rounded ones are normalised; one of length 0, as of a message that nobody filled in, is no
    # pose.
    if abs(norm - 1) > 1e-2:
        raise SourceError(f"pose with a quaternion of length {norm:.4g}: expected 1")
    return rigid_transform(translation_m, xyzw)


def image_decoder(is_compressed: bool, is_depth: bool) -> Callable[[Any], np.ndarray]:
    """Choose among the four decoders of images."""
    if is_depth:
        return decode_compressed_depth if is_compressed else decode_depth
    return decode_compressed_image if is_compressed else decode_image


def _pixels(msg: Any) -> np.ndarray:
    """View the data as values [h w c], without the padding of the rows."""
    if msg.encoding not in _LAYOUTS:
        known = ", ".join(_LAYOUTS)
        raise SourceError(f"image of unknown encoding {msg.encoding!r}: expected one of {known}")
    kind, channels = _LAYOUTS[msg.encoding]
    dtype = np.dtype(kind).newbyteorder(">" if msg.is_bigendian else "<")
    width, height = int(msg.width), int(msg.height)
    # Below the grey stand pairs of colour, one for four pixels, in half as many rows.
    rows = height * 3 // 2 if msg.encoding in ("nv12", "nv21") else height
    shaped = _rows(msg, rows, width * channels * dtype.itemsize).view(dtype)
    return shaped.reshape(rows, width, channels).astype(dtype.newbyteorder("="), copy=False)


def _rows(msg: Any, rows: int, row_bytes: int) -> UInt8[np.ndarray, "rows row_bytes"]:
    """Return the bytes of the rows, without their padding."""
    step = int(msg.step) or row_bytes
    data = np.frombuffer(msg.data, dtype=np.uint8)
    # The padding of the last row may be left out.
    needed = (rows - 1) * step + row_bytes
    if msg.width <= 0 or msg.height <= 0 or step < row_bytes or len(data) < needed:
        raise SourceError(
            f"image of {msg.width} x {msg.height} {msg.encoding} with step {msg.step} and "
            f"{len(data)} bytes: expected a step of at least {row_bytes} and {max(needed, 0)} "
            "bytes"
        )
    # From the last row no step is taken, and a single row may claim any.
    steps = (min(step, len(data)), 1)
    values = np.lib.stride_tricks.as_strided(data, (rows, row_bytes), steps, writeable=False)
    return np.ascontiguousarray(values)


def _decode_nv24(msg: Any) -> UInt8[np.ndarray, "h w 3"]:
    """Decode grey, then a pair of colour values for each pixel, in rows of twice the step.

    OpenCV has none but NV12, a pair for four pixels: each pixel is made four of them.
    """
    width, height = int(msg.width), int(msg.height)
    step = max(width, int(msg.step))
    rows = _rows(msg, 3 * height, step)
    grey = rows[:height, :width].repeat(2, axis=0).repeat(2, axis=1)
    pairs = rows[height:].reshape(height, 2 * step)[:, : 2 * width]
    return cv2.cvtColor(np.vstack((grey, pairs)), cv2.COLOR_YUV2RGB_NV12)[::2, ::2].copy()


def _without_invalid(depth_m: np.ndarray) -> np.ndarray:
    # REP 117 and REP 118: NaN and infinities are no return.
    return np.where(np.isfinite(depth_m) & (depth_m > 0), depth_m, 0).astype(np.float32)


def _distortion(msg: Any) -> tuple[str, tuple[float, ...]]:
    """Return model and coefficients under our names, filled up with zeros."""
    name = msg.distortion_model.lower()
    model = _MODEL_NAMES.get(name, name)
    given = tuple(float(value) for value in msg.d)
    if model == "equidistant":
        return model, (given + (0.0,) * 4)[:4]
    # Distortion of zeros costs time for each ray, and changes none.
    if not any(given):
        return "none", ()
    # Some drivers give eight coefficients under the name of the five.
    if model == "plumb_bob" and len(given) > 5:
        model = "rational_polynomial"
    if model not in _COEFFICIENTS:
        known = ", ".join(_COEFFICIENTS)
        raise SourceError(
            f"camera_info of distortion model {msg.distortion_model!r}: expected one of {known}"
        )
    return model, given + (0.0,) * (_COEFFICIENTS[model] - len(given))
