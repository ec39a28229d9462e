# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The whole field on a GPU: hash grid and both heads over buffers that are kept."""
