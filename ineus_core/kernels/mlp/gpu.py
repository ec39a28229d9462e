# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The two heads of the field for NVIDIA GPUs, in Triton; `mlp.reference` says what they compute.

The matrix products take float16 operands, or float32 ones where the features are float32;
cotangents take bfloat16, whose range needs no loss scale. Sums are in float32, and so is the path
from the coordinates to the distance.
"""

import torch
import triton
import triton.language as tl
from jaxtyping import Float, Int
from torch import Tensor

from ineus_core.kernels.gpu_assembler import use_sound_assembler
from ineus_core.kernels.mlp.gpu_code_colour import colour_backward, colour_forward
from ineus_core.kernels.mlp.gpu_code_sdf import add_gradient, sdf_backward, sdf_forward
from ineus_core.kernels.mlp.reference import SH_CHANNELS, ColourHeadWeights, SdfHeadWeights

use_sound_assembler()

# Against tiles of 128 with 8 warps the way back takes 0.099 instead of 0.124 ms through the SDF
# head, 0.076 instead of 0.096 ms through the colour head (benchmarks/README.md).
_TILES = {
    sdf_forward: {"BLOCK": 64, "num_warps": 4, "num_stages": 3},
    sdf_backward: {"BLOCK": 64, "num_warps": 4, "num_stages": 1},
    colour_forward: {"BLOCK": 64, "num_warps": 4, "num_stages": 1},
    colour_backward: {"BLOCK": 64, "num_warps": 4, "num_stages": 1},
}
# The gradient is a pass of its own over the Jacobian, which no tile could hold.
_STREAM = 256
_PROGRAMS_PER_PROCESSOR = {sdf_forward: 2, sdf_backward: 2, colour_forward: 4, colour_backward: 2}


def sdf_head_forward(
    points: Float[Tensor, "n 3"],
    features: Float[Tensor, "n c"],
    jacobian: Float[Tensor, "n c 3"] | None,
    weights: SdfHeadWeights,
    outputs: Float[Tensor, "n outputs"],
    gradient: Float[Tensor, "n 3"] | None,
    slopes: Float[Tensor, "n c"] | None = None,
    sdf: Float[Tensor, " n"] | None = None,
    point_map: tuple[float, float] = (1.0, 0.0),
    scales: tuple[float, float] = (1.0, 1.0),
) -> None:
    """Write the head's results into buffers; allocates nothing.

    Args:
        jacobian: Without it only the outputs are computed; with it, `gradient` and `slopes` too.
        slopes: Receives d out0 / d features, for `hash_grid_backward_outer`.
        point_map: Factor and summand that take `points` to -1..1.
        scales: Of `sdf` and of `gradient`; `outputs` are never scaled.
    """
    n, channels = features.shape
    outputs_count, hidden = weights.w2.shape
    if n == 0:
        return
    _check(weights.w1, (hidden, channels + 3))
    sdf_forward[_programs(sdf_forward, n, points.device)](
        points, features, weights.w1, weights.b1, weights.w2, weights.b2, sdf, gradient, outputs,
        slopes, n,
        *points.stride(), *features.stride(), *_strides(gradient, 2), *outputs.stride(),
        *_strides(slopes, 2), *map(float, point_map), float(scales[0]),
        CHANNELS=channels, OUTPUTS=outputs_count, HIDDEN=hidden, C=_width(channels),
        OUT=_width(outputs_count),
        TYPE=_type(features), WITH_SDF=sdf is not None, WITH_GRADIENT=jacobian is not None,
        **_TILES[sdf_forward],
    )  # fmt: skip
    # A kernel of its own, as the tiles of the head would wait at 64 barriers instead of 15: both
    # launches take 0.074 instead of 0.098 ms (benchmarks/README.md).
    if jacobian is not None:
        add_gradient[(triton.cdiv(n, _STREAM),)](
            jacobian, slopes, gradient, n, *jacobian.stride(), *_strides(slopes, 2),
            *_strides(gradient, 2), float(scales[1]), CHANNELS=channels, BLOCK=_STREAM,
        )  # fmt: skip


def sdf_head_backward(
    points: Float[Tensor, "n 3"],
    features: Float[Tensor, "n c"],
    jacobian: Float[Tensor, "n c 3"] | None,
    weights: SdfHeadWeights,
    d_outputs: Float[Tensor, "n outputs"],
    d_gradient: Float[Tensor, "n 3"] | None,
    d_features: Float[Tensor, "n c"],
    d_weights: SdfHeadWeights,
    d_sdf: Float[Tensor, " n"] | None = None,
    point_map: tuple[float, float] = (1.0, 0.0),
    scales: tuple[float, float] = (1.0, 1.0),
) -> None:
    """Write `d_features` and add to `d_weights`; allocates nothing.

    The cotangent of the Jacobian is `slopes[i, c] * d_gradient[i, k] * scales[1]`, not written.

    Args:
        jacobian: None, with `d_gradient`, where only the outputs were computed.
    """
    n, channels = features.shape
    outputs_count, hidden = weights.w2.shape
    if n == 0:
        return
    # The type of the features decides that of the products, so that finite differences stay exact.
    full = features.dtype == torch.float32
    sdf_backward[_programs(sdf_backward, n, points.device)](
        points, features, jacobian, weights.w1, weights.b1, weights.w2, d_sdf, d_gradient,
        d_outputs,
        d_features, d_weights.w1, d_weights.b1, d_weights.w2, d_weights.b2, n,
        *points.stride(), *features.stride(), *_strides(jacobian, 3), *_strides(d_gradient, 2),
        *d_outputs.stride(), *d_features.stride(), *map(float, point_map), *map(float, scales),
        CHANNELS=channels, OUTPUTS=outputs_count, HIDDEN=hidden, C=_width(channels),
        OUT=_width(outputs_count), TYPE=tl.float32 if full else tl.float16,
        WITH_SDF=d_sdf is not None, WITH_GRADIENT=d_gradient is not None,
        GRADIENT_TYPE=tl.float32 if full else tl.bfloat16, **_TILES[sdf_backward],
    )  # fmt: skip


def colour_head_forward(
    outputs: Float[Tensor, "n outputs"],
    gradient: Float[Tensor, "n 3"],
    directions: Float[Tensor, "rays 3"],
    weights: ColourHeadWeights,
    rgb: Float[Tensor, "n 3"],
    ray_index: Int[Tensor, " n"] | None = None,
) -> None:
    """Write colours into a buffer; the gradient is normalised here.

    Args:
        ray_index: Row of `directions` for each point; without it, they go together.
    """
    n, outputs_count = outputs.shape
    if n == 0:
        return
    hidden = len(weights.b1)
    _check(weights.w1, (hidden, outputs_count + SH_CHANNELS + 3))
    colour_forward[_programs(colour_forward, n, outputs.device)](
        outputs, gradient, directions, ray_index, *_flat(weights), rgb, n,
        *outputs.stride(), *gradient.stride(), *directions.stride(), *rgb.stride(),
        OUTPUTS=outputs_count, HIDDEN=hidden, Y=_width(outputs_count + SH_CHANNELS + 3),
        TYPE=_type(outputs), WITH_INDEX=ray_index is not None, **_TILES[colour_forward],
    )  # fmt: skip


def colour_head_backward(
    outputs: Float[Tensor, "n outputs"],
    gradient: Float[Tensor, "n 3"],
    directions: Float[Tensor, "rays 3"],
    weights: ColourHeadWeights,
    d_rgb: Float[Tensor, "n 3"],
    d_gradient: Float[Tensor, "n 3"] | None,
    d_outputs: Float[Tensor, "n outputs"],
    d_gradient_total: Float[Tensor, "n 3"],
    d_weights: ColourHeadWeights,
    ray_index: Int[Tensor, " n"] | None = None,
) -> None:
    """Write `d_outputs` and, on top of `d_gradient`, `d_gradient_total`; add to `d_weights`."""
    n, outputs_count = outputs.shape
    if n == 0:
        return
    full = outputs.dtype == torch.float32
    colour_backward[_programs(colour_backward, n, outputs.device)](
        outputs, gradient, directions, ray_index, *_flat(weights), d_rgb,
        d_gradient, d_outputs, d_gradient_total, *_flat(d_weights), n,
        *outputs.stride(), *gradient.stride(), *directions.stride(), *d_rgb.stride(),
        *_strides(d_gradient, 2), *d_outputs.stride(), *d_gradient_total.stride(),
        OUTPUTS=outputs_count, HIDDEN=len(weights.b1), Y=_width(outputs_count + SH_CHANNELS + 3),
        TYPE=_type(outputs), GRADIENT_TYPE=tl.float32 if full else tl.bfloat16,
        WITH_INDEX=ray_index is not None, WITH_GRADIENT=d_gradient is not None,
        **_TILES[colour_backward],
    )  # fmt: skip


def _flat(weights: ColourHeadWeights) -> tuple[Tensor, ...]:
    w = weights
    return w.w1, w.b1, w.w2, w.b2, w.w3, w.b3


def _check(weight: Tensor, shape: tuple[int, int]) -> None:
    if weight.shape != shape or not weight.is_contiguous():
        raise ValueError(f"weight of shape {tuple(weight.shape)}: expected {shape}, contiguous")


def _strides(tensor: Tensor | None, dimensions: int) -> tuple[int, ...]:
    return (0,) * dimensions if tensor is None else tensor.stride()


def _width(columns: int) -> int:
    # A product on the tensor cores takes no fewer than 16 columns, and tiles are powers of two.
    return max(16, triton.next_power_of_2(columns))


def _type(tensor: Tensor) -> tl.dtype:
    return tl.float32 if tensor.dtype == torch.float32 else tl.float16


def _programs(kernel, n: int, device: torch.device) -> tuple[int]:  # type: ignore[no-untyped-def]
    # One in the interpreter, which has no processors to fill.
    processors = 1
    if device.type == "cuda":
        processors = torch.cuda.get_device_properties(device).multi_processor_count
    return (
        min(triton.cdiv(n, _TILES[kernel]["BLOCK"]), processors * _PROGRAMS_PER_PROCESSOR[kernel]),
    )
