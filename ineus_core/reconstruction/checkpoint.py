# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What a checkpoint holds of a reconstruction, and its parts back out of one.

How it lies on disk is in `training.checkpoint`.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from ineus_core.fields import (
    BackgroundConfig,
    FieldConfig,
    HashSdf,
    add_background,
    restore_field,
)
from ineus_core.keyframes import KeyframeBuffer, Replay
from ineus_core.reconstruction.assembly import ReconstructorConfig
from ineus_core.reconstruction.checkpoint_files import read_checkpoint
from ineus_core.rendering import OccupancyConfig, OccupancyGrid
from ineus_core.types import Camera

_RENAMED_TENSORS = {"grid.evidence": "grid.log_odds", "grid.probed": "grid.observed"}


@dataclass(frozen=True)
class CheckpointContent:
    """Tensors and metadata as they are written and read.

    What a checkpoint lacks or has wrong raises when it is asked for: KeyError, TypeError,
    ValueError or RuntimeError.
    """

    tensors: dict[str, Shaped[Tensor, "..."]]
    meta: dict[str, Any]

    @classmethod
    def of(
        cls,
        field: HashSdf,
        grid: OccupancyGrid,
        buffer: KeyframeBuffer,
        replay: Replay,
        config: ReconstructorConfig,
        *,
        dataset_from_world: Float[np.ndarray, "4 4"],
        step: int,
        stamp_ns: int,
    ) -> "CheckpointContent":
        """What is saved of a reconstruction.

        Args:
            step: Optimiser steps taken.
            stamp_ns: Of the newest frame.
        """
        grid_tensors, grid_meta = grid.state()
        tensors = {f"field.{k}": v for k, v in field.state_dict().items()}
        tensors |= {f"grid.{k}": v for k, v in grid_tensors.items()}
        tensors["replay.rays"] = replay.rays_to_save()
        meta = {
            "step": step,
            "stamp_ns": stamp_ns,
            # Of a larger tree, only what a reconstruction reads.
            "config": config.model_dump(
                mode="json", include=set(ReconstructorConfig.model_fields)
            ),
            "field": field.config.model_dump(mode="json"),
            "init": field.init,
            "dataset_from_world": dataset_from_world.tolist(),
            "side_m": field.side_m,
            "grid": grid_meta,
            "has_foreground": buffer.foreground is not None,
            "image_background": buffer.image_background.tolist(),
            "camera": asdict(buffer.camera),
        }
        return cls(tensors, meta)

    @classmethod
    def read(cls, directory: Path) -> "CheckpointContent":
        """Read a checkpoint, also one of the last release, whose names were others."""
        tensors, meta = read_checkpoint(directory)
        for old, new in _RENAMED_TENSORS.items():
            if old in tensors:
                tensors[new] = tensors.pop(old)
        if "backdrop" in meta:
            meta["image_background"] = meta.pop("backdrop")
        if meta.get("init") == "free":
            meta["init"] = "depth"
        return cls(tensors, meta)

    @property
    def voxel_size_m(self) -> float:
        """Spacing of the samples that the surface was meshed with."""
        return float(self.meta["config"]["meshing"]["voxel_size_m"])

    @property
    def camera(self) -> Camera:
        """Of the first frame."""
        camera = self.meta["camera"]
        return Camera(**{**camera, "distortion": tuple(camera["distortion"])})

    @property
    def dataset_from_world(self) -> Float[np.ndarray, "4 4"]:
        """Similarity to the coordinates that saved meshes have."""
        given = np.array(self.meta.get("dataset_from_world", np.eye(4).tolist()))
        if given.shape != (4, 4):
            raise ValueError(f"dataset_from_world of shape {given.shape}")
        return given

    @property
    def has_foreground(self) -> bool:
        """Whether the keyframes knew which pixels show the object."""
        return bool(self.meta.get("has_foreground", False))

    @property
    def image_background(self) -> Float[Tensor, " 3"]:
        """Colour that the pictures have where no object is."""
        return torch.tensor(self.meta.get("image_background", (1.0, 1.0, 1.0)))

    @property
    def rays(self) -> Shaped[Tensor, "..."]:
        """Rays with what they saw, as `Replay.keep` takes them."""
        return self.tensors["replay.rays"]

    @property
    def step(self) -> int:
        """Optimiser steps taken."""
        return int(self.meta["step"])

    @property
    def stamp_ns(self) -> int:
        """Of the newest frame."""
        return int(self.meta["stamp_ns"])

    def field(self, backend: str, device: torch.device) -> HashSdf:
        """The field with its weights, on the backend that is configured now."""
        side_m = float(self.meta["side_m"])
        config = FieldConfig(**self.meta["field"]).model_copy(update={"backend": backend})
        centre_m = self.tensors["field.origin_m"] + side_m / 2
        field = restore_field(config, self.meta["init"], centre_m, side_m, device)
        behind = BackgroundConfig(**self.meta["config"].get("background", {}))
        if behind.kind == "learned":
            add_background(field, behind)
        field.load_state_dict(self._tensors_of("field."))
        return field

    def grid(self, config: OccupancyConfig, device: torch.device) -> OccupancyGrid:
        """The occupancy grid."""
        return OccupancyGrid.from_state(
            config, self._tensors_of("grid."), self.meta["grid"], device
        )

    def _tensors_of(self, part: str) -> dict[str, Tensor]:
        return {k[len(part) :]: v for k, v in self.tensors.items() if k.startswith(part)}
