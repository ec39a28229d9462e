# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What a `Reconstructor` is put together from, takes frames in by, and leaves in a checkpoint."""

from ineus_core.reconstruction.assembly import (
    Conditions,
    Parts,
    ReconstructorConfig,
    assemble,
    first_field_and_grid,
    judge_scene,
    with_training_for,
)
from ineus_core.reconstruction.checkpoint_content import CheckpointContent
from ineus_core.reconstruction.intake import Intake

__all__ = [
    "CheckpointContent",
    "Conditions",
    "Intake",
    "Parts",
    "ReconstructorConfig",
    "assemble",
    "first_field_and_grid",
    "judge_scene",
    "with_training_for",
]
