"""Frozen dataclasses from plain mappings, with every key and type checked.

The mappings come from YAML files and from notebook parameters. An unknown key, a missing one
or a value of the wrong type is a ValueError that says where it stands and what is allowed.
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
    if not isinstance(values, Mapping):
        raise ValueError(f"{where}: expected a mapping, received {values!r}")
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = [key for key in values if key not in fields]
    if unknown:
        raise ValueError(f"{where}: unknown key {unknown[0]!r}; allowed: {', '.join(fields)}")
    missing = [name for name, field in fields.items() if name not in values and _required(field)]
    if missing:
        raise ValueError(f"{where}: missing key {missing[0]!r}")
    converted = {
        key: convert(value, hints[key], f"{where}: {key}") for key, value in values.items()
    }
    try:
        return cls(**converted)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _required(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def convert(value: Any, hint: Any, where: str) -> Any:
    """``value`` as the type ``hint``: whole numbers become floats, lists become tuples."""
    if dataclasses.is_dataclass(hint):
        return from_mapping(typing.cast(type, hint), value, where)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _convert_union(value, arguments, where)
    if origin is tuple:
        return _convert_tuple(value, arguments[0], where)
    if origin is Mapping:
        return _convert_mapping(value, arguments, where)
    if hint is float and type(value) is int:
        return float(value)
    # bool is a subclass of int, yet `epochs: true` is a mistake.
    if type(value) is not hint:
        expected = getattr(hint, "__name__", str(hint))
        hint_for_yaml = " (YAML reads 5e-4 as text; write 0.0005)" if _is_exponent(value) else ""
        raise ValueError(f"{where}: expected {expected}, received {value!r}{hint_for_yaml}")
    return value


def _is_exponent(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[-+]?\d+e[-+]?\d+", value) is not None


def _convert_union(value: Any, choices: tuple, where: str) -> Any:
    if value is None and type(None) in choices:
        return None
    (hint,) = [choice for choice in choices if choice is not type(None)]
    return convert(value, hint, where)


def _convert_tuple(value: Any, hint: Any, where: str) -> tuple:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{where}: expected a list, received {value!r}")
    return tuple(convert(item, hint, f"{where}[{index}]") for index, item in enumerate(value))


def _convert_mapping(value: Any, hints: tuple, where: str) -> dict:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where}: expected a mapping, received {value!r}")
    key_hint, item_hint = hints
    return {
        convert(key, key_hint, where): convert(item, item_hint, f"{where}: {key}")
        for key, item in value.items()
    }
