# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A small call of each door behind which numba compiles, of the types that the rest of ineus has.

Numba compiles for the types of a call, and nothing here but a call says which these are. The calls
are so small that no kernel is split over threads.
"""

from collections.abc import Callable

import numpy as np
import torch

from ineus_core.kernels.adam import adam_step
from ineus_core.kernels.bundle_adjustment import PointSightings, stepped, triangulated
from ineus_core.kernels.cell_lookup import cells_at
from ineus_core.kernels.colour_votes import ColourViews, PointsOfHoles, colour_votes
from ineus_core.kernels.depth_comparison import DepthViews, Window, compare_depth, depth_around
from ineus_core.kernels.depth_fusion import (
    COLUMNS,
    SIDE,
    DepthImage,
    FusionLimits,
    block_keys,
    cell_jumps,
    fuse_depth,
    values_at,
)
from ineus_core.kernels.depth_splatting import splat_depth
from ineus_core.kernels.hash_grid import HashGridLayout, encoding
from ineus_core.kernels.hole_planes import planar_holes
from ineus_core.kernels.nearest_disc import DiscGrid, nearest_disc
from ineus_core.kernels.observed_mask import mark_observed
from ineus_core.kernels.occupancy import integrate_depth
from ineus_core.kernels.plane_alignment import PlaneViews, alignment_equations
from ineus_core.kernels.plane_fitting import SamplePlaces, fitted_planes
from ineus_core.kernels.plane_registration import registered, surface_quadrics
from ineus_core.kernels.pose_graph import (
    GivenPoses,
    PairQuadrics,
    apart_m2,
    carried_on,
    motions_between,
    pair_offsets,
    poses_moved,
    solved_once,
)
from ineus_core.kernels.ray_marching import march_padded
from ineus_core.kernels.rvl import decode_rvl
from ineus_core.kernels.stereo_matching import (
    Planes,
    SourceDepth,
    SourceView,
    agreement,
    best_plane,
    filtered_cost,
    matching_cost,
)
from ineus_core.kernels.thinning import thinned
from ineus_core.kernels.voxel_evidence import DepthView, EvidenceLimits, forget_contradicted
from ineus_core.types import Camera

_SIDE = 8
_CAMERA = Camera(_SIDE, _SIDE, 8.0, 8.0, 4.0, 4.0)
_PAIRS = np.array(((0, 1),))
_MOTION = np.eye(4)[None]


_LAYOUT = HashGridLayout(levels=1, log2_entries=4, base_resolution=2.0)


def _encode_value() -> None:
    table = torch.zeros(_LAYOUT.entries, _LAYOUT.features)
    encoding("numba")[1](torch.zeros(3, 3), table, _LAYOUT)


def _encode_and_differentiate() -> None:
    table = torch.zeros(_LAYOUT.entries, _LAYOUT.features, requires_grad=True)
    features, jacobian = encoding("numba")[0](torch.zeros(3, 3), table, _LAYOUT)
    (features.sum() + jacobian.sum()).backward()


def _step_of_adam() -> None:
    parameters, gradient, mean, square = torch.zeros(4, 5)
    adam_step(parameters, gradient, mean, square, torch.tensor(0.1), torch.tensor(1.0))


def _look_cells_up() -> None:
    cells_at(torch.zeros(3, 3), torch.zeros((2, 2, 2), dtype=torch.bool), (0, 0, 0), 0.5)


def _march() -> None:
    origins, directions = torch.zeros(3, 3), torch.ones(3, 3)
    near, jitter, cells = torch.zeros(3), torch.zeros(3), torch.ones((2, 2, 2), dtype=torch.bool)
    march_padded(
        origins, directions, near, near + 1, cells, torch.zeros(3), 0.5, 0.1, 8, 2, jitter
    )


def _integrate() -> None:
    log_odds = torch.zeros((4, 4, 4), dtype=torch.int8)
    scratch = torch.zeros((4, 4, 4), dtype=torch.uint8)
    origin, directions = torch.zeros(3), torch.ones(3, 3)
    integrate_depth(log_odds, scratch, origin, directions, torch.ones(3), 1.0, 1.0, (6, -1, 120))


def _mark_observed() -> None:
    cells = torch.zeros((4, 4, 4), dtype=torch.bool)
    mark_observed(cells, torch.zeros(3), torch.ones(3, 3), torch.ones(3), 0.5, 0.1, 8.0)


def _align_planes() -> None:
    planes = np.ones((2, _SIDE, _SIDE, 3), np.float32)
    views = PlaneViews(planes, np.full((2, 4), 4.0))
    alignment_equations(views, _PAIRS, _MOTION, 0.1, 2)


def _register() -> None:
    planes = np.ones((2, _SIDE, _SIDE, 3), np.float32)
    views = PlaneViews(planes, np.full((2, 4), 4.0))
    surface_quadrics(views, _PAIRS, np.tile(np.eye(4), (1, 2, 1, 1)), 0.1)
    registered(views, 1, np.zeros(1, np.int64), _MOTION, np.eye(4), 1.0)


def _fit_planes() -> None:
    zeros = np.zeros((1, _SIDE, _SIDE), np.float32)
    places = SamplePlaces(zeros, zeros, (8.0, 8.0, 4.0, 4.0))
    fitted_planes(np.ones((_SIDE, _SIDE), np.float32), None, places, (0.1, 10.0))


def _solve_graph() -> None:
    poses, zeros = np.tile(np.eye(4), (2, 1, 1)), np.zeros((1, 6))
    quadrics = PairQuadrics(_PAIRS, _MOTION, np.eye(6)[None], zeros, zeros)
    pair_offsets(quadrics, poses)
    apart_m2(quadrics, poses)
    motions_between(poses, poses_moved(poses, np.zeros((2, 6))))
    carried_on(poses, zeros)
    given = GivenPoses(poses, np.ones(2), 1.0, np.arange(2.0))
    solved_once(quadrics, given, poses, np.zeros((2, 6)), 1.0, np.ones(2, bool))


def _adjust_bundle() -> None:
    poses, numbers = np.tile(np.eye(4), (2, 1, 1)), np.array((0, 1))
    sightings = PointSightings(numbers, np.zeros(2, np.int64), np.zeros((2, 2)), np.ones(2))
    points = triangulated(sightings, poses) + 1
    stepped(sightings, poses, poses, points, np.ones(2, bool), 1.0)


def _compare_depth() -> None:
    depth_m = np.ones((2, _SIDE, _SIDE), np.float32)
    views = DepthViews(depth_m, depth_m, np.full((2, 4), 4.0), 0.01, 0.01)
    compare_depth(views, _PAIRS, _MOTION, 2)
    depth_around(depth_m[0], None, Window(depth_m[0], depth_m[0], 2), (0.1, 10.0))


def _close_holes() -> None:
    slopes = np.zeros((_SIDE, _SIDE, 2), np.float32)
    planar_holes(np.ones((_SIDE, _SIDE), np.float32), slopes, None, (0.1, 10.0))


def _vote() -> None:
    rgb, depth_m = np.zeros((1, _SIDE**2, 3), np.uint8), np.ones((1, _SIDE**2), np.float32)
    sizes_px, zeros = np.full((1, 2), _SIDE), np.zeros(1, np.int64)
    views = ColourViews(
        rgb, depth_m, sizes_px, np.ones(1), (_CAMERA,), np.zeros((1, 17)), zeros > 0, _MOTION
    )
    colour_votes(
        views, PointsOfHoles(np.ones((1, 3)), rgb[0, :1], zeros, zeros > 0, 1, np.ones(3))
    )


def _splat() -> None:
    registered = np.full((_SIDE, _SIDE), np.inf, np.float32)
    splat_depth(np.ones((_SIDE, _SIDE), np.float32), _CAMERA, _CAMERA, np.eye(4), registered)


def _fuse() -> None:
    values = np.zeros((1, SIDE, SIDE, SIDE, COLUMNS), np.float32)
    slots, blocks = np.zeros(1, np.int64), np.zeros((1, 3), np.int64)
    image = DepthImage(
        np.ones((_SIDE, _SIDE), np.float32),
        np.ones((_SIDE // 2, _SIDE // 2), np.float32),
        np.zeros((_SIDE, _SIDE, 3), np.uint8),
        _CAMERA,
        np.eye(4),
    )
    fuse_depth(values, slots, blocks, image, FusionLimits(0.1, 0.4, 0.002, 50.0), 1)


def _look_fused_up() -> None:
    values = np.zeros((1, SIDE, SIDE, SIDE, COLUMNS), np.float32)
    keys, slots = block_keys(np.zeros((1, 3), np.int64)), np.zeros(1, np.int64)
    cell_jumps(np.ones((2, 3)), values, keys, slots)
    values_at(np.ones((2, 3)), values, keys, slots, np.zeros((1, 2), np.float32))


def _judge_fused() -> None:
    values = np.zeros((1, SIDE, SIDE, SIDE, COLUMNS), np.float32)
    evidence = np.zeros(values.shape[:-1], np.int8)
    slots, blocks = np.zeros(1, np.int64), np.zeros((1, 3), np.int64)
    depth_m = np.ones((_SIDE, _SIDE), np.float32)
    view = DepthView(depth_m, depth_m, (8.0, 8.0, 4.0, 4.0), np.eye(4), 0.01, 0.01)
    forget_contradicted(values, evidence, slots, blocks, view, EvidenceLimits(0.1, -2, 3))


def _nearest_disc() -> None:
    elements = torch.tensor([[0.5, 0.5, 0.5, 0.0, 0.0, 1.0]])
    first = torch.zeros(1, dtype=torch.int64)
    nearest_disc(
        torch.zeros(2, 3), DiscGrid(elements, first, first, torch.zeros(3), (1, 1, 1), 1.0, 0.1, 8)
    )


def _match() -> None:
    grey, plane_xy = torch.zeros(_SIDE, _SIDE), torch.zeros(_SIDE, _SIDE, 2)
    source = SourceView(grey, torch.ones_like(grey), _CAMERA, np.eye(4)[:3].astype(np.float32))
    matching_cost(grey, plane_xy, grey, Planes(0.1, 0.1, 1), [source], 2.0)


def _filter() -> None:
    filtered_cost(torch.zeros(1, _SIDE, _SIDE), torch.zeros(_SIDE, _SIDE), 2, 10.0)


def _choose_plane() -> None:
    best_plane(torch.zeros(1, _SIDE, _SIDE))


def _agree() -> None:
    q, plane_xy = torch.ones(_SIDE, _SIDE), torch.zeros(_SIDE, _SIDE, 2)
    other = SourceDepth(q, _CAMERA, np.eye(4)[:3].astype(np.float32), 0.01, 1.0)
    agreement(q, plane_xy, [other], 0.01, 0.1)


def _thin() -> None:
    thinned(np.zeros((4, 3)), 0.5)


def _decode() -> None:
    decode_rvl(np.frombuffer(bytes(8), np.uint32), 4)


SMALL_CALLS: dict[str, tuple[Callable[[], object], ...]] = {
    "plane_fitting": (_fit_planes,),
    "plane_alignment": (_align_planes,),
    "plane_registration": (_register,),
    "pose_graph": (_solve_graph,),
    "bundle_adjustment": (_adjust_bundle,),
    "occupancy": (_integrate,),
    "observed_mask": (_mark_observed,),
    "cell_lookup": (_look_cells_up,),
    "depth_comparison": (_compare_depth,),
    "hole_planes": (_close_holes,),
    "colour_votes": (_vote,),
    "depth_fusion": (_fuse, _look_fused_up),
    "voxel_evidence": (_judge_fused,),
    "hash_grid": (_encode_value, _encode_and_differentiate),
    "ray_marching": (_march,),
    "adam": (_step_of_adam,),
    "depth_splatting": (_splat,),
    "rvl": (_decode,),
    "stereo_matching": (_match, _filter, _choose_plane, _agree),
    "nearest_disc": (_nearest_disc,),
    "thinning": (_thin,),
}
"""By operator, in the order in which a run needs them."""
LATER = {"depth_splatting", "rvl", "stereo_matching", "nearest_disc", "thinning"}
"""Those that the first mesh of a run with depth of the colour's camera does without."""
