# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The built-in scenes: exact distances by hand, and pictures that agree with them."""

from dataclasses import replace

import numpy as np
import pytest

from ineus_core.geometry import pixel_rays, project
from ineus_core.sources.read_options import ReadOptions
from ineus_core.sources.synthetic.analytic_scene import AnalyticScene, Part
from ineus_core.sources.synthetic.mesh import scene_mesh
from ineus_core.sources.synthetic.placing import turn
from ineus_core.sources.synthetic.render import add_depth_noise, trace
from ineus_core.sources.synthetic.shapes import (
    Shape,
    Texture,
    bowl,
    box,
    box_frame,
    cylinder,
    half_space,
    rod,
    sphere,
    texture_colours,
    torus,
    wall,
)
from ineus_core.sources.synthetic.source import SyntheticConfig, SyntheticSource
from ineus_core.types import Frame

GREY = Texture("checker", (0.2, 0.2, 0.2), (0.8, 0.8, 0.8), 0.1)


def source(scene: str = "room", **settings: object) -> SyntheticSource:
    small = {"frames": 12, "width_px": 64, "height_px": 48, **settings}
    return SyntheticSource(SyntheticConfig(scene=scene, **small))  # type: ignore[arg-type]


def world_points(frame: Frame) -> np.ndarray:
    assert frame.depth_m is not None
    rays = pixel_rays(frame.camera).astype(np.float64)
    points = rays / rays[..., 2:] * frame.depth_m[..., None]
    pose = frame.world_from_camera
    return points[frame.depth_m > 0] @ pose[:3, :3].T + pose[:3, 3]


@pytest.mark.parametrize(
    ("shape", "point", "expected"),
    [
        (sphere(1.0), (0, 3, 4), 4.0),
        (sphere(1.0), (0, 0, 0), -1.0),
        (box((2, 4, 6)), (4, 0, 0), 3.0),
        (box((2, 4, 6)), (4, 6, 0), 5.0),
        (box((2, 4, 6)), (0.5, 0, 0), -0.5),
        (box((2, 2, 2), 0.25), (1.0, 1.0, 0.0), 0.25 * (np.sqrt(2) - 1)),
        (cylinder(1.0, 2.0), (4, 0, 5), 5.0),
        (cylinder(1.0, 2.0), (0, 0.75, 0), -0.25),
        (rod(0.5, 2.0), (0, 3, 5), 4.5),
        (torus(2.0, 0.5), (0, 0, 0), 1.5),
        (torus(2.0, 0.5), (0, 2.0, 0), -0.5),
        (box_frame((2, 2, 2), 0.2), (0, 0, 0), 0.8 * np.sqrt(2)),
        (box_frame((2, 2, 2), 0.2), (0.9, 0.9, 0.3), -0.1),
        (bowl(1.0, 0.0, 0.2), (0, 0, 0), 0.9),
        (bowl(1.0, 0.0, 0.2), (0, 0, -1.0), -0.1),
        (bowl(1.0, 0.0, 0.2), (1.0, 0, 2.0), 1.9),
        (half_space(2, -1, 2.5), (7, 7, 2.0), 0.5),
        (wall(0, 1, -1.0, 2.0), (2, 0, 6), 5.0),
        (wall(0, 1, -1.0, 2.0), (-3, 0, 3), 1.0),
    ],
)
def test_distances_worked_out_by_hand(shape: Shape, point: tuple, expected: float) -> None:
    points = np.array(point, dtype=np.float64)[:, None]
    assert shape.distance(points)[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("scene", ["room", "object", "corridor", "hall"])
def test_distance_is_exact_in_free_space(scene: str) -> None:
    """A distance is exact if the ball of that radius is free and touches the surface."""
    made = source(scene)
    rng = np.random.default_rng(1)
    points = rng.uniform(made.scene.aabb_m[0], made.scene.aabb_m[1], (400, 3))
    distance = made.sdf(points)
    points, distance = points[distance > 0.01], distance[distance > 0.01]
    assert len(points) > 100
    # Down the gradient by the distance lies the surface, unless the point is equally far from two.
    touching = points - distance[:, None] * made.scene.normals(points)
    assert np.abs(made.sdf(touching)).max() < 1e-6
    for direction in rng.normal(size=(30, 3)):
        inside = points + 0.999 * distance[:, None] * direction / np.linalg.norm(direction)
        assert made.sdf(inside).min() > 0


def test_parts_that_are_skipped_would_not_have_been_nearest() -> None:
    scene = source("room").scene
    points = np.random.default_rng(2).uniform((-2.5, -2, 0), (2.5, 2, 2.6), (500, 3))
    points = points[scene.sdf(points) > 0]
    every = np.min([part.distance(points.T) for part in scene.parts], axis=0)
    np.testing.assert_allclose(scene.sdf(points), every, atol=1e-12)


@pytest.mark.parametrize("shape", [sphere(0.4), box((0.6, 0.4, 0.5), 0.1), torus(0.3, 0.1)])
def test_rays_end_where_plain_sphere_tracing_ends(shape: Shape) -> None:
    scene = AnalyticScene(
        [
            [Part(shape, GREY, (0.1, 0.2, 0.3), turn("x", 40))],
            [Part(half_space(2, 1, -1.0), GREY)],
        ],
        np.array([[-1.0, -1, -1], [1, 1, 1]]),
    )
    rng = np.random.default_rng(3)
    origins = np.tile(np.array([[0.0], [-2.0], [1.0]]), (1, 500))
    directions = rng.normal((0, 1, -0.4), 0.3, (500, 3)).T
    directions /= np.linalg.norm(directions, axis=0)
    hits = trace(scene, origins, directions, far_m=6.0)
    t = np.zeros(500)
    for _ in range(3000):
        t = np.minimum(t + scene.nearest(origins + t * directions)[0], 7.0)
    np.testing.assert_allclose(
        np.where(hits.hit, hits.range_m, 0), np.where(t < 6, t, 0), atol=2e-4
    )
    assert 0 < hits.hit.sum() < 500
    assert len(set(hits.part_index[hits.hit])) == 2


@pytest.mark.parametrize("scene", ["room", "object", "corridor", "hall"])
def test_depth_lies_on_the_surface_and_nothing_before_it(scene: str) -> None:
    made = source(scene)
    for frame in made:
        points = world_points(frame)
        eye = frame.world_from_camera[:3, 3]
        assert np.abs(made.sdf(points)).max() < 5e-4
        assert made.sdf(eye + 0.98 * (points - eye)).min() > 0
        assert made.sdf(eye[None])[0] > 0.3


def test_a_shift_moves_the_pattern_by_so_many_scales() -> None:
    points = np.random.default_rng(4).uniform(-1, 1, (3, 200))
    footprint = np.full(200, 1e-3)
    moved = texture_colours(replace(GREY, shift=5.7), points, footprint)
    plain = texture_colours(GREY, points + 5.7 * GREY.scale_m, footprint)
    np.testing.assert_allclose(moved, plain, atol=1e-6)
    assert np.abs(moved - texture_colours(GREY, points, footprint)).max() > 0.3


def test_depth_of_a_floor_by_hand() -> None:
    """From 2 m above a plane, looking straight down, every depth is 2 m."""
    scene = AnalyticScene([[Part(half_space(2, 1, 0.0), GREY)]], np.array([[-1.0] * 3, [1.0] * 3]))
    directions = np.array([[0, 0, -1.0], [0.6, 0, -0.8]]).T
    hits = trace(scene, np.array([[0, 0, 2.0]] * 2).T, directions, far_m=10.0)
    np.testing.assert_allclose(hits.range_m, (2.0, 2.5), atol=1e-9)
    np.testing.assert_allclose(hits.normals.T, [[0, 0, 1]] * 2, atol=1e-6)


def test_room_is_closed_and_object_is_surrounded_by_white() -> None:
    room, thing = source("room"), source("object")
    assert all(frame.depth_m is not None and frame.depth_m.min() > 0 for frame in room)
    frame = thing.frame(5)
    seen = thing.foreground(5)
    assert 0.05 < seen.mean() < 0.6
    corner = frame.rgb[:4, :4]
    assert (corner == 255).all()
    assert frame.mask is None


def test_pixels_at_the_edge_of_an_object_say_how_much_of_it_they_show() -> None:
    frame, inside = source("object").frame(5), source("object").foreground(5)
    share = frame.foreground
    assert share is not None
    assert set(np.unique(share)) == {0.0, 0.25, 0.5, 0.75, 1.0}
    # What is wholly beside the object is white, and only pixels by its outline are in between.
    assert (frame.rgb[share == 0] == 255).all()
    assert ((share > 0) == inside).mean() > 0.9


def test_gloss_is_brightest_where_the_light_is_mirrored() -> None:
    plane = [[Part(half_space(2, 1, 0.0), Texture("stripes", (0, 0, 0), (0, 0, 0), 0.1))]]
    scene = AnalyticScene(plane, np.array([[-1.0] * 3, [1.0] * 3]), gloss=0.5)
    light = np.array((0.35, -0.48, 0.80))
    light /= np.linalg.norm(light)
    mirrored = light * (1, 1, -1)
    directions = np.stack((mirrored, (0.0, 0.0, -1.0), -mirrored * (1, 1, -1)), axis=1)
    zeros, normals = np.zeros((3, 3)), np.tile([[0.0], [0.0], [1.0]], (1, 3))
    parts, footprint_m = np.zeros(3, dtype=np.int64), np.full(3, 1e-3)
    colours = scene.lit_colours(zeros, parts, normals, footprint_m, directions)
    # Half of white straight in the mirror, and nothing of it seen from the light itself.
    assert abs(int(colours[0, 0]) - 128) <= 2
    assert 0 < colours[1, 0] < 40
    matt = AnalyticScene(plane, scene.aabb_m)
    assert not matt.lit_colours(zeros, parts, normals, footprint_m, directions).any()


def test_the_machine_has_many_parts_within_the_unit_sphere() -> None:
    made = source("machine")
    assert len(made.scene.parts) > 200
    corners = np.array([corner for part in made.scene.parts for corner in part.box()])
    assert np.abs(corners).max() < 1.0
    assert 0.02 < made.foreground(5).mean() < 0.6


def test_frames_repeat_and_stamps_rise_at_the_rate() -> None:
    made = source(rate_hz=5.0, noise=1.0, frames=3)
    first, again = list(made), list(made)
    assert [frame.stamp_ns for frame in first] == [0, 200_000_000, 400_000_000]
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.rgb, b.rgb)
        np.testing.assert_array_equal(a.depth_m, b.depth_m)  # type: ignore[arg-type]
    assert len(made) == 3
    assert len(SyntheticSource(options=ReadOptions(max_frames=7))) == 7


def test_neighbouring_frames_overlap() -> None:
    poses = SyntheticSource(SyntheticConfig(frames=80)).world_from_camera
    for a, b in zip(poses, poses[1:] + poses[:1], strict=True):
        assert np.linalg.norm(a[:3, 3] - b[:3, 3]) < 0.3
        cosine = (np.trace(a[:3, :3].T @ b[:3, :3]) - 1) / 2
        assert np.degrees(np.arccos(cosine)) < 30


def test_a_point_looks_alike_in_all_frames() -> None:
    """The light does not move with the camera, and poses and pictures belong together."""
    made = source(frames=80, width_px=160, height_px=120)
    a, b = made.frame(8), made.frame(9)
    points = world_points(a)
    in_b = (points - b.world_from_camera[:3, 3]) @ b.world_from_camera[:3, :3]
    pixels = np.floor(project(b.camera, in_b)).astype(int)
    inside = ((pixels >= 0) & (pixels < (160, 120))).all(axis=1) & (in_b[:, 2] > 0.1)
    column, row = pixels[inside].T
    assert inside.mean() > 0.5
    assert np.median(np.abs(b.depth_m[row, column] - in_b[inside, 2])) < 0.02  # type: ignore[index]
    difference = np.abs(b.rgb[row, column].astype(int) - a.rgb.reshape(-1, 3)[inside])
    assert np.median(difference) <= 3


def test_noise_by_its_law() -> None:
    rng = np.random.default_rng(0)
    depth = np.full((200, 200), 3.0, dtype=np.float32)
    facing = np.ones_like(depth)
    noisy = add_depth_noise(depth, facing, 1.0, 8.0, rng)
    assert noisy.std() == pytest.approx(0.0012 + 0.0019 * 2.6**2, rel=0.05)
    np.testing.assert_allclose(noisy * 1000, np.round(noisy * 1000), atol=1e-3)
    assert not add_depth_noise(depth, facing * 0.05, 1.0, 8.0, rng).any()
    assert not add_depth_noise(depth, facing, 1.0, 2.5, rng).any()
    assert not add_depth_noise(depth * 0, facing, 1.0, 8.0, rng).any()


def test_neighbours_share_noise_as_far_as_it_is_spread() -> None:
    depth = np.full((200, 200), 3.0, dtype=np.float32)
    noisy = add_depth_noise(
        depth, np.ones_like(depth), 1.0, 8.0, np.random.default_rng(0), spread_px=2.0
    )
    assert noisy.std() == pytest.approx(0.0012 + 0.0019 * 2.6**2, rel=0.05)
    off = noisy - noisy.mean()
    # Of two Gaussians of deviation s that lie d apart: exp(-d^2 / (4 s^2)).
    for apart, shared in ((2, np.exp(-0.25)), (4, np.exp(-1.0)), (12, 0.0)):
        found = (off[:, apart:] * off[:, :-apart]).mean() / off.var()
        assert found == pytest.approx(shared, abs=0.06)


def test_holes_are_patches_of_the_share_that_was_asked_for() -> None:
    made = source(noise=1.0, holes=0.12, width_px=320, height_px=240)
    whole = source(noise=1.0, width_px=320, height_px=240)
    depth_m, without_m = made.frame(3).depth_m, whole.frame(3).depth_m
    assert depth_m is not None and without_m is not None
    gone = (without_m > 0) & (depth_m == 0)
    assert gone.sum() / (without_m > 0).sum() == pytest.approx(0.12, abs=0.02)
    # Beside most of its pixels there is another one of the same hole.
    inner = gone[1:-1, 1:-1]
    assert gone[1:-1, :-2][inner].mean() > 0.7
    assert np.array_equal(depth_m[~gone], without_m[~gone])


def test_reference_points_lie_on_the_surface_and_apart() -> None:
    made = source("room")
    points = made.reference_points(2000, seed=1)
    assert points.shape == (2000, 3)
    assert np.abs(made.sdf(points)).max() < 5e-4
    every = made.reference_points(10**9, spacing_m=0.05)
    assert len(np.unique(np.floor(every / 0.05), axis=0)) == len(every)


def test_reference_mesh_of_a_sphere_has_its_area() -> None:
    scene = AnalyticScene([[Part(sphere(0.5), GREY)]], np.array([[-0.5] * 3, [0.5] * 3]))
    mesh = scene_mesh(scene, 0.05)
    a, b, c = mesh.vertices[mesh.triangles].transpose(1, 0, 2)
    normal = np.cross(b - a, c - a) / 2
    assert np.linalg.norm(normal, axis=1).sum() == pytest.approx(np.pi, rel=0.01)
    np.testing.assert_allclose(np.linalg.norm(mesh.vertices, axis=1), 0.5, atol=1e-9)
    np.testing.assert_allclose(mesh.normals, mesh.vertices / 0.5, atol=1e-5)
    assert ((normal * (a + b + c)).sum(axis=1) > 0).all()
    edges = np.sort(mesh.triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()


def test_unknown_setting_is_refused() -> None:
    with pytest.raises(ValueError, match="noize"):
        SyntheticConfig(noize=1.0)  # type: ignore[call-arg]


def test_a_plain_texture_is_one_colour() -> None:
    plain = Texture("plain", (0.2, 0.4, 0.6), (1.0, 0.0, 0.0), 0.1)
    points = np.random.default_rng(0).uniform(-1, 1, (3, 5))
    colours = texture_colours(plain, points, np.full(5, 0.01))
    np.testing.assert_array_equal(colours, np.tile([[0.2], [0.4], [0.6]], 5))


@pytest.mark.parametrize(("scene", "length_m"), [("corridor", 36), ("hall", 30)])
def test_walks_stay_in_free_space_and_go_the_whole_way(scene: str, length_m: float) -> None:
    made = source(scene, frames=300)
    eyes = np.array([pose[:3, 3] for pose in made.world_from_camera])
    assert made.sdf(eyes).min() > 0.5
    steps_m = np.linalg.norm(np.diff(eyes, axis=0), axis=1)
    assert steps_m.sum() > length_m
    # At 30 frames a second for 30 s a step is a third of this.
    assert steps_m.max() < 0.25
