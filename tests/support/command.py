# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The `ineus` command, run in the process of the tests."""

from dataclasses import dataclass
from os import PathLike

import pytest


@dataclass(frozen=True)
class CommandResult:
    """What a command left behind."""

    exit_code: int
    stdout: str
    stderr: str

    def assert_fails(self, exit_code: int, *words: str) -> None:
        """Assert one clear line on stderr that holds all the words, and no traceback."""
        assert self.exit_code == exit_code, self.stderr
        errors = [line for line in self.stderr.splitlines() if line.startswith("ineus: error:")]
        assert len(errors) == 1, self.stderr
        assert "Traceback" not in self.stderr
        for word in words:
            assert word in errors[0]


def run_command(
    capsys: pytest.CaptureFixture[str], *arguments: str | int | float | PathLike[str]
) -> CommandResult:
    """Run `ineus` with the arguments and catch its exit code and output."""
    from ineus_core.cli import main

    capsys.readouterr()
    exit_code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return CommandResult(exit_code, captured.out, captured.err)
