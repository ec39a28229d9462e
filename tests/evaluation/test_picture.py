# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The rasteriser on triangles whose pixels can be counted."""

import numpy as np

from ineus_core.evaluation import overview_camera, render_mesh_picture, render_textured_picture
from ineus_core.geometry import project, rigid_inverse
from ineus_core.types import Camera, Mesh, TexturedMesh

CAMERA = Camera(20, 20, 10.0, 10.0, 10.0, 10.0)
BACKGROUND = (246, 247, 249)


def quad(z: float, half: float, colour: tuple[int, int, int], faces_camera: bool = True) -> Mesh:
    """Make a square in front of a camera at the origin that looks along +z."""
    x = np.array((-half, half, half, -half))
    y = np.array((-half, -half, half, half))
    triangles = np.array(((0, 2, 1), (0, 3, 2)), dtype=np.int32)
    return Mesh(
        np.stack((x, y, np.full(4, z)), axis=1).astype(np.float32),
        triangles if faces_camera else triangles[:, ::-1].copy(),
        np.tile(np.array((0, 0, -1), dtype=np.float32), (4, 1)),
        np.tile(np.array(colour, dtype=np.uint8), (4, 1)),
    )


def both(a: Mesh, b: Mesh) -> Mesh:
    """Join two meshes."""
    return Mesh(
        np.concatenate((a.vertices, b.vertices)),
        np.concatenate((a.triangles, b.triangles + np.int32(len(a.vertices)))),
        np.concatenate((a.normals, b.normals)),
        np.concatenate((a.colours, b.colours)),
    )


def drawn(picture: np.ndarray) -> np.ndarray:
    """Find the pixels that are not background."""
    return (picture != BACKGROUND).any(axis=-1)


def test_a_square_covers_exactly_its_pixels() -> None:
    """Half width 1 m at 2 m is 5 pixels each way: rows and columns 5 to 14, without a seam."""
    picture = render_mesh_picture(quad(2.0, 1.0, (200, 100, 50)), np.eye(4), CAMERA)
    expected = np.zeros((20, 20), dtype=bool)
    expected[5:15, 5:15] = True
    np.testing.assert_array_equal(drawn(picture), expected)
    red, green, blue = picture[10, 10].astype(float)
    assert red / green == 2.0 or abs(red / green - 2.0) < 0.05
    assert abs(green / blue - 2.0) < 0.05


def test_a_texture_is_seen_upright_and_unlit() -> None:
    """Four texels of 5 x 5 pixels each; v counts from the bottom of the picture."""
    texture = np.array((((255, 0, 0), (0, 255, 0)), ((0, 0, 255), (9, 9, 9))), dtype=np.uint8)
    texture = texture.repeat(8, axis=0).repeat(8, axis=1)
    uv = np.array(((0, 1), (1, 1), (1, 0), (0, 0)), dtype=np.float32)
    made = TexturedMesh(quad(2.0, 1.0, (0, 0, 0)), uv, texture)
    picture = render_textured_picture(made, np.eye(4), CAMERA)
    for rows, columns, colour in (
        (slice(5, 9), slice(5, 9), (255, 0, 0)),
        (slice(5, 9), slice(11, 15), (0, 255, 0)),
        (slice(11, 15), slice(5, 9), (0, 0, 255)),
        (slice(11, 15), slice(11, 15), (9, 9, 9)),
    ):
        assert (picture[rows, columns] == colour).all()
    assert drawn(picture).sum() == 100


def test_the_nearer_surface_hides_the_farther_in_any_order() -> None:
    """Red at 2 m before green at 4 m."""
    near, far = quad(2.0, 0.4, (200, 0, 0)), quad(4.0, 4.0, (0, 200, 0))
    for mesh in (both(near, far), both(far, near)):
        picture = render_mesh_picture(mesh, np.eye(4), CAMERA)
        assert picture[10, 10, 0] > 0
        assert picture[10, 10, 1] == 0
        assert picture[2, 2, 0] == 0
        assert picture[2, 2, 1] > 0
        assert drawn(picture).all()


def test_faces_seen_from_behind_and_behind_the_camera_are_left_out() -> None:
    """That is what opens the rooms."""
    assert not drawn(
        render_mesh_picture(quad(2.0, 1.0, (9, 9, 9), faces_camera=False), np.eye(4), CAMERA)
    ).any()
    assert not drawn(render_mesh_picture(quad(-2.0, 1.0, (9, 9, 9)), np.eye(4), CAMERA)).any()


def test_colours_are_interpolated_on_the_surface_not_in_the_image() -> None:
    """A floor from 1 m to 9 m, black to white: at the pixel of 3 m it is a quarter of the way."""
    mesh = Mesh(
        np.array(((-50, 1, 1), (50, 1, 1), (50, 1, 9), (-50, 1, 9)), dtype=np.float32),
        np.array(((0, 1, 2), (0, 2, 3)), dtype=np.int32),
        np.tile(np.array((0, -1, 0), dtype=np.float32), (4, 1)),
        np.array(((0, 0, 0), (0, 0, 0), (200, 200, 200), (200, 200, 200)), dtype=np.uint8),
    )
    camera = Camera(21, 60, 30.0, 30.0, 10.5, 30.5)
    # Row 40 has its centre at 40.5: depth 30 / 10 = 3 m; the far end is at depth 9.
    picture = render_mesh_picture(mesh, np.eye(4), camera).astype(float)
    row_of_7_5_m = 34
    seen = picture[40, 10, 0] / picture[row_of_7_5_m, 10, 0]
    assert abs(seen - 0.25 / ((7.5 - 1) / 8)) < 0.03


def test_an_empty_mesh_is_background() -> None:
    """No triangle, no crash, also for the overview."""
    none = np.zeros((0, 3), dtype=np.float32)
    mesh = Mesh(none, none.astype(np.int32), none, none.astype(np.uint8))
    assert not drawn(render_mesh_picture(mesh, *overview_camera(mesh, 32, 24))).any()


def test_the_overview_holds_the_mesh_and_fills_the_picture() -> None:
    """All corners of a room-sized box inside, the widest side over 80 % of the picture."""
    x, y, z = np.meshgrid((2.0, 8.0), (-1.0, 3.0), (0.0, 2.5))
    corners = np.stack((x, y, z), axis=-1).reshape(-1, 3).astype(np.float32)
    mesh = Mesh(
        corners, np.zeros((0, 3), dtype=np.int32), corners, np.zeros((8, 3), dtype=np.uint8)
    )
    world_from_camera, camera = overview_camera(mesh)
    camera_from_world = rigid_inverse(world_from_camera)
    pixels = project(camera, corners @ camera_from_world[:3, :3].T + camera_from_world[:3, 3])
    size = np.array((camera.width_px, camera.height_px))
    assert (pixels > 0).all() and (pixels < size).all()
    assert ((pixels.max(axis=0) - pixels.min(axis=0)) / size).max() > 0.8
    assert world_from_camera[2, 3] > 2.5
    assert world_from_camera[2, 2] < -0.5
