# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Built-in scenes, rendered when asked for, with exact truth."""
