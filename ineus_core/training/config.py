# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The configuration of training, and its values that are left to device and scene."""

import torch
from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.fields import Initialisation
from ineus_core.training.losses import LossRamps, LossWeights, losses_without_kernel
from ineus_core.training.optimiser import OptimiserConfig
from ineus_core.training.schedules import linear_ramp


class TrainingConfig(ConfigModel):
    """Batch, losses and optimiser."""

    rays_per_step: int = Field(0, ge=0, description="Rays of a step; 0 = by device.")
    samples_per_step: int = Field(
        0,
        ge=0,
        description="Samples of a step without depth; 0 = by device. With depth: rays times "
        "samples of a ray.",
    )
    cos_anneal_steps: int = Field(
        -1,
        ge=-1,
        description="Steps over which the cosine of NeuS is annealed; 0 = exact from the start; "
        "-1 = without depth 4000 on a GPU and 400 on a CPU, else 0.",
    )
    background: str = Field(
        "none",
        pattern="^(none|white|black|random)$",
        description="Colour behind everything: none leaves what is missing black.",
    )
    view_dropout: float = Field(
        0.5,
        ge=0,
        lt=1,
        description="Share of rays whose direction the colour does not see, so that a mesh has a "
        "colour of its own; 0 = colours of the mesh are those seen head-on.",
    )
    snapshot_every: int = Field(
        200,
        ge=1,
        description="Steps between copies of the parameters to roll back to after a NaN.",
    )
    record_autograd: bool = Field(
        True,
        description="On a GPU, record the launches of a step by autograd once and replay them; "
        "the Python of losses of one's own then runs once.",
    )
    estimate_fades_below: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Error of a ray's colour, 0 to 1, below which depth that was estimated counts "
        "less, in proportion: what explains the picture needs no estimate; 0 = it never fades.",
    )
    sparsity_per_m: float = Field(
        1.0, gt=0, description="How fast the sparsity loss falls with the distance, in 1/m."
    )
    weights: LossWeights = LossWeights()
    ramps: LossRamps = LossRamps()
    optimiser: OptimiserConfig = OptimiserConfig()

    @property
    def reads_foreground(self) -> bool:
        """Decide whether it matters which pixels show the object."""
        return self.background == "random" or self.may_weigh("mask")

    @property
    def shows_white(self) -> bool:
        """Decide whether views are white behind: so is shown what was trained over any colour."""
        return self.background in ("white", "random")

    def cos_anneal(self, step: int) -> float:
        """Return how far the cosine of NeuS is annealed at a step, 0 to 1."""
        return linear_ramp(step, self.cos_anneal_steps)

    def may_weigh(self, term: str) -> bool:
        """Decide whether a term of the loss has a weight at any step."""
        return self.ramps.may_weigh(term, self.weights)

    @property
    def option_without_kernel(self) -> str:
        """Return the first option that the captured step does not know; empty if there is none."""
        names = (name for name in losses_without_kernel() if self.may_weigh(name))
        return next((f"training.weights.{name}" for name in names), "")


def resolved_training(
    config: TrainingConfig, device: torch.device, init: Initialisation = "depth"
) -> TrainingConfig:
    """Fill in what the configuration leaves to the device and to what the scene looks like."""
    on_gpu = device.type == "cuda"
    weights, anneal_steps = config.weights, config.cos_anneal_steps
    if weights.eikonal < 0:
        # A room's plain walls say nothing by colour: F-score at 5 cm 81.2 instead of 76.0 %
        # (docs/benchmarks.md).
        weights = weights.model_copy(update={"eikonal": 0.3 if init == "room" else 0.1})
    if anneal_steps < 0:
        # Half of the cosine lets colour pull at surface that still faces the wrong way.
        anneal_steps = 0 if init == "depth" else 4000 if on_gpu else 400
    # Colours that a CPU has hundreds of steps for are reached by larger ones.
    heads_rate = config.optimiser.heads_rate or (0.004 if on_gpu else 0.01)
    return config.model_copy(
        update={
            "optimiser": config.optimiser.model_copy(update={"heads_rate": heads_rate}),
            "rays_per_step": config.rays_per_step or (8192 if on_gpu else 1024),
            "samples_per_step": config.samples_per_step or ((1 << 18) if on_gpu else (1 << 15)),
            "weights": weights,
            "cos_anneal_steps": anneal_steps,
        }
    )
