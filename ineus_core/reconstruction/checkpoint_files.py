# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A checkpoint on disk: one directory with safetensors and JSON, written whole or not at all."""

import json
import os
import re
from pathlib import Path
from typing import Any

import safetensors
import torch
from jaxtyping import Shaped
from safetensors.torch import load_file, save_file
from torch import Tensor

from ineus_core.errors import CheckpointError
from ineus_core.files import replacing, whole

FORMAT = 1
_TENSORS, _META = "state.safetensors", "state.json"


def write_checkpoint(
    directory: Path, tensors: dict[str, Shaped[Tensor, "..."]], meta: dict[str, Any]
) -> Path:
    """Write a checkpoint; an older one of that name stays until the new one is complete."""
    directory = Path(directory)
    # The folder is replaced as a whole: what somebody keeps beside a checkpoint would be gone.
    if directory.is_dir() and not {p.name for p in directory.iterdir()} <= {_TENSORS, _META}:
        raise CheckpointError(
            f"checkpoint {directory}: the folder holds other files; "
            "expected a free name or an older checkpoint"
        )
    # The format knows no strides.
    content = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
    with replacing(directory) as beside:
        beside.mkdir()
        try:
            save_file(content, beside / _TENSORS)
        except safetensors.SafetensorError as error:
            # The library hides the number of the error in its text, in one of two ways.
            number = re.search(r"(?:code:|os error) (\d+)", str(error))
            if number is None:
                raise CheckpointError(
                    f"checkpoint {directory} could not be written: {error}"
                ) from error
            raise OSError(int(number[1]), os.strerror(int(number[1]))) from error
        (beside / _META).write_text(json.dumps({"format": FORMAT, **meta}, indent=1))
        # The library gives its file to the owner alone, whatever the umask allows.
        (beside / _TENSORS).chmod((beside / _META).stat().st_mode & 0o777)
    return directory


def read_checkpoint(directory: Path) -> tuple[dict[str, Shaped[Tensor, "..."]], dict[str, Any]]:
    """Read tensors, on the CPU, and metadata."""
    directory = whole(Path(directory))
    for name in (_TENSORS, _META):
        if not (directory / name).is_file():
            raise CheckpointError(
                f"checkpoint {directory}: expected a directory with {_TENSORS} and {_META}"
            )
    try:
        meta = json.loads((directory / _META).read_text())
        tensors: dict[str, torch.Tensor] = load_file(directory / _TENSORS)
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"checkpoint {directory} could not be read: {error}") from error
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        found = meta.get("format") if isinstance(meta, dict) else type(meta).__name__
        raise CheckpointError(f"checkpoint {directory} has format {found}: expected {FORMAT}")
    return tensors, meta
