# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Exposure and white balance of keyframes, taken off by gains on their colours."""

from ineus_core.exposure.config import ExposureConfig
from ineus_core.exposure.correction import ExposureCorrection

__all__ = ["ExposureConfig", "ExposureCorrection"]
