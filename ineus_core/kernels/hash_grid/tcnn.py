# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The hash grid through tiny-cuda-nn, where it is installed; results as of `hash_grid.reference`.

Each level is an encoding of its own. tiny-cuda-nn places the corners of a level of base resolution
b half a cell off, b - 1 cells to the side; so b is one more than our cells and points are shifted
back, and the rows of our table are its rows.
"""

from functools import cache
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.errors import ConfigError, MissingDependencyError
from ineus_core.kernels.hash_grid.layout import HashGridLayout

INSTALL = (
    "--no-build-isolation 'setuptools<82' "
    "'git+https://github.com/NVlabs/tiny-cuda-nn/#subdirectory=bindings/torch'"
)
"""Its setup.py imports torch and pkg_resources, which pip would hide from it."""
_EDGE = 2.0**-22
"""Nearer to a face of the cube, rounding may move a point into a cell that is not there."""
_FEATURES = (1, 2, 4, 8)


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
        points = _inside(points_unit).requires_grad_()
        for level, rows in enumerate(_rows(table, layout)):
            value = _level(points, rows, layout, level)
            for channel in value.unbind(dim=1):
                (row,) = torch.autograd.grad(
                    channel.sum(), points, create_graph=is_trained, retain_graph=True
                )
                if row.requires_grad:
                    # Its second backward takes no gradient with strides, as a stack hands them on.
                    row.register_hook(Tensor.contiguous)
                jacobian.append(row)
            if value.requires_grad:
                value.register_hook(Tensor.contiguous)
            features.append(value)
    result = torch.cat(features, dim=1), torch.stack(jacobian, dim=1)
    return result if is_trained else (result[0].detach(), result[1].detach())


def hash_grid_value(
    points_unit: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries features"],
    layout: HashGridLayout,
) -> Float[Tensor, "n channels"]:
    """Interpolate without the Jacobian."""
    points = _inside(points_unit)
    rows = enumerate(_rows(table, layout))
    return torch.cat([_level(points, part, layout, level) for level, part in rows], dim=1)


def _inside(points_unit: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    return points_unit.detach().clamp(_EDGE, 1.0 - _EDGE)


def _rows(table: Tensor, layout: HashGridLayout) -> list[Tensor]:
    """Split the table by level; slices would cost a table of zeros each on the way back."""
    sizes = [end - begin for begin, end in pairwise(layout.offsets)]
    return [part.reshape(-1) for part in table.split(sizes)]


def _level(
    points: Float[Tensor, "n 3"], rows: Tensor, layout: HashGridLayout, level: int
) -> Float[Tensor, "n features"]:
    encoding = _encodings(layout, points.device)[level]
    shifted = points - 0.5 / layout.resolutions[level]
    output = torch.func.functional_call(encoding, {"params": rows}, (shifted,))
    return output[:, : layout.features].float()


@cache
def _encodings(layout: HashGridLayout, device: torch.device) -> list[Any]:
    if layout.features not in _FEATURES:
        raise ConfigError(
            f"field.features {layout.features}: field.backend tcnn knows {_FEATURES}; "
            "use field.backend triton"
        )
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
