# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Where frames come from: bags, data set folders and built-in scenes, opened by `open_source`."""

from ineus_core.sources.registry import SourceConfig, open_source, source_kind, source_kinds
from ineus_core.sources.source import Source
from ineus_core.sources.synthetic import SyntheticConfig, SyntheticSource

__all__ = [
    "Source",
    "SourceConfig",
    "SyntheticConfig",
    "SyntheticSource",
    "open_source",
    "source_kind",
    "source_kinds",
]
