# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Kills at random instants of saving: every file is whole, and nothing stays behind.

A child saves a mesh and a checkpoint in turn, each in two versions, without end; SIGKILL comes at
an instant that a seed decides. Then the mesh must be one of the versions, byte by byte, the
checkpoint must load into a reconstructor and be one of its versions, bit by bit, and the next who
saves must leave no other name in the folder.

Run: python benchmarks/kills.py [--kills N] [--seed S]
"""

import argparse
import hashlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
import numpy as np
import torch
from tiny_scene import CPU, room_source, tiny_config

from ineus_core.meshing import write_mesh
from ineus_core.reconstruction import Reconstructor, read_checkpoint
from ineus_core.reconstruction.checkpoint_files import write_checkpoint
from ineus_core.types import Mesh

MESH, CHECKPOINT = "mesh.ply", "checkpoint"
CYCLES = 1.5
"""A kill comes within so many rounds of saving all versions."""


class Saver:
    """Two versions of a map, of different sizes, and what their files hold."""

    def __init__(self, folder: Path) -> None:
        """Train, and save each version once to know what is right."""
        self.out = folder / "out"
        self.versions: list[tuple[Reconstructor, Mesh]] = []
        self.hashes: list[str] = []
        # Read once, so that the child does nothing but write.
        self._contents: list[tuple[dict[str, torch.Tensor], dict[str, Any]]] = []
        for frames in (3, 6):
            made = Reconstructor(tiny_config(), CPU)
            for frame in room_source(frames):
                made.add_frame(frame)
                made.step()
            self.versions.append((made, made.mesh()))
            write_mesh(self.versions[-1][1], folder / MESH)
            self.hashes.append(hash_of(folder / MESH))
            made.save(folder / CHECKPOINT)
            self._contents.append(read_checkpoint(folder / CHECKPOINT))
        begin_s = time.perf_counter()
        self.save()
        self.round_s = time.perf_counter() - begin_s

    def save(self) -> None:
        """Save all versions in turn."""
        for (_, mesh), (tensors, meta) in zip(self.versions, self._contents, strict=True):
            write_mesh(mesh, self.out / MESH)
            write_checkpoint(self.out / CHECKPOINT, tensors, meta)

    def faults(self) -> list[str]:
        """Return what is not whole in the folder."""
        found = []
        if hash_of(self.out / MESH) not in self.hashes:
            found.append("the mesh is of no version")
        loaded = Reconstructor(tiny_config(), CPU)
        try:
            loaded.load(self.out / CHECKPOINT)
        except Exception as error:
            return [*found, f"the checkpoint does not load: {error}"]
        steps = [made.steps for made, _ in self.versions]
        if loaded.steps not in steps:
            return [*found, f"the checkpoint is of step {loaded.steps}"]
        expected = self.versions[steps.index(loaded.steps)][0].reconstruction.field
        for name, values in loaded.reconstruction.field.state_dict().items():
            if not torch.equal(values, expected.state_dict()[name]):
                found.append(f"{name} of the checkpoint is of another version")
        return found


def hash_of(path: Path) -> str:
    """Return what tells the content of a file, or that it is not there."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "absent"


def save_without_end(saver: Saver, begun: int) -> None:
    """Be the child: say that saving begins, and go on until the end."""
    os.write(begun, b"1")
    while True:
        saver.save()


def kill_once(saver: Saver, after_s: float) -> None:
    """Let a child save, and kill it."""
    begun, say = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            save_without_end(saver, say)
        finally:
            os._exit(1)
    os.close(say)
    os.read(begun, 1)
    os.close(begun)
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        raise RuntimeError(f"the child ended by itself with {os.WEXITSTATUS(status)}")


def main() -> int:
    """Kill; 1 if anything was not whole or stayed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(arguments.seed)
    counts: Counter[str] = Counter()
    folder = Path(tempfile.mkdtemp())
    try:
        saver = Saver(folder)
        begin_s = time.perf_counter()
        for number in range(arguments.kills):
            kill_once(saver, float(rng.uniform(0.0, CYCLES * saver.round_s)))
            names = {path.name for path in saver.out.iterdir()}
            counts["kills that left something half"] += bool(names - {MESH, CHECKPOINT})
            faults = saver.faults()
            saver.save()
            faults += [
                f"{path.name} stays behind"
                for path in saver.out.iterdir()
                if path.name not in (MESH, CHECKPOINT)
            ]
            counts["kills after which all was not well"] += bool(faults)
            for fault in faults:
                print(f"kill {number}: {fault}", file=sys.stderr)
        took_s = time.perf_counter() - begin_s
    finally:
        shutil.rmtree(folder)
    print(
        f"{arguments.kills} kills with seed {arguments.seed} in {took_s:.0f} s; "
        f"saving two meshes and two checkpoints took {1e3 * saver.round_s:.0f} ms"
    )
    for what in ("kills that left something half", "kills after which all was not well"):
        print(f"{counts[what]:6d} {what}")
    return 1 if counts["kills after which all was not well"] else 0


if __name__ == "__main__":
    sys.exit(main())
