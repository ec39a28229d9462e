# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The terms of the loss and their cotangents over the buffers of a captured step.

Only Triton has them (`gpu.py`); their reference is `training.losses` under autograd.
"""
