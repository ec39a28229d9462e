# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Log odds of the cells of a grid from the rays of a depth image."""
