# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""LPIPS (Zhang et al. 2018) where the package `lpips` and the weights of its network are there."""

import logging
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

_LOG = logging.getLogger(__name__)
_BACKBONE = "alexnet-owt-*.pth"
_LEAST_PX = 31
"""A side of fewer pixels is nothing any more after the first two layers of AlexNet."""


def lpips(
    rendered: UInt8[np.ndarray, "h w 3"], measured: UInt8[np.ndarray, "h w 3"]
) -> float | None:
    """Return the distance by AlexNet, 0 for equal images; None where it is not installed.

    None also for images with less than 31 pixels a side, of which that network makes nothing.
    Nothing is downloaded: the weights of AlexNet have to lie where torch.hub keeps them.
    """
    network = _network()
    if network is None or min(rendered.shape[:2]) < _LEAST_PX:
        return None
    import torch

    with torch.no_grad():
        return float(network(_signed(rendered), _signed(measured)))


@cache
def _network() -> Any:
    if find_spec("lpips") is None or find_spec("torchvision") is None:
        return None
    if not _has_backbone():
        _LOG.info("no LPIPS: torch.hub has no weights of AlexNet, and none are downloaded")
        return None
    import lpips as package

    return package.LPIPS(net="alex", verbose=False).eval()


def _has_backbone() -> bool:
    import torch

    return any((Path(torch.hub.get_dir()) / "checkpoints").glob(_BACKBONE))


def _signed(image: UInt8[np.ndarray, "h w 3"]) -> Float[Any, "1 3 h w"]:
    """Convert to what the network takes: -1 to 1, channels first."""
    import torch

    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1.0
