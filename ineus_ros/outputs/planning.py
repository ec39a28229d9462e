# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""For planners: occupancy, distances, what may move, and answers to clouds of points."""

import array
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from nav_msgs.msg import OccupancyGrid
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header

from ineus_core.errors import SourceError
from ineus_core.pipeline import Pipeline
from ineus_core.planning import EsdfSlice, OccupancySlice, PlanningAnswer
from ineus_core.reconstruction import MapOrigin, Reconstructor
from ineus_core.ros_config import RosConfig
from ineus_ros.drops import Drops
from ineus_ros.jobs import Ask, Backlog, Periodic
from ineus_ros.outputs.clouds import cloud_message, read_xyz
from ineus_ros.outputs.headers import header_of
from ineus_ros.outputs.origin_frame import OriginFrame
from ineus_ros.outputs.status import PartStatus
from ineus_ros.qos import latched

ESDF_POINT = np.dtype([(name, "<f4") for name in ("x", "y", "z", "distance")])
XYZ_POINT = np.dtype([(name, "<f4") for name in ("x", "y", "z")])
# Filled up to 32 bytes, so that the floats of all points stay aligned.
ANSWER_POINT = np.dtype(
    [(name, "<f4") for name in ("x", "y", "z", "distance", "gx", "gy", "gz")]
    + [("observed", "u1"), ("_", "u1", 3)]
)
"""One point of `~/query_result`."""


class PlanningPublisher:
    """Publishes slices to who subscribes, and answers queries in their order.

    Args:
        world_frame: Gives the frame id of the world.
        origin_frame: Names that of clouds.
        ask: The worker's `call`.
    """

    def __init__(
        self,
        node: LifecycleNode,
        config: Callable[[], RosConfig],
        world_frame: Callable[[], str],
        origin_frame: OriginFrame,
        ask: Ask,
    ) -> None:
        """Advertise slices, voxels, what may move and answers; subscribe to ~/query."""
        self._config, self._world_frame, self._ask = config, world_frame, ask
        self._origin_frame = origin_frame
        self.counters: Counter[str] = Counter()
        self.drops = Drops(node.get_logger())
        create = node.create_lifecycle_publisher
        self._occupancy = create(OccupancyGrid, "~/occupancy", latched(1))
        self._esdf = create(PointCloud2, "~/esdf_slice", latched(1))
        self._voxels = create(PointCloud2, "~/voxels", latched(1))
        # Not latched: what moved a while ago is elsewhere by now.
        self._dynamic = create(PointCloud2, "~/dynamic", 1)
        self._answers = create(PointCloud2, "~/query_result", config().query_queue_size)
        self._queries = Backlog(
            config().query_queue_size,
            self.drops,
            "query_overtaken",
            "queries come faster than they are answered",
        )
        self._subscription = node.create_subscription(
            PointCloud2, "~/query", self.on_query, config().query_queue_size
        )
        rows = (
            ("occupancy", self._occupancy, self._occupancy_of, self._publish_occupancy),
            ("esdf", self._esdf, self._esdf_of, self._publish_esdf),
            (
                "voxels",
                self._voxels,
                partial(_points_of, Reconstructor.occupied_voxels),
                partial(self._publish_points, self._voxels, "voxel_clouds"),
            ),
            (
                "dynamic",
                self._dynamic,
                partial(_points_of, Reconstructor.dynamic_points),
                partial(self._publish_points, self._dynamic, "dynamic_clouds"),
            ),
        )
        self._periodic = [self._periodically(node, *row) for row in rows]

    def _periodically(
        self,
        node: LifecycleNode,
        name: str,
        topic: Any,
        made_of: Callable[[Pipeline], Any],
        publish: Callable[[Any], None],
    ) -> Periodic:
        """Publish what the worker is asked for at the rate of this name, to who subscribes."""
        return Periodic(
            node,
            lambda: getattr(self._config(), f"{name}_rate_hz"),
            lambda: topic.get_subscription_count() > 0,
            lambda: self._ask(made_of),
            publish,
            self.drops,
            f"{name}_failed",
        )

    def on_query(self, message: Any) -> None:
        """Have a cloud answered, if someone listens."""
        self.counters["queries"] += 1
        if not self._answers.get_subscription_count():
            self.counters["queries_without_listener"] += 1
            return
        frame, world = message.header.frame_id.lstrip("/"), self._world_frame()
        if frame not in ("", world, self._origin_frame.name):
            self.drops.add("query_in_other_frame", f"~/query in {frame!r}: expected {world!r}")
            return
        try:
            points = read_xyz(message)
        except SourceError as error:
            self.drops.add("bad_query", error)
            return
        job = self._ask(lambda pipeline: self._answer_of(pipeline, points, frame))
        self._queries.add(job)
        # On the worker's thread, in the order of the queries; the stamp tells which one is
        # answered.
        job.add_done_callback(lambda done: self._answer(done, message.header.stamp))

    def status(self) -> PartStatus:
        """Return what was asked and what failed, for /diagnostics."""
        values: dict[str, object] = dict(sorted(self.counters.items()))
        values |= {f"dropped.{name}": n for name, n in self.drops.snapshot().items()}
        return PartStatus("planning", "ok", f"{self.counters['answers']} answers", values)

    def _answer_of(
        self, pipeline: Pipeline, points: np.ndarray, frame: str
    ) -> tuple[MapOrigin, np.ndarray, PlanningAnswer]:
        """Return the answer for points of a frame, and the points from the map's origin."""
        # On the worker's thread, as a reset may move the origin.
        reconstructor = pipeline.reconstructor
        origin = reconstructor.origin
        world = self._origin_frame.points_in_world(points, frame, origin)
        return origin, origin.points_in_map(world), reconstructor.query(world)

    def _answer(
        self, done: "Future[tuple[MapOrigin, np.ndarray, PlanningAnswer]]", stamp: Time
    ) -> None:
        if done.cancelled():
            return
        try:
            origin, points, answer = done.result()
            header = Header(stamp=stamp, frame_id=self._origin_frame.of(origin))
            self._answers.publish(answer_message(header, points, answer))
            self.counters["answers"] += 1
        # A topic that cannot be written to, as at shutdown, must not end the reconstruction.
        except Exception as error:
            self.drops.add("query_failed", error)

    def _occupancy_of(self, pipeline: Pipeline) -> tuple[int, OccupancySlice | None]:
        heights_m = (self._config().slice_min_z_m, self._config().slice_max_z_m)
        reconstructor = pipeline.reconstructor
        # Parameters change one at a time and may stand the wrong way round meanwhile.
        found = reconstructor.occupancy_slice(min(heights_m), max(heights_m))
        return reconstructor.newest_stamp_ns, found

    def _publish_occupancy(self, found: tuple[int, OccupancySlice | None]) -> None:
        stamp_ns, columns = found
        if columns is not None:
            header = header_of(stamp_ns, self._world_frame())
            z_m = self._config().slice_min_z_m
            self._occupancy.publish(occupancy_message(header, columns, z_m))
            self.counters["occupancy_slices"] += 1

    def _esdf_of(self, pipeline: Pipeline) -> tuple[int, MapOrigin, EsdfSlice | None]:
        reconstructor = pipeline.reconstructor
        found = reconstructor.esdf_slice(self._config().esdf_slice_z_m)
        return reconstructor.newest_stamp_ns, reconstructor.origin, found

    def _publish_esdf(self, found: tuple[int, MapOrigin, EsdfSlice | None]) -> None:
        stamp_ns, origin, distances = found
        if distances is not None:
            header = header_of(stamp_ns, self._origin_frame.of(origin))
            self._esdf.publish(esdf_message(header, origin.esdf_in_map(distances)))
            self.counters["esdf_slices"] += 1

    def _publish_points(
        self, topic: Any, counter: str, found: tuple[int, MapOrigin, np.ndarray]
    ) -> None:
        stamp_ns, origin, points = found
        header = header_of(stamp_ns, self._origin_frame.of(origin))
        topic.publish(points_message(header, origin.points_in_map(points)))
        self.counters[counter] += 1


def _points_of(
    points: Callable[[Reconstructor], np.ndarray], pipeline: Pipeline
) -> tuple[int, MapOrigin, np.ndarray]:
    """Return world points of the map, with what a cloud of them is stamped and placed by."""
    reconstructor = pipeline.reconstructor
    found = points(reconstructor)
    return reconstructor.newest_stamp_ns, reconstructor.origin, found


def occupancy_message(header: Header, columns: OccupancySlice, z_m: float) -> OccupancyGrid:
    """Make a nav_msgs/OccupancyGrid whose cell (0, 0) has its lowest corner at the origin.

    Args:
        z_m: Lower height of the columns; on the floor, the mesh would hide the grid from who
            looks at both.
    """
    message = OccupancyGrid(header=header)
    info = message.info
    info.map_load_time = header.stamp
    info.resolution = float(columns.cell_m)
    info.height, info.width = columns.cells.shape
    info.origin.position.x, info.origin.position.y = columns.origin_m
    info.origin.position.z = z_m
    info.origin.orientation.w = 1.0
    # Signed, as nav_msgs has -1 for unknown.
    message.data = array.array("b", columns.cells.tobytes())
    return message


def esdf_message(header: Header, distances: EsdfSlice) -> PointCloud2:
    """Make a cloud of the centres of the observed cells, with their distance."""
    known = distances.observed & np.isfinite(distances.distance_m)
    rows, columns = known.nonzero()
    records = np.zeros(len(rows), ESDF_POINT)
    records["x"] = distances.origin_m[0] + (columns + 0.5) * distances.cell_m
    records["y"] = distances.origin_m[1] + (rows + 0.5) * distances.cell_m
    # As it was asked for, not that of a row of cells: distances are at this height.
    records["z"] = distances.z_m
    records["distance"] = distances.distance_m[known]
    return cloud_message(header, records)


def points_message(header: Header, points: np.ndarray) -> PointCloud2:
    """Make a cloud of points, which may be none."""
    records = np.zeros(len(points), XYZ_POINT)
    for axis, name in enumerate("xyz"):
        records[name] = points[:, axis]
    return cloud_message(header, records)


def answer_message(header: Header, points: np.ndarray, answer: PlanningAnswer) -> PointCloud2:
    """Make a cloud of the points as they were asked for, with what is known of them."""
    records = np.zeros(len(points), ANSWER_POINT)
    for axis, (name, slope) in enumerate(zip("xyz", ("gx", "gy", "gz"), strict=True)):
        records[name], records[slope] = points[:, axis], answer.gradient[:, axis]
    records["distance"], records["observed"] = answer.distance_m, answer.observed
    is_dense = bool(np.isfinite(points).all() and np.isfinite(answer.distance_m).all())
    return cloud_message(header, records, is_dense)
