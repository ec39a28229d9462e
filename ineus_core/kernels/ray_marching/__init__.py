# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Marching of rays through an occupancy grid: occupied steps become samples."""
