# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The checker that jaxtyping's import hook applies while the tests run (see pyproject.toml)."""

from collections.abc import Callable
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from beartype import BeartypeConf, beartype

Checked = TypeVar("Checked", bound=Callable[..., Any])

# As for mypy, an int is good where a float is expected.
_beartype = beartype(conf=BeartypeConf(is_pep484_tower=True))


def check(function: Checked) -> Checked:
    """Check arguments and result of a function at each call; protocols are left to mypy."""
    annotations = getattr(function, "__annotations__", {})
    function.__annotations__ = {name: _checkable(hint) for name, hint in annotations.items()}
    return _beartype(function)


def _checkable(hint: Any) -> Any:
    """Return the annotation, with Any for a protocol, which `isinstance` would refuse."""
    if getattr(hint, "_is_protocol", False) and not getattr(hint, "_is_runtime_protocol", False):
        return Any
    if get_origin(hint) in (Union, UnionType):
        return Union[tuple(_checkable(part) for part in get_args(hint))]  # noqa: UP007
    return hint
