# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which triangle each pixel of a picture shows, and where in it.

The one version is numpy.
"""

from ineus_core.kernels.rasterising.reference import TrianglePixels, rasterise

__all__ = ["TrianglePixels", "rasterise"]
