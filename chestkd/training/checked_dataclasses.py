"""Frozen dataclasses from plain mappings, with every key and type checked.

The mappings come from YAML files and from notebook parameters. An unknown key, a missing one
or a value of the wrong type is a ValueError that says where it is and what is allowed.
"""

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

Configuration = TypeVar("Configuration")


def from_mapping(cls: type[Configuration], values: Any, where: str) -> Configuration:
    """Build the dataclass ``cls``; ``where`` names the file and key for error messages."""
    _require(isinstance(values, Mapping), "a mapping", values, where)
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = [key for key in values if key not in fields]
    if unknown:
        raise ValueError(f"{where}: unknown key {unknown[0]!r}; allowed: {', '.join(fields)}")
    missing = [
        name for name, field in fields.items() if name not in values and _lacks_default(field)
    ]
    if missing:
        raise ValueError(f"{where}: missing key {missing[0]!r}")
    converted = {
        key: convert(value, hints[key], f"{where}: {key}") for key, value in values.items()
    }
    try:
        return cls(**converted)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def convert(value: Any, hint: Any, where: str) -> Any:
    """``value`` as the type ``hint``: whole numbers become floats, lists become tuples."""
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint):
        return from_mapping(typing.cast(type, hint), value, where)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        (inner,) = set(arguments) - {type(None)}
        return None if value is None else convert(value, inner, where)
    if origin is tuple:
        _require(isinstance(value, list | tuple), "a list", value, where)
        items = enumerate(value)
        return tuple(convert(item, arguments[0], f"{where}[{index}]") for index, item in items)
    if origin is Mapping:
        _require(isinstance(value, Mapping), "a mapping", value, where)
        return {
            convert(key, arguments[0], where): convert(item, arguments[1], f"{where}: {key}")
            for key, item in value.items()
        }
    if hint is float and type(value) is int:
        return float(value)
    # bool is a subclass of int, yet `epochs: true` is a mistake.
    _require(type(value) is hint, getattr(hint, "__name__", str(hint)), value, where)
    return value


def _lacks_default(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _require(fits: bool, expected: str, value: Any, where: str) -> None:
    if fits:
        return
    exponent = isinstance(value, str) and re.fullmatch(r"[-+]?\d+e[-+]?\d+", value)
    hint_for_yaml = " (YAML reads 5e-4 as text; write 0.0005)" if exponent else ""
    raise ValueError(f"{where}: expected {expected}, received {value!r}{hint_for_yaml}")
