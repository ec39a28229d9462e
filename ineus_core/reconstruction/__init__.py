# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The reconstruction of one scene: from frames to surface, what it consists of, checkpoints."""

from ineus_core.reconstruction.checkpoint_files import read_checkpoint
from ineus_core.reconstruction.config import ReconstructorConfig
from ineus_core.reconstruction.frame_gate import JudgedFrame
from ineus_core.reconstruction.frame_intake import FrameIntake
from ineus_core.reconstruction.map_origin import MapOrigin
from ineus_core.reconstruction.reconstruction import Reconstruction
from ineus_core.reconstruction.reconstructor import Reconstructor
from ineus_core.reconstruction.warming import (
    compile_cpu_kernels_ahead,
    hears_of_compiling,
    warm_up,
    warm_up_gpu,
)

__all__ = [
    "FrameIntake",
    "JudgedFrame",
    "MapOrigin",
    "Reconstruction",
    "Reconstructor",
    "ReconstructorConfig",
    "compile_cpu_kernels_ahead",
    "hears_of_compiling",
    "read_checkpoint",
    "warm_up",
    "warm_up_gpu",
]
