"""The numbers that travel with a model: read back as written, refused where they make no sense."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.errors import ModelError
from resonance_engine.features.front_end import EXTRACTORS, SAMPLE_EXTRACTORS, FrontEnd
from resonance_engine.features.mel_framing import MelFraming
from resonance_engine.features.mel_scale import mel_from_hz
from resonance_engine.features.spec import (
    Decoding,
    FeatureSpec,
    Framing,
    HarmonySpec,
    InstrumentationSpec,
    ModalitySpec,
    RhythmSpec,
    SemanticSpec,
    TimbreSpec,
    band_edges,
)
from tests.signals import hiss

if TYPE_CHECKING:
    from resonance_engine.features.filters import Array
    from resonance_engine.features.spectrum import Spectra

DEFAULT = FeatureSpec()
DOCUMENT: dict[str, Any] = json.loads(DEFAULT.to_json())

framings = st.builds(
    Framing, n_fft=st.sampled_from([2048, 4096]), hop=st.integers(256, 1024), n_mels=st.integers(8, 160)
)
mel_framings = st.builds(
    MelFraming,
    rate=st.just(16000),
    n_fft=st.just(512),
    window=st.integers(256, 512),
    hop=st.integers(100, 300),
    n_mels=st.integers(8, 80),
    lowest=st.integers(0, 200),
    highest=st.sampled_from([7000, 7500.5]),
    padding=st.sampled_from(["none", "reflect"]),
)
specs = st.builds(
    FeatureSpec,
    decoding=st.builds(Decoding, seconds=st.floats(1, 30), windows=st.integers(1, 9)),
    hpss=st.booleans(),
    timbre=st.builds(TimbreSpec, framings),
    harmony=st.none() | st.builds(HarmonySpec, framings, bins=st.sampled_from([12, 24, 36])),
    rhythm=st.none() | st.builds(RhythmSpec, framings, lags=st.integers(16, 640)),
    semantic=st.none() | st.just(SemanticSpec()) | st.builds(SemanticSpec, framings),
    instrumentation=st.none() | st.just(InstrumentationSpec()) | st.builds(InstrumentationSpec, mel_framings),
)


def test_a_window_of_the_default_spec_has_900_frames_of_20_ms() -> None:
    assert DEFAULT.decoding.samples == 793_800
    shapes = {name: spec.shape(DEFAULT.decoding) for name, spec in DEFAULT.modalities.items()}
    assert shapes == {"timbre": (160, 900), "harmony": (24, 900), "rhythm": (320,)}


@given(specs)
def test_json_round_trip(spec: FeatureSpec) -> None:
    read = FeatureSpec.from_json(spec.to_json())
    assert read == spec
    assert read.digest() == spec.digest()


@given(specs, specs)
def test_digests_agree_exactly_when_specs_do(one: FeatureSpec, other: FeatureSpec) -> None:
    assert (one.digest() == other.digest()) == (one == other)


def test_the_digest_does_not_depend_on_how_the_json_was_laid_out() -> None:
    shuffled = json.dumps(dict(reversed(DOCUMENT.items())), indent=2).replace("18.0", "18")
    assert FeatureSpec.from_json(shuffled).digest() == DEFAULT.digest()
    assert FeatureSpec(Decoding(seconds=18)).digest() == DEFAULT.digest()


def test_spec_digests_of_existing_models_are_unchanged() -> None:
    assert DEFAULT.digest() == "2b1c5e34f36ff15a57ba013ad4758e01"
    assert FeatureSpec(semantic=SemanticSpec()).digest() == "241a8899b09866158a8a18e5173ce150"


def test_a_modality_that_is_not_measured_does_not_appear() -> None:
    spec = FeatureSpec(harmony=None)
    assert "harmony" not in spec.to_json()
    assert list(FeatureSpec.from_json(spec.to_json()).modalities) == ["timbre", "rhythm"]


def test_specs_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        DEFAULT.hpss = False  # type: ignore[misc]  # that is the point


def changed(path: str, value: object) -> str:
    """The default document with one value put in place, or taken away where it is `...`."""
    document = json.loads(DEFAULT.to_json())
    *folders, name = path.split(".")
    place = document
    for folder in folders:
        place = place[folder]
    place[name] = value
    if value is ...:
        del place[name]
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("[]", "the spec should be an object, not []"),
        ("[" * 100_000, "recursion"),
        (changed("colour", 1), "has the unknown key colour"),
        (changed("hpss", ...), "the spec lacks hpss"),
        (changed("hpss", 1), "hpss should be true or false, not 1"),
        (changed("decoding.rate", True), "decoding.rate should be a whole number, not true"),
        (changed("decoding.rate", 44100.0), "decoding.rate should be a whole number, not 44100.0"),
        (changed("decoding.seconds", "18"), 'decoding.seconds should be a number, not "18"'),
        (changed("decoding.seconds", float("nan")), "decoding.seconds should be a number, not NaN"),
        (changed("decoding.seconds", 10**400), "decoding.seconds should be a number"),
        (changed("decoding.hop_seconds", 0), "hop_seconds must be above 0"),
        (changed("decoding.windows", 0), "windows must be 1 to 1000, not 0"),
        (changed("decoding", None), "decoding should be an object, not null"),
        (changed("decoding.rate", 22050), "timbre: framing.rate must be at most the decoding's, 22050, not 44100"),
        (changed("decoding.seconds", 0.001), "timbre: hop is longer than a window"),
        (changed("modalities", {}), "at least one modality"),
        (changed("modalities", ["timbre"]), "modalities should be an object"),
        (
            changed("modalities.smell", {}),
            "unknown modality smell (known: timbre, harmony, rhythm, semantic, instrumentation)",
        ),
        (changed("modalities.timbre.bins", 3), "modalities.timbre has the unknown key bins"),
        (changed("modalities.harmony.bins", 25), "modalities.harmony: bins must be a multiple of 12"),
        (changed("modalities.rhythm.lags", 1), "modalities.rhythm: lags must be 16 to 4096, not 1"),
        (changed("modalities.rhythm.framing.hop", 0), "modalities.rhythm.framing: hop must be 1 to n_fft"),
        (changed("modalities.rhythm.framing.hop", 5000), "hop must be 1 to n_fft (4096), not 5000"),
        (changed("modalities.timbre.framing.n_fft", 4095), "n_fft must be even"),
        (changed("modalities.timbre.framing.n_mels", 1), "n_mels must be 2"),
        (changed("modalities.timbre.framing.n_mels", 900), "leaves bands without a single frequency"),
    ],
)
def test_a_spec_that_cannot_be_computed_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ModelError) as refusal:
        FeatureSpec.from_json(text)
    assert reason in str(refusal.value)
    assert str(refusal.value).endswith("install the model again.")


PATCHED = Framing(n_fft=1024, hop=512, n_mels=96)


@dataclass(frozen=True)
class TextureSpec(ModalitySpec):
    """A modality with a front end of its own."""

    framing: Framing = PATCHED
    patches: int = 3

    def shape(self, decoding: Decoding) -> tuple[int, ...]:
        return self.patches, self.framing.n_mels, self.frames(decoding) // self.patches


@dataclass(frozen=True)
class WiderSpec(FeatureSpec):
    texture: TextureSpec | None = TextureSpec()


def patches(spectra: Spectra, spec: TextureSpec) -> Array:
    length = len(spectra.mel) // spec.patches
    cut = spectra.mel[: spec.patches * length].reshape(spec.patches, length, spec.framing.n_mels)
    return np.log1p(cut).transpose(0, 2, 1)


def test_a_new_modality_is_a_spec_an_extractor_and_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXTRACTORS, TextureSpec, patches)
    wider = WiderSpec(Decoding(seconds=2.0))
    assert WiderSpec.from_json(wider.to_json()) == wider
    with pytest.raises(ModelError, match="unknown modality texture"):
        FeatureSpec.from_json(wider.to_json())

    windows = hiss(seconds=2.0)[np.newaxis]
    features = FrontEnd(wider)(windows)
    assert features["texture"].shape == (1, 3, 96, 57)
    assert features["texture"].min() > 0
    usual = FrontEnd(FeatureSpec(wider.decoding))(windows)
    assert all(np.array_equal(features[name], usual[name]) for name in usual)


def test_every_modality_has_an_extractor() -> None:
    every = replace(DEFAULT, semantic=SemanticSpec(), instrumentation=InstrumentationSpec())
    by_framing: dict[type, set[type]] = {Framing: set(), MelFraming: set()}
    for spec in every.modalities.values():
        by_framing[type(spec.framing)].add(type(spec))
    assert (set(EXTRACTORS), set(SAMPLE_EXTRACTORS)) == (by_framing[Framing], by_framing[MelFraming])


def test_modalities_may_differ_in_framing() -> None:
    coarse = Framing(n_fft=2048, hop=2048, n_mels=40)
    mixed = replace(DEFAULT, decoding=Decoding(seconds=2.0), timbre=TimbreSpec(coarse))
    features = FrontEnd(mixed)(hiss(seconds=2.0)[np.newaxis])
    assert features["timbre"].shape == (1, 40, 43)
    assert features["harmony"].shape == (1, 24, 100)


def test_band_edges_are_evenly_spaced_in_mel() -> None:
    edges = band_edges(44100, 160)
    assert len(edges) == 162
    assert edges[[0, -1]] == pytest.approx([0, 22050])
    assert np.diff(mel_from_hz(edges)) == pytest.approx(np.diff(mel_from_hz(np.array([0.0, 22050])))[0] / 161)
