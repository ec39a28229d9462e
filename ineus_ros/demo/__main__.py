# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`python -m ineus_ros.demo`: the main job end to end, for `ineus demo`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ineus_core.errors import IneusError
from ineus_ros.demo.job import DemoConfig, run
from ineus_ros.demo.report import shortfalls


def main(words: Sequence[str] | None = None) -> int:
    """Run the demo of the command line; return the exit code."""
    parser = argparse.ArgumentParser("ineus_ros.demo", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/demo"))
    parser.add_argument("--frames", type=int, default=DemoConfig.frames)
    parser.add_argument("--train-seconds", type=float, default=DemoConfig.train_s)
    parser.add_argument("--device", default=DemoConfig.device)
    parser.add_argument("--view", action="store_true")
    given = parser.parse_args(words)
    config = DemoConfig(given.out, given.frames, given.train_seconds, given.device, given.view)
    try:
        missing = shortfalls(run(config, Console()))
    except IneusError as error:
        print(f"ineus: error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        # What a shell says of a program that SIGINT has ended.
        return 130
    for line in missing:
        print(f"ineus: error: {line}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
