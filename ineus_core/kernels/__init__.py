# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Numeric operators on tensors.

Each has a torch twin, which is the reference, and faster versions beside it.
"""
