# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 node: turns topics into frames and results into messages."""
