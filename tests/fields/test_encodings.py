# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""An encoding of one's own: selected by its name, trained with the field."""

import uuid
from collections.abc import Iterator

import pytest
import torch
from pydantic import ValidationError
from tiny_scene import tiny_config, tiny_field, wall_frame
from torch import Tensor, nn

from ineus_core.errors import ConfigError
from ineus_core.fields import Encoding, FieldConfig, VariantField, encodings, register_encoding
from ineus_core.reconstruction import Reconstructor

CPU = torch.device("cpu")


class Ridges(Encoding):
    """Sines along directions that are trained."""

    channels = 5

    def __init__(self) -> None:
        super().__init__()
        self.directions = nn.Parameter(torch.randn(self.channels, 3))

    def forward(self, points_signed: Tensor) -> tuple[Tensor, Tensor]:
        angle = points_signed @ self.directions.T
        return torch.sin(angle), torch.cos(angle)[:, :, None] * self.directions


@pytest.fixture(params=[True, False])
def ridges(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the name of the encoding, with the hash grid or instead of it."""
    name = f"ridges_{uuid.uuid4().hex}"
    register_encoding(name, lambda config: Ridges(), has_hash_grid=request.param)
    yield name
    encodings._TABLE.pop(name)


def test_it_is_part_of_the_field(ridges: str) -> None:
    torch.manual_seed(0)
    field = tiny_field("object", encoding=ridges)
    assert isinstance(field, VariantField)
    # A first sphere is a function of the points alone.
    torch.nn.init.uniform_(field.w1, -0.3, 0.3)
    points = torch.rand(20, 3)
    outputs = field(points, points)
    # The gradient is written out, and so is that of the encoding.
    step = torch.tensor([2e-4, 0.0, 0.0])
    with torch.no_grad():
        slope = (field.sdf(points + step) - field.sdf(points - step)) / 4e-4
    # Kinks of the hash grid lie within some of the steps.
    close = (outputs.gradient[:, 0] - slope).abs() < 1e-2
    assert float(close.float().mean()) > 0.8
    assert has_gradients(outputs.sdf.sum(), field)


def has_gradients(loss: Tensor, field: VariantField) -> bool:
    loss.backward()  # type: ignore[no-untyped-call]
    gradient = field.get_parameter("_encoding.directions").grad
    return gradient is not None and bool(gradient.any())


def test_it_is_trained(ridges: str) -> None:
    made = Reconstructor(tiny_config(field={"encoding": ridges}), CPU)
    made.add_frame(wall_frame(depth_m=1.5))
    directions = made.reconstruction.field.get_parameter("_encoding.directions")
    before = directions.detach().clone()
    for _ in range(5):
        made.step()
    assert not torch.equal(before, directions.detach())


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValidationError, match="expected one of hash, frequency, both"):
        FieldConfig(encoding="ridges")


def test_a_name_is_taken_once() -> None:
    with pytest.raises(ConfigError, match="hash"):
        register_encoding("hash", lambda config: Ridges())
