"""JSON values become the dataclasses that they were, or a sentence says what is wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.records import describe_type, has_type, parse_record, parse_value, show_value


@dataclass(frozen=True)
class Point:
    x: float
    y: float = 0.0

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("x must not be negative")


@dataclass(frozen=True)
class Shape:
    name: str
    points: tuple[Point, ...]
    closed: bool
    count: int = 1
    centre: Point | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


SHAPE = {"name": "square", "points": [{"x": 1, "y": 2.5}, {"x": 0}], "closed": True, "centre": None}


def test_an_object_with_everything() -> None:
    shape = parse_record(Shape, {**SHAPE, "centre": {"x": 3}, "tags": {"a": "b"}}, "shape")
    assert shape == Shape("square", (Point(1.0, 2.5), Point(0.0)), True, 1, Point(3.0), {"a": "b"})
    assert type(shape.points[0].x) is float


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 3}, "shape.name should be a text, not 3"),
        ({"closed": 1}, "shape.closed should be true or false, not 1"),
        ({"count": True}, "shape.count should be a whole number, not true"),
        ({"count": 2**63}, "shape.count should be a whole number, not 9223372036854775808"),
        ({"centre": 7}, "shape.centre should be an object or null, not 7"),
        ({"centre": {}}, "shape.centre lacks x"),
        ({"points": [{"x": -1}]}, r"shape.points\[0\]: x must not be negative"),
        ({"points": [{"x": math.nan}]}, r"shape.points\[0\].x should be a number, not NaN"),
        ({"points": [{"x": 0, "z": 0, "w": 0}]}, r"shape.points\[0\] has the unknown key w, z"),
        ({"points": {}}, "shape.points should be a list, not {}"),
        ({"tags": {"a": 1}}, "shape.tags should be an object of texts, not"),
        ({"colour": "red"}, "shape has the unknown key colour"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_record(Shape, {**SHAPE, **change}, "shape")


@pytest.mark.parametrize("value", [None, [], 3, "text"])
def test_only_an_object_is_a_record(value: object) -> None:
    with pytest.raises(ValueError, match="shape should be an object"):
        parse_record(Shape, value, "shape")


def test_unknown_keys_can_be_dropped() -> None:
    assert parse_record(Point, {"x": 1, "z": 2}, "point", ignore_unknown=True) == Point(1.0)


@given(st.builds(Point, st.floats(0, 1e9), st.floats(-1e9, 1e9)))
def test_a_record_survives_json(point: Point) -> None:
    assert parse_record(Point, json.loads(json.dumps(asdict(point))), "point") == point


@pytest.mark.parametrize(
    ("hint", "words", "fitting", "other"),
    [
        (list[str], "a list of texts", ["a"], ["a", 1]),
        (Sequence[int], "a list of whole numbers", [1], [1.5]),
        (tuple[float, ...], "a list of numbers", [1, 1.5], [math.inf]),
        (dict[str, Any], "an object", {"a": [1]}, [1]),
        (float | None, "a number or null", None, "1"),
        (bool, "true or false", False, 0),
    ],
)
def test_types(hint: Any, words: str, fitting: object, other: object) -> None:
    assert describe_type(hint) == words
    assert has_type(fitting, hint)
    assert not has_type(other, hint)
    with pytest.raises(ValueError, match=f"it should be {words}"):
        parse_value(hint, other, "it")


def test_long_values_are_cut() -> None:
    assert show_value("x" * 100, 10) == '"xxxxxxxxx'


def test_fields_with_defaults_may_be_required() -> None:
    assert parse_record(Point, {"x": 1}, "point") == Point(1.0)
    with pytest.raises(ValueError, match="point lacks y"):
        parse_record(Point, {"x": 1}, "point", require_all=True)
    with pytest.raises(ValueError, match=r"shape\.points\[1\] lacks y"):
        parse_record(Shape, {**SHAPE, "count": 1, "tags": {}}, "shape", require_all=True)
