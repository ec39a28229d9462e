# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Figures, pictures and reports: how good a mesh and its renders are."""

from ineus_core.evaluation.image_metrics import depth_l1_m, psnr, ssim
from ineus_core.evaluation.mesh_metrics import DEFAULT_THRESHOLDS_M, MeshMetrics, evaluate_mesh
from ineus_core.evaluation.picture import overview_camera, render_mesh_picture
from ineus_core.evaluation.reference_fusion import ReferenceFusion, ReferenceFusionConfig
from ineus_core.evaluation.report import Panel, to_plain, write_report
from ineus_core.evaluation.surface import Culling, SurfacePoints, View, cull, sample_surface

__all__ = [
    "DEFAULT_THRESHOLDS_M",
    "Culling",
    "MeshMetrics",
    "Panel",
    "ReferenceFusion",
    "ReferenceFusionConfig",
    "SurfacePoints",
    "View",
    "cull",
    "depth_l1_m",
    "evaluate_mesh",
    "overview_camera",
    "psnr",
    "render_mesh_picture",
    "sample_surface",
    "ssim",
    "to_plain",
    "write_report",
]
