# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth from motion on a GPU: what the CPU finds, without a wait for the device."""

import numpy as np
import pytest
import torch
from card_scene import CardScene, camera_of, pose_at

from ineus_core.stereo import DepthFromMotion, StereoConfig, StereoDepth

STEPS = (-0.24, -0.12, 0.0, 0.12, 0.24, 0.36)


def all_depth(device: str) -> list[StereoDepth]:
    stereo = DepthFromMotion(StereoConfig(max_width_px=320), torch.device(device))
    scene, camera = CardScene(has_card=True), camera_of()
    frames = [scene.frame(n, camera, pose_at(x, 0.01 * n, 0)) for n, x in enumerate(STEPS)]
    return [depth for frame in frames for depth in stereo.add(frame)] + stereo.finish()


@pytest.mark.gpu
def test_both_devices_find_the_same_depth() -> None:
    ours, theirs = all_depth("cuda"), all_depth("cpu")
    assert [d.keyframe for d in ours] == [d.keyframe for d in theirs]
    for one, other in zip(ours, theirs, strict=True):
        both = (one.depth_m > 0) & (other.depth_m > 0)
        assert (both | ((one.depth_m > 0) == (other.depth_m > 0))).mean() > 0.98
        off = np.abs(one.depth_m - other.depth_m)[both] / other.depth_m[both]
        assert np.median(off) < 1e-3
        assert np.abs(one.confidence - other.confidence)[both].mean() < 0.01


@pytest.mark.gpu
def test_nothing_waits_for_the_device() -> None:
    # Compiles, and uploads what is kept for each camera.
    all_depth("cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = all_depth("cuda")
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(depth.depth_on_device.is_cuda for depth in found)
