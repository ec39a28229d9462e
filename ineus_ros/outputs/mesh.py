# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The mesh on topics: changed blocks as RViz markers, vertices as a cloud; all for who joins."""

import array
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np
from rclpy.lifecycle import LifecycleNode
from rclpy.publisher import Publisher
from sensor_msgs.msg import PointCloud2, PointField
from visualization_msgs.msg import MarkerArray

from ineus_core.evaluation import Look, colours_on_screen
from ineus_core.reconstruction import MapOrigin
from ineus_core.ros_config import RosConfig
from ineus_core.types import BlockIndex, MeshBlock, MeshUpdate
from ineus_ros.outputs.marker_cdr import (
    ADD,
    DELETE,
    DELETE_ALL,
    BlockMarker,
    MarkerArrayWriter,
    marker_array_message,
    self_check,
)
from ineus_ros.outputs.origin_frame import OriginFrame
from ineus_ros.qos import latched
from ineus_ros.timers import wall_timer

NAMESPACE = "mesh"
_LOOKS: dict[str, Look] = {"color": "colour", "shaded": "colour, shaded", "normal": "normals"}
"""By `mesh_colors`."""
_UPRIGHT = np.eye(3)
"""z of the world is up (REP 103)."""
VERTEX = np.dtype([("xyz", "<f4", 3), ("normal", "<f4", 3), ("bgrx", "u1", 4)])
"""One point of the cloud; `rgb` is packed as PCL and RViz read it."""


class MeshPublisher:
    """Holds the whole mesh by blocks and publishes what changed.

    All methods but the constructor run on the worker's thread.

    Args:
        frame_id: Gives the frame id of the world.
        origin_frame: Names that of the cloud.
        now_ns: The ROS clock.
        on_join: Called on the executor's thread when a subscriber appears; it must have
            `publish_all` called.
    """

    def __init__(
        self,
        node: LifecycleNode,
        config: Callable[[], RosConfig],
        frame_id: Callable[[], str],
        origin_frame: OriginFrame,
        now_ns: Callable[[], int],
        on_join: Callable[[], None],
    ) -> None:
        """Advertise ~/mesh and ~/mesh_points."""
        self._config = config
        self._frame_id, self._origin_frame = frame_id, origin_frame
        self.origin = MapOrigin()
        """What the vertices of the blocks count from."""
        self._now_ns = now_ns
        self._node = node
        queue_size = config().mesh_queue_size
        self._markers = self._latched(MarkerArray, "~/mesh", queue_size, on_join)
        self._points = self._latched(PointCloud2, "~/mesh_points", 1, on_join)
        self._writer = MarkerArrayWriter()
        self._writes_bytes = self_check()
        self._blocks: dict[BlockIndex, MeshBlock] = {}
        self._ids: dict[BlockIndex, int] = {}
        self._look = config().mesh_colors
        self._stamp_ns = 0
        self.counters: Counter[str] = Counter()
        self.build_ms = 0.0
        self.staleness_ms: deque[float] = deque(maxlen=100)
        """From the stamp of the newest frame in the mesh to its publication."""

    def on_mesh(self, update: MeshUpdate) -> None:
        """Keep the changed blocks and publish them if someone listens."""
        self._stamp_ns = update.stamp_ns
        origin = MapOrigin(*update.origin_m)
        if update.begins_anew or origin != self.origin:
            # Subscribers hold blocks of another map.
            self.clear()
        self.origin = origin
        # Of blocks that nobody has been told of there is nothing to delete.
        removed = [index for index in update.removed if self._blocks.pop(index, None) is not None]
        for block in update.upserts:
            self._blocks[block.index] = block
        self.counters["updates"] += 1
        # Blocks that do not change would keep the look that they have.
        if self._look != self._config().mesh_colors:
            self.publish_all()
        elif self._markers.get_subscription_count():
            # Only if someone listens: to build them takes longer than to keep the blocks.
            markers = [BlockMarker(self._id(index), DELETE) for index in removed]
            markers += [self._marker(block) for block in update.upserts]
            self._publish_markers(markers)
        if self._points.get_subscription_count():
            self._publish_points()
        self.staleness_ms.append((self._now_ns() - update.stamp_ns) * 1e-6)

    def publish_all(self) -> None:
        """Publish all of the mesh, for a late subscriber or a slow one that missed blocks."""
        if self._markers.get_subscription_count():
            self._look = self._config().mesh_colors
            # Beginning with DELETE_ALL: who joins may hold blocks of an earlier run.
            everything = [self._marker(block) for block in self._blocks.values()]
            self._publish_markers([BlockMarker(0, DELETE_ALL), *everything])
            self.counters["snapshots"] += 1
        if self._points.get_subscription_count():
            self._publish_points()

    def clear(self) -> None:
        """Forget the mesh, here and at all subscribers."""
        self._blocks.clear()
        self.publish_all()

    def blocks(self) -> list[MeshBlock]:
        """Return the blocks as last published."""
        # A copy, as others read it while the worker goes on.
        return list(self._blocks.values())

    @property
    def triangles(self) -> int:
        """Triangles in the whole mesh."""
        return sum(len(block.mesh.triangles) for block in self.blocks())

    def _marker(self, block: MeshBlock) -> BlockMarker:
        colours = colours_on_screen(block.mesh, _LOOKS[self._look], _UPRIGHT)
        return BlockMarker(self._id(block.index), ADD, replace(block.mesh, colours=colours))

    def _id(self, index: BlockIndex) -> int:
        """Return the id of a block's marker, which it keeps for ever, also while it is empty."""
        # From 1 on, as DELETE_ALL goes out with 0.
        return self._ids.setdefault(index, len(self._ids) + 1)

    def _publish_markers(self, markers: list[BlockMarker]) -> None:
        if not markers:
            return
        begin = time.perf_counter()
        write = self._writer.write if self._writes_bytes else marker_array_message
        for part in split_by_triangles(markers, self._config().triangles_per_message):
            place = self.origin.x_m, self.origin.y_m, self.origin.z_m
            message = write(self._stamp_ns, self._frame_id(), NAMESPACE, part, place)
            self._markers.publish(message)
            self.counters["messages"] += 1
        self.build_ms = 1e3 * (time.perf_counter() - begin)

    def _publish_points(self) -> None:
        points = PointCloud2(height=1, point_step=VERTEX.itemsize, is_dense=True)
        points.header.frame_id = self._origin_frame.of(self.origin)
        points.header.stamp.sec, points.header.stamp.nanosec = divmod(
            self._stamp_ns, 1_000_000_000
        )
        points.fields = [
            PointField(name=name, offset=4 * place, datatype=PointField.FLOAT32, count=1)
            for place, name in enumerate(
                ("x", "y", "z", "normal_x", "normal_y", "normal_z", "rgb")
            )
        ]
        # All of the cloud each time: a PointCloud2 has no parts that could be replaced.
        vertices = packed_vertices(self._blocks.values())
        points.width = len(vertices)
        points.row_step = vertices.nbytes
        # rclpy takes an array as it is; it looks at each element of any other sequence.
        points.data = array.array("B", vertices.tobytes())
        self._points.publish(points)

    def _latched(
        self, message_type: type, topic: str, depth: int, on_join: Callable[[], None]
    ) -> Publisher:
        qos = latched(depth)
        create = self._node.create_lifecycle_publisher
        try:
            from rclpy.event_handler import PublisherEventCallbacks

            events = PublisherEventCallbacks(
                matched=lambda info: on_join() if info.current_count_change > 0 else None
            )
        except (ImportError, TypeError):  # Humble tells nobody, so the count is watched
            publisher = create(message_type, topic, qos)
            watch = _JoinWatch(publisher.get_subscription_count, on_join)
            wall_timer(self._node, 0.5, watch.look)
            return publisher
        return create(message_type, topic, qos, event_callbacks=events)


class _JoinWatch:
    """Notices that a count has grown."""

    def __init__(self, count: Callable[[], int], on_join: Callable[[], None]) -> None:
        self._count = count
        self._on_join = on_join
        self._last = 0

    def look(self) -> None:
        count = self._count()
        # Who joins within the same half second in which another leaves is not noticed, and gets
        # blocks as they change.
        if count > self._last:
            self._on_join()
        self._last = count


def split_by_triangles(
    markers: Iterable[BlockMarker], triangles: int
) -> Iterator[list[BlockMarker]]:
    """Cut a list of markers into messages of at most so many triangles (or of one marker)."""
    part: list[BlockMarker] = []
    held = 0
    for marker in markers:
        size = marker.corners // 3
        # A message of many megabytes holds up the middleware; one marker is never cut.
        if part and held + size > triangles:
            yield part
            part, held = [], 0
        part.append(marker)
        held += size
    if part:
        yield part


def packed_vertices(blocks: Iterable[MeshBlock]) -> np.ndarray:
    """Pack the vertices of all blocks as records of type `VERTEX`."""
    meshes = [block.mesh for block in blocks]
    packed = np.zeros(sum(len(mesh.vertices) for mesh in meshes), VERTEX)
    first = 0
    for mesh in meshes:
        part = packed[first : first + len(mesh.vertices)]
        part["xyz"], part["normal"] = mesh.vertices, mesh.normals
        # Blue first, as the bytes of a packed float in little endian.
        part["bgrx"][:, :3] = mesh.colours[:, ::-1]
        first += len(part)
    return packed
