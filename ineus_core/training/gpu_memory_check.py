# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What a configuration needs of a GPU, checked before the first frame."""

from dataclasses import dataclass

import torch

from ineus_core.errors import CapacityError, ConfigError
from ineus_core.fields import FieldConfig
from ineus_core.kernels.hash_grid import hash_grid_backend
from ineus_core.keyframes import KeyframeConfig, ReplayConfig
from ineus_core.rendering import RaySamplingConfig
from ineus_core.training.config import TrainingConfig, resolved_training

_LEAST_CAPABILITY = (7, 0)
"""Of Triton."""
_PIXEL_BYTES = 3 + 2 + 1 + 1
"""Colour and depth, and foreground and confidence, which frames that come may have."""
_RESERVOIR_RAY_BYTES = 14 * 4
_PARAMETER_BYTES = 4 * 5 + 2
"""Value, gradient, two moments, snapshot, and the half that the kernels read."""
_DRAWN_RAY_BYTES = 19 * 4 + 1
_RENDERED_RAY_BYTES = 2 * 8 * 4 + 2 * 4


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes of one kind of buffer."""

    what: str
    nbytes: int
    parameter: str
    """To be lowered for less."""


def memory_needs(
    keyframes: KeyframeConfig,
    replay: ReplayConfig,
    field: FieldConfig,
    ray_sampling: RaySamplingConfig,
    training: TrainingConfig,
) -> list[MemoryNeed]:
    """Bytes on a GPU before anything is known of the images and of the scene: upper bounds."""
    training = resolved_training(training, torch.device("cuda"))
    # Squares: no picture has come yet, and one that stands upright is higher than wide.
    pixels = keyframes.capacity * keyframes.max_width_px**2
    images = min(int(keyframes.memory_mb * 1e6), pixels * _PIXEL_BYTES)
    capped = images < pixels * _PIXEL_BYTES
    levels, log2_entries = field.levels or 16, field.log2_entries or 19
    parameters = levels * field.features << log2_entries
    with_depth = training.rays_per_step * ray_sampling.samples_per_ray
    is_with_depth = with_depth > training.samples_per_step
    # Only the first frame tells whether there is depth.
    samples = max(with_depth, training.samples_per_step)
    sample_bytes = bytes_per_sample(levels * field.features, field.geometry_features)
    # Without depth four times as many rays may be drawn.
    rays = 4 * training.rays_per_step
    return [
        MemoryNeed(
            "keyframes",
            images,
            "keyframes.memory_mb" if capped else "keyframes.capacity",
        ),
        MemoryNeed(
            "rays of past keyframes",
            replay.reservoir_rays * _RESERVOIR_RAY_BYTES,
            "replay.reservoir_rays",
        ),
        MemoryNeed("table of the field", parameters * _PARAMETER_BYTES, "field.log2_entries"),
        MemoryNeed(
            "samples of a step",
            samples * sample_bytes,
            "training.rays_per_step" if is_with_depth else "training.samples_per_step",
        ),
        MemoryNeed(
            "rays of a step",
            rays * (_DRAWN_RAY_BYTES + _RENDERED_RAY_BYTES),
            "training.rays_per_step",
        ),
    ]


def bytes_per_sample(channels: int, outputs: int) -> int:
    """Bytes of the buffers of a step for one sample.

    Args:
        channels: Of the hash grid.
        outputs: Of the SDF network.
    """
    interval = 4 + 4 + 4 + 1
    point = 3 * 4
    # Features, slopes and cotangent of the features; Jacobian; all in half precision.
    encoded = 3 * channels * 2 + 3 * channels * 2
    geometry = 2 * (-(-outputs // 16) * 16) * 2
    # Distance, gradient and colour with their cotangents, and the gradient's cotangent.
    results = 2 * 7 * 4 + 3 * 4
    return interval + point + encoded + geometry + results


def check_memory(needs: list[MemoryNeed], free: int, device: torch.device) -> None:
    """Raise `CapacityError` if the buffers do not fit; it names what to lower."""
    total = sum(need.nbytes for need in needs)
    if total <= free:
        return
    largest = max(needs, key=lambda need: need.nbytes)
    parts = ", ".join(f"{need.what} {need.nbytes:,} ({need.parameter})" for need in needs)
    raise CapacityError(
        f"device {device}: {free:,} bytes are free, the configured buffers need {total:,}: "
        f"{parts}; lower {largest.parameter}"
    )


def check_device(
    keyframes: KeyframeConfig,
    replay: ReplayConfig,
    field: FieldConfig,
    ray_sampling: RaySamplingConfig,
    training: TrainingConfig,
    device: torch.device,
) -> None:
    """Raise an error that says what to change if the device cannot do what is configured."""
    if device.type != "cuda":
        return
    if not torch.cuda.is_available():
        raise ConfigError(f"device {device}: this machine has no usable CUDA device; expected cpu")
    by_triton = hash_grid_backend(field.backend, device) == "triton"
    check_capability(torch.cuda.get_device_capability(device), by_triton, device)
    free, _ = torch.cuda.mem_get_info(device)
    # What torch holds for reuse is not free, but will be.
    free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    check_memory(memory_needs(keyframes, replay, field, ray_sampling, training), free, device)


def check_capability(capability: tuple[int, int], by_triton: bool, device: torch.device) -> None:
    """Raise `ConfigError` if the GPU is too old for the kernels."""
    if by_triton and capability < _LEAST_CAPABILITY:
        raise ConfigError(
            f"device {device} has compute capability {'.'.join(map(str, capability))}: "
            f"field.backend triton needs {'.'.join(map(str, _LEAST_CAPABILITY))}; "
            "expected field.backend=torch and rendering.backend=torch, or device cpu"
        )
