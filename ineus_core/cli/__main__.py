# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`python -m ineus_core.cli`: the `ineus` command for launchers that take a module."""

import sys

from ineus_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
