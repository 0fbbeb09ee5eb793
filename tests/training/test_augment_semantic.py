"""The inputs of pretrained networks change as timbre does, at the same frequencies and times."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from resonance_engine.features.front_end import FrontEnd
from resonance_engine.features.spec import InstrumentationSpec, SemanticSpec, TimbreSpec, band_edges
from resonance_engine.training.augmentation.augment import augment_features, band_places, draw_amounts
from resonance_engine.training.config.settings import AugmentSettings
from tests.training.synthetic_music import FRAMING, RATE, SPEC, music

OFF = AugmentSettings(tilt_db=0, curve_db=0, band_mask=0, time_mask=0, chroma_noise=0, rhythm_noise=0)
ALL = AugmentSettings(gain_db=6, pitch_semitones=0.5, tempo_percent=3, mix=0.3, codec=1)
SEMANTIC, INSTRUMENTATION = SemanticSpec(), InstrumentationSpec()
WIDER = FrontEnd(
    replace(SPEC, harmony=None, rhythm=None, semantic=SEMANTIC, instrumentation=INSTRUMENTATION),
)
SCALES = {"timbre": FRAMING, "semantic": SEMANTIC.framing, "instrumentation": INSTRUMENTATION.framing}
PRETRAINED = ("semantic", "instrumentation")
CENTRES = {"timbre": band_edges(44100, 160)[1:-1], "semantic": band_edges(16000, 96)[1:-1]}
CENTRES["instrumentation"] = INSTRUMENTATION.framing.edges()[1:-1]
SECONDS = 6

Array = NDArray[np.float32]
Features = dict[str, Array]


def measured(sound: Array) -> Features:
    return WIDER(sound[np.newaxis])


def flat(windows: int = 1, level: float = -30) -> Features:
    shapes = {"timbre": (windows, 160, 300), "semantic": (windows, 96, 375), "instrumentation": (windows, 64, 598)}
    return {name: np.full(shape, level, np.float32) for name, shape in shapes.items()}


def uneven(values: Array) -> Array:
    return np.random.default_rng(1).random(values.shape, np.float32)


def view(features: Features, augment: AugmentSettings, seed: int = 0, others: Features | None = None) -> Features:
    rngs = [np.random.default_rng((seed, row)) for row in range(len(features["timbre"]))]
    return augment_features(features, augment, rngs, others)


def distance(a: Array, b: Array) -> float:
    return float(np.abs(a - b).mean())


@pytest.mark.parametrize("name", PRETRAINED)
@given(seed=st.integers(0, 1000))
def test_the_equaliser_is_one_curve_over_frequency(name: str, seed: int) -> None:
    changed = view(flat(), replace(OFF, gain_db=12, tilt_db=12, curve_db=3), seed)
    curve = {each: values[0, :, 0] for each, values in changed.items()}
    # Between two bands of timbre the curve is a line but for its bend at a knot, 0.13 dB at most.
    expected = np.interp(CENTRES[name], CENTRES["timbre"], curve["timbre"])
    np.testing.assert_allclose(curve[name], expected, atol=0.15)


def test_a_tilt_over_the_sound_is_a_lesser_one_up_to_8_khz() -> None:
    changed = view(flat(), replace(OFF, tilt_db=12), 3)
    slopes = {name: float(values[0, -1, 0] - values[0, 0, 0]) for name, values in changed.items()}
    # 8 kHz is at three quarters of the way to 22.05 kHz in mel.
    assert slopes["semantic"] / slopes["timbre"] == pytest.approx(0.75, abs=0.02)


def test_the_places_of_bands_are_evenly_spaced_in_mel() -> None:
    places = band_places(SEMANTIC.framing, TimbreSpec().framing)
    assert -0.5 < places[0] < places[-1] < 0.25
    np.testing.assert_allclose(np.diff(places), np.diff(places).mean(), rtol=0.02)


@pytest.mark.parametrize("name", PRETRAINED)
@given(seed=st.integers(0, 1000))
def test_a_gap_in_frequency_is_at_the_same_frequencies(name: str, seed: int) -> None:
    features = {
        name: values + np.random.default_rng(1).random(values.shape, np.float32) for name, values in flat().items()
    }
    changed = view(features, replace(OFF, band_mask=0.4), seed)
    hidden = {each: (changed[each][0] != values[0]).all(axis=1) for each, values in features.items()}
    timbre, own = (CENTRES[each][hidden[each]] for each in ("timbre", name))
    if len(own):
        width = np.diff(CENTRES["timbre"])[np.searchsorted(CENTRES["timbre"], own) - 1].max()
        assert timbre.min() - width <= own.min() <= own.max() <= timbre.max() + width
    reach = timbre[(CENTRES[name][0] < timbre) & (timbre < CENTRES[name][-1])]
    bands_per_band = len(CENTRES[name]) / np.searchsorted(CENTRES["timbre"], CENTRES[name][-1])
    assert len(reach) <= 3 or len(own) >= len(reach) * bands_per_band / 2


@pytest.mark.parametrize("other", PRETRAINED)
@given(seed=st.integers(0, 1000))
def test_a_gap_in_time_is_at_the_same_time(other: str, seed: int) -> None:
    features = {
        name: values + np.random.default_rng(1).random(values.shape, np.float32) for name, values in flat().items()
    }
    changed = view(features, replace(OFF, time_mask=0.4), seed)
    gaps = [np.flatnonzero((changed[name][0] != features[name][0]).all(axis=0)) for name in ("timbre", other)]
    if min(map(len, gaps)):
        rate = features[other].shape[2] / SECONDS
        for edge in (0, -1):
            assert gaps[0][edge] / 50 == pytest.approx(gaps[1][edge] / rate, abs=0.05)


def test_a_codec_that_drops_the_treble_leaves_what_lies_below_8_khz() -> None:
    features = measured(music())
    lossy = replace(OFF, codec=1)
    seed = min(range(9), key=lambda seed: draw_amounts(lossy, np.random.default_rng(seed)).cutoff)
    changed = augment_features(features, lossy, [np.random.default_rng(seed)], None, SCALES)
    assert (changed["timbre"] != features["timbre"]).any()
    for name in PRETRAINED:
        np.testing.assert_array_equal(changed[name], features[name])


def test_it_is_what_a_filter_does_to_the_sound() -> None:
    sound = music()
    edges = band_edges(RATE, 80)
    places = np.interp(np.fft.rfftfreq(len(sound), 1 / RATE), edges, np.linspace(-0.5 - 1 / 79, 0.5 + 1 / 79, 82))
    tilting = replace(OFF, tilt_db=12)
    seed = max(range(9), key=lambda seed: abs(draw_amounts(tilting, np.random.default_rng(seed)).tilt))
    tilt = draw_amounts(tilting, np.random.default_rng(seed)).tilt
    filtered = np.fft.irfft(np.fft.rfft(sound) * 10 ** (tilt * places / 20), len(sound)).astype(np.float32)
    before, after = measured(sound), measured(filtered)
    found = augment_features(before, tilting, [np.random.default_rng(seed)], None, SCALES)
    for name, expected in after.items():
        assert distance(found[name], expected) < 0.25 * distance(before[name], expected)


@pytest.mark.parametrize("setting", ["pitch_semitones", "tempo_percent"])
def test_it_is_what_a_higher_or_faster_sound_has(setting: str) -> None:
    shifting = replace(OFF, pitch_semitones=1) if setting == "pitch_semitones" else replace(OFF, tempo_percent=6)
    shifts = [draw_amounts(shifting, np.random.default_rng(seed)) for seed in range(9)]
    seed = max(range(9), key=lambda seed: abs(shifts[seed].pitch * shifts[seed].tempo - 1))
    before, after = measured(music()), measured(music(pitch=shifts[seed].pitch, tempo=shifts[seed].tempo))
    found = augment_features(before, shifting, [np.random.default_rng(seed)], None, SCALES)
    for name, expected in after.items():
        assert distance(found[name], expected) < 0.7 * distance(before[name], expected)


def test_it_is_what_the_sum_of_two_sounds_has() -> None:
    sounds = [music(), music(tempo=1.3, seed=1)]
    first, second = map(measured, sounds)
    mixing = replace(OFF, mix=0.5)
    share = draw_amounts(mixing, np.random.default_rng((0, 0))).mix
    assert share > 0.1
    # One level for both modalities, that of timbre: the second sound is the same in both.
    louder = first["timbre"].max() - second["timbre"].max()
    total = sounds[0] + np.sqrt(share / (1 - share)) * 10 ** (louder / 20) * sounds[1]
    both = measured(total.astype(np.float32))
    found = augment_features(first, mixing, [np.random.default_rng((0, 0))], second, SCALES)
    for name in SCALES:
        expected = both[name] + 10 * np.log10(1 - share)
        assert distance(found[name], expected) < 0.3 * distance(first[name], expected)


def test_harmony_follows_it_where_there_is_no_timbre() -> None:
    frames = np.arange(375)
    semantic = np.where(frames < 200, -20, -80).astype(np.float32) * np.ones((1, 96, 1), np.float32)
    silence_first = semantic[:, :, ::-1].copy()
    chroma = np.zeros((1, 12, 300), np.float32)
    own, other = chroma.copy(), chroma.copy()
    own[:, 3], other[:, 7] = 1, 1
    features, others = {"harmony": own, "semantic": semantic}, {"harmony": other, "semantic": silence_first}
    mixing = replace(OFF, mix=0.5)
    found = augment_features(features, mixing, [np.random.default_rng((0, 0))], others, SCALES)["harmony"][0]
    heard = found[7] > found[3]
    # The other sounds from the frame 175 of 375 on, and alone from 200 on: in 300 frames, from 160.
    assert heard[162:].all()
    assert not heard[:158].any()


def test_alone_it_has_an_equaliser_over_its_own_bands() -> None:
    only = {"semantic": flat()["semantic"]}
    changed = augment_features(only, replace(OFF, tilt_db=12), [np.random.default_rng((3, 0))])
    slope = changed["semantic"][0, -1, 0] - changed["semantic"][0, 0, 0]
    assert abs(slope) == pytest.approx(
        abs(draw_amounts(replace(OFF, tilt_db=12), np.random.default_rng((3, 0))).tilt), rel=1e-5
    )


def test_all_changes_together_keep_it_in_range() -> None:
    others = flat(8, -90)
    changed = view(flat(8, -95), replace(ALL, gain_db=24), 1, others)
    for values in changed.values():
        assert np.isfinite(values).all()
        assert values.min() >= -100.001
