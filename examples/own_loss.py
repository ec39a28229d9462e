# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Train with a loss of one's own; its weight and its ramp are configuration keys like others."""

import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core import Reconstructor, load_config, open_source, resolve_device
from ineus_core.training import Loss, LossInputs, register_loss


def charbonnier(inputs: LossInputs) -> Float[Tensor, ""]:
    """Return sqrt(e^2 + 0.01^2) of the colour error e, in the mean (Charbonnier et al. 1994)."""
    error = torch.sqrt(inputs.colour_error.square() + 1e-4).mean(dim=1)
    return (error * inputs.visible).sum() / inputs.visible.sum().clamp(min=1)


register_loss(Loss("charbonnier", 4.0, "Smooth L1 of composited colour.", charbonnier))

small = [f"source.synthetic.{key}" for key in ("frames=4", "width_px=80", "height_px=60")]
config = load_config(overrides=[*small, "training.weights.photometric=0"])
reconstructor = Reconstructor(config, resolve_device(config.device))
for frame in open_source("synthetic:room", config=config.source):
    reconstructor.add_frame(frame)
for _ in range(3):
    for _ in range(10):
        reconstructor.step()
    losses = reconstructor.report().losses
    print(f"step {reconstructor.steps}: charbonnier {losses['charbonnier']:.3f}")
