# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The base of all configuration classes; each of those stands above the class that reads it."""

from pydantic import BaseModel, ConfigDict


class ConfigModel(BaseModel):
    """A frozen record that refuses unknown keys; every field has a description with its unit."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
