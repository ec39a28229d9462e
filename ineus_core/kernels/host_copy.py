# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Copies between host and device that do not wait for each other."""

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

# A copy took the host 11 us at 68 bytes and at 1 kB, 38 us at 16 kB (benchmarks/README.md).
_SENT_WITH_COMMAND = 1024
"""Bytes that a driver takes along with the command to copy: without waiting, from any memory."""


def to_host(*tensors: Shaped[Tensor, "..."]) -> list[Tensor]:
    """Bring tensors to the host, with one wait for all."""
    if not tensors or tensors[0].device.type != "cuda":
        return [tensor.cpu() for tensor in tensors]
    # Pinned memory takes a copy at the full rate; torch keeps it and gives it out again.
    copies = [torch.empty(t.shape, dtype=t.dtype, pin_memory=True) for t in tensors]
    for copy, tensor in zip(copies, tensors, strict=True):
        copy.copy_(tensor, non_blocking=True)
    # The stream, not the device: others may go on.
    torch.cuda.current_stream(tensors[0].device).synchronize()
    return copies


class HostCopy:
    """A tensor on its way to the host, which is waited for only when it is asked for."""

    def __init__(self, tensor: Shaped[Tensor, "..."]) -> None:
        """Begin the copy, after what the stream does now."""
        self._event: torch.cuda.Event | None = None
        self._copy = tensor
        if tensor.device.type == "cuda":
            self._copy = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
            self._copy.copy_(tensor, non_blocking=True)
            self._event = torch.cuda.Event()
            # Behind the copy in the same stream, so that it is waited for and nothing after it.
            self._event.record()

    def array(self) -> Shaped[np.ndarray, "..."]:
        """Return what was copied; not to be written to."""
        if self._event is not None:
            self._event.synchronize()
        return self._copy.numpy()


def write_to(target: Shaped[Tensor, "..."], values: Shaped[np.ndarray, "..."]) -> None:
    """Put values of the host into a tensor; on a GPU without waiting for it."""
    source = torch.from_numpy(np.ascontiguousarray(values))
    if target.device.type == "cuda" and source.nbytes > _SENT_WITH_COMMAND:
        # Blocking copies wait for the whole queue; torch keeps the pinned copy until it is read.
        pinned = torch.empty(source.shape, dtype=source.dtype, pin_memory=True)
        # By numpy, as torch would wake a thread for each core, and wait 8 ms for one that is busy.
        np.copyto(pinned.numpy(), source.numpy())
        source = pinned
    target.copy_(source.view(target.shape), non_blocking=True)
