# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A query, slices and a correction over real DDS, beside a tiny trained room."""

import dataclasses
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
import torch

from ineus_core.ros_config import RosConfig

pytest.importorskip("rclpy", reason="needs rclpy")

from geometry_msgs.msg import Point, PoseArray
from nav_msgs.msg import OccupancyGrid, Path
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from ros_clouds import cloud_of, over_the_wire
from ros_stream import pose_message
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header
from tiny_scene import CPU, room_source, tiny_config

from ineus_core.geometry import rigid_inverse, rigid_transform
from ineus_core.pipeline import NullSink, Pipeline, PipelineConfig
from ineus_core.reconstruction import Reconstructor
from ineus_ros.outputs import KeyframePublisher, PlanningPublisher, offer_nvblox
from ineus_ros.outputs.clouds import read_xyz
from ineus_ros.outputs.origin_frame import OriginFrame
from ineus_ros.outputs.planning import ANSWER_POINT
from ineus_ros.qos import latched

pytestmark = pytest.mark.ros


class Robot:
    """The publishers beside a tiny trained room, and a planner that talks to them over DDS."""

    def __init__(self, node: LifecycleNode, planner: Node, reconstructor: Reconstructor) -> None:
        self.node, self.planner = node, planner
        self.reconstructor = reconstructor
        self._pipeline = Pipeline(reconstructor, NullSink(), PipelineConfig())
        self.asked = 0
        config = RosConfig(
            occupancy_rate_hz=20,
            esdf_rate_hz=20,
            voxels_rate_hz=20,
            dynamic_rate_hz=20,
            keyframes_rate_hz=20,
        )
        given = node, lambda: config, lambda: "odom"
        self.planning = PlanningPublisher(*given, OriginFrame(node, lambda: "odom"), self._ask)
        self.keyframes = KeyframePublisher(*given, self._ask, {0: np.eye(4)})
        node.trigger_configure()
        node.trigger_activate()
        self._executors = []
        for spun in (node, planner):
            self._executors.append(SingleThreadedExecutor(context=spun.context))
            self._executors[-1].add_node(spun)

    def _ask(self, function: Any, key: Hashable = None) -> "Future[Any]":
        """Do at once what the worker would do."""
        self.asked += 1
        future: Future[Any] = Future()
        try:
            future.set_result(function(self._pipeline))
        except Exception as error:
            future.set_exception(error)
        return future

    def listen(self, kind: type, topic: str, qos: Any = 5) -> list[Any]:
        got: list[Any] = []
        name = f"/ineus/{topic}"
        self.planner.create_subscription(kind, name, got.append, qos)
        self.spin_until(
            lambda: any(
                publisher.get_subscription_count()
                for publisher in self.node.publishers
                if publisher.topic_name == name
            )
        )
        return got

    def tell(self, topic: str, message: Any) -> None:
        publisher = self.planner.create_publisher(type(message), topic, 5)
        heard = publisher.topic_name
        self.spin_until(lambda: publisher.get_subscription_count() > 0)
        self.spin_until(lambda: self.node.count_publishers(heard) > 0)
        publisher.publish(message)

    def spin_until(self, condition: Callable[[], object], timeout_s: float = 120.0) -> None:
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


def test_voxels_reach_a_planner(robot: Robot) -> None:
    clouds = robot.listen(PointCloud2, "voxels", latched(1))
    robot.spin_until(lambda: clouds)
    centres = read_xyz(clouds[-1])
    np.testing.assert_allclose(centres, robot.reconstructor.occupied_voxels(), atol=1e-5)
    # The table is among them, and the air above the carpet is not.
    cell_m = robot.reconstructor.reconstruction.grid.cell_m
    near = np.abs(centres[:, :2] - (0.15, 0.05)).max(axis=1) < cell_m
    assert near.any()
    above = np.abs(centres - (1.4, 0.0, 0.6)).max(axis=1) < 0.5 * cell_m
    assert not above.any()
    assert clouds[-1].header.frame_id == "odom"


def test_what_may_move_reaches_a_planner(robot: Robot) -> None:
    # The last view again with something 0.5 m before the camera, where nothing was seen before.
    last = list(room_source(8))[-1]
    assert last.depth_m is not None
    depth_m = last.depth_m.copy()
    depth_m[20:40, 30:50] = 0.5
    held = robot.reconstructor.reconstruction
    for later in (1, 2, 3):
        stamp_ns = last.stamp_ns + later * 100_000_000
        shown_m = depth_m if later == 3 else last.depth_m
        held.inserter.insert(dataclasses.replace(last, stamp_ns=stamp_ns, depth_m=shown_m))
    clouds = robot.listen(PointCloud2, "dynamic")
    robot.spin_until(lambda: clouds)
    points = read_xyz(clouds[-1])
    to_camera = rigid_inverse(last.world_from_camera)
    in_camera = points @ to_camera[:3, :3].T + to_camera[:3, 3]
    # 20 x 20 pixels, and less where the wall behind is no more than the tolerance away.
    assert 300 <= len(points) <= 484
    np.testing.assert_allclose(in_camera[:, 2], 0.5, atol=0.02)


FAR_M = np.array((500_000.0, 5_000_000.0, 0.0))


def test_far_from_the_world_s_origin_clouds_are_in_a_frame_of_their_own(ros: Any) -> None:
    """Where it lies is told in double precision: by TF, and to queries in that frame."""
    made = Reconstructor(tiny_config(), CPU)
    for frame in room_source(3):
        at = frame.world_from_camera.astype(np.float64)
        at[:3, 3] += FAR_M
        made.add_frame(dataclasses.replace(frame, world_from_camera=at))
    made.extract_mesh(everything=True)
    node = ros(lambda context: LifecycleNode("ineus", context=context))
    robot = Robot(node, ros(lambda context: Node("planner", context=context)), made)
    got = robot.listen(PointCloud2, "query_result")
    points = np.random.default_rng(0).uniform((-1.5, -1, 0.8), (1.5, 1, 2), (200, 3))
    asked = [
        cloud_of(points + FAR_M, kind="<f8"),
        cloud_of(points.astype(np.float32), frame_id="ineus_origin"),
    ]
    for number, message in enumerate(asked):
        robot.tell("/ineus/query", message)
        robot.spin_until(lambda number=number: len(got) > number)  # type: ignore[misc]
    for message in got:
        assert message.header.frame_id == "ineus_origin"
        np.testing.assert_allclose(read_xyz(message), points, atol=1e-6)
        answer = np.frombuffer(message.data, ANSWER_POINT)
        assert answer["observed"].mean() > 0.3
        expected = made.query(points + FAR_M)
        np.testing.assert_allclose(answer["distance"], expected.distance_m, atol=1e-5)
    clouds = robot.listen(PointCloud2, "esdf_slice", latched(1))
    grids = robot.listen(OccupancyGrid, "occupancy", latched(1))
    robot.spin_until(lambda: clouds and grids)
    assert clouds[-1].header.frame_id == "ineus_origin"
    cells = np.frombuffer(clouds[-1].data, np.float32).reshape(-1, 4)
    assert len(cells) > 100 and np.abs(cells[:, :3]).max() < 10.0
    assert grids[-1].header.frame_id == "odom"
    place = grids[-1].info.origin.position
    near = made.reconstruction.grid.host_aabb[0]
    np.testing.assert_allclose((place.x, place.y), (near + FAR_M)[:2], atol=1e-6)


def test_queries_that_pile_up_cost_the_oldest(robot: Robot) -> None:
    robot.listen(PointCloud2, "query_result")
    waiting: list[Future[Any]] = []

    def later(function: Any, key: Hashable = None) -> "Future[Any]":
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


def test_an_array_corrects_the_keyframes_whose_stamp_and_order_it_has(robot: Robot) -> None:
    arrays = robot.listen(PoseArray, "keyframes", latched(1))
    robot.spin_until(lambda: arrays)
    before = arrays[-1]
    correction = over_the_wire(before)
    for number, pose in enumerate(correction.poses):
        pose.position.y += 0.1 * number
    robot.tell("keyframes_correction", correction)
    robot.spin_until(lambda: len(arrays) > 1)
    shift = [
        b.position.y - a.position.y for a, b in zip(before.poses, arrays[-1].poses, strict=True)
    ]
    np.testing.assert_allclose(shift, 0.1 * np.arange(len(shift)), atol=1e-6)
    values = robot.keyframes.status().values
    assert (values["keyframes_matched"], values["keyframes_unmatched"]) == (len(shift), 0)


@pytest.mark.parametrize("topic", ["path_correction", "keyframes_correction"])
def test_a_correction_of_the_body_carries_its_camera(robot: Robot, topic: str) -> None:
    arrays = robot.listen(PoseArray, "keyframes", latched(1))
    paths = robot.listen(Path, "path", latched(1))
    robot.spin_until(lambda: arrays and paths)
    numbers = [0.1, -0.2, 0.3, -0.5, 0.5, -0.5, 0.5]
    config = RosConfig(correction_of="body", body_from_camera=numbers)
    robot.keyframes._config = lambda: config
    mount = rigid_transform(np.array(numbers[:3]), np.array(numbers[3:]))
    raised = np.eye(4)
    raised[2, 3] = 0.2
    expected = {
        keyframe: raised @ pose for keyframe, pose in robot.reconstructor.keyframe_poses().items()
    }
    correction = over_the_wire(paths[-1] if topic == "path_correction" else arrays[-1])
    for place, pose in zip(correction.poses, expected.values(), strict=True):
        body = pose_message(pose @ rigid_inverse(mount))
        target = getattr(place, "pose", place)
        target.position, target.orientation = body.position, body.orientation
    robot.tell(topic, correction)
    robot.spin_until(lambda: robot.keyframes.counters["keyframes_matched"])
    after = robot.reconstructor.keyframe_poses()
    for keyframe, pose in expected.items():
        np.testing.assert_allclose(after[keyframe], pose, atol=1e-6)


def test_an_array_that_answers_no_keyframes_moves_nothing(robot: Robot) -> None:
    arrays = robot.listen(PoseArray, "keyframes", latched(1))
    robot.spin_until(lambda: arrays)
    before = robot.reconstructor.keyframe_poses()
    short, late, broken = (over_the_wire(arrays[-1]) for _ in range(3))
    short.poses.pop()
    late.header.stamp.sec += 1
    broken.poses[1].position.x = float("nan")
    counts = robot.keyframes.drops.counts
    for correction in (short, late, broken):
        refused = counts["bad_correction"]
        robot.tell("keyframes_correction", correction)
        robot.spin_until(lambda n=refused + 1: counts["bad_correction"] == n)  # type: ignore[misc]
    robot.spin_for(0.1)
    after = robot.reconstructor.keyframe_poses()
    assert all((after[keyframe] == pose).all() for keyframe, pose in before.items())
    assert robot.keyframes.status().values["corrections"] == 3


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
