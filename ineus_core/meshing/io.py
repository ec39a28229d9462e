# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Mesh files: PLY, OBJ and GLB; a file appears whole under its name or not at all."""

import io
import logging
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from ineus_core.errors import ConfigError, SourceError
from ineus_core.files import DAMAGED_ARRAY, replace_file
from ineus_core.geometry import as_precise, needs_double
from ineus_core.types import Mesh, TexturedMesh

_LOG = logging.getLogger(__name__)


def write_mesh(mesh: Mesh, path: str | Path) -> Path:
    """Write a mesh in the format that the suffix names, with normals and colours.

    Far from the origin PLY has positions in double precision; GLB, which has none, counts them
    from a node that is placed there, and a warning says so.

    Raises:
        ConfigError: Unknown suffix, or a place that cannot be written.
        CapacityError: The file system is full; an older file of that name is untouched.
    """
    path = Path(path)
    encode = _ENCODERS.get(path.suffix.lower())
    if encode is None:
        raise ConfigError(
            f"mesh file {path}: suffix {path.suffix!r}, expected one of {', '.join(MESH_SUFFIXES)}"
        )
    return replace_file(path, encode(mesh))


def write_textured_mesh(textured: TexturedMesh, path: str | Path) -> Path:
    """Write a mesh with its texture: one GLB, or an OBJ with its .mtl and .png beside it.

    Raises:
        ConfigError: Another suffix, or a place that cannot be written.
        CapacityError: The file system is full.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in TEXTURED_SUFFIXES:
        raise ConfigError(
            f"mesh file {path}: suffix {path.suffix!r}, expected one of "
            f"{', '.join(TEXTURED_SUFFIXES)} for a texture"
        )
    if suffix == ".glb":
        return replace_file(path, _encode_textured_glb(textured))
    material, picture = path.with_suffix(".mtl"), path.with_suffix(".png")
    # What a file names is there before it.
    replace_file(picture, _encode_png(textured.texture))
    replace_file(material, f"newmtl surface\nKa 0 0 0\nKd 1 1 1\nillum 0\nmap_Kd {picture.name}\n")
    return replace_file(path, _encode_textured_obj(textured, material.name))


def read_mesh(path: str | Path) -> Mesh:
    """Read a mesh in any format that trimesh knows; what it lacks is computed or grey.

    Vertices are float64 where single precision would not hold them.

    Raises:
        SourceError: No such file, not a mesh, or without triangles.
    """
    path = Path(path)
    loaded = _load(path)
    triangles = np.asarray(getattr(loaded, "faces", np.zeros((0, 3))), dtype=np.int32)
    if len(triangles) == 0:
        raise SourceError(f"mesh file {path}: no triangles")
    vertices = as_precise(np.asarray(loaded.vertices))
    colours = np.full(vertices.shape, 180, dtype=np.uint8)
    if loaded.visual.kind is not None:
        # A texture is read as the colours at its vertices.
        visual = loaded.visual.to_color() if loaded.visual.kind == "texture" else loaded.visual
        colours = np.asarray(visual.vertex_colors, dtype=np.uint8)[:, :3]
    normals = np.asarray(loaded.vertex_normals, dtype=np.float32)
    return Mesh(vertices, triangles, normals, np.ascontiguousarray(colours))


def read_reference(path: str | Path) -> Mesh | Float[np.ndarray, "n 3"]:
    """Read what a mesh is compared with: a mesh, or points in a PLY or an .npy of shape [n 3]."""
    path = Path(path)
    if path.suffix.lower() == ".npy":
        return _read_npy(path)
    loaded = _load(path)
    if len(getattr(loaded, "faces", ())):
        return read_mesh(path)
    points = np.asarray(loaded.vertices, dtype=np.float64)
    if len(points) == 0:
        raise SourceError(f"reference {path}: neither triangles nor points")
    return points


def _read_npy(path: Path) -> Float[np.ndarray, "n 3"]:
    try:
        # Mapped, so that a header that claims more than the file holds takes no memory.
        points = np.load(path, mmap_mode="r", allow_pickle=False)
    except DAMAGED_ARRAY as error:
        raise SourceError(f"points {path}: {error}") from error
    if points.dtype.kind not in "fiu":
        raise SourceError(f"points {path}: of type {points.dtype}, expected numbers")
    if points.ndim != 2 or points.shape[1] != 3 or len(points) == 0:
        raise SourceError(f"points {path}: shape {points.shape}, expected (n, 3) with n > 0")
    return points.astype(np.float64)


def _load(path: Path):  # type: ignore[no-untyped-def]
    """Return a trimesh.Trimesh or trimesh.PointCloud, its vertices in the order of the file."""
    import trimesh

    if not path.is_file():
        raise SourceError(f"mesh file {path}: no such file")
    try:
        scene = trimesh.load_scene(path, process=False)
        shapes = list(scene.geometry.values())
        placed = [scene.graph.get(node)[0] for node in scene.graph.nodes_geometry]
        # Joining a scene loses the normals of the file.
        if len(shapes) == 1 and all(np.array_equal(place, np.eye(4)) for place in placed):
            return shapes[0]
        return scene.to_mesh()
    # trimesh raises whatever its parsers stumble over.
    except Exception as error:
        raise SourceError(f"mesh file {path}: cannot be read ({error})") from error


def _encode_ply(mesh: Mesh) -> bytes:
    position = ("double", "<f8") if needs_double(mesh.vertices) else ("float", "<f4")
    header = (
        "ply\nformat binary_little_endian 1.0\ncomment ineus, world frame, metres\n"
        f"element vertex {len(mesh.vertices)}\n"
        + "".join(f"property {position[0]} {name}\n" for name in ("x", "y", "z"))
        + "".join(f"property float {name}\n" for name in ("nx", "ny", "nz"))
        + "".join(f"property uchar {name}\n" for name in ("red", "green", "blue"))
        + f"element face {len(mesh.triangles)}\n"
        "property list uchar int vertex_indices\nend_header\n"
    )
    vertices = np.empty(
        len(mesh.vertices),
        dtype=[("position", position[1], 3), ("normal", "<f4", 3), ("rgb", "u1", 3)],
    )
    vertices["position"], vertices["normal"], vertices["rgb"] = (
        mesh.vertices,
        mesh.normals,
        mesh.colours,
    )
    faces = np.empty(len(mesh.triangles), dtype=[("count", "u1"), ("vertices", "<i4", 3)])
    faces["count"], faces["vertices"] = 3, mesh.triangles
    return header.encode("ascii") + vertices.tobytes() + faces.tobytes()


def _encode_obj(mesh: Mesh) -> bytes:
    """Write colours after the position, where most readers of OBJ expect them."""
    out = io.StringIO()
    out.write("# ineus, world frame, metres; v x y z r g b\n")
    coloured = np.concatenate((mesh.vertices, mesh.colours / 255.0), axis=1)
    np.savetxt(out, coloured, fmt="v %.6f %.6f %.6f %.4f %.4f %.4f")
    np.savetxt(out, mesh.normals, fmt="vn %.4f %.4f %.4f")
    # OBJ counts from 1.
    np.savetxt(out, np.repeat(mesh.triangles + 1, 2, axis=1), fmt="f %d//%d %d//%d %d//%d")
    return out.getvalue().encode("ascii")


def _encode_glb(mesh: Mesh) -> bytes:
    """Write single precision, which is all that the format has, and the place of the node."""
    import trimesh

    place = _place_of_node(mesh)
    solid = trimesh.Trimesh(
        vertices=mesh.vertices - place[:3, 3],
        faces=mesh.triangles,
        vertex_normals=mesh.normals,
        vertex_colors=mesh.colours,
        process=False,
    )
    return _export_glb(solid, place)


def _encode_textured_glb(textured: TexturedMesh) -> bytes:
    """Write the texture as base colour of a surface that does not shine."""
    import trimesh
    from PIL import Image

    mesh, place = textured.mesh, _place_of_node(textured.mesh)
    material = trimesh.visual.material.PBRMaterial(
        baseColorTexture=Image.fromarray(textured.texture),
        metallicFactor=0.0,
        roughnessFactor=1.0,
    )
    solid = trimesh.Trimesh(
        vertices=mesh.vertices - place[:3, 3],
        faces=mesh.triangles,
        vertex_normals=mesh.normals,
        visual=trimesh.visual.TextureVisuals(uv=textured.uv, material=material),
        process=False,
    )
    return _export_glb(solid, place)


def _encode_textured_obj(textured: TexturedMesh, material: str) -> bytes:
    mesh, out = textured.mesh, io.StringIO()
    out.write(f"# ineus, world frame, metres\nmtllib {material}\nusemtl surface\n")
    np.savetxt(out, mesh.vertices, fmt="v %.6f %.6f %.6f")
    np.savetxt(out, textured.uv, fmt="vt %.6f %.6f")
    np.savetxt(out, mesh.normals, fmt="vn %.4f %.4f %.4f")
    corners = np.repeat(mesh.triangles + 1, 3, axis=1)
    np.savetxt(out, corners, fmt="f %d/%d/%d %d/%d/%d %d/%d/%d")
    return out.getvalue().encode("ascii")


def _encode_png(picture: UInt8[np.ndarray, "h w 3"]) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()


def _place_of_node(mesh: Mesh) -> Float[np.ndarray, "4 4"]:
    """Return where the node of a GLB stands that its vertices count from."""
    place = np.eye(4)
    if needs_double(mesh.vertices):
        place[:3, 3] = np.round(np.median(mesh.vertices, axis=0))
        _LOG.warning(
            "GLB holds single precision only: its vertices count from a node at %s m, which "
            "viewers may round to half metres; PLY and OBJ hold the coordinates themselves",
            place[:3, 3].tolist(),
        )
    return place


def _export_glb(solid: Any, place: Float[np.ndarray, "4 4"]) -> bytes:
    import trimesh

    scene = trimesh.Scene()
    scene.add_geometry(solid, transform=place)
    return scene.export(file_type="glb", include_normals=True)


_ENCODERS = {".ply": _encode_ply, ".obj": _encode_obj, ".glb": _encode_glb}
MESH_SUFFIXES = tuple(_ENCODERS)
TEXTURED_SUFFIXES = (".obj", ".glb")
