# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The two small networks behind the hash grid: SDF head and colour head."""
