# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Topics to frames: cameras, pairing, poses, decoding."""

from ineus_ros.inputs.inputs import Inputs, NewestFrame

__all__ = ["Inputs", "NewestFrame"]
