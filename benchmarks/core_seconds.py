# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus run --seconds` by the time that the main thread has spent on a core, not on the wall.

So other programs on the machine count little: a second thread is still waited for busily. Kernels
are compiled before. The mesh that comes out is measured by `to_triangles.py`.

Run: OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 python benchmarks/core_seconds.py FOLDER MESH.ply
     OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 python benchmarks/core_seconds.py FOLDER MESH.ply \
         --set fusion.enabled=false
"""

import argparse
import json
import time
from itertools import islice
from pathlib import Path

import torch

from ineus_core.config import Config, load_config
from ineus_core.meshing import write_mesh
from ineus_core.pipeline import OfflineRun, RunLimits
from ineus_core.reconstruction import Reconstructor
from ineus_core.sources import open_source
from ineus_core.timing import Clock

_CPU = torch.device("cpu")


def compile_kernels(folder: str, config: Config) -> None:
    """Take a few frames and steps."""
    reconstructor = Reconstructor(config, _CPU)
    for frame in islice(open_source(folder), 4):
        reconstructor.add_frame(frame)
        reconstructor.step()
    reconstructor.mesh()


def main() -> None:
    """Run, write the mesh and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", help="a source")
    parser.add_argument("mesh", type=Path, help="file that the mesh goes to")
    parser.add_argument("--seconds", type=float, default=100.0)
    parser.add_argument("--set", action="append", default=[], metavar="A.B=V")
    arguments = parser.parse_args()
    config = load_config(overrides=arguments.set)
    compile_kernels(arguments.folder, config)
    reconstructor = Reconstructor(config, _CPU)
    run = OfflineRun(
        open_source(arguments.folder),
        reconstructor,
        config.pipeline,
        RunLimits(seconds=arguments.seconds),
        # Nothing is waited for, as time stands still meanwhile.
        clock=Clock(time.thread_time, lambda _: None),
    )
    wall_s, cores_s = time.perf_counter(), time.process_time()
    run.train()
    row = {
        "steps": reconstructor.steps,
        "keyframes": len(reconstructor.keyframe_poses()),
        "wall_s": round(time.perf_counter() - wall_s, 1),
        "cores_s": round(time.process_time() - cores_s, 1),
        "threads": torch.get_num_threads(),
    }
    write_mesh(reconstructor.mesh(), arguments.mesh)
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
