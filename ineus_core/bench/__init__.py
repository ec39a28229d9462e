# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Throughput by stage on built-in work, measured on the parts that a reconstruction runs."""

from ineus_core.bench.measure import run_bench
from ineus_core.bench.timing import captured_ms

__all__ = ["captured_ms", "run_bench"]
