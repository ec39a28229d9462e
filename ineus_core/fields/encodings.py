# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The encodings of points by name: the hash grid of the field, and what stands beside or for it.

`register_encoding` adds one of one's own, which `field.encoding` then selects.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from ineus_core.errors import ConfigError
from ineus_core.fields.frequency import frequency, octave_weights


class Encoding(nn.Module):
    """Features of points and their Jacobian; parameters that it has are trained with the field."""

    channels: int
    """Number of its features."""

    def forward(
        self, points_signed: Float[Tensor, "n 3"]
    ) -> tuple[Float[Tensor, "n channels"], Float[Tensor, "n channels 3"]]:
        """Return features and their Jacobian, differentiable in the parameters.

        Args:
            points_signed: Points of the field's cube, scaled to -1..1 along each axis; the
                Jacobian is by these coordinates.
        """
        raise NotImplementedError

    def weights_at(self, step: int) -> Sequence[float]:
        """Return by how much each channel counts at a step."""
        return [1.0] * self.channels


class FrequencyEncoding(Encoding):
    """Sines and cosines (NeRF, eq. 4), slow ones first where they appear one after the other.

    Args:
        octaves: Each twice as fast as the one before.
        steps: Over which they appear; 0 = at once.
    """

    def __init__(self, octaves: int, steps: int) -> None:
        """Keep the settings; nothing is trained."""
        super().__init__()
        self._octaves, self._steps, self.channels = octaves, steps, 6 * octaves

    def forward(
        self, points_signed: Float[Tensor, "n 3"]
    ) -> tuple[Float[Tensor, "n channels"], Float[Tensor, "n channels 3"]]:
        """Return features and their Jacobian."""
        return frequency(points_signed, self._octaves)

    def weights_at(self, step: int) -> Sequence[float]:
        """Return by how much each channel counts at a step."""
        weights = octave_weights(step, self._steps, self._octaves)
        return [weight for weight in weights for _ in range(6)]


@dataclass(frozen=True)
class _Entry:
    make: Callable[[Any], Encoding | None]
    has_hash_grid: bool


def _frequency(config: Any) -> Encoding:
    return FrequencyEncoding(config.octaves, config.octave_steps)


_TABLE = {
    "hash": _Entry(lambda config: None, has_hash_grid=True),
    "frequency": _Entry(_frequency, has_hash_grid=False),
    "both": _Entry(_frequency, has_hash_grid=True),
}


def register_encoding(
    name: str, make: Callable[[Any], Encoding], has_hash_grid: bool = False
) -> None:
    """Add an encoding of one's own, before a configuration is read.

    It is trained on every device; on a GPU its networks run in plain torch.

    Args:
        name: Value of `field.encoding` that selects it.
        make: Returns one, given the `fields.FieldConfig`.
        has_hash_grid: The hash grid is there as well.

    Raises:
        ConfigError: If there is an encoding of this name.
    """
    if name in _TABLE:
        raise ConfigError(f"encoding {name}: there is one of this name; expected another one")
    _TABLE[name] = _Entry(make, has_hash_grid)


def known_encoding(name: str) -> str:
    """Return a name that is registered, for the configuration to check it."""
    if name not in _TABLE:
        raise ValueError(f"expected one of {', '.join(_TABLE)}")
    return name


def has_hash_grid(name: str) -> bool:
    """Decide whether the hash grid is part of an encoding."""
    return _TABLE[name].has_hash_grid


def make_encoding(name: str, config: Any) -> Encoding | None:
    """Return what stands beside the hash grid or for it; None if nothing does.

    Args:
        name: Of the encoding.
        config: The `fields.FieldConfig`.
    """
    return _TABLE[name].make(config)
