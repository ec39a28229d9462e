# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Binary glTF as the page gets it: read back by another program, and its light on the screen."""

import io

import numpy as np
import pytest
import trimesh

from ineus_core.evaluation import LOOKS, colours_on_screen
from ineus_core.types import Mesh
from ineus_core.viewer.glb import light_of, unlit_glb

VERTICES = np.array(((0, 0, 0), (1, 0, 0), (0, 2, 0), (0, 0, 3)), np.float32)
TRIANGLES = np.array(((0, 1, 2), (0, 2, 3)), np.int32)


def on_screen(light: np.ndarray) -> np.ndarray:
    """Return the sRGB bytes that the shader of three.js makes of linear light (ACES, S. Hill)."""
    into = ((0.59719, 0.35458, 0.04823), (0.076, 0.90834, 0.01566), (0.0284, 0.13383, 0.83777))
    out = (
        (1.60475, -0.53108, -0.07367),
        (-0.10208, 1.10813, -0.00605),
        (-0.00327, -0.07276, 1.07602),
    )
    v = (light / 0.6) @ np.array(into).T
    fit = (v * (v + 0.0245786) - 0.000090537) / (v * (0.983729 * v + 0.432951) + 0.238081)
    linear = (fit @ np.array(out).T).clip(0, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(255 * srgb)


def test_another_reader_finds_the_same_triangles() -> None:
    colours = np.array([(200, 10, 10)] * 4, np.uint8)
    loaded = trimesh.load_scene(
        io.BytesIO(unlit_glb(VERTICES, TRIANGLES, colours)), file_type="glb"
    )
    (mesh,) = loaded.geometry.values()
    np.testing.assert_array_equal(mesh.vertices[mesh.faces], VERTICES[TRIANGLES])


@pytest.mark.parametrize("grey", [0, 20, 128, 200, 240])
def test_greys_look_as_they_were_seen(grey: int) -> None:
    shown = on_screen(light_of(np.full((1, 3), grey, np.uint8)))
    assert np.abs(shown - grey).max() <= 6


def test_colours_look_as_they_were_seen() -> None:
    colours = np.array(((180, 90, 60), (60, 120, 170), (90, 150, 80), (210, 200, 180)), np.uint8)
    assert np.abs(on_screen(light_of(colours)) - colours).max() <= 2


def test_what_faces_the_lamps_is_brighter_and_each_look_differs() -> None:
    up_and_down = np.array(((0, 0, 1), (0, 0, -1)), np.float32)
    mesh = Mesh(VERTICES[:2], TRIANGLES[:0], up_and_down, np.full((2, 3), (90, 120, 60), np.uint8))
    seen = {look: colours_on_screen(mesh, look, np.eye(3)) for look in LOOKS}
    assert (seen["colour, shaded"][0] > seen["colour, shaded"][1]).all()
    np.testing.assert_array_equal(seen["colour"], mesh.colours)
    np.testing.assert_array_equal(seen["normals"][0], (128, 128, 255))
    assert np.ptp(seen["shape"], axis=1).max() == 0
