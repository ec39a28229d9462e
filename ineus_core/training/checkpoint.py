# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A checkpoint on disk: one directory with safetensors and JSON, written whole or not at all."""

import json
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

import safetensors
import torch
from jaxtyping import Shaped
from safetensors.torch import load_file, save_file
from torch import Tensor

from ineus_core.errors import CapacityError, CheckpointError

FORMAT = 1
_TENSORS, _META = "state.safetensors", "state.json"


def write_checkpoint(
    directory: Path, tensors: dict[str, Shaped[Tensor, "..."]], meta: dict[str, Any]
) -> Path:
    """Write beside, then rename; an older checkpoint of that name stays until the new one is complete."""
    directory = Path(directory)
    beside = directory.with_name(f".{directory.name}.{uuid.uuid4().hex[:8]}")
    try:
        beside.mkdir(parents=True)
        save_file({k: v.detach().contiguous().cpu() for k, v in tensors.items()}, beside / _TENSORS)
        (beside / _META).write_text(json.dumps({"format": FORMAT, **meta}, indent=1))
        for name in (_TENSORS, _META):
            with open(beside / name, "rb+") as file:
                os.fsync(file.fileno())
        if directory.exists():
            old = beside.with_name(beside.name + ".old")
            directory.rename(old)
            beside.rename(directory)
            shutil.rmtree(old)
        else:
            beside.rename(directory)
    except (OSError, safetensors.SafetensorError) as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise CapacityError(f"checkpoint {directory} could not be written: {error}") from error
    return directory


def read_checkpoint(directory: Path) -> tuple[dict[str, Shaped[Tensor, "..."]], dict[str, Any]]:
    """Read tensors, on the CPU, and metadata."""
    directory = Path(directory)
    for name in (_TENSORS, _META):
        if not (directory / name).is_file():
            raise CheckpointError(f"checkpoint {directory}: expected a directory with {_TENSORS} and {_META}")
    try:
        meta = json.loads((directory / _META).read_text())
        tensors: dict[str, torch.Tensor] = load_file(directory / _TENSORS)
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"checkpoint {directory} could not be read: {error}") from error
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        found = meta.get("format") if isinstance(meta, dict) else type(meta).__name__
        raise CheckpointError(f"checkpoint {directory} has format {found}: expected {FORMAT}")
    return tensors, meta
