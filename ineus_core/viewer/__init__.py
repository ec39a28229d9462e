# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The live page of a run in a browser; nothing of it is loaded before it is asked for."""

from ineus_core.viewer.config import ViewerConfig
from ineus_core.viewer.page import DEFAULT_PORT, LivePage
from ineus_core.viewer.run_link import RunLink

__all__ = ["DEFAULT_PORT", "LivePage", "RunLink", "ViewerConfig"]
