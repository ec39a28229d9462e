# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Times of the stages of the captured training step at any size, each replayed from a CUDA graph.

The step is that of a reconstruction of the built-in object, as in `ineus bench`, which measures
more but at one size.

Run: python benchmarks/kernels.py [--rays N] [--samples N] [--set A.B=V ...] [--json FILE]
"""

import argparse
import datetime
import json
import platform
from pathlib import Path

import torch
import triton

from ineus_core.bench.measure import captured_stages
from ineus_core.bench.timing import median_ms
from ineus_core.bench.work import built_in_work, prepared
from ineus_core.training.captured.step import CapturedStep

_GPU = torch.device("cuda")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rays", type=int, default=8192, help="a quarter of what may be drawn")
    parser.add_argument("--samples", type=int, default=1 << 18)
    parser.add_argument("--set", nargs="*", default=[], metavar="A.B=V", help="further keys")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    sizes = (
        f"training.rays_per_step={arguments.rays}",
        f"training.samples_per_step={arguments.samples}",
    )
    work, _ = built_in_work(_GPU)
    reconstructor, _ = prepared(work, _GPU, [*sizes, *arguments.set])
    step = reconstructor.reconstruction.train_step
    if not isinstance(step, CapturedStep):
        parser.error(f"the options of {arguments.set} are not those of a captured step")
    step.take_means()
    before = step.steps
    whole_ms = median_ms(step, _GPU, 15, 20)
    _, samples, rays = step.take_means()
    used, drawn = (count // (step.steps - before) for count in (samples, rays))
    # Last, as stages that are called alone leave no sensible field.
    result = captured_stages(step.stages())
    result["sum of parts"] = sum(result.values())
    result["whole step"] = whole_ms
    for name, value in result.items():
        print(f"{name:22s} {value:8.4f} ms")
    rate = used / whole_ms / 1e3
    print(f"{drawn} rays, {used} samples of {arguments.samples}, {rate:.1f} M samples/s")
    print(
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}, triton {triton.__version__}, "
        f"python {platform.python_version()}, {datetime.date.today()}"
    )
    if arguments.json:
        found = {"ms": result, "samples": used, "msamples_per_s": rate}
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
