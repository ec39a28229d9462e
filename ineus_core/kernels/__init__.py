# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Numeric operators on tensors, a folder each.

A folder's `__init__.py` is the operator's door: its functions with their shapes, units and
sources. Behind it stand the versions, which give the same results: `reference.py` in plain torch,
`cpu.py` compiled by numba, `gpu.py` and `gpu_code*.py` in Triton, and files named after other
projects. `dispatch` chooses among them. A captured training step alone opens `gpu` files itself,
as it writes into buffers that it keeps.
"""
