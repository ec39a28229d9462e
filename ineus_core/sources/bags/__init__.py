# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""ROS 2 bags: files, topics, poses, messages, and how one is written."""
