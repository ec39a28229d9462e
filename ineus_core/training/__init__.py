# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Training: the losses, the optimiser and the step."""

from ineus_core.training.config import TrainingConfig, resolved_training
from ineus_core.training.factory import make_step
from ineus_core.training.gpu_memory_check import check_device
from ineus_core.training.losses import Loss, LossWeights, register_loss
from ineus_core.training.optimiser import OptimiserConfig
from ineus_core.training.ranks import Ranks, device_of, process_group, ranks_of
from ineus_core.training.step import EagerStep
from ineus_core.training.step_protocol import Step
from ineus_core.training.terms import LossInputs

__all__ = [
    "EagerStep",
    "Loss",
    "LossInputs",
    "LossWeights",
    "OptimiserConfig",
    "Ranks",
    "Step",
    "TrainingConfig",
    "check_device",
    "device_of",
    "make_step",
    "process_group",
    "ranks_of",
    "register_loss",
    "resolved_training",
]
