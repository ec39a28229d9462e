# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Every option of fields and losses through the whole reconstruction, by colour alone."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_scene import CPU, tiny_config

from ineus_core.config import load_config
from ineus_core.errors import ConfigError
from ineus_core.reconstruction import Reconstructor, ReconstructorConfig
from ineus_core.rendering import ImageRenderer
from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.types import Frame

SEED = Path(__file__).parents[2] / "config" / "seed"
SMALL_BACKGROUND = {
    "kind": "learned", "levels": 4, "log2_entries": 12, "hidden": 32, "samples": 8, "cells": 16,
}  # fmt: skip
DIFFERENCES = {"gradient": "finite_difference", "start_levels": 2, "steps_per_level": 2}
VARIANTS: dict[str, dict[str, Any]] = {
    "masks": {"training": {"background": "random", "weights": {"mask": 0.1, "opaque": 0.1}}},
    "squared colour": {"training": {"weights": {"photometric": 0, "photometric_mse": 10}}},
    "regularisers": {"training": {"weights": {"sparsity": 0.01, "distortion": 0.01}}},
    "curvature": {
        "field": DIFFERENCES, "training": {"ramps": {"curvature": (0, 0.0, 1e-3, 3)}},
    },
    "tetrahedron": {"field": {**DIFFERENCES, "gradient_taps": 4, "gradient_step_m": 0.01}},
    "deep": {"field": {"hidden_layers": 3, "weight_norm": True, "colour_activation": "lin2srgb"}},
    "one picture a batch": {"replay": {"one_keyframe": True}},
    "frequency": {"field": {"encoding": "frequency", "octaves": 4, "octave_steps": 4}},
    "both encodings": {"field": {"encoding": "both", "colour": "plain", "inv_s_cap": 200.0}},
    "density": {"field": {"kind": "density"}, "training": {"background": "white"}},
    "learned background": {
        "background": SMALL_BACKGROUND,
        "training": {"weights": {"distortion_background": 0.01}},
    },
    "schedule": {
        "training": {
            "optimiser": {
                "warm_up_steps": 2, "rate_steps": (2, 6), "rate_factors": (1.0, 0.1),
                "weight_decay": 0.01, "colour_rate": 0.01,
            }
        }
    },
}  # fmt: skip


@cache
def frames() -> list[Frame]:
    config = SyntheticConfig(scene="object", frames=6, width_px=40, height_px=40, depth=False)
    return list(SyntheticSource(config))


def reconstructed(steps: int, **sections: Any) -> Reconstructor:
    config = tiny_config(
        **{
            "bounds": {"aabb": (-1.0, -1, -1, 1, 1, 1)},
            "occupancy": {"cell_m": 0.1, "max_steps": 128, "update_every": 2},
            **sections,
        }
    )
    reconstructor = Reconstructor(config, CPU)
    for frame in frames():
        reconstructor.add_frame(frame)
    for _ in range(steps):
        reconstructor.step()
    return reconstructor


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_trains_renders_meshes_and_comes_back(name: str, tmp_path: Path) -> None:
    reconstructor = reconstructed(5, **VARIANTS[name])
    report = reconstructor.report()
    assert report.step == 5
    assert report.counters.get("steps_rolled_back", 0) == 0
    assert all(np.isfinite(value) for value in report.losses.values())
    frame = frames()[0]
    image = reconstructor.render(frame.camera, frame.world_from_camera)
    assert np.isfinite(image.opacity).all()
    mesh = reconstructor.mesh()
    assert np.isfinite(mesh.vertices).all()
    again = Reconstructor(reconstructor.config, CPU)
    again.load(reconstructor.save(tmp_path / "checkpoint"))
    assert np.array_equal(again.render(frame.camera, frame.world_from_camera).rgb, image.rgb)
    again.step()
    assert again.steps == 6


@pytest.mark.parametrize("path", sorted(SEED.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_files_of_the_seed_train(path: Path) -> None:
    words = [
        "field.levels=6", "field.log2_entries=12", "field.hidden=32", "background.levels=4",
        "background.log2_entries=10", "background.samples=8", "background.cells=16",
        "training.rays_per_step=64", "training.samples_per_step=2048", "occupancy.max_steps=128",
        "occupancy.update_every=2", "keyframes.capacity=8", "keyframes.memory_mb=16",
    ]  # fmt: skip
    whole = load_config(path, words)
    sections = {name: getattr(whole, name) for name in ReconstructorConfig.model_fields}
    reconstructor = Reconstructor(ReconstructorConfig(**sections), CPU)
    for frame in frames():
        reconstructor.add_frame(frame)
    for _ in range(3):
        reconstructor.step()
    assert len(reconstructor.reconstruction.buffer) == len(frames())
    report = reconstructor.report()
    assert report.counters.get("steps_rolled_back", 0) == 0
    assert report.losses["total"] > 0
    assert (report.losses["mask"] > 0) == (whole.training.weights.mask > 0)


def test_the_weights_of_a_checkpoint_begin_a_training_of_its_own(tmp_path: Path) -> None:
    first = reconstructed(5, field={"weight_norm": True, "hidden_layers": 2})
    saved = first.save(tmp_path / "checkpoint")
    # Another configuration, of which the shape of the field is not asked.
    again = Reconstructor(tiny_config(training={"background": "white"}), CPU)
    again.load_weights(saved)
    for frame in frames():
        again.add_frame(frame)
    again.start()
    assert len(again.reconstruction.buffer) == len(frames())
    for name, value in first.reconstruction.field.state_dict().items():
        assert torch.equal(value, again.reconstruction.field.state_dict()[name]), name
    np.testing.assert_allclose(
        again.reconstruction.grid.host_aabb, first.reconstruction.grid.host_aabb, atol=0.2
    )
    for _ in range(3):
        again.step()
    assert again.steps == 3
    assert not torch.equal(first.reconstruction.field.w1, again.reconstruction.field.w1)
    again.reset()
    assert again.intake._given_field is None


def test_views_are_rendered_as_the_field_has_been_trained() -> None:
    made = reconstructed(2, training={"background": "white", "cos_anneal_steps": 8})
    frame = frames()[0]
    view, pose = (
        ImageRenderer(made.reconstruction.field, made.reconstruction.grid),
        torch.from_numpy(frame.world_from_camera).float(),
    )
    found = made.render(frame.camera, frame.world_from_camera)
    by_ratio = {ratio: view.render(frame.camera, pose, 1.0, ratio).rgb for ratio in (0.25, 1.0)}
    assert np.array_equal(found.rgb, by_ratio[0.25])
    assert not np.array_equal(found.rgb, by_ratio[1.0])


def test_a_mask_says_where_nothing_is() -> None:
    outside = []
    for weight in (0.0, 1.0):
        weights = {"mask": weight, "photometric": 0.01, "eikonal": 0.01}
        # Three seeds had 0.17 to 0.35 of the opacity after so many steps; after half of them, and
        # in one view, the last bits of a processor's arithmetic decide.
        made = reconstructed(240, training={"background": "white", "weights": weights})
        shares = []
        for frame in frames()[:4]:
            assert frame.foreground is not None
            opacity = made.render(frame.camera, frame.world_from_camera).opacity
            shares.append(float(opacity[frame.foreground == 0].mean()))
        outside.append(float(np.mean(shares)))
    assert outside[1] < 0.6 * outside[0]


def test_foreground_is_only_held_where_it_is_read() -> None:
    assert reconstructed(0).reconstruction.buffer.foreground is None
    assert (
        reconstructed(0, training={"background": "random"}).reconstruction.buffer.foreground
        is not None
    )


def test_curvature_without_differences_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"curvature needs field\.gradient"):
        reconstructed(0, training={"weights": {"curvature": 1.0}})


@pytest.mark.parametrize(
    ("section", "option"),
    [
        ({"weights": {"distortion": 0.1}}, "training.weights.distortion"),
        ({"ramps": {"curvature": (0, 0.0, 1.0, 5)}}, "training.weights.curvature"),
        ({"ramps": {"eikonal": (0, 0.0, 1.0, 5)}, "optimiser": {"weight_decay": 0.1}}, ""),
        ({"weights": {"mask": 0.1}, "background": "random"}, ""),
    ],
)
def test_what_the_captured_step_does_not_know_is_named(section: dict, option: str) -> None:
    assert tiny_config(training=section).training.option_without_kernel == option


@pytest.mark.parametrize("name", ["neus-blender", "neus-dtu-wmask"])
def test_these_of_the_seed_run_in_the_captured_step(name: str) -> None:
    config = load_config(SEED / f"{name}.yaml")
    assert config.training.option_without_kernel == config.field.unusual_option == ""
    assert config.background.kind == "none"
