# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Figures, pictures and reports: how good a mesh and its renders are."""

from ineus_core.evaluation.colours import depth_colours, depth_limits_m, normal_colours
from ineus_core.evaluation.dtu_protocol import (
    DtuMetrics,
    DtuReference,
    MaskView,
    dtu_points_file,
    evaluate_dtu,
    read_dtu_reference,
)
from ineus_core.evaluation.exposure_fit import right_half, with_fitted_exposure
from ineus_core.evaluation.image_metrics import depth_l1_m, psnr, ssim
from ineus_core.evaluation.mesh_metrics import DEFAULT_THRESHOLDS_M, MeshMetrics, evaluate_mesh
from ineus_core.evaluation.perceptual import lpips
from ineus_core.evaluation.picture import (
    overview_camera,
    render_mesh_picture,
    render_textured_picture,
)
from ineus_core.evaluation.reference_fusion import ReferenceFusion, ReferenceFusionConfig
from ineus_core.evaluation.replica_protocol import (
    ReplicaMetrics,
    ReplicaReference,
    evaluate_replica,
    read_replica_reference,
    read_virtual_poses,
)
from ineus_core.evaluation.report import GROUPS, Fact, Panel, facts_of, to_plain, write_report
from ineus_core.evaluation.shading import LOOKS, Look, colours_on_screen
from ineus_core.evaluation.surface_samples import (
    Culling,
    CullingView,
    SurfacePoints,
    cull,
    sample_surface,
)
from ineus_core.evaluation.tanks_protocol import (
    TanksMetrics,
    TanksReference,
    evaluate_tanks,
    read_tanks_reference,
)

__all__ = [
    "DEFAULT_THRESHOLDS_M",
    "GROUPS",
    "LOOKS",
    "Culling",
    "CullingView",
    "DtuMetrics",
    "DtuReference",
    "Fact",
    "Look",
    "MaskView",
    "MeshMetrics",
    "Panel",
    "ReferenceFusion",
    "ReferenceFusionConfig",
    "ReplicaMetrics",
    "ReplicaReference",
    "SurfacePoints",
    "TanksMetrics",
    "TanksReference",
    "colours_on_screen",
    "cull",
    "depth_colours",
    "depth_l1_m",
    "depth_limits_m",
    "dtu_points_file",
    "evaluate_dtu",
    "evaluate_mesh",
    "evaluate_replica",
    "evaluate_tanks",
    "facts_of",
    "lpips",
    "normal_colours",
    "overview_camera",
    "psnr",
    "read_dtu_reference",
    "read_replica_reference",
    "read_tanks_reference",
    "read_virtual_poses",
    "render_mesh_picture",
    "render_textured_picture",
    "right_half",
    "sample_surface",
    "ssim",
    "to_plain",
    "with_fitted_exposure",
    "write_report",
]
