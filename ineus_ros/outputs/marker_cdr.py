# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""RViz markers of the mesh: MarkerArray messages written from numpy to CDR bytes.

An object for every vertex takes 400 times as long.
The layout is that of visualization_msgs in Humble and later; `self_check` has rclpy read it.
"""

import logging
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ineus_core.types import Mesh

ADD, DELETE, DELETE_ALL = 0, 2, 3
TRIANGLE_LIST = 11
Position = tuple[float, float, float]
_ENCAPSULATION = b"\x00\x01\x00\x00"  # CDR, little endian

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BlockMarker:
    """One marker of the array; without a mesh it has no triangles."""

    id: int
    action: int
    mesh: Mesh | None = None

    @property
    def corners(self) -> int:
        """Points in the marker's triangle list."""
        return 0 if self.mesh is None else self.mesh.triangles.size


class MarkerArrayWriter:
    """Serialises arrays of triangle markers.

    The scratch memory is kept, because fresh pages cost more than the copy.
    """

    def __init__(self) -> None:
        """Begin without scratch memory."""
        self._points = np.empty((0, 3), "<f8")
        self._colours = np.empty((0, 4), "<f4")

    def write(
        self,
        stamp_ns: int,
        frame_id: str,
        namespace: str,
        markers: Sequence[BlockMarker],
        origin_m: Position = (0.0, 0.0, 0.0),
    ) -> bytes:
        """Serialise a visualization_msgs/MarkerArray, with a colour for each vertex.

        Args:
            frame_id: Frame id of the world.
            origin_m: World position that the meshes count from: that of the markers.
        """
        self._reserve(sum(marker.corners for marker in markers))
        # CDR aligns doubles to 8 bytes of the message, so padding depends on the offset.
        heads = [_head(phase, stamp_ns, frame_id, namespace, origin_m) for phase in (0, 4)]
        tails = [_tail(phase) for phase in (0, 4)]
        # Joined once at the end: nothing is copied twice.
        pieces: list[bytes | memoryview] = [_ENCAPSULATION, struct.pack("<I", len(markers))]
        offset, first = 4, 0
        for marker in markers:
            padding = -offset % 4
            offset += padding
            head, id_at = heads[offset % 8 // 4]
            pieces += [
                bytes(padding),
                head[:id_at],
                struct.pack("<3i", marker.id, TRIANGLE_LIST, marker.action),
                head[id_at + 12 :],
            ]
            offset += len(head)
            if marker.corners:
                count = struct.pack("<I", marker.corners)
                gap = bytes(-(offset + 4) % 8)
                points, colours = self._expand(marker.mesh, first)
                pieces += [count, gap, points, count, colours]
                offset += 8 + len(gap) + len(points) + len(colours)
            else:
                # Two empty sequences, of points and of colours.
                pieces.append(bytes(8))
                offset += 8
            first += marker.corners
            tail = tails[offset % 8 // 4]
            pieces.append(tail)
            offset += len(tail)
        return b"".join(pieces)

    def _reserve(self, corners: int) -> None:
        if corners > len(self._points):
            # A quarter more, as meshes grow.
            self._points = np.empty((corners * 5 // 4, 3), "<f8")
            self._colours = np.empty((corners * 5 // 4, 4), "<f4")

    def _expand(self, mesh: Mesh | None, first: int) -> tuple[memoryview, memoryview]:
        assert mesh is not None
        corners = mesh.triangles.ravel()
        points, colours = (
            self._points[first : first + len(corners)],
            self._colours[first : first + len(corners)],
        )
        # The mode skips a second copy; the indices are those of our own mesher.
        mesh.vertices.astype("<f8").take(corners, axis=0, out=points, mode="clip")
        _rgba(mesh).take(corners, axis=0, out=colours, mode="clip")
        return points.data.cast("B"), colours.data.cast("B")


def self_check() -> bool:
    """Decide whether rclpy reads a small array as it was meant; log it if it does not."""
    from rclpy.serialization import deserialize_message, serialize_message
    from visualization_msgs.msg import MarkerArray

    mesh = Mesh(
        vertices=np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0.5, 0, 3]], np.float32),
        triangles=np.array([[0, 1, 2], [0, 2, 3]], np.int32),
        normals=np.zeros((4, 3), np.float32),
        colours=np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [51, 102, 153]], np.uint8),
    )
    markers = [
        BlockMarker(0, DELETE_ALL),
        BlockMarker(7, ADD, mesh),
        BlockMarker(1, DELETE),
        BlockMarker(2, ADD, mesh),
    ]
    # Of all lengths modulo four, on which the padding depends.
    for frame_id in ("m", "ma", "map", "odom", "odom5"):
        place = (5e5, 5e6, float(len(frame_id)))
        ours = MarkerArrayWriter().write(1_500_000_002, frame_id, "mesh", markers, place)
        meant = marker_array_message(1_500_000_002, frame_id, "mesh", markers, place)
        # The middleware leaves padding bytes to chance, so lengths and contents are compared.
        try:
            same = (
                len(ours) == len(serialize_message(meant))
                and deserialize_message(ours, MarkerArray) == meant
            )
        except Exception:  # whatever the middleware raises for a layout that it cannot read
            same = False
        if not same:
            _log.warning(
                "visualization_msgs/MarkerArray has another layout here; the mesh is built from "
                "objects, which is slow"
            )
            return False
    return True


def marker_array_message(
    stamp_ns: int,
    frame_id: str,
    namespace: str,
    markers: Sequence[BlockMarker],
    origin_m: Position = (0.0, 0.0, 0.0),
) -> object:
    """Make the same array as a message object: slow, for the check and other layouts."""
    from geometry_msgs.msg import Point
    from std_msgs.msg import ColorRGBA
    from visualization_msgs.msg import Marker, MarkerArray

    array = MarkerArray()
    for marker in markers:
        message = Marker(ns=namespace, id=marker.id, type=TRIANGLE_LIST, action=marker.action)
        message.header.frame_id = frame_id
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
        place = message.pose.position
        place.x, place.y, place.z = origin_m
        message.scale.x = message.scale.y = message.scale.z = 1.0
        message.color.r = message.color.g = message.color.b = message.color.a = 1.0
        if marker.mesh is not None:
            corners = marker.mesh.triangles.ravel()
            message.points = [
                Point(x=x, y=y, z=z) for x, y, z in marker.mesh.vertices[corners].tolist()
            ]
            message.colors = [
                ColorRGBA(r=r, g=g, b=b, a=a)
                for r, g, b, a in _rgba(marker.mesh)[corners].tolist()
            ]
        array.markers.append(message)
    return array


def _head(
    phase: int, stamp_ns: int, frame_id: str, namespace: str, origin_m: Position
) -> tuple[bytes, int]:
    """Return all bytes before the points, and where in them id, type and action stand."""
    seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
    out = bytearray(phase)
    out += struct.pack("<iI", seconds, nanoseconds)
    _put_string(out, frame_id)
    _put_string(out, namespace)
    _align(out, 4)
    id_at = len(out) - phase
    out += bytes(12)
    _align(out, 8)
    out += struct.pack("<7d", *origin_m, 0, 0, 0, 1)
    # RViz multiplies points by the scale, which is 0 unless it is set.
    out += struct.pack("<3d", 1, 1, 1)
    out += struct.pack("<4f", 1, 1, 1, 1)
    out += bytes(8)  # lifetime: for ever
    out += b"\x00"  # frame_locked
    _align(out, 4)
    return bytes(out[phase:]), id_at


def _tail(phase: int) -> bytes:
    """Return all bytes after the colours: texture, coordinates, text, mesh resource, all empty."""
    out = bytearray(phase)
    _put_string(out, "")  # texture_resource
    _align(out, 4)
    out += bytes(8)  # texture.header.stamp
    _put_string(out, "")  # texture.header.frame_id
    _put_string(out, "")  # texture.format
    _align(out, 4)
    out += bytes(4)  # texture.data
    out += bytes(4)  # uv_coordinates
    for _ in range(3):  # text, mesh_resource, mesh_file.filename
        _put_string(out, "")
    _align(out, 4)
    out += bytes(4)  # mesh_file.data
    out += b"\x00"  # mesh_use_embedded_materials
    return bytes(out[phase:])


def _rgba(mesh: Mesh) -> np.ndarray:
    """Return the colours of the vertices [v 4], 0 to 1."""
    rgba = np.ones((len(mesh.colours), 4), "<f4")
    np.multiply(mesh.colours, np.float32(1 / 255), out=rgba[:, :3], casting="unsafe")
    return rgba


def _put_string(out: bytearray, text: str) -> None:
    data = text.encode() + b"\x00"
    _align(out, 4)
    out += struct.pack("<I", len(data)) + data


def _align(out: bytearray, size: int) -> None:
    out += bytes(-len(out) % size)
