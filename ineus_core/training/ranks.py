# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The processes of one run that train the same field, each on its own rays, with one gradient."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor

from ineus_core.errors import ConfigError, RankError

_TIMEOUT = timedelta(minutes=5)
"""How long a process waits for another one, which may be compiling its kernels."""
_NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Ranks:
    """One of several processes of a run, numbered from 0, of which the first one writes."""

    rank: int
    count: int
    local_rank: int
    """Number on this machine, and so of its GPU."""

    @property
    def is_writer(self) -> bool:
        """Whether this process writes the results and shows the progress."""
        return self.rank == 0

    @property
    def seed_offset(self) -> int:
        """What makes the random rays of a process its own, in the low bits of a seed."""
        return self.rank * 1_000_003

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their means over all processes, in place; all have to call it.

        Raises:
            RankError: If another process has ended or does not answer.
        """
        # One message for many tensors: each takes its time, however small.
        flat = tensors[0] if len(tensors) == 1 else torch.cat([t.reshape(-1) for t in tensors])
        with self._others():
            torch.distributed.all_reduce(flat)
        # After the sum, as not every backend of torch.distributed has a mean.
        flat /= self.count
        if len(tensors) > 1:
            parts = flat.split([t.numel() for t in tensors])
            for tensor, part in zip(tensors, parts, strict=True):
                tensor.copy_(part.view_as(tensor))

    def broadcast(self, value: float) -> float:
        """Return the value that the first process has; all have to call it."""
        # In double: as float32, seconds since the machine was started would be rounded.
        holder = torch.tensor([value], dtype=torch.float64)
        with self._others():
            torch.distributed.broadcast(holder, src=0)
        return float(holder)

    @contextmanager
    def _others(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            reason = str(error).splitlines()[0][:120]
            raise RankError(
                f"process {self.rank} of {self.count}: another process of this run has ended or "
                f"does not answer ({reason})"
            ) from error


def ranks_of(environment: Mapping[str, str]) -> Ranks | None:
    """Return the processes that a launcher such as torchrun has started; None if alone.

    Raises:
        ConfigError: If the variables are not all there, or make no sense.
    """
    given = {name: environment[name] for name in _NAMES[:2] if environment.get(name)}
    if not given:
        return None
    missing = [name for name in _NAMES if not environment.get(name)]
    if missing:
        there = ", ".join(f"{name}={value}" for name, value in given.items())
        raise ConfigError(
            f"{there} in the environment without {', '.join(missing)}: expected all of "
            f"{', '.join(_NAMES)}, as torchrun sets them, or neither RANK nor WORLD_SIZE"
        )
    rank, count, local_rank, _ = (
        _whole(name, environment[name]) for name in (*_NAMES[:3], "MASTER_PORT")
    )
    if rank >= count:
        raise ConfigError(f"RANK={rank} in the environment: expected less than WORLD_SIZE={count}")
    return Ranks(rank, count, local_rank) if count > 1 else None


def _whole(name: str, text: str) -> int:
    if not text.isdecimal():
        raise ConfigError(f"{name}={text} in the environment: expected a whole number from 0 on")
    return int(text)


@contextmanager
def process_group(ranks: Ranks | None, device: torch.device) -> Iterator[None]:
    """Meet the other processes; leave them at the end.

    Args:
        device: Where training runs: gradients go through NCCL on a GPU, else through gloo.

    Raises:
        RankError: If they do not come.
    """
    if ranks is None:
        yield
        return
    # The pipeline agrees on the clock on the host, so gloo is there on a GPU too.
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    try:
        torch.distributed.init_process_group(backend, timeout=_TIMEOUT)
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0][:160]
        raise RankError(
            f"process {ranks.rank} of {ranks.count} cannot meet the others ({reason})"
        ) from error
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def device_of(ranks: Ranks | None, device: torch.device) -> torch.device:
    """Return the device of this process: on a machine with GPUs each process takes one.

    Raises:
        ConfigError: If there are fewer GPUs than processes, or all would take the same one.
    """
    if ranks is None or device.type != "cuda":
        return device
    gpus = torch.cuda.device_count()
    if ":" in str(device):
        raise ConfigError(
            f"device {device} for {ranks.count} processes: expected auto, cuda or cpu, as each "
            f"takes the GPU of its number"
        )
    if ranks.local_rank >= gpus:
        raise ConfigError(
            f"process {ranks.local_rank} of this machine has no GPU of its own, as there are "
            f"{gpus}: expected at most as many processes"
        )
    # What is allocated on `cuda` without a number then lies on this one.
    torch.cuda.set_device(ranks.local_rank)
    return device
