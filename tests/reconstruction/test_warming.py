# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What is done before the first frame, and that nothing compiles after it."""

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from tiny_scene import CPU, pose, tiny_config, wall_frame

from ineus_core.kernels.small_calls import SMALL_CALLS
from ineus_core.reconstruction import Reconstructor, warm_up, warm_up_gpu
from ineus_core.reconstruction.warming import cpu_operators
from ineus_core.types import Camera


def test_a_warm_up_goes_the_whole_way_and_leaves_nothing_behind() -> None:
    config = tiny_config(training={"rays_per_step": 64}, occupancy={"visibility_rays": 64})
    made, untouched = (Reconstructor(config, CPU) for _ in range(2))
    assert warm_up(config, CPU) == 0, "numba compiles by itself"
    for reconstructor in (made, untouched):
        reconstructor.add_frame(wall_frame())
        reconstructor.step()
    ours, theirs = (r.reconstruction.field.state_dict() for r in (made, untouched))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_box_that_is_configured_is_where_the_views_of_a_warm_up_are() -> None:
    box = (100.0, 100.0, 0.0, 104.0, 104.0, 4.0)
    config = tiny_config(
        bounds={"aabb": box},
        training={"rays_per_step": 64},
        occupancy={"visibility_rays": 64},
    )
    warm_up(config, CPU)


def test_a_warm_up_does_not_complain_of_its_own_views(caplog: pytest.LogCaptureFixture) -> None:
    config = tiny_config(
        stereo={"enabled": True},
        training={"rays_per_step": 64},
        occupancy={"visibility_rays": 64},
    )
    warm_up(config, CPU)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_nothing_is_done_ahead_on_a_cpu_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ineus_core.reconstruction.warming._walk", pytest.fail)
    warm_up_gpu(tiny_config(), CPU)


def test_cpu_kernels_are_those_of_the_configuration_and_on_a_gpu_those_of_the_host() -> None:
    config = tiny_config(fusion={"enabled": False})
    assert cpu_operators(config, torch.device("cuda")) == {
        "bundle_adjustment",
        "colour_votes",
        "depth_comparison",
        "depth_splatting",
        "hole_planes",
        "plane_alignment",
        "plane_registration",
        "plane_fitting",
        "pose_graph",
        "rvl",
    }
    on_cpu = cpu_operators(config, CPU)
    assert {"hash_grid", "adam", "depth_comparison"} <= on_cpu
    assert not {"depth_fusion", "stereo_matching"} & on_cpu
    others = tiny_config(
        stereo={"enabled": True},
        fusion={"enabled": True},
        field={"backend": "torch"},
        dynamic_objects={"enabled": False},
        completion={"reference_views": 0},
    )
    changed = {"depth_fusion", "stereo_matching", "hash_grid", "depth_comparison"}
    changed |= {"hole_planes", "colour_votes"}
    assert cpu_operators(others, CPU) ^ on_cpu == changed
    assert cpu_operators(tiny_config(), CPU) <= set(SMALL_CALLS)


@pytest.fixture
def compiled() -> Iterator[list[str]]:
    """Names of the kernels that are compiled, or loaded, during a test."""
    knobs = pytest.importorskip("triton").knobs
    found: list[str] = []

    def note(*, fn: Any, **_: Any) -> None:
        found.append(fn.name)

    knobs.runtime.jit_post_compile_hook = note
    yield found
    knobs.runtime.jit_post_compile_hook = None


@pytest.mark.gpu
@pytest.mark.parametrize("depth_m", [2.0, None])
def test_nothing_compiles_after_a_warm_up_whatever_the_scene(
    depth_m: float | None, compiled: list[str]
) -> None:
    gpu = torch.device("cuda")
    config = tiny_config()
    warm_up(config, gpu)
    compiled.clear()
    # No size is a multiple of anything, and the last camera has another lens.
    cameras = [Camera(151, 113, f, f, 75.0, 56.0) for f in (120.0, 120.0, 100.0)]
    made = Reconstructor(config, gpu)
    made.expect([pose(1.7 * i) for i in range(3)])
    for i, camera in enumerate(cameras):
        made.add_frame(wall_frame(i, depth_m, pose(1.7 * i, yaw_deg=40.0 * i), camera))
        for _ in range(40):
            made.step()
        made.extract_mesh()
    made.mesh()
    made.render(cameras[0], pose())
    made.query(np.zeros((5, 3)))
    assert [name for name in compiled if "_nearest" not in name] == []
