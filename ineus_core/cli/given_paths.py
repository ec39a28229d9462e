# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Paths of the command line, looked at before anything slow is loaded."""

import sys
from pathlib import Path

from ineus_core.files import check_source_exists


def look_for_source(path: str, kind: str = "auto") -> None:
    """Find out whether there is something at the path of a source, if only a path can be meant.

    Loading a source takes seconds, mostly torch's. A program that has registered a kind of its
    own, whose paths may be anything, has loaded them already.

    Raises:
        SourceError: There is nothing, or an empty folder.
    """
    is_loaded = "ineus_core.sources" in sys.modules
    is_built_in = kind == "synthetic" or path == "synthetic" or ":" in path
    if not is_loaded and not is_built_in:
        check_source_exists(Path(path))
