"""Limits of settings, by properties: what lies within them is taken, what does not is one sentence."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import pytest

for name in ("pydantic", "yaml"):
    pytest.importorskip(name)

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from resonance_engine.errors import ConfigError
from resonance_engine.training.config.config_file import change, flatten, read_config, to_yaml
from resonance_engine.training.config.settings import Config


def kinds_of(section: type, prefix: str = "") -> dict[str, Any]:
    """The annotation of every setting by its key."""
    kinds: dict[str, Any] = {}
    hints = get_type_hints(section, include_extras=True)
    for field in fields(section):
        kind = hints[field.name]
        kinds |= kinds_of(kind, f"{prefix}{field.name}.") if is_dataclass(kind) else {f"{prefix}{field.name}": kind}
    return kinds


KINDS = kinds_of(Config)


def base(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def limits(kind: Any) -> dict[str, Any]:
    """The limits of a setting's annotation, such as {"gt": 0, "le": 1}."""
    bounds = [bound for each in get_args(kind)[1:] if isinstance(each, FieldInfo) for bound in each.metadata]
    names = ("gt", "ge", "le", "multiple_of")
    return {name: getattr(bound, name) for bound in bounds for name in names if hasattr(bound, name)}


def test_every_number_has_limits_that_its_default_is_within() -> None:
    numbers = {key: limits(kind) for key, kind in KINDS.items() if base(kind) in (int, float)}
    assert KINDS.keys() == flatten(Config()).keys()
    assert len(numbers) == 44
    assert all("le" in bounds and len(bounds.keys() & {"gt", "ge"}) == 1 for bounds in numbers.values())
    assert read_config(None, [f"{key}={value}" for key, value in flatten(Config()).items()]) == Config()


def possible(key: str) -> st.SearchStrategy[object]:
    kind = KINDS[key]
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if base(kind) is bool:
        return st.booleans()
    if base(kind) is str:
        return st.text(max_size=9)
    bounds = limits(kind)
    least = bounds.get("ge", bounds.get("gt"))
    if base(kind) is int:
        step = bounds.get("multiple_of", 1)
        return st.integers(-(-least // step), bounds["le"] // step).map(lambda number: number * step)
    return st.floats(least, bounds["le"], exclude_min="gt" in bounds)


@settings(max_examples=60)
@given(st.fixed_dictionaries({}, optional={key: possible(key) for key in KINDS}))
def test_what_is_within_the_limits_is_taken_or_contradicts_something_and_survives_a_file(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, object]
) -> None:
    try:
        config = change(Config(), values)
    except ConfigError as error:
        assert any(f"{key} must be" in str(error) for key in KINDS)  # noqa: PT017 - one of two outcomes
        return
    assert flatten(config) == flatten(Config()) | values
    path = tmp_path_factory.getbasetemp() / "again.yaml"
    path.write_text(to_yaml(config), "utf-8")
    assert read_config(path) == config


@settings(max_examples=100)
@given(st.text(alphabet=st.sampled_from("train:lrdaot{}[]&*!?|>-'\" \n\t#0.e1_,\x00\ud800"), max_size=40))
def test_no_text_is_more_than_one_sentence_s_trouble(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "odd.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        read_config(path)
    except ConfigError as error:
        assert "\n" not in str(error)  # noqa: PT017 - one of two outcomes
