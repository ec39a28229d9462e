# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What clients of nvblox ask for, where nvblox_msgs is installed: its ESDF service and slice."""

import array
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import MultiArrayDimension

from ineus_core.errors import CapacityError, SourceError
from ineus_core.pipeline import Pipeline
from ineus_core.planning import EsdfSlice, PlanningAnswer
from ineus_core.ros_config import RosConfig
from ineus_ros.drops import Drops
from ineus_ros.jobs import Ask, Backlog, Periodic, finished
from ineus_ros.outputs.headers import header_of

UNKNOWN_IN_GRID, UNKNOWN_IN_SLICE = -1000.0, 1000.0
"""What nvblox's clients take for unknown, here and nowhere else."""
# An answer of 64 MiB, for which the map is asked at as many points.
MAX_VOXELS = 1 << 24


def offer_nvblox(
    node: LifecycleNode,
    config: Callable[[], RosConfig],
    world_frame: Callable[[], str],
    ask: Ask,
    drops: Drops,
) -> "NvbloxInterface | None":
    """Offer nvblox's interfaces if its messages are installed.

    Args:
        drops: Counts what failed.
    """
    try:
        from nvblox_msgs.msg import DistanceMapSlice
        from nvblox_msgs.srv import EsdfAndGradients
    except ImportError:
        return None
    return NvbloxInterface(
        node, config, world_frame, ask, drops, DistanceMapSlice, EsdfAndGradients
    )


class NvbloxInterface:
    """The service ~/get_esdf_and_gradient and the topic ~/static_map_slice."""

    def __init__(
        self,
        node: LifecycleNode,
        config: Callable[[], RosConfig],
        world_frame: Callable[[], str],
        ask: Ask,
        drops: Drops,
        slice_type: Any,
        service_type: Any,
    ) -> None:
        """Advertise both."""
        self._node, self._world_frame, self._ask = node, world_frame, ask
        self._drops, self._slice_type = drops, slice_type
        self._slices = node.create_lifecycle_publisher(slice_type, "~/static_map_slice", 1)
        # A client that has gone cannot be told from one that waits.
        self._requests = Backlog(
            config().query_queue_size,
            drops,
            "esdf_request_overtaken",
            "requests of ~/get_esdf_and_gradient come faster than they are answered",
        )
        self._periodic = Periodic(
            node,
            lambda: config().esdf_rate_hz,
            lambda: self._slices.get_subscription_count() > 0,
            lambda: ask(lambda p: _slice_of(p, config().esdf_slice_z_m)),
            self._publish_slice,
            drops,
            "esdf_failed",
        )
        node.create_service(
            service_type,
            "~/get_esdf_and_gradient",
            self._on_request,
            # A service that waits in the node's own group would keep all other callbacks waiting.
            callback_group=ReentrantCallbackGroup(),
        )

    async def _on_request(self, request: Any, response: Any) -> Any:
        # A refusal until all is there, whatever goes wrong on the way.
        response.success = False
        try:
            frame, world = request.frame_id.lstrip("/"), self._world_frame()
            if frame not in ("", world):
                raise SourceError(f"box in {frame!r}: expected {world!r}")
            job = self._ask(lambda p: _grid_of(p, request), key=_key_of(request))
            self._requests.add(job)
            done = await finished(self._node, job)
            if done.cancelled():
                return response
            fill_response(response, world, *done.result())
        # A client waits for an answer, whatever went wrong.
        except Exception as error:
            self._drops.add("esdf_request_failed", error)
        return response

    def _publish_slice(self, found: tuple[int, EsdfSlice | None]) -> None:
        stamp_ns, distances = found
        if distances is not None:
            message = self._slice_type(header=header_of(stamp_ns, self._world_frame()))
            self._slices.publish(fill_slice(message, distances))


def _key_of(request: Any) -> Hashable:
    """Name a request, so that equal ones are answered at once."""
    if not request.use_aabb:
        return "esdf of everything"
    low, size = request.aabb_min_m, request.aabb_size_m
    return "esdf", low.x, low.y, low.z, size.x, size.y, size.z


def _slice_of(pipeline: Pipeline, z_m: float) -> tuple[int, EsdfSlice | None]:
    reconstructor = pipeline.reconstructor
    return reconstructor.newest_stamp_ns, reconstructor.esdf_slice(z_m)


def _grid_of(
    pipeline: Pipeline, request: Any
) -> tuple[int, np.ndarray, float, tuple[int, ...], PlanningAnswer]:
    reconstructor = pipeline.reconstructor
    grid = reconstructor.reconstruction.grid
    voxel_m = grid.cell_m
    # Otherwise all of the map.
    if request.use_aabb:
        low, size = request.aabb_min_m, request.aabb_size_m
        low_m = np.array((low.x, low.y, low.z))
        high_m = low_m + np.array((size.x, size.y, size.z))
    else:
        # In double: far from the world's origin float32 would move the voxels.
        low_m, high_m = reconstructor.origin.offset_m + grid.aabb.cpu().double().numpy()
    centres, origin_m, shape = voxel_centres(low_m, high_m, voxel_m)
    answer = reconstructor.query(centres)
    return reconstructor.newest_stamp_ns, origin_m, voxel_m, shape, answer


def voxel_centres(
    low_m: np.ndarray, high_m: np.ndarray, voxel_m: float
) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """Return the centres [n 3] of a box's voxels, z fastest, its lowest corner and shape."""
    if not np.isfinite((low_m, high_m)).all() or (high_m < low_m).any():
        raise SourceError(f"box from {low_m.tolist()} to {high_m.tolist()}: expected a size")
    # A border that is one but for rounding belongs to one voxel only.
    first = np.floor(low_m / voxel_m + 1e-4).astype(np.int64)
    last = np.maximum(np.ceil(high_m / voxel_m - 1e-4).astype(np.int64), first + 1)
    shape = tuple((last - first).tolist())
    # As a float: the product of a box that spans a planet does not fit an integer.
    if np.prod(shape, dtype=float) > MAX_VOXELS:
        raise CapacityError(f"box of {shape} voxels: expected at most {MAX_VOXELS} in all")
    axes = (np.arange(a, b) + 0.5 for a, b in zip(first, last, strict=True))
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return grid * voxel_m, first * voxel_m, shape


def fill_response(
    response: Any,
    world_frame: str,
    stamp_ns: int,
    origin_m: np.ndarray,
    voxel_m: float,
    shape: tuple[int, ...],
    answer: PlanningAnswer,
) -> None:
    """Fill in the dense grid of the documented layout: x, y, z, the last one fastest."""
    response.header = header_of(stamp_ns, world_frame)
    response.origin_m.x, response.origin_m.y, response.origin_m.z = map(float, origin_m)
    response.voxel_size_m = float(voxel_m)
    # By std_msgs/MultiArrayLayout a stride counts the entries from its axis on.
    strides = (shape[0] * shape[1] * shape[2], shape[1] * shape[2], shape[2])
    response.esdf_and_gradients.layout.dim = [
        MultiArrayDimension(label=label, size=size, stride=stride)
        for label, size, stride in zip("xyz", shape, strides, strict=True)
    ]
    # nvblox's clients know one value for unknown, and no NaN.
    known = answer.observed & np.isfinite(answer.distance_m)
    values = np.where(known, answer.distance_m, UNKNOWN_IN_GRID).astype(np.float32)
    response.esdf_and_gradients.data = array.array("f", values.tobytes())
    response.success = True


def fill_slice(message: Any, distances: EsdfSlice) -> Any:
    """Fill in a DistanceMapSlice: rows of x."""
    known = distances.observed & np.isfinite(distances.distance_m)
    values = np.where(known, distances.distance_m, UNKNOWN_IN_SLICE).astype(np.float32)
    message.resolution = float(distances.cell_m)
    message.height, message.width = values.shape
    message.origin.x, message.origin.y = distances.origin_m
    message.origin.z = float(distances.z_m)
    message.unknown_value = UNKNOWN_IN_SLICE
    message.data = array.array("f", values.tobytes())
    return message
