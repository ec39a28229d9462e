# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The base of all configuration classes; each of those stands above the class that reads it."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.fields import FieldInfo

_LOG = logging.getLogger(__name__)


class ConfigModel(BaseModel):
    """A frozen record that refuses unknown keys; every field has a description with its unit."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    renamed: ClassVar[Mapping[str, str]] = {}
    """Keys of the last release by the names that they have now; each is taken with a warning."""

    added_sections: ClassVar[dict[str, type["ConfigModel"]]] = {}
    """Sections that a program has added beside the fields; only some classes take any."""

    @model_validator(mode="before")
    @classmethod
    def _take_old_keys(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or not cls.renamed.keys() & given.keys():
            return given
        values = dict(given)
        for old in cls.renamed.keys() & given.keys():
            new = cls.renamed[old]
            if new in given:
                raise ValueError(f"{old} is the former name of {new}: expected one of them")
            _LOG.warning("configuration key %s is now called %s", old, new)
            values[new] = values.pop(old)
        return values


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
        section = section_of(model.model_fields[new])
        if section is None:
            yield prefix + old, prefix + new
        else:
            for name, _ in walk(section):
                yield f"{prefix}{old}.{name}", f"{prefix}{new}.{name}"
    for name, field in model.model_fields.items():
        section = section_of(field)
        if section is not None:
            yield from walk_renamed(section, f"{prefix}{name}.")


def value_at(config: ConfigModel, name: str) -> Any:
    """Return the value at a dotted name."""
    value: Any = config
    for part in name.split("."):
        value = getattr(value, part)
    return value
