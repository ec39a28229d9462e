# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Messages for planners by hand; and a query, slices and a correction over real DDS."""

import importlib.util
import time
from collections.abc import Callable
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ineus_core.errors import CapacityError, SourceError
from ineus_core.planning import EsdfSlice, OccupancySlice, PlanningAnswer
from ineus_core.ros_config import RosConfig

pytest.importorskip("rclpy", reason="needs rclpy")

from geometry_msgs.msg import Point, PoseArray
from nav_msgs.msg import OccupancyGrid, Path
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Float32MultiArray, Header
from tiny_scene import CPU, pose, room_source, tiny_config

from ineus_core.pipeline import NullSink, Pipeline, PipelineConfig
from ineus_core.reconstructor import Reconstructor
from ineus_ros.clouds import cloud_message, read_xyz
from ineus_ros.outputs import KeyframePublisher, PlanningPublisher, offer_nvblox
from ineus_ros.outputs.keyframes import keyframe_messages
from ineus_ros.outputs.nvblox import fill_response, fill_slice, voxel_centres
from ineus_ros.outputs.planning import (
    ANSWER_POINT,
    answer_message,
    esdf_message,
    header_of,
    latched,
    occupancy_message,
)

pytestmark = pytest.mark.ros

XYZ = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4")])


def cloud_of(points: np.ndarray, stamp_ns: int = 7, frame_id: str = "odom") -> PointCloud2:
    records = np.zeros(len(points), XYZ)
    for axis, name in enumerate("xyz"):
        records[name] = points[:, axis]
    return cloud_message(header_of(stamp_ns, frame_id), records)


def over_the_wire(message: Any) -> Any:
    return deserialize_message(serialize_message(message), type(message))


def test_an_occupancy_grid_is_as_a_map_server_gives_it() -> None:
    cells = np.array([[0, 100, -1], [-1, 0, 0]], np.int8)
    message = over_the_wire(
        occupancy_message(
            header_of(3_000_000_004, "map"), OccupancySlice((-1.5, 2.0), 0.25, cells)
        )
    )
    assert (message.header.frame_id, message.header.stamp.sec) == ("map", 3)
    assert (message.info.width, message.info.height) == (3, 2)
    assert message.info.resolution == 0.25
    assert (message.info.origin.position.x, message.info.origin.position.y) == (-1.5, 2.0)
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


class Robot:
    """The publishers beside a tiny trained room, and a planner that talks to them over DDS."""

    def __init__(self, node: LifecycleNode, planner: Node, reconstructor: Reconstructor) -> None:
        self.node, self.planner = node, planner
        self.reconstructor = reconstructor
        self._pipeline = Pipeline(reconstructor, NullSink(), PipelineConfig())
        self.asked = 0
        config = RosConfig(occupancy_rate_hz=20, esdf_rate_hz=20, keyframes_rate_hz=20)
        given = (node, lambda: config, lambda: "odom", self._ask)
        self.planning = PlanningPublisher(*given)
        self.keyframes = KeyframePublisher(*given, {0: np.eye(4)})
        node.trigger_configure()
        node.trigger_activate()
        self._executors = []
        for spun in (node, planner):
            self._executors.append(SingleThreadedExecutor(context=spun.context))
            self._executors[-1].add_node(spun)

    def _ask(self, job: Any) -> "Future[Any]":
        """What the worker would do, at once."""
        self.asked += 1
        future: Future[Any] = Future()
        try:
            future.set_result(job(self._pipeline))
        except Exception as error:
            future.set_exception(error)
        return future

    def listen(self, kind: type, topic: str, qos: Any = 5) -> list[Any]:
        got: list[Any] = []
        name = f"/ineus/{topic}"
        self.planner.create_subscription(kind, name, got.append, qos)
        self.spin_until(lambda: self.node.count_subscribers(name) > 0)
        return got

    def tell(self, topic: str, message: Any) -> None:
        publisher = self.planner.create_publisher(type(message), topic, 5)
        self.spin_until(lambda: publisher.get_subscription_count() > 0)
        self.spin_for(0.2)
        publisher.publish(message)

    def spin_until(self, condition: Callable[[], object], timeout_s: float = 10.0) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, (self.planning.status(), self.keyframes.status())
            self.spin_for(0.02)

    def spin_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for executor in self._executors:
                executor.spin_once(timeout_sec=0.005)


@pytest.fixture(scope="module")
def room() -> Reconstructor:
    torch.manual_seed(0)
    reconstructor = Reconstructor(tiny_config(), CPU)
    for frame in room_source(8):
        reconstructor.add_frame(frame)
        for _ in range(10):
            reconstructor.step()
    reconstructor.extract_mesh(everything=True)
    return reconstructor


@pytest.fixture
def robot(ros: Any, room: Reconstructor) -> Robot:
    node = ros(lambda context: LifecycleNode("ineus", context=context))
    return Robot(node, ros(lambda context: Node("planner", context=context)), room)


def test_a_query_comes_back_with_its_stamp_over_dds(robot: Robot) -> None:
    got = robot.listen(PointCloud2, "query_result")
    rng = np.random.default_rng(0)
    points = rng.uniform((-1.5, -1, 0.8), (1.5, 1, 2), (500, 3)).astype(np.float32)
    robot.tell("/ineus/query", cloud_of(points, stamp_ns=12_000_000_034))
    robot.spin_until(lambda: got)
    header = got[0].header
    assert (header.stamp.sec, header.stamp.nanosec, header.frame_id) == (12, 34, "odom")
    np.testing.assert_array_equal(read_xyz(got[0]), points)
    answer = np.frombuffer(got[0].data, ANSWER_POINT)
    seen = answer["observed"] == 1
    assert seen.mean() > 0.5
    truth_m = room_source(8).sdf(points.astype(np.float64))
    # A mesh with voxels of 8 cm after 80 steps.
    assert np.median(np.abs(answer["distance"] - truth_m)[seen]) < 0.06
    assert robot.planning.status().values["answers"] == 1


def test_bad_queries_are_counted_and_the_next_is_answered(robot: Robot) -> None:
    got = robot.listen(PointCloud2, "query_result")
    spoilt = cloud_of(np.zeros((3, 3)))
    spoilt.data.pop()
    robot.tell("/ineus/query", spoilt)
    robot.tell("/ineus/query", cloud_of(np.zeros((3, 3)), frame_id="base_link"))
    robot.tell("/ineus/query", cloud_of(np.full((2, 3), np.nan), frame_id=""))
    robot.spin_until(lambda: got)
    assert robot.planning.drops.counts == {"bad_query": 1, "query_in_other_frame": 1}
    answer = np.frombuffer(got[0].data, ANSWER_POINT)
    assert np.isinf(answer["distance"]).all() and not answer["observed"].any()
    assert got[0].header.frame_id == "odom" and not got[0].is_dense


def test_nothing_is_built_for_nobody(robot: Robot) -> None:
    robot.tell("/ineus/query", cloud_of(np.zeros((3, 3))))
    robot.spin_until(lambda: robot.planning.counters["queries_without_listener"] == 1)
    robot.spin_for(0.3)
    assert robot.asked == 0


def test_slices_reach_a_map_server_s_client(robot: Robot) -> None:
    grids = robot.listen(OccupancyGrid, "occupancy", latched(1))
    clouds = robot.listen(PointCloud2, "esdf_slice", latched(1))
    robot.spin_until(lambda: grids and clouds)
    info = grids[-1].info
    cells = np.array(grids[-1].data, np.int8).reshape(info.height, info.width)
    assert set(np.unique(cells)) == {-1, 0, 100}
    state = {}
    for name, x_m, y_m in (("carpet", 1.4, 0.0), ("table", 0.15, 0.05), ("wall", 2.5, 0.6)):
        column = int((x_m - info.origin.position.x) / info.resolution)
        row = int((y_m - info.origin.position.y) / info.resolution)
        state[name] = cells[row, column]
    assert state == {"carpet": 0, "table": 100, "wall": 100}
    points = np.frombuffer(clouds[-1].data, np.float32).reshape(-1, 4)
    assert len(points) > 100 and np.isfinite(points).all()
    np.testing.assert_allclose(points[:, 2], 0.5)
    assert clouds[-1].header.stamp == grids[-1].header.stamp


def test_queries_that_pile_up_cost_the_oldest(robot: Robot) -> None:
    robot.listen(PointCloud2, "query_result")
    waiting: list[Future[Any]] = []

    def later(job: Any) -> "Future[Any]":
        waiting.append(Future())
        return waiting[-1]

    robot.planning._ask = later
    for _ in range(7):
        robot.planning.on_query(cloud_of(np.zeros((1, 3))))
    assert [job.cancelled() for job in waiting] == [True, True] + [False] * 5
    assert robot.planning.drops.counts == {"query_overtaken": 2}


def test_corrected_poses_move_keyframes_and_are_counted(robot: Robot) -> None:
    arrays = robot.listen(PoseArray, "keyframes", latched(1))
    paths = robot.listen(Path, "path", latched(1))
    robot.spin_until(lambda: arrays and paths)
    before = paths[-1]
    assert len(arrays[-1].poses) == len(before.poses) > 3
    correction = Path(header=Header(frame_id="odom"), poses=over_the_wire(before).poses[:3])
    for stamped in correction.poses:
        stamped.pose.position.x += 0.25
    robot.tell("path_correction", correction)
    robot.spin_until(lambda: len(paths) > 1)
    shift = [
        b.pose.position.x - a.pose.position.x
        for a, b in zip(before.poses, paths[-1].poses, strict=True)
    ]
    np.testing.assert_allclose(shift, [0.25] * 3 + [0] * (len(shift) - 3), atol=1e-6)
    values = robot.keyframes.status().values
    assert values["keyframes_matched"] == 3
    assert values["keyframes_unmatched"] == len(before.poses) - 3
    correction.header.frame_id = "map"
    robot.tell("path_correction", correction)
    robot.spin_until(lambda: robot.keyframes.drops.counts["correction_in_other_frame"] == 1)


def test_a_client_of_nvblox_gets_its_grid_and_its_slice(robot: Robot) -> None:
    reason = "needs nvblox_msgs, which comes with Isaac ROS"
    pytest.importorskip("nvblox_msgs", reason=reason)
    from nvblox_msgs.msg import DistanceMapSlice
    from nvblox_msgs.srv import EsdfAndGradients

    drops = robot.planning.drops
    config = RosConfig(esdf_rate_hz=20, esdf_slice_z_m=0.5)
    face = offer_nvblox(robot.node, lambda: config, lambda: "odom", robot._ask, drops)
    assert face is not None
    slices = robot.listen(DistanceMapSlice, "static_map_slice")
    robot.node.trigger_deactivate()
    robot.node.trigger_activate()
    client = robot.planner.create_client(EsdfAndGradients, "/ineus/get_esdf_and_gradient")
    robot.spin_until(client.service_is_ready)
    request = EsdfAndGradients.Request(use_aabb=True, frame_id="odom")
    request.aabb_min_m = Point(x=-1.0, y=-1.0, z=0.5)
    request.aabb_size_m.x, request.aabb_size_m.y, request.aabb_size_m.z = 2.0, 2.0, 1.0
    done = client.call_async(request)
    robot.spin_until(done.done)
    answer = done.result()
    assert answer is not None and answer.success and answer.header.frame_id == "odom"
    sizes = [dim.size for dim in answer.esdf_and_gradients.layout.dim]
    values = np.array(answer.esdf_and_gradients.data, np.float32).reshape(sizes)
    known = values > -999
    assert known.mean() > 0.3
    steps = [np.arange(size) + 0.5 for size in sizes]
    grid = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1) * answer.voxel_size_m
    origin = answer.origin_m
    points = grid.reshape(-1, 3) + np.array((origin.x, origin.y, origin.z))
    truth_m = room_source(8).sdf(points).reshape(sizes)
    assert np.median(np.abs(values - truth_m)[known]) < 0.08
    request.frame_id = "base_link"
    refused = client.call_async(request)
    robot.spin_until(refused.done)
    assert not refused.result().success
    robot.spin_until(lambda: slices)
    cells = np.array(slices[-1].data, np.float32)
    assert len(cells) == slices[-1].width * slices[-1].height
    assert (cells != slices[-1].unknown_value).any()
