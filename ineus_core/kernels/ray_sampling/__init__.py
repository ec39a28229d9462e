# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Samples of an RGB-D ray: in free space, and in the band around the measured surface.

A ray without depth is marched through occupied cells instead. Called here in plain torch, with
equal room for each ray; a captured step takes `sample_rays_into` of `gpu.py`, which packs them.
"""

from ineus_core.kernels.ray_sampling.reference import padded_samples, sample_rays

__all__ = ["padded_samples", "sample_rays"]
