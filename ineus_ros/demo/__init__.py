# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The main job end to end on built-in input, and its other end of the topics."""
