# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What a look ahead at depth from motion compiles, for a GPU that need not be there."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ineus_core.stereo import StereoConfig, visit_all
from ineus_core.types import Camera

CPU = torch.device("cpu")
LENSES = {
    "none": (),
    "plumb_bob": (-0.2, 0.05, 0.01, -0.01, 0.02),
    "rational_polynomial": (0.1, 0.05, 0.01, -0.01, 0.0, 0.3, 0.1, 0.0),
    "equidistant": (0.05, -0.01, 0.0, 0.0),
}


@pytest.mark.parametrize("model", LENSES)
def test_kernels_of_every_lens_are_compiled_ahead(
    hopper: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    from ineus_core.kernels import stereo_matching
    from ineus_core.kernels.ahead import noted_launches
    from ineus_core.kernels.stereo_matching import Planes, SourceDepth, SourceView, gpu

    monkeypatch.setattr(stereo_matching, "fastest", lambda *_: gpu)
    ahead = noted_launches(lambda: visit_all(StereoConfig(), CPU))
    camera, pose = Camera(61, 47, 60.0, 60.0, 30.0, 23.0, model, LENSES[model]), np.eye(4)
    grey, source_from_reference = torch.zeros(47, 61), pose[:3].astype(np.float32)
    source = SourceView(grey, torch.ones(47, 61), camera, source_from_reference)
    found = SourceDepth(grey, camera, source_from_reference, 0.1, 1.0)

    def compare() -> None:
        plane_xy = torch.zeros(47, 61, 2)
        gpu.matching_cost(grey, plane_xy, grey, Planes(0.0, 0.1, 64), [source] * 4, 1.0)
        gpu.agreement(grey, plane_xy, [found] * 4, 0.01, 0.02)

    later = noted_launches(compare)
    assert later
    assert [launch for launch in later if launch not in ahead] == []
