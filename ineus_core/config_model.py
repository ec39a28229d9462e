# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The base of all configuration classes; each of those stands above the class that reads it."""

import logging
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.fields import FieldInfo

_LOG = logging.getLogger(__name__)


class ConfigModel(BaseModel):
    """A frozen record that refuses unknown keys; every field has a description with its unit."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    renamed: ClassVar[Mapping[str, str]] = {}
    """Keys of the last release by the names that they have now; each is taken with a warning.

    Names are dotted where a key has moved from one section to another.
    """

    merged: ClassVar[Mapping[str, Callable[..., Any]]] = {}
    """How numbers that were given under several former names of a key become its one value."""

    retired: ClassVar[Mapping[str, str]] = {}
    """Keys of the last release that say nothing any more, each with what is set instead.

    They are left out with a warning: what they meant has no value in the terms of another key.
    """

    added_sections: ClassVar[dict[str, type["ConfigModel"]]] = {}
    """Sections that a program has added beside the fields; only some classes take any."""

    @model_validator(mode="before")
    @classmethod
    def _take_former_keys(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        given = without_retired(cls.retired, given)
        names = [name for name in (*cls.renamed, *cls.renamed.values()) if _holds(given, name)]
        former = [name for name in names if name in cls.renamed]
        if not former:
            return given
        # The caller's tree stays as it is: a section may be validated more than once.
        tree = _copied(given)
        values = {name: _take(tree, name) for name in former}
        for new, value in with_present_names(cls, cls.renamed, values, names).items():
            _put(tree, new, value)
        return tree


def without_retired(
    retired: Mapping[str, str],
    values: Mapping[str, Any],
    warn: Callable[[str], object] = _LOG.warning,
) -> Mapping[str, Any]:
    """Return values without those of keys that say nothing any more.

    Args:
        retired: Names of such keys, and what is set instead.
        values: By name.
        warn: Told of each that is left out.
    """
    left_out = [name for name in values if name in retired]
    for name in left_out:
        warn(f"configuration key {name} says nothing any more: {retired[name]}")
    return {name: values[name] for name in values if name not in retired} if left_out else values


def with_present_names(
    model: type[ConfigModel],
    renamed: Mapping[str, str],
    values: Mapping[str, Any],
    given: Container[str] = (),
    warn: Callable[[str], object] = _LOG.warning,
) -> dict[str, Any]:
    """Return values under the present names of the keys that they were given for.

    Args:
        model: What dotted names are relative to.
        renamed: Former names and present ones.
        values: By name; one that is not a former name stays.
        given: Further names that have a value.
        warn: Told of each former name.

    Raises:
        ValueError: A key is given by its former and its present name, or by several former ones
            with values that cannot be merged.
    """
    by_new: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        by_new.setdefault(renamed.get(name, name), {})[name] = value
    for new, former in by_new.items():
        for old in former:
            if old == new:
                continue
            if new in former or new in given:
                raise ValueError(f"{old} is the former name of {new}: expected one of them")
            warn(f"configuration key {old} is now called {new}")
    return {new: _one_of(model, new, former) for new, former in by_new.items()}


def _one_of(model: type[ConfigModel], new: str, former: Mapping[str, Any]) -> Any:
    first, *others = former.values()
    if all(value == first for value in others):
        return first
    *sections, leaf = new.split(".")
    for section in sections:
        model = section_named(model, section) or model
    is_number = all(isinstance(value, int | float) for value in former.values())
    if leaf not in model.merged or not is_number:
        said = ", ".join(f"{old} = {value!r}" for old, value in former.items())
        raise ValueError(f"{said}: all are now {new}; expected the same value")
    return model.merged[leaf](former.values())


def _holds(tree: Any, name: str) -> bool:
    for key in name.split("."):
        if not isinstance(tree, Mapping) or key not in tree:
            return False
        tree = tree[key]
    return True


def _copied(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _copied(value) if isinstance(value, Mapping) else value for key, value in tree.items()
    }


def _take(tree: dict[str, Any], name: str) -> Any:
    *sections, leaf = name.split(".")
    for section in sections:
        tree = tree[section]
    return tree.pop(leaf)


def _put(tree: dict[str, Any], name: str, value: Any) -> None:
    *sections, leaf = name.split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
    tree[leaf] = value


def add_fields(model: type[ConfigModel], fields: Mapping[str, tuple[Any, Any]]) -> None:
    """Add fields to a configuration class, and to every class that holds it as a section.

    Args:
        fields: Type and `pydantic.Field` by name.
    """
    for name, (kind, setting) in fields.items():
        model.model_fields[name] = FieldInfo.from_annotated_attribute(kind, setting)
    _rebuild(model)


def _rebuild(model: type[ConfigModel]) -> None:
    model.model_rebuild(force=True)
    for holder in _subclasses(ConfigModel):
        held = [field for field in holder.model_fields.values() if section_of(field) is model]
        for field in held:
            # A default that was made before lacks what is new.
            field.default = model(**field.default.model_dump(exclude_unset=True))
        if held:
            _rebuild(holder)


def _subclasses(model: type[ConfigModel]) -> Iterator[type[ConfigModel]]:
    for subclass in model.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def section_of(field: FieldInfo) -> type[ConfigModel] | None:
    """Return the class of a field that is a section of its own, or None of a plain value."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, ConfigModel) else None


def section_named(model: type[ConfigModel], key: str) -> type[ConfigModel] | None:
    """Return the class of a section by name, a field or an added one; None of a plain value."""
    if key in model.added_sections:
        return model.added_sections[key]
    return section_of(model.model_fields[key])


def walk(model: type[ConfigModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield the dotted name and the field of every plain value below a configuration class."""
    for name, field in model.model_fields.items():
        section = section_of(field)
        if section is None:
            yield prefix + name, field
        else:
            yield from walk(section, f"{prefix}{name}.")


def walk_renamed(model: type[ConfigModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the dotted former and present names of every plain value that has another one now."""
    for old, new in model.renamed.items():
        *sections, leaf = new.split(".")
        holder = model
        for name in sections:
            holder = section_named(holder, name) or holder
        section = section_of(holder.model_fields[leaf])
        if section is None:
            yield prefix + old, prefix + new
        else:
            for name, _ in walk(section):
                yield f"{prefix}{old}.{name}", f"{prefix}{new}.{name}"
    for name, field in model.model_fields.items():
        section = section_of(field)
        if section is not None:
            yield from walk_renamed(section, f"{prefix}{name}.")


def walk_retired(model: type[ConfigModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the dotted names of keys that say nothing any more, and what is set instead."""
    for name, instead in model.retired.items():
        yield prefix + name, instead
    for name, field in model.model_fields.items():
        section = section_of(field)
        if section is not None:
            yield from walk_retired(section, f"{prefix}{name}.")


def value_at(config: ConfigModel, name: str) -> Any:
    """Return the value at a dotted name."""
    value: Any = config
    for part in name.split("."):
        value = getattr(value, part)
    return value
