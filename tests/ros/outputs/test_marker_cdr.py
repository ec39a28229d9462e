# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Our bytes of a MarkerArray are read by rclpy as the message that was meant."""

import numpy as np
import pytest

from ineus_core.errors import SourceError
from ineus_core.types import Mesh, MeshBlock

pytest.importorskip("rclpy", reason="needs rclpy")

from rclpy.serialization import deserialize_message
from visualization_msgs.msg import Marker, MarkerArray

from ineus_ros.demo.mesh_receiver import MeshReceiver, read_marker_array
from ineus_ros.outputs.marker_cdr import (
    ADD,
    DELETE,
    DELETE_ALL,
    BlockMarker,
    MarkerArrayWriter,
    marker_array_message,
    self_check,
)
from ineus_ros.outputs.mesh import packed_vertices, split_by_triangles

pytestmark = pytest.mark.ros


def triangle_fan(triangles: int, seed: int = 0) -> Mesh:
    rng = np.random.default_rng(seed)
    n = triangles + 2
    corners = np.arange(triangles)
    return Mesh(
        vertices=rng.normal(size=(n, 3)).astype(np.float32),
        triangles=np.stack((0 * corners, corners + 1, corners + 2), axis=1).astype(np.int32),
        normals=np.tile(np.array((0, 0, 1), np.float32), (n, 1)),
        colours=rng.integers(0, 256, (n, 3), dtype=np.uint8),
    )


FAR_M = (500_000.5, 5_000_000.25, -3.0)


@pytest.mark.parametrize("frame_id", ["", "m", "map", "odom", "odom_1"])
@pytest.mark.parametrize("namespace", ["", "mesh", "meshes"])
def test_bytes_are_read_as_the_message_that_was_meant(frame_id: str, namespace: str) -> None:
    markers = [
        BlockMarker(0, DELETE_ALL),
        BlockMarker(3, ADD, triangle_fan(1)),
        BlockMarker(2**31 - 1, DELETE),
        BlockMarker(4, ADD, triangle_fan(0)),
        BlockMarker(5, ADD, triangle_fan(7)),
    ]
    data = MarkerArrayWriter().write(7_000_000_009, frame_id, namespace, markers, FAR_M)
    expected = marker_array_message(7_000_000_009, frame_id, namespace, markers, FAR_M)
    assert deserialize_message(data, MarkerArray) == expected


def test_a_triangle_by_hand() -> None:
    mesh = Mesh(
        vertices=np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0]], np.float32),
        triangles=np.array([[2, 0, 1]], np.int32),
        normals=np.zeros((3, 3), np.float32),
        colours=np.array([[255, 0, 0], [0, 51, 0], [0, 0, 102]], np.uint8),
    )
    data = MarkerArrayWriter().write(1_000_000_002, "map", "mesh", [BlockMarker(9, ADD, mesh)])
    (marker,) = deserialize_message(data, MarkerArray).markers
    assert (marker.header.stamp.sec, marker.header.stamp.nanosec) == (1, 2)
    assert (marker.header.frame_id, marker.ns, marker.id) == ("map", "mesh", 9)
    assert (marker.type, marker.action) == (Marker.TRIANGLE_LIST, Marker.ADD)
    assert marker.pose.orientation.w == marker.scale.x == marker.scale.z == 1.0
    assert [(p.x, p.y, p.z) for p in marker.points] == [(0, 2, 0), (0, 0, 0), (1, 0, 0)]
    assert [c.b for c in marker.colors] == pytest.approx([0.4, 0, 0])
    assert [c.g for c in marker.colors] == pytest.approx([0, 0, 0.2])


def test_the_check_at_start_passes() -> None:
    assert self_check()


def test_one_writer_writes_large_then_small_then_nothing() -> None:
    writer = MarkerArrayWriter()
    for triangles in (500, 2, 0):
        data = writer.write(0, "map", "mesh", [BlockMarker(1, ADD, triangle_fan(triangles))])
        (marker,) = deserialize_message(data, MarkerArray).markers
        assert len(marker.points) == len(marker.colors) == 3 * triangles
    assert not deserialize_message(writer.write(0, "map", "mesh", []), MarkerArray).markers


def test_messages_are_cut_at_the_triangle_cap_and_a_large_marker_stays_whole() -> None:
    sizes = (3, 4, 20, 1, 1)
    markers = [BlockMarker(i, ADD, triangle_fan(size)) for i, size in enumerate(sizes)]
    parts = [[marker.id for marker in part] for part in split_by_triangles(markers, 8)]
    assert parts == [[0, 1], [2], [3, 4]]


def test_cloud_vertices_have_normals_and_colours_as_pcl_packs_them() -> None:
    mesh = triangle_fan(1)
    packed = packed_vertices([MeshBlock((0, 0, 0), mesh), MeshBlock((0, 0, 1), mesh)])
    assert packed.dtype.itemsize == 28 and len(packed) == 6
    np.testing.assert_array_equal(packed["xyz"][3:], mesh.vertices)
    np.testing.assert_array_equal(packed["normal"][:3], mesh.normals)
    red, green, blue = mesh.colours[1].astype(int)
    assert packed["bgrx"][1].view("<u4")[0] == (red << 16) | (green << 8) | blue


@pytest.mark.parametrize("frame_id", ["m", "map", "odom", "odom_1"])
def test_a_receiver_holds_what_was_added_and_not_deleted(frame_id: str) -> None:
    receiver = MeshReceiver()
    first, second = triangle_fan(5, seed=1), triangle_fan(6, seed=2)
    write = MarkerArrayWriter().write
    receiver.on_message(write(5, frame_id, "mesh", [BlockMarker(1, ADD, first)]))
    receiver.on_message(
        write(9, frame_id, "mesh", [BlockMarker(1, DELETE), BlockMarker(2, ADD, second)])
    )
    assert receiver.triangles == 6 and list(receiver.markers) == [2]
    marker = receiver.markers[2]
    assert (marker.stamp_ns, marker.frame_id) == (9, frame_id)
    np.testing.assert_array_equal(marker.points, second.vertices[second.triangles.ravel()])
    mesh = receiver.mesh()
    assert len(mesh.vertices) == len(second.vertices)
    np.testing.assert_array_equal(np.sort(mesh.colours, axis=0), np.sort(second.colours, axis=0))
    # Far from the world's origin, the place of a marker is in double precision.
    receiver.on_message(write(9, frame_id, "mesh", [BlockMarker(2, ADD, second)], FAR_M))
    np.testing.assert_allclose(receiver.mesh().vertices, mesh.vertices + np.array(FAR_M))
    receiver.on_message(write(9, frame_id, "mesh", [BlockMarker(0, DELETE_ALL)]))
    assert receiver.triangles == 0


def test_a_truncated_array_is_refused() -> None:
    data = MarkerArrayWriter().write(5, "map", "mesh", [BlockMarker(1, ADD, triangle_fan(5))])
    with pytest.raises(SourceError, match="expected at least"):
        read_marker_array(data[:-100])


def test_received_normals_are_those_of_the_triangles() -> None:
    mesh = Mesh(
        vertices=np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32),
        triangles=np.array([[0, 1, 2]], np.int32),
        normals=np.zeros((3, 3), np.float32),
        colours=np.zeros((3, 3), np.uint8),
    )
    receiver = MeshReceiver()
    receiver.on_message(MarkerArrayWriter().write(0, "m", "mesh", [BlockMarker(1, ADD, mesh)]))
    np.testing.assert_allclose(receiver.mesh().normals, [[0, 0, 1]] * 3)
