# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The multi-resolution hash grid (Mueller et al. 2022): value and spatial Jacobian."""
