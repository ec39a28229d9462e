# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What a run leaves to read: `report.json` for programs, `report.html` for people."""

from ineus_core.evaluation.report.facts import GROUPS, Fact, facts_of
from ineus_core.evaluation.report.page import to_plain, write_report
from ineus_core.evaluation.report.views import Panel

__all__ = ["GROUPS", "Fact", "Panel", "facts_of", "to_plain", "write_report"]
