# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What is asked of a GPU before the first frame: bytes by hand, and errors that say what to do."""

import pytest
import torch

from ineus_core.errors import CapacityError, ConfigError
from ineus_core.keyframes import KeyframeBuffer, KeyframeConfig
from ineus_core.reconstruction import Reconstructor, ReconstructorConfig
from ineus_core.training.gpu_memory_check import (
    MemoryNeed,
    bytes_per_sample,
    check_capability,
    check_memory,
    memory_needs,
)
from ineus_core.types import Camera

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def needs(**sections: dict) -> dict[str, MemoryNeed]:
    config = ReconstructorConfig.model_validate(sections)
    found = memory_needs(
        config.keyframes, config.replay, config.field, config.ray_sampling, config.training
    )
    return {need.what: need for need in found}


def test_bytes_of_a_sample_by_hand() -> None:
    # 13 of the interval, 12 of the point, 2 x 3 x 32 halves twice, 2 x 16 halves, 17 floats.
    assert bytes_per_sample(channels=32, outputs=13) == 13 + 12 + 192 + 192 + 64 + 68


def test_bytes_by_hand() -> None:
    found = needs(
        keyframes={"capacity": 10, "max_width_px": 100, "memory_mb": 1},
        replay={"reservoir_rays": 1000},
        field={"levels": 4, "features": 2, "log2_entries": 10},
        training={"rays_per_step": 100, "samples_per_step": 5000},
    )
    # As a buffer takes that also holds what is object and how sure depth is.
    assert found["keyframes"] == MemoryNeed("keyframes", 700_000, "keyframes.capacity")
    camera = Camera(100, 100, 80.0, 80.0, 50.0, 50.0)
    limits = KeyframeConfig(capacity=10, memory_mb=1)
    assert KeyframeBuffer(limits, camera, CPU, True, None, True).nbytes == 700_000
    assert found["rays of past keyframes"].nbytes == 56_000
    assert found["table of the field"].nbytes == 4 * 2 * 1024 * 22
    # 100 rays with depth have 1,600 samples, fewer than those without.
    samples = found["samples of a step"]
    assert samples.nbytes == 5000 * bytes_per_sample(8, 13)
    assert samples.parameter == "training.samples_per_step"


def test_the_parameter_is_the_one_that_decides() -> None:
    assert needs(keyframes={"memory_mb": 100})["keyframes"] == MemoryNeed(
        "keyframes", 100_000_000, "keyframes.memory_mb"
    )
    many_rays = needs(training={"rays_per_step": 1 << 16, "samples_per_step": 1 << 18})
    assert many_rays["samples of a step"].parameter == "training.rays_per_step"


def test_the_defaults_of_a_gpu_need_less_than_two_gigabytes() -> None:
    assert sum(need.nbytes for need in needs().values()) < 2e9


def test_too_little_memory_names_bytes_and_parameter() -> None:
    list_of = [MemoryNeed("images", 600, "a.images"), MemoryNeed("table", 500, "a.table")]
    check_memory(list_of, 1100, GPU)
    with pytest.raises(CapacityError, match="1,099 bytes are free") as caught:
        check_memory(list_of, 1099, GPU)
    assert "need 1,100" in str(caught.value)
    assert str(caught.value).endswith("lower a.images")


def test_an_old_gpu_is_refused_for_the_kernels_alone() -> None:
    check_capability((7, 0), True, GPU)
    check_capability((6, 1), False, GPU)
    with pytest.raises(ConfigError, match=r"6\.1.*needs 7\.0.*field\.backend=torch"):
        check_capability((6, 1), True, GPU)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a CUDA device")
def test_no_gpu_is_said_before_the_first_frame() -> None:
    with pytest.raises(ConfigError, match="no usable CUDA device; expected cpu"):
        Reconstructor(ReconstructorConfig(), GPU)


@pytest.mark.gpu
def test_a_gpu_too_small_is_said_before_the_first_frame() -> None:
    held = 10**9  # thousand GB of keyframes
    config = ReconstructorConfig.model_validate(
        {"keyframes": {"capacity": held, "memory_mb": 10**6}}
    )
    with pytest.raises(CapacityError, match=r"lower keyframes\.memory_mb"):
        Reconstructor(config, GPU)


@pytest.mark.gpu
def test_the_formula_is_what_a_step_allocates() -> None:
    from ineus_core.kernels.fused_field.gpu import field_buffers
    from ineus_core.kernels.hash_grid import HashGridLayout
    from ineus_core.kernels.ray_marching.gpu import sample_buffers

    n, layout = 4096, HashGridLayout()
    fields = field_buffers(n, layout, 13, GPU)
    samples = sample_buffers(0, n, GPU)
    tensors = [*vars(fields).values(), *vars(samples).values()]
    held = sum(tensor.untyped_storage().nbytes() for tensor in tensors)
    # Points, and distance, gradient and colour with their cotangents, are the step's own.
    assert held + n * (12 + 2 * 28) == n * bytes_per_sample(layout.channels, 13)
