# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Fields: what is asked for distance, gradient and colour at points."""

from ineus_core.fields.factory import make_field, restore_field
from ineus_core.fields.sdf import FieldConfig, HashSdf, Initialisation
from ineus_core.fields.variant import VariantField

__all__ = [
    "FieldConfig",
    "HashSdf",
    "Initialisation",
    "VariantField",
    "make_field",
    "restore_field",
]
