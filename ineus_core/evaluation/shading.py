# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How a surface looks on a screen: its colours lit by fixed lamps, or its normals as colours."""

from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8

from ineus_core.evaluation.colours import normal_colours
from ineus_core.types import Mesh

Look = Literal["colour, shaded", "colour", "shape", "normals"]
LOOKS: tuple[Look, ...] = ("colour, shaded", "colour", "shape", "normals")
_LAMPS = np.array(((0.35, -0.55, 0.75), (-0.7, 0.35, 0.3)), np.float32)
_STRENGTHS = (0.62, 0.22)
_AMBIENT = 0.38
_PLASTER = 214


def colours_on_screen(
    mesh: Mesh, look: Look, upright_from_world: Float[np.ndarray, "3 3"]
) -> UInt8[np.ndarray, "v 3"]:
    """Return the colours that vertices have on the screen.

    Light is part of the colours: a browser would compute it from normals of its own, which break
    where two tiles meet, and RViz lights no triangles that have colours.

    Args:
        upright_from_world: Rotation that takes the direction against gravity to the z axis.
    """
    if look == "normals":
        return normal_colours(mesh.normals[None])[0]
    if look == "colour":
        return mesh.colours
    base = mesh.colours if look == "colour, shaded" else np.full(3, _PLASTER)
    # Rows times the rotation are its inverse: the lamps stand still in the upright world.
    lamps = _LAMPS / np.linalg.norm(_LAMPS, axis=1, keepdims=True) @ upright_from_world
    light = np.full(len(mesh.normals), _AMBIENT, np.float32)
    for lamp, strength in zip(lamps.astype(np.float32), _STRENGTHS, strict=True):
        # Half of it reaches what is turned away, which else would look flat.
        light += strength * (0.5 + 0.5 * (mesh.normals @ lamp)) ** 1.5
    return (base * light[:, None]).clip(0, 255).astype(np.uint8)
