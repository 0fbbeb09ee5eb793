"""The YAML of a network, read from the document that it holds: mistakes are sentences, and ids follow what counts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from resonance_engine.encoder.manifest import METADATA_KEY, read_manifest
from resonance_engine.encoder.network_manifest import (
    Network,
    NetworkManifest,
    is_network,
    read_network_manifest,
    whole_spec,
)
from resonance_engine.errors import ModelError
from resonance_engine.features.spec import (
    FRONT_END_VERSION,
    Decoding,
    FeatureSpec,
    Framing,
    InstrumentationSpec,
    SemanticSpec,
    TimbreSpec,
)
from tests.onnx_networks import LOG_MEL, WAVEFORM, changed
from tests.tiny_models import MANIFEST

BASE = "0123456789abcdef"


def manifest_of(document: dict[str, Any], content: bytes = b"file") -> NetworkManifest:
    network = Network.parse(document)
    whole = NetworkManifest(network, FeatureSpec()) if network.part == "whole" else NetworkManifest(network, base=BASE)
    return whole.seal([content])


@pytest.mark.parametrize("document", [LOG_MEL, WAVEFORM, changed(LOG_MEL, part="semantic", pooling="max+mean")])
def test_a_manifest_comes_back(document: dict[str, Any]) -> None:
    manifest = manifest_of(document)
    metadata = {METADATA_KEY: manifest.to_json()}
    assert is_network(metadata)
    assert read_network_manifest(metadata, "m.onnx") == manifest


def test_defaults() -> None:
    network = Network.parse(changed(WAVEFORM, input__axes=...))
    assert (network.part, network.input.axes, network.output.axes) == (
        "whole",
        ("patch", "time"),
        ("patch", "feature"),
    )


@pytest.mark.parametrize(("given", "version"), [(2, "2"), (1.5, "1.5"), ("2024-05", "2024-05")])
def test_a_version_may_be_a_number(given: object, version: str) -> None:
    assert Network.parse(changed(LOG_MEL, version=given)).version == version


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (None, "it should be an object, not null"),
        ([LOG_MEL], "it should be an object, not [{"),
        (changed(LOG_MEL, name=...), "it lacks name"),
        (changed(LOG_MEL, licence=..., pooling=...), "it lacks licence, pooling"),
        (changed(LOG_MEL, license="MIT"), "there is no key license; those known are name, version, licence, input, "),
        (changed(LOG_MEL, name=3), "name should be a text, not 3"),
        (changed(LOG_MEL, version=True), "version should be a text, not true"),
        (changed(LOG_MEL, licence=""), 'licence should be one line of up to 200 characters, not ""'),
        (changed(LOG_MEL, licence="a\nb"), 'licence should be one line of up to 200 characters, not "a\\nb"'),
        (changed(LOG_MEL, pooling="median"), "pooling should be one of mean, mean+std, max+mean, not 'median'"),
        (changed(LOG_MEL, part="timbre"), "part should be one of whole, semantic, not 'timbre'"),
        (changed(LOG_MEL, input=...), "input should be an object, not null"),
        (changed(LOG_MEL, input__kind="mfcc"), 'input.kind should be one of waveform, log-mel, not "mfcc"'),
        (changed(LOG_MEL, input__kind=["log-mel"]), 'input.kind should be one of waveform, log-mel, not ["log-mel"]'),
        (changed(LOG_MEL, input__patch=...), "input lacks patch"),
        (changed(LOG_MEL, input__patch="128"), 'input.patch should be a whole number, not "128"'),
        (changed(LOG_MEL, input__hop=3), "input has the unknown key hop"),
        (changed(LOG_MEL, input__mel__rate=16.5), "input.mel.rate should be a whole number, not 16.5"),
        (changed(LOG_MEL, input__mel__n_mels=...), "input.mel lacks n_mels"),
        (changed(LOG_MEL, input__mel__scale="bark"), "input.mel: scale should be one of slaney, htk, not 'bark'"),
        (changed(LOG_MEL, input__logarithm__kind="dB"), "input.logarithm: kind should be one of none, ln, log10, db"),
        (changed(LOG_MEL, input__axes=["time"]), "input: axes should be time and mel, with patch where"),
        (changed(LOG_MEL, input__axes="time"), 'input.axes should be a list, not "time"'),
        (changed(WAVEFORM, input__rate=None), "input.rate should be a whole number, not null"),
        (changed(WAVEFORM, input__standardise=1), "input.standardise should be true or false, not 1"),
        (changed(LOG_MEL, output="embeddings"), 'output should be an object, not "embeddings"'),
        (changed(LOG_MEL, output__axes=["patch"]), "output: axes should be feature, with patch and time where"),
        (changed(LOG_MEL, output__axes=["feature", 3]), "and 1 for each axis of that length, not ['feature', 3]"),
        (
            changed(LOG_MEL, input__axes=["time", "mel"]),
            "output.axes should name time instead of patch where input.axes has no patch",
        ),
    ],
)
def test_a_mistake_is_a_sentence(document: object, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is compared below
        Network.parse(document)
    assert sentence in str(caught.value)


def test_a_patch_longer_than_a_window_is_refused() -> None:
    with pytest.raises(ValueError, match="patch should be at most 864000, as many as 18 s have, not 1440000"):
        manifest_of(changed(WAVEFORM, input__patch=1440000))


def test_the_id_is_of_all_that_changes_the_numbers_and_of_nothing_else() -> None:
    ids = {
        manifest_of(document, content).id
        for document, content in [
            (LOG_MEL, b"file"),
            (LOG_MEL, b"files"),
            (changed(LOG_MEL, pooling="mean+std"), b"file"),
            (changed(LOG_MEL, part="semantic"), b"file"),
            (changed(LOG_MEL, output__name="other"), b"file"),
            (changed(LOG_MEL, input__patch_hop=20), b"file"),
            (changed(LOG_MEL, input__mel__slopes="mel"), b"file"),
        ]
    }
    assert len(ids) == 7
    assert manifest_of(changed(LOG_MEL, name="x", version="2", licence="y")).id == manifest_of(LOG_MEL).id
    assert NetworkManifest(Network.parse(LOG_MEL), FeatureSpec()).seal([b"fi", memoryview(b"le")]) == manifest_of(
        LOG_MEL
    )


@pytest.mark.parametrize(("document", "rate"), [(LOG_MEL, 22050), (WAVEFORM, 44100)])
def test_the_front_end_of_a_whole_model(document: dict[str, Any], rate: int) -> None:
    """Attributes are measured as with the shipped model; the windows have the rate that the network needs."""
    timbre = TimbreSpec(Framing(rate=22050, n_fft=2048, hop=441, n_mels=80))
    shipped = FeatureSpec(
        Decoding(rate=22050), True, timbre, None, None, semantic=SemanticSpec(), instrumentation=InstrumentationSpec()
    )
    assert whole_spec(shipped, Network.parse(document)) == FeatureSpec(Decoding(rate=rate), True, timbre, None, None)


def test_the_id_does_not_depend_on_how_attributes_are_measured() -> None:
    network = Network.parse(LOG_MEL)
    ids = [
        NetworkManifest(network, FeatureSpec(Decoding(rate=44100), hpss, windows)).seal([b"file"]).id
        for hpss, windows in ((True, TimbreSpec()), (False, None))
    ]
    assert ids[0] == ids[1] != NetworkManifest(network, FeatureSpec(Decoding(windows=3))).seal([b"file"]).id


def test_older_manifest_reader_refuses_networks() -> None:
    with pytest.raises(ModelError, match="its model format is network 1, this version of Resonance reads format 1; up"):
        read_manifest({METADATA_KEY: manifest_of(LOG_MEL).to_json()}, "m.onnx", FRONT_END_VERSION)


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100000, "3", '{"format": 1}', MANIFEST.seal([b""]).to_json()], ids=range(6)
)
def test_other_metadata_are_of_no_network(text: str) -> None:
    assert not is_network({METADATA_KEY: text})
    assert not is_network({})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"input_version": 2}, "m.onnx was added by another version of Resonance"),
        ({"id": "x"}, r'm.onnx has a damaged manifest \(its id is "x"\); remove the model and add it again'),
        ({"spec": None}, "a part of a model needs that model's id, a whole one a front end"),
        ({"spec": {"decoding": {}}}, "feature spec cannot be used: the spec lacks hpss, modalities"),
        ({"base": BASE}, "a part of a model needs that model's id, a whole one a front end"),
        ({"network": []}, r"m.onnx has a damaged manifest \(it should be an object, not \[\]\)"),
    ],
)
def test_damaged_manifests(change: dict[str, object], sentence: str) -> None:
    document = {**json.loads(manifest_of(LOG_MEL).to_json()), **change}
    with pytest.raises(ModelError, match=sentence):
        read_network_manifest({METADATA_KEY: json.dumps(document)}, "m.onnx")
