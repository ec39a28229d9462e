# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The checker that jaxtyping's import hook applies while the tests run (see pyproject.toml)."""

from beartype import BeartypeConf, beartype

# As for mypy, an int is good where a float is expected.
check = beartype(conf=BeartypeConf(is_pep484_tower=True))
