# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The hash grid through tiny-cuda-nn, where it is installed; results as of `hash_grid.reference`.

Each level is an encoding of its own. tiny-cuda-nn places the corners of a level of base resolution
b half a cell off, b - 1 cells to the side; so b is one more than our cells and points are shifted
back, and the rows of our table are its rows.
"""

from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.errors import ConfigError, MissingDependencyError
from ineus_core.kernels.hash_grid.layout import HashGridLayout

INSTALL = "'git+https://github.com/NVlabs/tiny-cuda-nn/#subdirectory=bindings/torch'"


def require() -> Any:
    """Return the module; `MissingDependencyError` says how to get it."""
    try:
        import tinycudann as module
    except (ImportError, OSError) as error:
        # Without a CUDA device it raises an OSError.
        raise MissingDependencyError("tinycudann", source=INSTALL) from error
    return module


def hash_grid(
    points_unit: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries features"],
    layout: HashGridLayout,
) -> tuple[Float[Tensor, "n channels"], Float[Tensor, "n channels 3"]]:
    """Interpolate all levels, with the Jacobian per unit coordinate.

    Differentiable with respect to the table only.
    """
    is_trained = torch.is_grad_enabled()
    features, jacobian = [], []
    with torch.enable_grad():
        points = points_unit.detach().clamp(0.0, 1.0).requires_grad_()
        for level in range(layout.levels):
            value = _level(points, table, layout, level)
            for channel in value.unbind(dim=1):
                (row,) = torch.autograd.grad(
                    channel.sum(), points, create_graph=is_trained, retain_graph=True
                )
                jacobian.append(row)
            features.append(value)
    result = torch.cat(features, dim=1), torch.stack(jacobian, dim=1)
    return result if is_trained else (result[0].detach(), result[1].detach())


def hash_grid_value(
    points_unit: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries features"],
    layout: HashGridLayout,
) -> Float[Tensor, "n channels"]:
    """Interpolate without the Jacobian."""
    points = points_unit.detach().clamp(0.0, 1.0)
    return torch.cat([_level(points, table, layout, i) for i in range(layout.levels)], dim=1)


def _level(
    points: Float[Tensor, "n 3"], table: Tensor, layout: HashGridLayout, level: int
) -> Float[Tensor, "n features"]:
    encoding = _encodings(layout, points.device)[level]
    rows = table[layout.offsets[level] : layout.offsets[level + 1]].reshape(-1)
    shifted = points - 0.5 / layout.resolutions[level]
    output = torch.func.functional_call(encoding, {"params": rows}, (shifted,))
    return output[:, : layout.features].float()


@cache
def _encodings(layout: HashGridLayout, device: torch.device) -> list[Any]:
    encodings = []
    for level, resolution in enumerate(layout.resolutions):
        config = {
            "otype": "HashGrid",
            "n_levels": 1,
            "n_features_per_level": layout.features,
            "log2_hashmap_size": layout.log2_entries,
            "base_resolution": resolution + 1,
            "per_level_scale": 1.0,
        }
        encoding = require().Encoding(3, config, dtype=torch.float32).to(device)
        ours = (layout.offsets[level + 1] - layout.offsets[level]) * layout.features
        if encoding.params.numel() != ours:
            raise ConfigError(
                f"field.backend tcnn: level {level} has {encoding.params.numel()} parameters in "
                f"this version of tiny-cuda-nn, expected {ours}; use field.backend triton"
            )
        encodings.append(encoding)
    return encodings
