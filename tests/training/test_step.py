# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The optimiser step: it learns, survives an empty batch, and takes back what is not finite."""

import math

import pytest
import torch
from tiny_scene import CPU, pose, tiny_config, tiny_field, wall_frame

from ineus_core.fields import Initialisation
from ineus_core.keyframes import KeyframeBuffer, Replay
from ineus_core.rendering import OccupancyGrid
from ineus_core.training import EagerStep, TrainingConfig, resolved_training
from ineus_core.types import Frame

BOX = torch.tensor([[-1.5, -1.5, -0.5], [1.5, 1.5, 2.5]])


def train_step(frame: Frame, **training: object) -> EagerStep:
    config = tiny_config(training=training)
    generator = torch.Generator().manual_seed(0)
    buffer = KeyframeBuffer(config.keyframes, frame.camera, CPU)
    buffer.add(frame)
    replay = Replay(config.replay, buffer, generator)
    replay.on_keyframe_added()
    grid = OccupancyGrid(config.occupancy, 0.1, BOX, CPU)
    grid.has_sensor = frame.depth_m is not None
    field = tiny_field("depth", side_m=8.0)
    settings = resolved_training(config.training, CPU)
    ray_sampling = config.ray_sampling.resolved(config.meshing.voxel_size_m)
    return EagerStep(settings, ray_sampling, field, grid, replay, generator)


def test_a_wall_is_learned() -> None:
    step = train_step(wall_frame(depth_m=1.5))
    step()
    first, _, rays = step.take_means()
    assert rays == 256
    for _ in range(40):
        step()
    step.take_means()
    for _ in range(10):
        step()
    last, samples, _ = step.take_means()
    assert samples == 10 * 256 * 16
    assert last["band"] < 0.5 * first["band"]
    assert last["total"] < 0.5 * first["total"]
    sdf = step._field.sdf(torch.tensor([[0.0, 0, 1.45], [0.0, 0, 1.5], [0.0, 0, 1.55]]))
    assert sdf.tolist() == pytest.approx([0.05, 0.0, -0.05], abs=0.03)


def test_the_total_is_the_weighted_sum_of_the_means() -> None:
    step = train_step(wall_frame(depth_m=1.5))
    step()
    means, _, _ = step.take_means()
    weights = step._config.weights
    expected = sum(getattr(weights, name) * means[name] for name in means if name != "total")
    assert means["total"] == pytest.approx(expected)


def test_colour_alone_is_marched_and_fills_the_budget() -> None:
    step = train_step(wall_frame(depth_m=None), samples_per_step=1000)
    for _ in range(25):
        step()
    step.take_means()
    for _ in range(5):
        step()
    means, samples, _ = step.take_means()
    assert all(math.isfinite(value) for value in means.values())
    assert 0.5 * 1000 < samples / 5 <= 1000


@pytest.mark.parametrize("depth_m", [1.5, None])
def test_an_empty_batch_changes_nothing_but_the_count(depth_m: float | None) -> None:
    import numpy as np

    nothing = np.zeros((30, 40), dtype=bool)
    step = train_step(wall_frame(depth_m=depth_m, mask=nothing))
    step._grid.occupied[:] = False
    before = [p.detach().clone() for p in step._field.parameters()]
    for _ in range(3):
        step()
    assert step.steps == 3
    assert step.counters["steps_rolled_back"] == 0
    for old, new in zip(before, step._field.parameters(), strict=True):
        assert torch.equal(old, new)
    assert step.take_means()[0]["total"] == 0.0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_step_that_is_not_finite_is_taken_back_and_counted(bad: float) -> None:
    step = train_step(wall_frame(depth_m=1.5), snapshot_every=5)
    for _ in range(12):
        step()
    kept = [p.clone() for p in step._record._snapshot]
    with torch.no_grad():
        step._field.w2[0, 0] = bad
    step()
    assert step.counters["steps_rolled_back"] == 1
    assert step.steps == 12
    for old, new in zip(kept, step._field.parameters(), strict=True):
        assert torch.equal(old, new)
    for _ in range(5):
        step()
    assert step.steps == 17
    means, _, _ = step.take_means()
    assert all(math.isfinite(value) for value in means.values())


def test_a_snapshot_is_never_of_broken_parameters() -> None:
    step = train_step(wall_frame(depth_m=1.5), snapshot_every=2)
    step()
    with torch.no_grad():
        # A row that this batch does not touch has no part in the loss.
        step._field.table[-1] = math.nan
    for _ in range(4):
        step()
    assert all(bool(p.isfinite().all()) for p in step._record._snapshot)
    assert all(bool(p.isfinite().all()) for p in step._field.parameters())


@pytest.mark.parametrize("background", ["none", "white", "black", "random"])
def test_every_background_trains(background: str) -> None:
    step = train_step(wall_frame(depth_m=None), background=background)
    for _ in range(3):
        step()
    assert step.steps == 3


def test_settling_lowers_the_rates() -> None:
    step = train_step(wall_frame(depth_m=1.5))
    for _ in range(3):
        step()
    before = step._field.w1.detach().clone()
    step.scale_rates(1e-6)
    step()
    assert (step._field.w1 - before).abs().max() < 1e-6


def test_poses_and_generator_decide_the_step() -> None:
    results = []
    for _ in range(2):
        torch.manual_seed(0)
        step = train_step(wall_frame(depth_m=1.5, world_from_camera=pose(0.1)))
        for _ in range(5):
            step()
        results.append([p.detach().clone() for p in step._field.parameters()])
    for first, second in zip(*results, strict=True):
        assert torch.equal(first, second)


def test_rates_follow_the_device_unless_given() -> None:
    for given, resolved in ((0.0, 0.01), (0.002, 0.002)):
        config = TrainingConfig.model_validate({"optimiser": {"heads_rate": given}})
        assert resolved_training(config, CPU).optimiser.heads_rate == resolved


@pytest.mark.parametrize(
    ("init", "eikonal", "anneal_steps"),
    [("depth", 0.1, 0), ("object", 0.1, 400), ("room", 0.3, 400)],
)
def test_what_is_trained_without_depth_is_annealed(
    init: Initialisation, eikonal: float, anneal_steps: int
) -> None:
    resolved = resolved_training(TrainingConfig(), CPU, init)
    assert (resolved.weights.eikonal, resolved.cos_anneal_steps) == (eikonal, anneal_steps)
    given = TrainingConfig(cos_anneal_steps=7, weights={"eikonal": 0.0})
    kept = resolved_training(given, CPU, init)
    assert (kept.weights.eikonal, kept.cos_anneal_steps) == (0.0, 7)
