# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The other end of ~/mesh: bytes of a MarkerArray back to blocks and to one mesh."""

import struct
from dataclasses import dataclass

import numpy as np

from ineus_core.errors import SourceError
from ineus_core.meshing import weld
from ineus_core.reconstruction import MapOrigin
from ineus_core.types import Mesh, MeshBlock
from ineus_ros.outputs.marker_cdr import ADD, DELETE, DELETE_ALL


@dataclass(frozen=True)
class ReceivedMarker:
    """A marker of a MarkerArray, as far as a mesh needs it."""

    id: int
    action: int
    stamp_ns: int
    frame_id: str
    origin_m: np.ndarray
    """What the points count from, float64."""
    points: np.ndarray
    """[n 3] float64, three for each triangle."""
    colours: np.ndarray
    """[n 4] float32."""


class MeshReceiver:
    """Puts together the mesh that a subscriber of ~/mesh holds."""

    def __init__(self) -> None:
        """Start without a mesh."""
        self.markers: dict[int, ReceivedMarker] = {}
        self.messages = 0
        self.received_bytes = 0

    def on_message(self, data: bytes) -> None:
        """Take the bytes of a message."""
        self.messages += 1
        self.received_bytes += len(data)
        for marker in read_marker_array(data):
            if marker.action == DELETE_ALL:
                self.markers.clear()
            elif marker.action == DELETE:
                self.markers.pop(marker.id, None)
            elif marker.action == ADD:
                self.markers[marker.id] = marker

    @property
    def triangles(self) -> int:
        """Triangles held."""
        return sum(len(marker.points) // 3 for marker in self.markers.values())

    def mesh(self) -> Mesh:
        """Join all blocks to one mesh, its normals from its triangles."""
        blocks = [MeshBlock((marker.id, 0, 0), _soup(marker)) for marker in self.markers.values()]
        # All markers are of one map.
        origin_m = next((marker.origin_m for marker in self.markers.values()), np.zeros(3))
        return MapOrigin(*origin_m.tolist()).mesh_in_world(_with_normals(weld(blocks)))


def read_marker_array(data: bytes) -> list[ReceivedMarker]:
    """Read the markers of a CDR MarkerArray, little endian; arrays are views of the bytes."""
    if data[:2] != b"\x00\x01":
        raise SourceError(
            f"MarkerArray with encapsulation {data[:2]!r}: expected little endian CDR"
        )
    reader = _Reader(data)
    return [_read_marker(reader) for _ in range(reader.number("I"))]


def _read_marker(reader: "_Reader") -> ReceivedMarker:
    seconds, nanoseconds = reader.number("i"), reader.number("I")
    frame_id = reader.text()
    reader.text()  # ns
    marker_id, _, action = (reader.number("i") for _ in range(3))
    origin_m = reader.array("<f8", 10)[:3]  # and the rest of the pose, scale
    reader.array("<f4", 4)  # color
    reader.array("<i4", 2)  # lifetime
    reader.array("u1", 1)  # frame_locked
    points = reader.array("<f8", 3 * reader.number("I")).reshape(-1, 3)
    colours = reader.array("<f4", 4 * reader.number("I")).reshape(-1, 4)
    reader.text()  # texture_resource
    reader.array("<i4", 2)  # texture.header.stamp
    reader.text()
    reader.text()
    reader.array("u1", reader.number("I"))  # texture.data
    reader.array("<f4", 2 * reader.number("I"))  # uv_coordinates
    for _ in range(3):  # text, mesh_resource, mesh_file.filename
        reader.text()
    reader.array("u1", reader.number("I"))  # mesh_file.data
    reader.array("u1", 1)  # mesh_use_embedded_materials
    stamp_ns = seconds * 1_000_000_000 + nanoseconds
    return ReceivedMarker(marker_id, action, stamp_ns, frame_id, origin_m, points, colours)


class _Reader:
    """Reads CDR from its start, keeping each value aligned to its size."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 4  # behind the encapsulation, from where alignment counts

    def number(self, kind: str) -> int:
        return int(struct.unpack("<" + kind, self._take(4, 4))[0])

    def text(self) -> str:
        return bytes(self._take(1, self.number("I")))[:-1].decode()

    def array(self, kind: str, count: int) -> np.ndarray:
        dtype = np.dtype(kind)
        # An empty sequence is not padded.
        alignment = dtype.itemsize if count else 1
        return np.frombuffer(self._take(alignment, count * dtype.itemsize), dtype)

    def _take(self, alignment: int, size: int) -> memoryview:
        begin = self._at + (4 - self._at) % alignment
        self._at = begin + size
        if self._at > len(self._data):
            raise SourceError(
                f"MarkerArray of {len(self._data)} bytes: expected at least {self._at}"
            )
        return memoryview(self._data)[begin : self._at]


def _soup(marker: ReceivedMarker) -> Mesh:
    count = len(marker.points)
    return Mesh(
        # They count from the origin of the map: single precision is enough until they go into the
        # world.
        vertices=marker.points.astype(np.float32),
        triangles=np.arange(count, dtype=np.int32).reshape(-1, 3),
        normals=np.zeros((count, 3), np.float32),
        colours=np.rint(255 * marker.colours[:, :3]).astype(np.uint8),
    )


def _with_normals(mesh: Mesh) -> Mesh:
    """Return the normals of the vertices: the mean of their triangles', by area."""
    a, b, c = (mesh.vertices[corner].astype(np.float64) for corner in mesh.triangles.T)
    # As long as twice the area, which so is the weight.
    across = np.cross(b - a, c - a)
    normals = np.zeros((len(mesh.vertices), 3))
    for corner in mesh.triangles.T:
        # `at`, as a vertex is the same corner of several triangles, of which a plain index keeps
        # one.
        np.add.at(normals, corner, across)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    normals /= np.where(length > 0, length, 1.0)
    return Mesh(mesh.vertices, mesh.triangles, normals.astype(np.float32), mesh.colours)
