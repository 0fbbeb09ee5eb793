"""A model file is used only when all that it says of itself is understood."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.encoder.manifest import (
    BACKBONE_KINDS,
    FORMAT,
    FUSION_MODES,
    METADATA_KEY,
    Manifest,
    read_manifest,
)
from resonance_engine.errors import ModelError
from resonance_engine.features.spec import Decoding, FeatureSpec, SemanticSpec

SPEC = FeatureSpec(semantic=SemanticSpec())
MANIFEST = Manifest("soundtrack", "1", "MIT", SPEC, 1, tags=("calm", "loud")).seal([b"weights"])


def read(text: str, front_end: int = 1) -> Manifest:
    return read_manifest({METADATA_KEY: text}, "some.onnx", front_end)


def changed(**values: Any) -> str:
    return json.dumps({**json.loads(MANIFEST.to_json()), **values})


@given(
    name=st.text(),
    version=st.text(),
    dimensions=st.integers(1, 4096),
    tags=st.lists(st.text(), unique=True),
    fusion=st.sampled_from(FUSION_MODES),
    backbones=st.dictionaries(st.sampled_from(MANIFEST.modalities), st.sampled_from(BACKBONE_KINDS)),
    metric=st.booleans(),
)
def test_what_is_written_is_read(
    name: str, version: str, dimensions: int, tags: list[str], fusion: str, backbones: dict[str, str], metric: bool
) -> None:
    made = replace(
        MANIFEST,
        name=name,
        version=version,
        dimensions=dimensions,
        tags=tuple(tags),
        fusion=fusion,
        backbones=backbones,
        metric=metric,
    )
    written = read(made.to_json())
    assert written == made
    assert written.seal([b"weights"]).id == made.seal([b"weights"]).id


def test_other_parts_make_another_model() -> None:
    residual, mapped = replace(MANIFEST, backbones={"timbre": "residual"}), replace(MANIFEST, metric=True)
    assert len({made.seal([b"weights"]).id for made in (MANIFEST, residual, mapped)}) == 3
    assert replace(residual, backbones={}).seal([b"weights"]).id == MANIFEST.id


def test_what_the_first_models_had_is_written_as_then() -> None:
    assert not {"backbones", "metric"} & json.loads(MANIFEST.to_json()).keys()


def test_a_later_field_is_ignored() -> None:
    assert read(changed(sampling="dense")) == MANIFEST


def test_modalities_are_in_the_order_of_the_network() -> None:
    assert read(MANIFEST.to_json()).modalities == ("timbre", "harmony", "rhythm", "semantic")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "damaged manifest"),
        ("[1]", "damaged manifest (it is no JSON object)"),
        ("[" * 100_000, "damaged manifest"),
        (json.dumps({"format": FORMAT}), "its name should be a text, not null"),
        (changed(name=3), "its name should be a text, not 3"),
        (changed(front_end=True), "its front_end should be a whole number, not true"),
        (changed(tags="calm"), "its tags should be a list"),
        (changed(tags=[1]), "its tags should be a list of texts"),
        (changed(tags=["calm", "calm"]), "its tags should differ from each other"),
        (
            changed(spec=json.loads(FeatureSpec().to_json())),
            "has tags and lacks a modality that gives them (semantic or instrumentation)",
        ),
        (changed(backbones=["residual"]), "its backbones should be an object of texts"),
        (changed(metric=1), "its metric should be true or false, not 1"),
        (changed(backbones={"timbre": 1}), "its backbones should be an object of texts"),
        (changed(backbones={"timbre": "transformer"}), "a backbone of the kind 'transformer'"),
        (changed(id=""), "its id should be 16 hexadecimal digits"),
        (changed(id="../../../../etc/x"), "its id should be 16 hexadecimal digits"),
        (changed(dimensions=0), "its dimensions should be 1 to 4096, not 0"),
        (changed(format=FORMAT + 1), "reads format 1; update Resonance"),
        (changed(format=None), "model format is None"),
        (changed(fusion="magic"), "fusion 'magic'"),
        (changed(spec={}), "feature spec cannot be used"),
        (changed(spec=None), "feature spec cannot be used"),
    ],
)
def test_a_manifest_that_is_not_understood_is_refused_by_name(text: str, sentence: str) -> None:
    with pytest.raises(ModelError) as caught:
        read(text)
    assert str(caught.value).startswith("some.onnx")
    assert sentence in str(caught.value)


def test_another_front_end_is_refused_with_both_versions() -> None:
    with pytest.raises(ModelError, match="version 1 of the feature front end, this program has version 2"):
        read(MANIFEST.to_json(), front_end=2)


def test_a_file_without_a_manifest_is_refused() -> None:
    with pytest.raises(ModelError, match=r"some\.onnx carries no Resonance manifest"):
        read_manifest({"producer": "somebody"}, "some.onnx", 1)


@pytest.mark.parametrize(
    "change",
    [
        {"spec": FeatureSpec(decoding=Decoding(seconds=12.0))},
        {"spec": FeatureSpec(hpss=False)},
        {"front_end": 2},
        {"precision": "int8"},
        {"fusion": "gated_concat"},
        {"dimensions": 256},
        {"tags": ()},
    ],
    ids=str,
)
def test_the_id_changes_with_whatever_changes_the_numbers(change: dict[str, Any]) -> None:
    assert replace(MANIFEST, **change).seal([b"weights"]).id != MANIFEST.id


def test_the_id_changes_with_the_weights() -> None:
    assert MANIFEST.seal([b"other weights"]).id != MANIFEST.id


def test_the_id_does_not_change_with_names() -> None:
    renamed = replace(MANIFEST, name="mine", version="7", licence="CC0", id="")
    assert renamed.seal([b"weights"]).id == MANIFEST.id
