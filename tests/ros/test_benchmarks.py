# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The scripts that look for faults run, and find none in a few cases."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

pytestmark = [pytest.mark.ros, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
HUNG_S = 900.0
"""Longer than anything takes on a busy machine."""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("fuzz.py", "--messages", "60", "--frames", "4", "--files", "40"), "40 cases, 0 faults"),
        (("kills.py", "--kills", "5"), "0 kills after which all was not well"),
    ],
)
def test_no_fault_is_found(words: tuple[str, ...], said: str) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / words[0]), *words[1:]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HUNG_S, check=False)
    assert done.returncode == 0 and said in done.stdout, done.stdout + done.stderr
