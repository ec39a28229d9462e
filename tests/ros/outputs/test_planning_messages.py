# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Messages for planners, by hand."""

import importlib.util
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ineus_core.errors import CapacityError, SourceError
from ineus_core.planning import EsdfSlice, OccupancySlice, PlanningAnswer

pytest.importorskip("rclpy", reason="needs rclpy")

from geometry_msgs.msg import Point
from ros_clouds import cloud_of, over_the_wire
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Float32MultiArray, Header
from tiny_scene import pose

from ineus_ros.outputs import offer_nvblox
from ineus_ros.outputs.clouds import read_xyz
from ineus_ros.outputs.headers import header_of
from ineus_ros.outputs.keyframes import keyframe_messages
from ineus_ros.outputs.nvblox import fill_response, fill_slice, voxel_centres
from ineus_ros.outputs.planning import (
    ANSWER_POINT,
    answer_message,
    esdf_message,
    occupancy_message,
)

pytestmark = pytest.mark.ros


def test_an_occupancy_grid_is_as_a_map_server_gives_it() -> None:
    cells = np.array([[0, 100, -1], [-1, 0, 0]], np.int8)
    message = over_the_wire(
        occupancy_message(
            header_of(3_000_000_004, "map"), OccupancySlice((-1.5, 2.0), 0.25, cells), 0.15
        )
    )
    assert (message.header.frame_id, message.header.stamp.sec) == ("map", 3)
    assert (message.info.width, message.info.height) == (3, 2)
    assert message.info.resolution == 0.25
    place = message.info.origin.position
    assert (place.x, place.y, place.z) == (-1.5, 2.0, 0.15)
    assert message.info.origin.orientation.w == 1.0
    assert list(message.data) == [0, 100, -1, -1, 0, 0]


def test_an_esdf_cloud_holds_the_centres_that_were_seen() -> None:
    distance_m = np.array([[0.5, 0.25], [-0.1, np.inf]], np.float32)
    observed = np.array([[True, False], [True, True]])
    message = over_the_wire(
        esdf_message(Header(), EsdfSlice((1.0, -2.0), 0.5, 0.75, distance_m, observed))
    )
    assert [field.name for field in message.fields] == ["x", "y", "z", "distance"]
    values = np.frombuffer(message.data, np.float32).reshape(-1, 4)
    np.testing.assert_allclose(values, [[1.25, -1.75, 0.75, 0.5], [1.25, -1.25, 0.75, -0.1]])


def test_an_answer_holds_the_points_in_their_order_and_says_what_is_unknown() -> None:
    points = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    answer = PlanningAnswer(
        np.array([0.5, np.inf], np.float32),
        np.array([[0, 0, 1], [0, 0, 0]], np.float32),
        np.array([True, False]),
    )
    message = over_the_wire(answer_message(header_of(5, "odom"), points, answer))
    places = {field.name: (field.offset, field.datatype) for field in message.fields}
    assert places["gz"] == (24, PointField.FLOAT32)
    assert places["observed"] == (28, PointField.UINT8)
    assert message.point_step == 32 and not message.is_dense
    records = np.frombuffer(message.data, ANSWER_POINT)
    assert records["observed"].tolist() == [1, 0]
    assert records["distance"].tolist() == [0.5, np.inf]
    assert records["gz"].tolist() == [1, 0]
    np.testing.assert_array_equal(read_xyz(message), points)


def test_points_are_read_from_any_float_layout() -> None:
    points = np.arange(18, dtype=np.float32).reshape(6, 3)
    record = np.dtype({"names": ["z", "x", "y"], "formats": [">f8"] * 3, "itemsize": 30})
    rows = np.zeros((2, 100), np.uint8)  # three points of 30 bytes in a row of 100
    for row in range(2):
        part = np.zeros(3, record)
        for axis, name in enumerate("xyz"):
            part[name] = points[3 * row : 3 * row + 3, axis]
        rows[row, :90] = np.frombuffer(part.tobytes(), np.uint8)
    assert record.fields is not None
    message = PointCloud2(
        height=2, width=3, point_step=30, row_step=100, is_bigendian=True, data=rows.tobytes()
    )
    message.fields = [
        PointField(name=name, offset=record.fields[name][1], datatype=PointField.FLOAT64, count=1)
        for name in "xyz"
    ]
    np.testing.assert_array_equal(read_xyz(over_the_wire(message)), points)


def test_clouds_that_are_none_are_refused() -> None:
    message = cloud_of(np.zeros((4, 3)))
    message.data.pop()
    with pytest.raises(SourceError, match="47 bytes of data"):
        read_xyz(message)
    message = cloud_of(np.zeros((4, 3)))
    message.fields.pop()
    with pytest.raises(SourceError, match="the fields x, y: expected x, y and z"):
        read_xyz(message)
    assert read_xyz(cloud_of(np.zeros((0, 3)))).shape == (0, 3)


def test_keyframes_have_their_stamps_on_the_path() -> None:
    array, path = keyframe_messages(
        {(1, 0): pose(1.0), (1, 1): pose(3.0), (2_000_000_000, 0): pose(2.0, yaw_deg=90)}, "map"
    )
    assert array.header.stamp.sec == 2 and array.header.frame_id == "map"
    assert [p.position.x for p in array.poses] == [1.0, 3.0, 2.0]
    assert [p.header.stamp.sec for p in path.poses] == [0, 2]
    assert array.poses[2].orientation.y == pytest.approx(0.5**0.5)


def test_voxels_of_a_box_are_those_that_it_touches() -> None:
    centres, origin_m, shape = voxel_centres(
        np.array([0.1, -0.5, 0.0]), np.array([1.0, 0.2, 0.5]), 0.5
    )
    assert shape == (2, 2, 1)
    assert origin_m.tolist() == [0.0, -0.5, 0.0]
    np.testing.assert_allclose(
        centres, [[0.25, -0.25, 0.25], [0.25, 0.25, 0.25], [0.75, -0.25, 0.25], [0.75, 0.25, 0.25]]
    )
    with pytest.raises(SourceError, match="expected a size"):
        voxel_centres(np.zeros(3), np.full(3, -1.0), 0.5)
    with pytest.raises(CapacityError, match="at most"):
        voxel_centres(np.zeros(3), np.full(3, 500.0), 0.05)


def test_a_grid_for_clients_of_nvblox_has_their_layout_and_their_unknown() -> None:
    response = SimpleNamespace(
        header=None, origin_m=Point(), esdf_and_gradients=Float32MultiArray(), success=False
    )
    answer = PlanningAnswer(
        np.arange(6, dtype=np.float32), np.zeros((6, 3), np.float32), np.arange(6) != 4
    )
    fill_response(response, "odom", 9, np.array([1.0, 2.0, 3.0]), 0.1, (1, 2, 3), answer)
    grid = response.esdf_and_gradients
    assert [(dim.label, dim.size, dim.stride) for dim in grid.layout.dim] == [
        ("x", 1, 6),
        ("y", 2, 6),
        ("z", 3, 3),
    ]
    assert list(grid.data) == [0, 1, 2, 3, -1000, 5]
    assert response.success and response.origin_m.z == 3.0
    message = SimpleNamespace(origin=Point())
    distance_m = np.array([[1, 2]], np.float32)
    slice_m = EsdfSlice((4.0, 5.0), 0.1, 0.5, distance_m, np.array([[True, False]]))
    filled = fill_slice(message, slice_m)
    assert (filled.width, filled.height, list(filled.data)) == (2, 1, [1, 1000])


def test_without_its_messages_nothing_of_nvblox_is_offered() -> None:
    if importlib.util.find_spec("nvblox_msgs") is not None:
        pytest.skip("nvblox_msgs is installed")
    nothing: Any = None
    assert offer_nvblox(nothing, nothing, nothing, nothing, nothing) is None
