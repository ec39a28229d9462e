# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Choice of a field's backend and of the values that its configuration leaves to the device."""

import logging
import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.errors import ConfigError
from ineus_core.fields.background import CONTRACTED_SIDE, Background, BackgroundConfig
from ineus_core.fields.encodings import has_hash_grid
from ineus_core.fields.sdf import FieldConfig, HashSdf, Initialisation
from ineus_core.fields.variant import VariantField
from ineus_core.kernels.hash_grid import HashGridLayout, encoding, hash_grid_backend

_LOG = logging.getLogger(__name__)
_ROOM_COARSEST_CELL_M = 0.64
_MOST_CELLS = 1 << 15
"""Along a side of a stream's cube: slopes in half precision are features that differ by two."""


def make_field(
    config: FieldConfig,
    init: Initialisation,
    aabb: Float[np.ndarray, "2 3"],
    voxel_size_m: float,
    device: torch.device,
) -> HashSdf:
    """Build the field over the cube around a box, on a device.

    Args:
        init: First surface, decided by the caller where the configuration says `auto`.
        aabb: Box in the world; with init `depth` only its centre counts, as a stream may grow out
            of it.
        voxel_size_m: Of the mesh: the finest level of a stream resolves it.
    """
    # A stream may go on beyond its first view; without depth the box is all there is.
    finest_m = config.finest_cell_m or voxel_size_m
    most_m = min(config.extent_m, _MOST_CELLS * finest_m)
    side_m = most_m if init == "depth" else float((aabb[1] - aabb[0]).max())
    config = _resolved(config, init, side_m, voxel_size_m, device)
    centre_m = torch.as_tensor(aabb.mean(axis=0), dtype=torch.float32)
    return restore_field(config, init, centre_m, side_m, device)


def restore_field(
    config: FieldConfig,
    init: Initialisation,
    centre_m: Float[Tensor, " 3"],
    side_m: float,
    device: torch.device,
) -> HashSdf:
    """Build the field of a configuration whose only automatic value may be the backend."""
    config = config.model_copy(update={"backend": hash_grid_backend(config.backend, device)})
    layout = HashGridLayout(
        config.levels if has_hash_grid(config.encoding) else 0,
        config.features,
        config.log2_entries,
        base_resolution=side_m / config.coarsest_cell_m,
        # The root of as many steps as there are between levels, so that the last has the finest
        # cells.
        growth=(config.coarsest_cell_m / config.finest_cell_m) ** (1 / max(config.levels - 1, 1)),
    )
    _LOG.info(
        "field: backend %s, init %s, %d levels of cells from %.3f to %.4f m, %.1f M parameters",
        config.backend,
        init,
        config.levels,
        config.coarsest_cell_m,
        config.finest_cell_m,
        layout.entries * layout.features / 1e6,
    )
    kind = VariantField if config.unusual_option else HashSdf
    return kind(config, layout, centre_m, side_m, init, *encoding(config.backend)).to(device)


def add_background(field: HashSdf, config: BackgroundConfig) -> None:
    """Put a learned background behind a field; only plain torch composites both."""
    whole = FieldConfig(
        backend=field.config.backend,
        kind="density",
        levels=config.levels,
        features=config.features,
        log2_entries=config.log2_entries,
        coarsest_cell_m=CONTRACTED_SIDE / config.coarsest_resolution,
        finest_cell_m=CONTRACTED_SIDE / config.finest_resolution,
        hidden=config.hidden,
        geometry_features=config.geometry_features,
        initial_inv_s=1.0,
    )
    device, half_side_m = field.origin_m.device, field.side_m / 2
    behind = restore_field(whole, "object", torch.zeros(3), CONTRACTED_SIDE, device)
    assert isinstance(behind, VariantField)
    centre_m = field.origin_m + half_side_m
    field.background = Background(config, behind, centre_m, half_side_m).to(device)


def _resolved(
    config: FieldConfig,
    init: Initialisation,
    side_m: float,
    voxel_size_m: float,
    device: torch.device,
) -> FieldConfig:
    on_gpu = device.type == "cuda"
    streams = init == "depth"
    finest_m = config.finest_cell_m or (voxel_size_m if streams else side_m / 2048)
    # A coarse voxel, of a map of a street, needs coarser levels still.
    of_stream_m = max(_ROOM_COARSEST_CELL_M, 8 * finest_m)
    coarsest_m = config.coarsest_cell_m or (of_stream_m if streams else side_m / 32)
    if finest_m > coarsest_m:
        raise ConfigError(
            f"field.finest_cell_m {finest_m} is above field.coarsest_cell_m {coarsest_m}: "
            "expected the finest cell to be the smaller one"
        )
    # On a CPU every level costs; factors of about 1.6 between levels lose little.
    few_levels = 1 + round(math.log(coarsest_m / finest_m) / math.log(1.65))
    return config.model_copy(
        update={
            "levels": config.levels or (16 if on_gpu else max(few_levels, 2)),
            "log2_entries": config.log2_entries or (19 if on_gpu else 18),
            "coarsest_cell_m": coarsest_m,
            "finest_cell_m": finest_m,
            "initial_inv_s": config.initial_inv_s or _first_inv_s(init, side_m),
        }
    )


def _first_inv_s(init: Initialisation, side_m: float) -> float:
    # The walls of a room are nearer to each camera than the box is wide: blurred less, they leave
    # less in the air (`benchmarks/room_colour_only.py`).
    return {"depth": 80.0, "object": 40.0 / side_m, "room": 200.0 / side_m}[init]
