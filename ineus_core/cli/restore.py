# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A reconstruction back from its checkpoint, for the commands that only look at it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from ineus_core.reconstruction import Reconstructor


@dataclass(frozen=True)
class Restored:
    """What a checkpoint holds."""

    reconstructor: "Reconstructor"
    ray_origins: "Tensor"
    """Of rays that have been seen, [n 3] in double precision, world, on the CPU."""
    ray_directions: "Tensor"


def restore(checkpoint: Path, device: str, voxel_size_m: float | None = None) -> Restored:
    """Rebuild a reconstruction with the configuration that it was made with.

    Args:
        checkpoint: The folder of the checkpoint, or of the run that wrote it.
        voxel_size_m: Of meshes, instead of the configured one.
    """
    import torch
    from pydantic import ValidationError

    from ineus_core.config import resolve_device
    from ineus_core.errors import CheckpointError
    from ineus_core.reconstruction import Reconstructor, ReconstructorConfig, read_checkpoint

    inside = checkpoint / "checkpoint"
    folder = inside if inside.is_dir() else checkpoint
    tensors, meta = read_checkpoint(folder)
    try:
        config = ReconstructorConfig.model_validate(meta["config"])
        rays = tensors["replay.rays"]
    except (KeyError, ValidationError) as error:
        raise CheckpointError(
            f"checkpoint {folder} does not hold what it should: {error}"
        ) from error
    if voxel_size_m is not None:
        meshing = config.meshing.model_copy(update={"voxel_size_m": voxel_size_m})
        config = config.model_copy(update={"meshing": meshing})
    reconstructor = Reconstructor(config, resolve_device(device))
    reconstructor.load(folder)
    # They count from the origin of the map: world coordinates may be too large for single ones.
    origins = rays[:, :3].double() + torch.tensor(reconstructor.origin_m, dtype=torch.float64)
    return Restored(reconstructor, origins, rays[:, 3:6])
