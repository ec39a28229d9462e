# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What options cost in a training step, captured or by autograd on the same kernels.

The built-in object with its foreground, at the settings of `ineus bench`; each option alone, then
those of config/seed/neus-blender.yaml together. Options that the captured step does not know come
last: curvature, differences, distortion, a learned background, a loss in torch; then backends of
others where they are installed. Plain torch beside it shows what a step takes without kernels.

Run: python benchmarks/step_options.py [--torch] [--only NAME ...] [--set A.B=V]
"""

import argparse
import gc
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import torch
from rgbd_room import median_ms

from ineus_core.config import load_config
from ineus_core.reconstruction import Reconstructor
from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.training import Loss, LossInputs, register_loss
from ineus_core.training.losses import masked_mean
from ineus_core.types import Frame

_SEED = Path(__file__).parents[1] / "config" / "seed" / "neus-blender.yaml"
_OBJECT = (
    "bounds.aabb=[-1.5,-1.5,-1.5,1.5,1.5,1.5]",
    "field.init=object",
    "field.levels=16",
    "field.log2_entries=19",
    "training.background=white",
    "training.view_dropout=0",
    "training.samples_per_step=262144",
    "meshing.voxel_size_m=0.01",
)
_OPTIONS = {
    "none": (),
    "squared colour error": ("training.weights.photometric_mse=10",),
    "mask": ("training.weights.mask=0.1",),
    "random background": ("training.background=random",),
    "opaque and sparsity": ("training.weights.opaque=0.1", "training.weights.sparsity=0.01"),
    "colour rate": ("training.optimiser.colour_rate=0.01",),
    "decay of weights": ("training.optimiser.weight_decay=0.01",),
    "rates by step": (
        "training.optimiser.rate_steps=[500,20000]",
        "training.optimiser.rate_factors=[1.0,0.1]",
    ),
}
_BY_AUTOGRAD = {
    "finite differences": ("field.gradient=finite_difference",),
    "curvature": ("field.gradient=finite_difference", "training.weights.curvature=0.0005"),
    "distortion": ("training.weights.distortion=0.01",),
    "learned background": ("background.kind=learned",),
    "loss of one's own": ("training.weights.hollow=0.01",),
}
"""What the captured step does not know."""
_BACKENDS = {
    "tiny-cuda-nn": ("tinycudann", ("field.backend=tcnn",)),
    "nerfacc": ("nerfacc", ("rendering.backend=nerfacc",)),
}
"""The package of a backend of others, and what selects it."""


def _hollow(x: LossInputs) -> torch.Tensor:
    return masked_mean(torch.relu(-x.output.sdf), x.samples.valid)


register_loss(Loss("hollow", 0.0, "Mean depth of samples below a surface, m.", _hollow))


def cases() -> Iterator[tuple[str, Path | None, tuple[str, ...]]]:
    """Name, configuration file and overrides."""
    for name, overrides in _OPTIONS.items():
        yield name, None, (*_OBJECT, *overrides)
    yield "neus-blender.yaml", _SEED, ()
    for name, overrides in _BY_AUTOGRAD.items():
        yield name, None, (*_OBJECT, *overrides)
    for name, (package, overrides) in _BACKENDS.items():
        if find_spec(package) is not None:
            yield name, None, (*_OBJECT, *overrides)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--torch", action="store_true", help="time plain torch as well")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="names of lines")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=V", help="in all lines")
    arguments = parser.parse_args()
    source = SyntheticSource(
        SyntheticConfig(scene="object", frames=24, width_px=200, height_px=200, depth=False)
    )
    frames = [replace(f, foreground=source.foreground(i)) for i, f in enumerate(source)]
    print(torch.cuda.get_device_name())
    for name, path, overrides in cases():
        if arguments.only and name not in arguments.only:
            continue
        steps, warm_up = (60, 150) if name in (*_BY_AUTOGRAD, *_BACKENDS) else (300, 1000)
        settings = (*overrides, *arguments.set)
        times = [_step_ms(path, settings, frames, warm_up, steps)]
        if arguments.torch:
            plain = (*settings, "field.backend=torch", "rendering.backend=torch")
            times.append(_step_ms(path, plain, frames, 40, 20))
        print(f"{name:24s}", *times, flush=True)


def _step_ms(
    path: Path | None,
    overrides: tuple[str, ...],
    frames: list[Frame],
    warm_up: int,
    steps: int,
) -> str:
    """Return the time of a step, its kind, and how many rays and samples it had."""
    gc.collect()
    reconstructor = Reconstructor(load_config(path, list(overrides)), torch.device("cuda"))
    for frame in frames:
        reconstructor.add_frame(frame)
    reconstructor.start()
    for _ in range(warm_up):
        reconstructor.step()
    step = reconstructor.reconstruction.train_step
    step.take_means()
    before = step.steps

    def many() -> None:
        for _ in range(steps // 5):
            step()

    step_ms = median_ms(many, 5) / (steps // 5)
    _, samples, rays = step.take_means()
    kind = type(step).__name__.removesuffix("Step").lower()
    taken = step.steps - before
    return f"{step_ms:8.3f} ms {kind:8s} {rays // taken:6d} rays {samples // taken:7d} samples"


if __name__ == "__main__":
    main()
