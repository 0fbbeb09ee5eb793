"""JSON values to frozen dataclasses, checked field by field: for files and rows that another program may have written.

Types that a field can have: bool, int, float, str, Any, a dataclass, `X | None`, list, tuple and Sequence of any
length, and dict and Mapping with texts as keys. A whole number counts as a float; true and false are no numbers, NaN
and infinity no floats, and whole numbers lie below 2**63.
"""

from __future__ import annotations

import json
import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

LARGEST_INTEGER = 2**63
SHOWN_LENGTH = 40
TYPE_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
ITEM_NAMES = {bool: "switches", int: "whole numbers", float: "numbers", str: "texts"}

Record = TypeVar("Record")


def parse_record(
    kind: type[Record], value: object, name: str, *, ignore_unknown: bool = False, require_all: bool = False
) -> Record:
    """Return a JSON object as a dataclass, with nested ones; fields with defaults may be missing, unless `require_all`.

    `name` begins the messages. Raises ValueError for a missing, unknown or mistyped field and for what the dataclass
    itself refuses; unknown fields are dropped instead where `ignore_unknown`.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} should be an object, not {show_value(value)}")
    hints = get_type_hints(kind)
    known = {field.name: field for field in fields(kind) if field.init}  # type: ignore[arg-type]  # a dataclass, by contract
    unknown = sorted(map(str, set(value) - set(known)))
    if unknown and not ignore_unknown:
        raise ValueError(f"{name} has the unknown key {', '.join(unknown)}")
    required = {
        key
        for key, field in known.items()
        if require_all or (field.default is MISSING and field.default_factory is MISSING)
    }
    if missing := sorted(required - set(value)):
        raise ValueError(f"{name} lacks {', '.join(missing)}")
    parts = {key: parse_value(hints[key], value[key], f"{name}.{key}", require_all) for key in known if key in value}
    try:
        return kind(**parts)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def parse_value(hint: Any, value: object, name: str, require_all: bool = False) -> Any:
    """Return a JSON value as a type, a list as the tuple that the type may be; ValueError begins with `name`."""
    if is_dataclass(hint):
        return parse_record(hint, value, name, require_all=require_all)  # type: ignore[arg-type]  # a class, by contract
    if not has_type(value, hint):
        raise ValueError(f"{name} should be {describe_type(hint)}, not {show_value(value)}")
    for option in _options(hint):
        if is_dataclass(option) and value is not None:
            return parse_record(option, value, name, require_all=require_all)  # type: ignore[arg-type]  # a class, by contract
    if isinstance(value, list):
        items = [
            parse_value(_item_type(hint), item, f"{name}[{place}]", require_all) for place, item in enumerate(value)
        ]
        return tuple(items) if _container(hint) is tuple else items
    return float(value) if hint is float and isinstance(value, int) else value


def has_type(value: object, hint: Any) -> bool:
    """Whether a JSON value is of a type; of a dataclass, only whether it is an object."""
    if hint is float and type(value) is float:
        return math.isfinite(value)
    if hint in (int, float):
        return type(value) is int and abs(value) < LARGEST_INTEGER
    options = _options(hint)
    if len(options) > 1:
        return any(has_type(value, option) for option in options)
    container = _container(hint)
    if hint is Any:
        return True
    if hint in (type(None), None):
        return value is None
    if is_dataclass(hint) or container is dict:
        return isinstance(value, Mapping) and all(has_type(item, _item_type(hint)) for item in value.values())
    if container in (list, tuple):
        return isinstance(value, (list, tuple)) and all(has_type(item, _item_type(hint)) for item in value)
    return type(value) is hint


def describe_type(hint: Any) -> str:
    """Return a type in words, such as "a list of texts"."""
    options = _options(hint)
    if len(options) > 1:
        return " or ".join("null" if option is type(None) else describe_type(option) for option in options)
    items = ITEM_NAMES.get(_item_type(hint))
    if container := _container(hint):
        noun = "an object" if container is dict else "a list"
        return f"{noun} of {items}" if items else noun
    return TYPE_NAMES.get(hint, "an object")


def show_value(value: object, length: int = SHOWN_LENGTH) -> str:
    """Return the beginning of a value as JSON writes it."""
    return json.dumps(value, default=str)[:length]


def _options(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _container(hint: Any) -> type | None:
    origin = get_origin(hint) or hint
    known: dict[Any, type] = {list: list, Sequence: list, tuple: tuple, dict: dict, Mapping: dict}
    return known.get(origin)


def _item_type(hint: Any) -> Any:
    """The type of the items of a list or tuple, or of the values of an object; Any where none is given."""
    arguments = [argument for argument in get_args(hint) if argument is not ...]
    return arguments[-1] if arguments and _container(hint) else Any
