# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What a checkpoint holds of a reconstruction, and its parts back out of one.

How it lies on disk is in `checkpoint_files`.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from torch import Tensor

from ineus_core.errors import CheckpointError, ConfigError, SourceError
from ineus_core.fields import (
    BackgroundConfig,
    FieldConfig,
    HashSdf,
    Initialisation,
    add_background,
    restore_field,
)
from ineus_core.fusion import FusedVolume, FusionConfig
from ineus_core.kernels.ray_batch import RESERVOIR_COLUMNS
from ineus_core.reconstruction.checkpoint_files import read_checkpoint
from ineus_core.reconstruction.config import ReconstructorConfig
from ineus_core.reconstruction.fused_map import FusedMap
from ineus_core.reconstruction.map_origin import MapOrigin
from ineus_core.reconstruction.reconstruction import Reconstruction
from ineus_core.rendering import OccupancyConfig, OccupancyGrid
from ineus_core.types import Camera

# Checkpoints of 0.1.0 have the former names, and still load.
_RENAMED_TENSORS = {"grid.evidence": "grid.log_odds", "grid.probed": "grid.observed"}
_Share = Annotated[float, Field(ge=0, le=1)]
_Cell = Annotated[float, Field(ge=-1e9, le=1e9)]
# Twice what UTM (1e7 m) and earth-centred coordinates (6.4e6 m) need.
_Coordinate = Annotated[float, Field(ge=-2e7, le=2e7)]
DOES_NOT_FIT = (
    ArithmeticError,
    AttributeError,
    ConfigError,
    LookupError,
    RuntimeError,
    SourceError,
    TypeError,
    ValueError,
)
"""What a checkpoint raises that lacks something or has it wrong, when it is built from."""


class _Section(BaseModel):
    """A part of the metadata; what is not listed is of no use here."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class _Meshing(_Section):
    voxel_size_m: float = Field(ge=1e-6, le=100)


class _Config(_Section):
    meshing: _Meshing
    background: BackgroundConfig = BackgroundConfig()


class _Grid(_Section):
    low_cell: tuple[_Cell, _Cell, _Cell]
    cell_m: float = Field(ge=1e-6, le=1000)
    has_sensor: bool


class _Camera(_Section):
    width_px: int = Field(ge=1, le=1 << 16)
    height_px: int = Field(ge=1, le=1 << 16)
    fx: float = Field(gt=0)
    fy: float = Field(gt=0)
    cx: float
    cy: float
    distortion_model: str = "none"
    distortion: tuple[float, ...] = ()


class CheckpointMeta(_Section):
    """The metadata of a checkpoint, within bounds that leave room for every real scene."""

    step: int = Field(ge=0, lt=1 << 53)
    """Optimiser steps taken."""
    stamp_ns: int = Field(ge=0, lt=1 << 63)
    """Of the newest frame."""
    config: _Config
    """As the reconstruction was made with, as far as it is not given anew."""
    field: FieldConfig
    init: Initialisation
    side_m: float = Field(ge=1e-6, le=1e6)
    """Of the cube that the field covers."""
    grid: _Grid
    camera: _Camera
    """Of the first frame."""
    origin_m: tuple[_Coordinate, _Coordinate, _Coordinate] = (0.0, 0.0, 0.0)
    """World position that all coordinates in the tensors count from."""
    dataset_from_world: list[list[float]] = np.eye(4).tolist()
    """Similarity to the coordinates that saved meshes have."""
    has_foreground: bool = False
    """Whether the keyframes knew which pixels show the object."""
    exposure_varies: bool = False
    """Whether colours of keyframes were brought to one exposure."""
    image_background: tuple[_Share, _Share, _Share] = (1.0, 1.0, 1.0)
    """Colour that the pictures have where no object is."""

    @field_validator("dataset_from_world")
    @classmethod
    def _is_similarity(cls, value: list[list[float]]) -> list[list[float]]:
        rows = [len(row) for row in value]
        if rows != [4] * 4 or not abs(np.linalg.det(np.array(value)[:3, :3])) > 0:
            raise ValueError("expected a similarity of 4 x 4 numbers")
        return value


@dataclass(frozen=True)
class CheckpointContent:
    """Tensors and metadata as they are written and read.

    Of tensors, what a checkpoint lacks or has wrong raises when it is asked for: `DOES_NOT_FIT`.
    """

    tensors: dict[str, Shaped[Tensor, "..."]]
    meta: CheckpointMeta

    @classmethod
    def read(cls, directory: Path) -> "CheckpointContent":
        """Read a checkpoint, also one of the last release, whose names were others.

        Raises:
            CheckpointError: It is none, or a value of it makes no sense.
        """
        tensors, meta = read_checkpoint(directory)
        for old, new in _RENAMED_TENSORS.items():
            if old in tensors:
                tensors[new] = tensors.pop(old)
        if "backdrop" in meta:
            meta["image_background"] = meta.pop("backdrop")
        if meta.get("init") == "free":
            meta["init"] = "depth"
        for name, tensor in tensors.items():
            # One such weight makes all that the field answers NaN: it would be found much later,
            # as a mesh without surface, and without a reason.
            if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                raise CheckpointError(
                    f"checkpoint {directory}: {name} holds numbers that are not finite"
                )
        try:
            return cls(tensors, CheckpointMeta.model_validate(meta))
        except ValidationError as error:
            raise CheckpointError(
                f"checkpoint {directory} does not hold what it should: {_problems(error)}"
            ) from error

    @property
    def voxel_size_m(self) -> float:
        """Spacing of the samples that the surface was meshed with."""
        return self.meta.config.meshing.voxel_size_m

    @property
    def camera(self) -> Camera:
        """Of the first frame."""
        return Camera(**self.meta.camera.model_dump())

    @property
    def dataset_from_world(self) -> Float[np.ndarray, "4 4"]:
        """Similarity to the coordinates that saved meshes have."""
        return np.array(self.meta.dataset_from_world)

    @property
    def origin(self) -> MapOrigin:
        """What the coordinates in the tensors count from."""
        return MapOrigin(*self.meta.origin_m)

    @property
    def image_background(self) -> Float[Tensor, " 3"]:
        """Colour that the pictures have where no object is."""
        return torch.tensor(self.meta.image_background)

    @property
    def rays(self) -> Shaped[Tensor, "..."]:
        """Rays with their colours and ranges, as `Replay.keep` takes them."""
        rays = self.tensors["replay.rays"]
        # A single column would be taken for all of them.
        if rays.ndim != 2 or rays.shape[1] != RESERVOIR_COLUMNS:
            raise ValueError(f"replay.rays of {_shape(rays)}: expected n x {RESERVOIR_COLUMNS}")
        return rays

    def field(self, backend: str, device: torch.device) -> HashSdf:
        """Return the field with its weights, on the backend that is configured now."""
        side_m, background = self.meta.side_m, self.meta.config.background
        # Weights are the same on all backends, and this machine may lack the one that saved them.
        config = self.meta.field.model_copy(update={"backend": backend})
        centre_m = self.tensors["field.origin_m"] + side_m / 2
        field = restore_field(config, self.meta.init, centre_m, side_m, device)
        if background.kind == "learned":
            add_background(field, background)
        field.load_state_dict(self._tensors_of("field."))
        return field

    def grid(self, config: OccupancyConfig, device: torch.device) -> OccupancyGrid:
        """Return the occupancy grid."""
        tensors = self._tensors_of("grid.")
        log_odds, opacity = tensors["log_odds"], tensors["opacity"]
        # Compiled loops trust these shapes and types.
        if log_odds.ndim != 3 or log_odds.dtype != torch.int8:
            raise ValueError(f"grid.log_odds of {_shape(log_odds)}: expected 3 axes of int8")
        if opacity.shape != log_odds.shape or opacity.dtype != torch.float16:
            raise ValueError(
                f"grid.opacity of {_shape(opacity)}: expected float16 of the shape of log_odds"
            )
        return OccupancyGrid.from_state(config, tensors, self.meta.grid.model_dump(), device)

    def fused(self, config: FusionConfig) -> FusedVolume | None:
        """Return what was fused; None if the field alone was the map."""
        state = self._tensors_of("fusion.")
        return FusedVolume.from_state(config, state) if state else None

    def resume_shares(self, fused: FusedMap) -> None:
        """Have a map know what had been told of its field, if that was saved."""
        state = self._tensors_of("fusion.")
        # Earlier checkpoints lack it: returns tell it again.
        if "errors" in state:
            fused.resume_shares(state["blocks"], state["errors"])

    def _tensors_of(self, part: str) -> dict[str, Tensor]:
        return {k[len(part) :]: v for k, v in self.tensors.items() if k.startswith(part)}


def content_of(
    reconstruction: Reconstruction,
    dataset_from_world: Float[np.ndarray, "4 4"],
    stamp_ns: int,
) -> tuple[dict[str, Shaped[Tensor, "..."]], dict[str, Any]]:
    """Return tensors and metadata to save of a reconstruction.

    Args:
        stamp_ns: Of the newest frame.
    """
    field, buffer = reconstruction.field, reconstruction.buffer
    grid_tensors, grid_meta = reconstruction.grid.state()
    tensors = {f"field.{k}": v for k, v in field.state_dict().items()}
    tensors |= {f"grid.{k}": v for k, v in grid_tensors.items()}
    tensors["replay.rays"] = reconstruction.replay.rays_to_save()
    if reconstruction.fused is not None:
        tensors |= {f"fusion.{k}": v for k, v in reconstruction.fused.state().items()}
    meta = {
        "step": reconstruction.train_step.steps,
        "stamp_ns": stamp_ns,
        # Of a larger tree, only what a reconstruction reads.
        "config": reconstruction.config.model_dump(
            mode="json", include=set(ReconstructorConfig.model_fields)
        ),
        "field": field.config.model_dump(mode="json"),
        "init": field.init,
        "origin_m": reconstruction.origin.offset_m.tolist(),
        "dataset_from_world": dataset_from_world.tolist(),
        "side_m": field.side_m,
        "grid": grid_meta,
        "has_foreground": buffer.foreground is not None,
        "exposure_varies": reconstruction.inserter.exposure_varies,
        "image_background": buffer.image_background.tolist(),
        "camera": asdict(buffer.camera),
    }
    return tensors, meta


def _shape(tensor: Tensor) -> str:
    return f"{' x '.join(map(str, tensor.shape))} {str(tensor.dtype).removeprefix('torch.')}"


def _problems(error: ValidationError) -> str:
    """Name every wrong key with its value and what was expected."""
    return "; ".join(
        f"{'.'.join(map(str, e['loc']))} = {repr(e['input'])[:80]}: {e['msg'].lower()}"
        for e in error.errors()
    )
