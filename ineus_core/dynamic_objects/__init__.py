# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What moves or has been taken away, found in the depth of keyframes and left out of the map."""

from ineus_core.dynamic_objects.config import DynamicObjectsConfig
from ineus_core.dynamic_objects.dynamic_filter import EVIDENCE, DynamicFilter, Verdict
from ineus_core.dynamic_objects.kept_rays import told_of

__all__ = [
    "EVIDENCE",
    "DynamicFilter",
    "DynamicObjectsConfig",
    "Verdict",
    "told_of",
]
