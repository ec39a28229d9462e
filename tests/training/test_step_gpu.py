# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The eager step on a GPU: options train on kernels, nothing waits, what is bad goes back."""

import math
from typing import Any

import pytest
import torch
from tiny_scene import room_source, tiny_config

from ineus_core.reconstruction import Reconstructor
from ineus_core.training import EagerStep

pytestmark = pytest.mark.gpu

GPU = torch.device("cuda")
GRID = {"levels": 8, "log2_entries": 15, "extent_m": 16.0, "hidden": 64}
DIFFERENCES = {"field": {"gradient": "finite_difference"}}
OPTIONS: dict[str, dict[str, Any]] = {
    "differences": DIFFERENCES,
    "curvature": {**DIFFERENCES, "training": {"weights": {"curvature": 0.001}}},
    "distortion": {"training": {"weights": {"distortion": 0.01}}},
    "random background": {
        **DIFFERENCES,
        "training": {"background": "random", "weights": {"opaque": 0.1}},
    },
    "weight normalisation": {"field": {"weight_norm": True}},
    "plain rendering": {"rendering": {"backend": "torch"}},
}


def reconstruction(depth: bool, **sections: dict[str, Any]) -> Reconstructor:
    settings = {"rays_per_step": 512, "samples_per_step": 8192, **sections.pop("training", {})}
    field = {**GRID, **sections.pop("field", {})}
    torch.manual_seed(0)
    made = Reconstructor(tiny_config(field=field, training=settings, **sections), GPU)
    for frame in room_source(6, depth=depth):
        made.add_frame(frame)
    made.start()
    return made


def eager_step(made: Reconstructor) -> EagerStep:
    step = made.reconstruction.train_step
    assert isinstance(step, EagerStep)
    return step


@pytest.mark.parametrize("depth", [True, False])
@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_trains_and_waits_for_nothing(name: str, depth: bool) -> None:
    step = eager_step(reconstruction(depth, **OPTIONS[name]))
    for _ in range(5):
        step()
    first, _, _ = step.take_means()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for _ in range(100):
        step()
    step.take_means()
    for _ in range(10):
        step()
    last, samples, rays = step.take_means()
    assert all(math.isfinite(value) for value in last.values())
    assert last["photometric"] < first["photometric"]
    assert step.counters["steps_rolled_back"] == 0
    assert samples > 0 and rays > 0
    for term, weight in OPTIONS[name].get("training", {}).get("weights", {}).items():
        assert weight * last[term] > 0


def test_a_learned_background_trains() -> None:
    background = {"kind": "learned", "samples": 16, "levels": 4, "log2_entries": 12, "cells": 16}
    made = reconstruction(False, background=background)
    step, behind = eager_step(made), made.reconstruction.field.get_parameter("background.field.w2")
    before = behind.detach().clone()
    for _ in range(20):
        made.step()
    means, _, _ = step.take_means()
    assert all(math.isfinite(value) for value in means.values())
    assert not torch.equal(before, behind)


def test_a_nan_is_rolled_back_and_counted() -> None:
    step = eager_step(reconstruction(True, **DIFFERENCES, training={"snapshot_every": 10}))
    for _ in range(20):
        step()
    with torch.no_grad():
        step._field.w2[0, 0] = math.nan
    for _ in range(10):
        step()
    assert step.counters["steps_rolled_back"] > 0
    assert all(bool(p.isfinite().all()) for p in step._field.parameters())
    for _ in range(10):
        step()
    assert all(math.isfinite(value) for value in step.take_means()[0].values())


def test_the_half_table_follows_the_table() -> None:
    step = eager_step(reconstruction(True, **DIFFERENCES))
    for _ in range(5):
        step()
    half = step._field.half_table
    assert half is not None
    assert torch.equal(half, step._field.table.detach().half())
