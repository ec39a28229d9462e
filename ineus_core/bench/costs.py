# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Least bytes and operations of the stages of a step on a GPU, by formula.

Each input is read once and each output written once; what lies in a table is moved at most once,
as a cache could have it.
"""

from dataclasses import dataclass

_SH_AND_NORMAL = 16 + 3
_OUTPUT_BYTES = 2 * 16
"""Geometry outputs of a sample in half precision; rows are padded to a sector."""
_INTERVAL = 2 * 4
_VECTOR = 3 * 4
_FIELD_OUTPUT = 7 * 4
_RAY_IN, _RAY_OUT = 3 * 4 + 2 * 4, 8 * 4


@dataclass(frozen=True)
class StepSize:
    """What the formulas need to know of a step."""

    samples: int
    rays: int
    levels: int
    entries: int
    """Rows of the table, of two features."""
    hidden: int
    outputs: int
    parameters: int
    touched: int
    """Parameters with a gradient."""


@dataclass(frozen=True)
class Cost:
    """Bytes moved and floating-point operations of a stage."""

    nbytes: float
    flops: float = 0.0


def stage_costs(size: StepSize) -> dict[str, Cost]:
    """By the names of the stages; those bound by neither are left out."""
    n, c, h, out = size.samples, 2 * size.levels, size.hidden, size.outputs
    features, jacobian = 2 * c, 6 * c
    gathers = min(8 * 4 * size.levels * n, 4 * size.entries)
    scatters = min(2 * 8 * 8 * size.levels * n, 2 * 8 * size.entries)
    sdf_inputs = 3 + c
    sdf_head = _VECTOR + features + jacobian + _OUTPUT_BYTES + _VECTOR + features + 4
    colour = h * (out + _SH_AND_NORMAL) + h * h + 3 * h
    seen = _OUTPUT_BYTES + _VECTOR + 4
    sdf_back = _VECTOR + features + jacobian + _OUTPUT_BYTES + _VECTOR + 4 + features
    return {
        "encode": Cost(n * (_VECTOR + features + jacobian) + gathers),
        "sdf head": Cost(n * sdf_head, 2 * n * (2 * h * sdf_inputs + h * out + 3 * c)),
        "colour head": Cost(n * (seen + _VECTOR), 2 * n * colour),
        "composite": Cost(n * (_INTERVAL + _FIELD_OUTPUT) + size.rays * (_RAY_IN + _RAY_OUT)),
        "composite backward": Cost(
            n * (_INTERVAL + 2 * _FIELD_OUTPUT) + size.rays * (_RAY_IN + 2 * _RAY_OUT)
        ),
        # The forward pass again, and two products for each of its.
        "colour head backward": Cost(n * (seen + 3 * _VECTOR + _OUTPUT_BYTES), 3 * 2 * n * colour),
        # Hidden layer again; both ways through the first layer, for value and for gradient.
        "sdf head backward": Cost(
            n * sdf_back, 2 * n * (5 * h * sdf_inputs + 2 * h * out + 3 * c)
        ),
        "encode backward": Cost(n * (2 * _VECTOR + 2 * features) + scatters),
        # Entries that rest are read in their gradient alone.
        "optimiser": Cost(4 * size.parameters + 30 * size.touched),
    }
