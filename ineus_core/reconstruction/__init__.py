# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The reconstruction of one scene: `Reconstructor`, what it is put together from, checkpoints."""

from ineus_core.reconstruction.assembly import ReconstructorConfig
from ineus_core.reconstruction.checkpoint_files import read_checkpoint
from ineus_core.reconstruction.reconstructor import Reconstructor

__all__ = ["Reconstructor", "ReconstructorConfig", "read_checkpoint"]
