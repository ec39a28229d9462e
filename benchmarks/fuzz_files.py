# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Damaged files for `fuzz.py`, of every reader: data sets, bags, meshes, checkpoints, settings."""

import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import folder_making as sequences
import numpy as np
import scene_formats as photographs
import sequence_formats
import torch
from fuzz_messages import damaged

from ineus_core.config import load_config
from ineus_core.meshing import read_mesh, read_reference, write_mesh
from ineus_core.reconstruction import read_checkpoint
from ineus_core.reconstruction.checkpoint_files import write_checkpoint
from ineus_core.sources import open_source
from ineus_core.sources.bags.writer import BagWriterConfig, write_bag
from ineus_core.types import Mesh

_NUMBERS = (b"1e400", b"-1", b"nan", b"99999999999999999999", b"[[[[", b"\0", b'"', b"{}")


class Files:
    """Cases by number: which input, which of its files, what is done to it."""

    def __init__(self, seed: int, folder: Path) -> None:
        """Write the honest inputs once."""
        self._seed, self._work = seed, folder / "work"
        honest = folder / "honest"
        if not honest.exists():
            beside = folder / "beside"
            shutil.rmtree(beside, ignore_errors=True)
            _write_all(beside)
            beside.rename(honest)
        self._inputs = sorted(honest.iterdir())
        self.honest = len(self._inputs)

    def run_honest(self, number: int) -> str:
        """Read an input as it is."""
        return _read(self._inputs[number])

    def run(self, number: int) -> str:
        """Damage one file of an input and read it."""
        rng = np.random.default_rng((self._seed, number))
        chosen = self._inputs[int(rng.integers(len(self._inputs)))]
        shutil.rmtree(self._work, ignore_errors=True)
        copy = self._work / chosen.name
        self._work.mkdir(parents=True)
        (shutil.copytree if chosen.is_dir() else shutil.copy)(chosen, copy)
        files = sorted(p for p in (copy.rglob("*") if copy.is_dir() else (copy,)) if p.is_file())
        _damage(files[int(rng.integers(len(files)))], rng)
        return _read(copy)


def _damage(path: Path, rng: np.random.Generator) -> None:
    content = path.read_bytes()
    kind = rng.random()
    if kind < 0.1:
        path.unlink()
    elif kind < 0.2:
        path.write_bytes(b"")
    elif kind < 0.35 and path.suffix in (".json", ".txt", ".yaml", ".cam"):
        at = int(rng.integers(len(content) + 1))
        word = _NUMBERS[int(rng.integers(len(_NUMBERS)))]
        path.write_bytes(content[:at] + word + content[at + len(word) :])
    elif kind < 0.4:
        path.write_bytes(rng.bytes(len(content)))
    else:
        path.write_bytes(damaged(content, rng))


def _read(path: Path) -> str:
    kind = path.name.split("-")[0]
    if kind == "checkpoint":
        read_checkpoint(path)
    elif kind == "mesh":
        read_mesh(path)
    elif kind == "points":
        read_reference(path)
    elif kind == "config":
        load_config(path)
    else:
        for _ in islice(open_source(path), 5):
            pass
    return f"read ({kind})"


def _write_all(folder: Path) -> None:
    folder.mkdir(parents=True)
    scene = photographs.object_scene()
    writers: dict[str, Callable[[Path], object]] = {
        "posed_images": sequences.make_posed_images,
        "seven_scenes": sequences.make_seven_scenes,
        "tum": sequences.make_tum,
        "blender": photographs.write_blender,
        "transforms": photographs.write_transforms_json,
        "dtu": photographs.write_dtu,
        "llff": photographs.write_llff,
        "blended_mvs": photographs.write_blended_mvs,
        "colmap-text": lambda path: photographs.write_colmap(path, binary=False),
        "colmap-binary": lambda path: photographs.write_colmap(path, binary=True),
    }
    # Every other program's layout that there is a writer for.
    for name in vars(sequence_formats):
        if name.startswith("write_") and name not in ("write_millimetres", "write_picture"):
            writers[name.removeprefix("write_")] = getattr(sequence_formats, name)
    for name, write in writers.items():
        write(folder / name)
    frames = scene.frames
    for name, config in (
        ("bag-raw.mcap", BagWriterConfig()),
        ("bag-jpeg.mcap", BagWriterConfig(compressed=True)),
    ):
        write_bag(frames, folder / name, config)
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    normals = np.tile(np.float32([0, 0, 1]), (3, 1))
    colours = np.zeros((3, 3), np.uint8)
    mesh = Mesh(vertices, np.array([[0, 1, 2]], np.int32), normals, colours)
    for suffix in ("ply", "obj", "glb"):
        write_mesh(mesh, folder / f"mesh-{suffix}.{suffix}")
    np.save(folder / "points-array.npy", vertices)
    tensors = {"table": torch.rand(1000, 2), "rays": torch.rand(100, 7)}
    write_checkpoint(folder / "checkpoint-tiny", tensors, {"step": 1})
    shutil.copy(Path(__file__).parents[1] / "config" / "default.yaml", folder / "config-all.yaml")
