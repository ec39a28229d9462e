# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A mesh as binary glTF whose colours a browser shows as they are, without light of its own."""

import json

import numpy as np
from jaxtyping import Float, Int, UInt8

# Numbers of OpenGL, by which glTF names types and targets.
_UNSIGNED_INT, _FLOAT = 5125, 5126
_ARRAY, _ELEMENTS = 34962, 34963
_EXTENSION = "KHR_materials_unlit"

# viser's page maps the tones of all that it draws by the fit of ACES by S. Hill, as three.js has
# it: what is to look like the camera's picture has to go through its inverse.
_IN = np.array(
    ((0.59719, 0.35458, 0.04823), (0.076, 0.90834, 0.01566), (0.0284, 0.13383, 0.83777))
)
_OUT = np.array(
    ((1.60475, -0.53108, -0.07367), (-0.10208, 1.10813, -0.00605), (-0.00327, -0.07276, 1.07602))
)
# three.js brightens so before the fit.
_EXPOSURE = 1 / 0.6
_WHITEST = 0.97
"""Beyond, no light is bright enough."""


def unlit_glb(
    vertices: Float[np.ndarray, "v 3"],
    triangles: Int[np.ndarray, "t 3"],
    colours: UInt8[np.ndarray, "v 3"],
) -> bytes:
    """Encode triangles that are seen from their front only, in colours of the screen."""
    positions = np.ascontiguousarray(vertices, "<f4")
    # Floats: vertex colours of glTF are linear, and go beyond 1 here, of which bytes know nothing.
    lights = np.ascontiguousarray(light_of(colours), "<f4")
    arrays = (positions, lights, np.ascontiguousarray(triangles, "<u4"))
    chunks = [array.tobytes() for array in arrays]
    document = _document(positions, len(triangles) * 3, [len(chunk) for chunk in chunks])
    text = json.dumps(document, separators=(",", ":")).encode()
    # Chunks of glTF begin at multiples of 4; those of JSON are filled up with spaces.
    text += b" " * (-len(text) % 4)
    body = b"".join(chunks)
    # The head of the file, and a length and a kind before each of both chunks.
    total = 12 + 8 + len(text) + 8 + len(body)
    return b"".join(
        (
            *(b"glTF", _u32(2), _u32(total)),
            *(_u32(len(text)), b"JSON", text),
            *(_u32(len(body)), b"BIN\0", body),
        )
    )


def light_of(colours: UInt8[np.ndarray, "v 3"]) -> Float[np.ndarray, "v 3"]:
    """Return the linear light that the page shows as colours of the screen."""
    srgb = np.minimum(colours / 255.0, _WHITEST)
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    # The curve nears 1 / c = 1.017, which no light reaches.
    y = (linear @ np.linalg.inv(_OUT).T).clip(0.0, 0.98)
    # The curve of the fit is a quotient of two parabolas: y = (v (v + a) - b) / (v (c v + d) + e).
    a, b, c, d, e = 0.0245786, 0.000090537, 0.983729, 0.432951, 0.238081
    p, q, r = 1 - c * y, a - d * y, -(b + e * y)
    v = (-q + np.sqrt(q * q - 4 * p * r)) / (2 * p)
    return (v @ np.linalg.inv(_IN).T / _EXPOSURE).clip(min=0.0)


def _document(positions: Float[np.ndarray, "v 3"], indices: int, sizes: list[int]) -> dict:
    """Describe the three arrays that follow each other in the one buffer."""
    count = len(positions)
    starts = [0, sizes[0], sizes[0] + sizes[1]]
    targets = (_ARRAY, _ARRAY, _ELEMENTS)
    return {
        "asset": {"version": "2.0", "generator": "ineus"},
        "extensionsUsed": [_EXTENSION],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "materials": [{"extensions": {_EXTENSION: {}}}],
        "meshes": [
            {
                "primitives": [
                    {"attributes": {"POSITION": 0, "COLOR_0": 1}, "indices": 2, "material": 0}
                ]
            }
        ],
        "accessors": [
            _accessor(0, _FLOAT, count, "VEC3")
            | {"min": positions.min(axis=0).tolist(), "max": positions.max(axis=0).tolist()},
            _accessor(1, _FLOAT, count, "VEC3"),
            _accessor(2, _UNSIGNED_INT, indices, "SCALAR"),
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": start, "byteLength": size, "target": target}
            for start, size, target in zip(starts, sizes, targets, strict=True)
        ],
        "buffers": [{"byteLength": sum(sizes)}],
    }


def _accessor(view: int, component: int, count: int, kind: str) -> dict:
    return {"bufferView": view, "componentType": component, "count": count, "type": kind}


def _u32(number: int) -> bytes:
    return number.to_bytes(4, "little")
