# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth from motion on views of noise, so that its kernels are compiled before they are needed."""

import numpy as np
import torch

from ineus_core.stereo.check import check, normals_of
from ineus_core.stereo.config import StereoConfig
from ineus_core.stereo.sweep import sweep
from ineus_core.stereo.view import StereoView
from ineus_core.types import Camera, Frame

_CAMERA = Camera(160, 120, 128.0, 128.0, 80.0, 60.0)
"""Of two sizes of pictures, so that each kind of sweep is made."""


def visit_all(config: StereoConfig, device: torch.device) -> None:
    """Measure and check one view by two others; what is found means nothing."""
    noise, views = np.random.default_rng(0), []
    for number in range(3):
        pose = np.eye(4)
        pose[0, 3] = 0.1 * number
        rgb = noise.integers(0, 256, (_CAMERA.height_px, _CAMERA.width_px, 3)).astype(np.uint8)
        views.append(StereoView(Frame(number, _CAMERA, pose, rgb), _CAMERA.width_px, device))
    for view in views:
        others = [other for other in views if other is not view]
        view.measured = sweep(view, others, 1.0, config)
    checked = check(views[0], views[1:], config)
    normals_of(checked.depth, views[0].levels[0].plane_xy)
