# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Fields: what is asked for distance, gradient and colour at points."""

from ineus_core.fields.background import Background, BackgroundConfig
from ineus_core.fields.encodings import Encoding, register_encoding
from ineus_core.fields.factory import add_background, make_field, restore_field
from ineus_core.fields.sdf import FieldConfig, HashSdf, Initialisation
from ineus_core.fields.variant import VariantField

__all__ = [
    "Background",
    "BackgroundConfig",
    "Encoding",
    "FieldConfig",
    "HashSdf",
    "Initialisation",
    "VariantField",
    "add_background",
    "make_field",
    "register_encoding",
    "restore_field",
]
