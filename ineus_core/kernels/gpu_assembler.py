# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Choice of the assembler that Triton runs for this process."""

import logging

from triton import knobs

_LOG = logging.getLogger(__name__)
_SOUND = (12, 9)


def use_sound_assembler() -> None:
    """Keep Triton off a ptxas below 12.9 where it has a newer one.

    ptxas 12.8, which Triton 3.6 takes for a Hopper GPU, adds the shared-memory base to the upper
    half of some descriptors of a warpgroup product, which then reads rows from far away or from
    outside the memory. The same wheel holds ptxas 12.9 for newer GPUs, which is right.
    """
    newer = getattr(knobs.nvidia, "ptxas_blackwell", None)
    if newer is None or _version(knobs.nvidia.ptxas.version) >= _SOUND:
        return
    if _version(newer.version) >= _SOUND:
        _LOG.debug("ptxas %s replaced by %s", knobs.nvidia.ptxas.version, newer.version)
        knobs.nvidia.ptxas = newer.path


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
