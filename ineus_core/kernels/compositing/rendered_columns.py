# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The columns of a composited ray, as kernels write it, and of its cotangents."""

COLOUR, RANGE, NORMAL, OPACITY = 0, 3, 4, 7
"""First columns; colour and normal have three each."""
COLUMNS = 8
