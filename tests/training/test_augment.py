"""Changed features differ as those of changed sound do, within their bounds, and only so."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.features.spec import Framing, TimbreSpec, band_edges
from resonance_engine.features.spectrum import Spectra
from resonance_engine.features.timbre import log_mel
from resonance_engine.training.augmentation.augment import (
    augment_features,
    cut_off,
    draw_amounts,
    scale_lags,
    scale_time,
    shift_chroma,
    shift_mel,
)
from resonance_engine.training.augmentation.codecs import round_trip
from resonance_engine.training.config.settings import AugmentSettings
from tests.training.synthetic_music import FRAMING, RATE, features_of, music

if TYPE_CHECKING:
    from numpy.typing import NDArray

OFF = AugmentSettings(tilt_db=0, curve_db=0, band_mask=0, time_mask=0, chroma_noise=0, rhythm_noise=0)
ALL = AugmentSettings(gain_db=6, pitch_semitones=0.5, tempo_percent=3, mix=0.3)
TIMBRE, HARMONY, RHYTHM, SEMANTIC = "timbre", "harmony", "rhythm", "semantic"
SCALES = {TIMBRE: Framing(n_mels=20), SEMANTIC: Framing(rate=16000, n_fft=512, hop=256, n_mels=12)}
MELS = set(SCALES)
CHANGES = [
    ("gain_db", 6, MELS),
    ("tilt_db", 6, MELS),
    ("curve_db", 3, MELS),
    ("band_mask", 0.3, MELS),
    ("time_mask", 0.3, MELS),
    ("pitch_semitones", 0.5, {*MELS, HARMONY}),
    ("tempo_percent", 3, {*MELS, HARMONY, RHYTHM}),
    ("mix", 0.3, {*MELS, HARMONY, RHYTHM}),
    ("codec", 1, {TIMBRE}),
    ("chroma_noise", 0.05, {HARMONY}),
    ("rhythm_noise", 0.05, {RHYTHM}),
]


MUSIC_SCALES = {TIMBRE: FRAMING}


def rngs(count: int, seed: int = 0) -> list[np.random.Generator]:
    return [np.random.default_rng((seed, row)) for row in range(count)]


def features(windows: int = 6, seed: int = 1) -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    shapes = {TIMBRE: (windows, 20, 50), HARMONY: (windows, 12, 50), RHYTHM: (windows, 32), SEMANTIC: (windows, 12, 62)}
    made = {name: random.random(shape, np.float32) for name, shape in shapes.items()}
    made[RHYTHM][:, 0] = 1
    made[HARMONY] /= made[HARMONY].max(axis=1, keepdims=True)
    return {name: 80 * values - 90 if name in MELS else values for name, values in made.items()}


def view(augment: AugmentSettings, windows: int = 6, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    return augment_features(features(windows), augment, rngs(windows, seed), features(windows, seed=2), SCALES)


def distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.abs(a - b).mean())


def test_every_setting_but_those_of_audio_is_a_change_of_features() -> None:
    assert {name for name, *_ in CHANGES} == {each.name for each in fields(AugmentSettings)} - {"audio"}


def test_switched_off_it_changes_nothing() -> None:
    for name, values in view(OFF).items():
        np.testing.assert_array_equal(values, features()[name])


def test_a_modality_without_changes_of_its_own_stays_as_it_is() -> None:
    level = {"level": np.arange(6, dtype=np.float32)[:, None]}
    changed = augment_features({**features(), **level}, ALL, rngs(6), {**features(seed=2), **level}, SCALES)
    np.testing.assert_array_equal(changed["level"], level["level"])


@pytest.mark.parametrize(("setting", "amount", "modalities"), CHANGES)
def test_a_change_alone_changes_what_it_is_about(setting: str, amount: float, modalities: set[str]) -> None:
    changed = view(replace(OFF, **{setting: amount}))
    differ = {name for name, values in features().items() if (changed[name] != values).any()}
    assert differ == modalities


@pytest.mark.parametrize(("setting", "amount", "_"), CHANGES)
def test_switching_a_change_off_leaves_the_others_what_they_were(setting: str, amount: float, _: set[str]) -> None:
    with_it, without = (
        draw_amounts(replace(ALL, **{setting: each}), np.random.default_rng(5)) for each in (amount, 0.0)
    )
    differ = {
        each.name for each in fields(with_it) if repr(getattr(with_it, each.name)) != repr(getattr(without, each.name))
    }
    assert len(differ) <= 1


def test_the_windows_that_came_in_are_left_as_they_were() -> None:
    given_features, others = features(), features(seed=2)
    changed = augment_features(given_features, ALL, rngs(6), others, SCALES)
    for name, values in features().items():
        np.testing.assert_array_equal(given_features[name], values)
        np.testing.assert_array_equal(others[name], features(seed=2)[name])
        assert (changed[name].shape, changed[name].dtype) == (values.shape, np.float32)


@given(st.permutations(range(6)), st.integers(1, 6))
def test_what_a_window_becomes_hangs_on_its_own_generator_alone(order: list[int], count: int) -> None:
    rows = order[:count]
    given_features, others = features(), features(seed=2)
    among_all = augment_features(given_features, ALL, rngs(6), others, SCALES)
    chosen = augment_features(
        {name: values[rows] for name, values in given_features.items()},
        ALL,
        [rngs(6)[row] for row in rows],
        {name: values[rows] for name, values in others.items()},
        SCALES,
    )
    for name, values in chosen.items():
        np.testing.assert_array_equal(values, among_all[name][rows])


SETTINGS = st.builds(
    AugmentSettings,
    gain_db=st.floats(0, 24),
    tilt_db=st.floats(0, 24),
    curve_db=st.floats(0, 24),
    band_mask=st.floats(0, 0.9),
    time_mask=st.floats(0, 0.9),
    pitch_semitones=st.floats(0, 6),
    tempo_percent=st.floats(0, 30),
    mix=st.floats(0, 0.5),
    codec=st.floats(0, 1),
    chroma_noise=st.floats(0, 1),
    rhythm_noise=st.floats(0, 1),
)


@given(SETTINGS, st.integers(0, 1000))
def test_whatever_the_settings_features_stay_in_their_range(augment: AugmentSettings, seed: int) -> None:
    changed = view(augment, windows=2, seed=seed)
    for name in MELS:
        assert changed[name].min() >= -100.001
        assert np.isfinite(changed[name]).all()
    for name in (HARMONY, RHYTHM):
        assert 0 <= changed[name].min() <= changed[name].max() <= 1


@given(st.sampled_from([TIMBRE, HARMONY, RHYTHM, SEMANTIC]), st.integers(0, 1000))
def test_silence_gives_no_nan(name: str, seed: int) -> None:
    silence = {name: np.full_like(values, -100 if name in MELS else 0) for name, values in features(2).items()}
    changed = augment_features(silence, replace(ALL, chroma_noise=0, rhythm_noise=0), rngs(2, seed), silence, SCALES)
    assert np.isfinite(changed[name]).all()
    if name not in MELS:
        assert not changed[name].any()


def test_another_seed_gives_another_view() -> None:
    first, other = view(ALL, seed=3), view(ALL, seed=4)
    for name, values in first.items():
        assert np.abs(values - other[name]).max() > 0


def test_a_modality_that_is_not_there_is_not_missed() -> None:
    alone = {RHYTHM: features()[RHYTHM]}
    assert augment_features(alone, ALL, rngs(6), alone).keys() == {RHYTHM}


def test_mixing_needs_a_second_window() -> None:
    with pytest.raises(ValueError, match="second window"):
        augment_features(features(), ALL, rngs(6))


class TestEqualiser:
    def change(self, augment: AugmentSettings) -> NDArray[np.float32]:
        """What 200 windows gain, (windows, bands); the same at all times."""
        change = view(augment, 200)[TIMBRE] - features(200)[TIMBRE]
        np.testing.assert_allclose(change, np.broadcast_to(change[:, :, :1], change.shape), atol=1e-4)
        return change[:, :, 0]

    def test_a_gain_is_the_same_for_all_bands(self) -> None:
        change = self.change(replace(OFF, gain_db=6))
        np.testing.assert_allclose(change, np.broadcast_to(change[:, :1], change.shape), atol=1e-4)
        assert -6 <= change.min() < -5
        assert 5 < change.max() <= 6

    def test_a_tilt_is_a_straight_line_within_its_bounds(self) -> None:
        change = self.change(replace(OFF, tilt_db=6))
        slopes = change[:, -1] - change[:, 0]
        assert 5 < np.abs(slopes).max() <= 6 + 1e-4
        np.testing.assert_allclose(np.diff(change, n=2, axis=1), 0, atol=1e-4)
        np.testing.assert_allclose(change.mean(axis=1), 0, atol=1e-4)

    def test_bumps_stay_within_their_bounds(self) -> None:
        assert 2.5 < np.abs(self.change(replace(OFF, curve_db=3))).max() <= 3 + 1e-4

    def test_it_is_what_a_filter_does_to_the_sound(self) -> None:
        sound = music()
        hz = np.fft.rfftfreq(len(sound), 1 / RATE)
        edges = band_edges(RATE, 80)
        place = np.interp(hz, edges, np.linspace(-0.5 - 1 / 79, 0.5 + 1 / 79, 82))
        before = features_of(sound)
        tilts = {seed: draw_amounts(replace(OFF, tilt_db=12), rngs(1, seed)[0]).tilt for seed in range(9)}
        seed, tilt = max(tilts.items(), key=lambda item: abs(item[1]))
        filtered = np.fft.irfft(np.fft.rfft(sound) * 10 ** (tilt * place / 20), len(sound)).astype(np.float32)
        found = augment_features(before, replace(OFF, tilt_db=12), rngs(1, seed), None, MUSIC_SCALES)[TIMBRE]
        assert distance(found, features_of(filtered)[TIMBRE]) < 0.25 * distance(found, before[TIMBRE])


class TestMasks:
    @pytest.mark.parametrize(("name", "axis"), [("band_mask", 1), ("time_mask", 0)])
    def test_one_stretch_takes_the_mean(self, name: str, axis: int) -> None:
        mel = features(200)[TIMBRE]
        found = view(replace(OFF, **{name: 0.3}), 200)[TIMBRE]
        size = mel.shape[2 - axis]
        widths, ends = [], []
        for before, after in zip(mel, found, strict=True):
            lines = np.flatnonzero((before != after).all(axis=axis))
            widths.append(len(lines))
            ends += [size - 1 - lines.max(), lines.min()] if len(lines) else []
            assert (np.diff(lines) == 1).all()
            rest = np.delete(after, lines, axis=1 - axis)
            np.testing.assert_array_equal(rest, np.delete(before, lines, axis=1 - axis))
            np.testing.assert_allclose(np.take(after, lines, axis=1 - axis), before.mean(), rtol=1e-4)
        assert min(widths) == 0
        assert 0.2 * size < max(widths) <= 0.3 * size
        assert min(ends) == 0


class TestPitch:
    @pytest.mark.parametrize("semitones", [-1.0, -0.5, 0.5, 1.0])
    def test_it_is_what_a_transposed_sound_has(self, semitones: float) -> None:
        pitch = 2 ** (semitones / 12)
        before, higher = features_of(music()), features_of(music(pitch=pitch))
        for name, found in (
            (TIMBRE, shift_mel(before[TIMBRE][0], pitch, FRAMING)),
            (HARMONY, shift_chroma(before[HARMONY][0], pitch)),
        ):
            assert distance(found, higher[name][0]) < 0.7 * distance(before[name][0], higher[name][0])

    @given(st.integers(-24, 24))
    def test_a_whole_class_turns_the_octave(self, classes: int) -> None:
        chroma = features()[HARMONY][0]
        np.testing.assert_allclose(shift_chroma(chroma, 2 ** (classes / 12)), np.roll(chroma, classes, 0), atol=1e-5)

    @given(st.floats(-1, 1))
    def test_a_loudest_class_stays_at_one(self, semitones: float) -> None:
        shifted = shift_chroma(features()[HARMONY][0], 2 ** (semitones / 12))
        np.testing.assert_allclose(shifted.max(axis=0), 1, rtol=1e-5)

    @given(st.floats(0.7, 1.4))
    def test_a_slope_over_frequency_is_read_at_the_frequency_before(self, pitch: float) -> None:
        framing = replace(FRAMING, n_mels=40)
        edges = framing.edges()
        slope = np.repeat(edges[1:-1, np.newaxis], 3, axis=1).astype(np.float32)
        expected = np.clip(edges[1:-1] / pitch, edges[1], edges[-2])
        np.testing.assert_allclose(shift_mel(slope, pitch, framing)[:, 1], expected, rtol=1e-4)


class TestTempo:
    @pytest.mark.parametrize("tempo", [0.94, 0.97, 1.015, 1.03])
    def test_it_is_what_a_faster_sound_has(self, tempo: float) -> None:
        before, faster = features_of(music()), features_of(music(tempo=tempo))
        for name, found in (
            (TIMBRE, scale_time(before[TIMBRE][0], tempo)),
            (HARMONY, scale_time(before[HARMONY][0], tempo)),
            (RHYTHM, scale_lags(before[RHYTHM][0], tempo)),
        ):
            assert distance(found, faster[name][0]) < 0.5 * distance(before[name][0], faster[name][0])

    @given(st.floats(0.7, 1.3))
    def test_a_frame_is_read_where_it_was_and_mirrored_beyond_the_end(self, tempo: float) -> None:
        ramp = np.tile(np.arange(100, dtype=np.float32), (2, 1))
        places = np.arange(100) * tempo
        expected = np.where(places > 99, 198 - places, places)
        np.testing.assert_allclose(scale_time(ramp, tempo)[1], expected, atol=1e-4)

    def test_twice_as_fast_a_lag_is_half_as_long(self) -> None:
        envelope = features()[RHYTHM][0]
        np.testing.assert_allclose(scale_lags(envelope, 2.0)[:16], envelope[::2], rtol=1e-6)


class TestMixing:
    def test_it_is_what_the_sum_of_two_sounds_has(self) -> None:
        sounds = [music(), music(tempo=1.3, seed=1)]
        first, second = features_of(sounds[0]), features_of(sounds[1])
        share = draw_amounts(replace(OFF, mix=0.5), rngs(1)[0]).mix
        assert share > 0.1
        louder = first[TIMBRE].max() - second[TIMBRE].max()
        total = sounds[0] + np.sqrt(share / (1 - share)) * 10 ** (louder / 20) * sounds[1]
        both = features_of(total.astype(np.float32))
        both[TIMBRE] += 10 * np.log10(1 - share)
        found = augment_features(first, replace(OFF, mix=0.5), rngs(1), second, MUSIC_SCALES)
        for name, nearer in ((TIMBRE, 0.3), (HARMONY, 0.9), (RHYTHM, 0.7)):
            assert distance(found[name], both[name]) < nearer * distance(first[name], both[name])

    def test_features_keep_the_front_end_s_scale(self) -> None:
        first, second = features_of(music()), features_of(music(tempo=1.3, seed=1))
        found = augment_features(first, replace(OFF, mix=0.5), rngs(1), second, MUSIC_SCALES)
        np.testing.assert_allclose(found[HARMONY].max(axis=1), 1, rtol=1e-5)
        assert found[RHYTHM][0, 0] == pytest.approx(1)
        np.testing.assert_allclose(found[TIMBRE].max(), first[TIMBRE].max(), atol=3)

    def test_with_itself_a_window_stays_what_it_is(self) -> None:
        same = features_of(music())
        found = augment_features(same, replace(OFF, mix=0.5), rngs(1), same, MUSIC_SCALES)
        for name, values in same.items():
            np.testing.assert_allclose(found[name], values, atol=1e-4)


def test_a_lost_treble_is_what_mp3_leaves() -> None:
    noise = np.random.default_rng(0).standard_normal(3 * 44100, dtype=np.float32) / 20
    framing = Framing(44100, 4096, 882, 160)
    before, after = (
        log_mel(Spectra(each, framing, False), TimbreSpec())
        for each in (noise, round_trip(noise, 44100, "mp3", 32_000))
    )
    found = before.copy()
    centres = band_edges(44100, 160)[1:-1]
    cut_off(found, centres[np.flatnonzero((before - after).mean(axis=1) > 20)[0]], framing)
    assert distance(found, after) < 0.5 * distance(before, after)


@pytest.mark.parametrize(("name", "setting"), [(HARMONY, "chroma_noise"), (RHYTHM, "rhythm_noise")])
def test_noise_has_its_deviation_and_stays_in_range(name: str, setting: str) -> None:
    shape = (100, 12, 50) if name == HARMONY else (100, 320)
    middle = {name: np.full(shape, 0.5, np.float32)}
    changed = augment_features(middle, replace(OFF, **{setting: 0.05}), rngs(100))[name]
    assert changed.std() == pytest.approx(0.05, rel=0.02)
    extreme = augment_features({name: np.ones(shape, np.float32)}, replace(OFF, **{setting: 0.5}), rngs(100))[name]
    assert (extreme.min() >= 0, extreme.max() <= 1) == (True, True)
