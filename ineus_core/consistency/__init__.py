# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The input checked against itself: poses, depth, focal length, time and colour of frames."""

from ineus_core.consistency.check import InputCheck
from ineus_core.consistency.selection import StreamSelection, choose_views
from ineus_core.consistency.source_check import SourceCheck, check_source
from ineus_core.consistency.verdict import Verdict
from ineus_core.consistency.views import View

__all__ = [
    "InputCheck",
    "SourceCheck",
    "StreamSelection",
    "Verdict",
    "View",
    "check_source",
    "choose_views",
]
