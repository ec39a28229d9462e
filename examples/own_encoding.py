# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Give the field an encoding of one's own beside the hash grid; its parameters are trained."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ineus_core import Reconstructor, load_config, open_source, resolve_device
from ineus_core.fields import Encoding, register_encoding


class SineEncoding(Encoding):
    """Sines along random directions (after Tancik et al. 2020), which are trained as well."""

    def __init__(self, sines: int = 16, scale: float = 8.0) -> None:
        super().__init__()
        self.channels = sines
        self.directions = nn.Parameter(scale * torch.randn(sines, 3))

    def forward(
        self, points_signed: Float[Tensor, "n 3"]
    ) -> tuple[Float[Tensor, "n channels"], Float[Tensor, "n channels 3"]]:
        """Return features and their Jacobian."""
        phase = points_signed @ self.directions.T
        return torch.sin(phase), torch.cos(phase)[..., None] * self.directions


register_encoding("sines", lambda config: SineEncoding(), has_hash_grid=True)

small = [f"source.synthetic.{key}" for key in ("frames=4", "width_px=80", "height_px=60")]
config = load_config(overrides=[*small, "field.encoding=sines"])
reconstructor = Reconstructor(config, resolve_device(config.device))
for frame in open_source("synthetic:room", config=config.source):
    reconstructor.add_frame(frame)
for _ in range(3):
    for _ in range(10):
        reconstructor.step()
    print(f"step {reconstructor.steps}: depth {reconstructor.report().losses['depth']:.3f}")
