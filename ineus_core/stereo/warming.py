# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth from motion on views of noise, so that its kernels are compiled before they are needed."""

from dataclasses import replace

import numpy as np
import torch

from ineus_core.stereo.check import check, normals_of
from ineus_core.stereo.config import StereoConfig
from ineus_core.stereo.sweep import sweep
from ineus_core.stereo.view import StereoView
from ineus_core.types import Camera, Frame

_CAMERA = Camera(160, 120, 128.0, 128.0, 80.0, 60.0)
"""Of two sizes of pictures, so that each kind of sweep is made."""
_LENSES = ("none", ()), ("plumb_bob", (0.01,) * 5), ("equidistant", (0.01,) * 4)
"""One of each kind that kernels are compiled for: the lens decides what they compute."""


def visit_all(config: StereoConfig, device: torch.device) -> None:
    """Measure and check views by two others, of each kind of lens; what is found means nothing."""
    for model, distortion in _LENSES:
        camera = replace(_CAMERA, distortion_model=model, distortion=distortion)
        _visit(camera, config, device)


def _visit(camera: Camera, config: StereoConfig, device: torch.device) -> None:
    noise, views = np.random.default_rng(0), []
    for number in range(3):
        pose = np.eye(4)
        pose[0, 3] = 0.1 * number
        rgb = noise.integers(0, 256, (camera.height_px, camera.width_px, 3)).astype(np.uint8)
        views.append(StereoView(Frame(number, camera, pose, rgb), camera.width_px, device))
    for view in views:
        others = [other for other in views if other is not view]
        view.measured = sweep(view, others, 1.0, config)
    checked = check(views[0], views[1:], config)
    normals_of(checked.depth, views[0].levels[0].plane_xy)
