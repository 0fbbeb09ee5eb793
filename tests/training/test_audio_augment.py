"""Changed sound: each change does what it says to pitch, time, spectrum and level, and nothing else."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resonance_engine.features.spec import band_edges
from resonance_engine.training.augmentation import audio_augment, codecs
from resonance_engine.training.augmentation.audio_augment import (
    AudioChange,
    apply_change,
    augment_audio,
    draw_change,
    tilt_gains,
)
from resonance_engine.training.config.settings import AudioAugmentSettings
from tests.signals import clicks
from tests.training.synthetic_music import RATE, features_of, music

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Signal = NDArray[np.float32]

OFF = AudioAugmentSettings(gain_db=0, tilt_db=0, pitch_semitones=0, tempo_percent=0, codec=0, mix=0)
ALL = AudioAugmentSettings(mix=0.5, codec=1.0)
NOTHING = AudioChange(
    gain_db=0, tilt_db=0, pitch=Fraction(1), tempo=1.0, codec="", bit_rate=64_000, partner=None, mix_db=-9.0
)
SECOND = 44100


def only(windows: Signal, change: AudioChange, rate: int = 44100) -> Signal:
    """The first of the windows, changed."""
    return apply_change(windows, 0, rate, change)


def sine(hz: float, seconds: float = 3.0) -> Signal:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * SECOND)) / SECOND)).astype(np.float32)


def loudest_hz(samples: Signal) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 8 * len(samples)))
    return float(spectrum.argmax() * SECOND / (8 * len(samples)))


def onsets(samples: Signal) -> NDArray[np.float64]:
    """Seconds at which clicks begin."""
    level = np.abs(samples).reshape(-1, 49).max(axis=1)
    loud = np.flatnonzero(level > 0.3 * level.max())
    return loud[np.flatnonzero(np.diff(loud, prepend=-1000) > 100)] * 49 / SECOND


def level_db(samples: Signal) -> float:
    return float(10 * np.log10(np.square(samples, dtype=np.float64).mean()))


class TestViews:
    def test_there_are_as_many_as_asked_for_all_different(self) -> None:
        windows = np.stack([music(), music(seed=1)])
        views = list(augment_audio(windows, RATE, replace(ALL, views=3, mix=0), b"song"))
        assert [view.shape for view in views] == [windows.shape] * 3
        assert {view.dtype for view in views} == {np.dtype(np.float32)}
        for first, second in ((0, 1), (1, 2)):
            assert np.abs(views[first] - views[second]).max() > 0.01
        assert all(np.isfinite(view).all() for view in views)

    def test_the_same_seed_gives_the_same(self) -> None:
        windows = music()[np.newaxis]
        first, again, other = (
            next(augment_audio(windows, RATE, replace(ALL, views=1), seed)) for seed in (b"song", b"song", b"another")
        )
        np.testing.assert_array_equal(first, again)
        assert np.abs(first - other).max() > 0.01

    def test_a_view_is_the_same_however_many_are_wanted(self) -> None:
        windows = music()[np.newaxis]
        few = list(augment_audio(windows, RATE, replace(ALL, views=1, codec=0), b"song"))
        many = list(augment_audio(windows, RATE, replace(ALL, views=2, codec=0), b"song"))
        np.testing.assert_array_equal(few[0], many[0])

    def test_without_mixing_a_window_is_changed_by_itself(self) -> None:
        windows = np.stack([music(), music(seed=1)])
        both = next(augment_audio(windows, RATE, replace(ALL, views=1, mix=0), b"song"))
        alone = next(augment_audio(windows[:1], RATE, replace(ALL, views=1, mix=0), b"song"))
        np.testing.assert_array_equal(both[0], alone[0])

    def test_switched_off_it_changes_nothing(self) -> None:
        windows = music()[np.newaxis]
        np.testing.assert_array_equal(next(augment_audio(windows, RATE, replace(OFF, views=1), b"song")), windows)

    def test_the_windows_that_came_in_are_left_as_they_were(self) -> None:
        windows = np.stack([music(), music(seed=1)])
        given_windows = windows.copy()
        next(augment_audio(given_windows, RATE, replace(ALL, views=1), b"song"))
        np.testing.assert_array_equal(given_windows, windows)


class TestDraws:
    @given(
        st.sampled_from([each.name for each in fields(AudioAugmentSettings) if each.name != "views"]),
        st.integers(0, 1000),
    )
    def test_each_setting_switches_its_own_change(self, setting: str, seed: int) -> None:
        about = {
            "gain_db": {"gain_db"},
            "tilt_db": {"tilt_db"},
            "pitch_semitones": {"pitch"},
            "tempo_percent": {"tempo"},
            "codec": {"codec"},
            "mix": {"partner"},
        }
        with_it, without = (
            draw_change(augment, np.random.default_rng(seed), 0, 4) for augment in (ALL, replace(ALL, **{setting: 0.0}))
        )
        differ = {
            each.name for each in fields(AudioChange) if getattr(with_it, each.name) != getattr(without, each.name)
        }
        assert differ <= about[setting]

    @given(st.integers(0, 10_000))
    def test_changes_stay_within_their_bounds(self, seed: int) -> None:
        change = draw_change(replace(ALL, mix=1.0), np.random.default_rng(seed), 2, 4)
        assert abs(change.gain_db) <= 6
        assert abs(change.tilt_db) <= 6
        assert abs(12 * np.log2(float(change.pitch))) <= 0.55
        assert max(change.pitch.numerator, change.pitch.denominator) <= 260
        assert 0.97 <= change.tempo <= 1.03
        assert change.codec in codecs.list_codecs()
        assert 40_000 <= change.bit_rate <= 80_000
        assert change.partner in (0, 1, 3)
        assert -12 <= change.mix_db <= -6

    def test_all_of_the_bounds_are_used(self) -> None:
        changes = [draw_change(ALL, np.random.default_rng(seed), 0, 4) for seed in range(300)]
        assert {change.codec for change in changes} == set(codecs.list_codecs())
        assert {change.partner for change in changes} == {None, 1, 2, 3}
        assert max(change.tempo for change in changes) > 1.025
        assert min(change.tempo for change in changes) < 0.975
        assert max(float(change.pitch) for change in changes) > 2 ** (0.4 / 12)

    def test_without_any_codec_the_rest_goes_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(codecs, "list_codecs", tuple)
        change = draw_change(ALL, np.random.default_rng(0), 0, 1)
        assert (change.codec, change.tempo != 1) == ("", True)

    def test_a_window_that_is_alone_stays_unmixed(self) -> None:
        assert draw_change(replace(ALL, mix=1.0), np.random.default_rng(0), 0, 1).partner is None


class TestPitchAndTempo:
    @pytest.mark.parametrize("semitones", [-0.5, 0.5])
    def test_pitch_changes_frequencies_and_no_times(self, semitones: float) -> None:
        ratio = Fraction(2 ** (semitones / 12)).limit_denominator(250)
        change = replace(NOTHING, pitch=ratio)
        assert loudest_hz(only(sine(440)[np.newaxis], change)) == pytest.approx(440 * float(ratio), rel=5e-4)
        beats = clicks(100, 6.0)
        np.testing.assert_allclose(onsets(only(beats[np.newaxis], change)), onsets(beats), atol=0.025)

    @pytest.mark.parametrize("tempo", [0.95, 1.03])
    def test_tempo_changes_times_and_no_frequencies(self, tempo: float) -> None:
        change = replace(NOTHING, tempo=tempo)
        assert loudest_hz(only(sine(440)[np.newaxis], change)) == pytest.approx(440, rel=5e-4)
        beats = clicks(100, 6.0)
        found, before = onsets(only(beats[np.newaxis], change))[:8], onsets(beats)[:8]
        np.testing.assert_allclose(found, before / tempo, atol=0.025)

    def test_together_each_does_its_own(self) -> None:
        change = replace(NOTHING, pitch=Fraction(36, 35), tempo=0.97)
        assert loudest_hz(only(sine(440)[np.newaxis], change)) == pytest.approx(440 * 36 / 35, rel=5e-4)
        beats = clicks(100, 6.0)
        found, before = onsets(only(beats[np.newaxis], change))[:8], onsets(beats)[:8]
        np.testing.assert_allclose(found, before / 0.97, atol=0.025)

    @pytest.mark.parametrize(
        ("change", "real", "modality"),
        [
            (replace(NOTHING, pitch=Fraction(36, 35)), {"pitch": 36 / 35}, "harmony"),
            (replace(NOTHING, tempo=1.03), {"tempo": 1.03}, "timbre"),
            (replace(NOTHING, tempo=0.97), {"tempo": 0.97}, "harmony"),
        ],
    )
    def test_features_are_those_of_really_changed_music(
        self, change: AudioChange, real: dict[str, float], modality: str
    ) -> None:
        sounds = only(music()[np.newaxis], change, RATE), music(), music(**real)
        found, before, after = (features_of(sound)[modality] for sound in sounds)
        assert np.abs(found - after).mean() < 0.75 * np.abs(before - after).mean()

    @settings(max_examples=15)
    @given(st.floats(0.9, 1.1), st.floats(-2, 2), st.integers(1000, 3000))
    def test_the_length_is_kept(self, tempo: float, semitones: float, count: int) -> None:
        change = replace(NOTHING, tempo=tempo, pitch=Fraction(2 ** (semitones / 12)).limit_denominator(250))
        window = np.ones((1, count), np.float32) / 2
        assert only(window, change, 8000).shape == (count,)

    def test_a_vocoder_that_changes_nothing_gives_the_sound_back(self) -> None:
        sound = music()
        np.testing.assert_allclose(audio_augment.stretch(sound, np.ones(513, np.float32), 1.0), sound, atol=1e-5)


class TestLevels:
    @pytest.mark.parametrize("gain", [-6.0, 3.0])
    def test_a_gain_is_a_gain(self, gain: float) -> None:
        sound = 0.5 * sine(440)
        np.testing.assert_allclose(
            only(sound[np.newaxis], replace(NOTHING, gain_db=gain)), sound * 10 ** (gain / 20), rtol=1e-5
        )

    def test_what_would_clip_is_made_quieter(self) -> None:
        sound = 3 * sine(440)
        assert np.abs(only(sound[np.newaxis], replace(NOTHING, gain_db=6.0))).max() == pytest.approx(1)

    @pytest.mark.parametrize("tilt", [-6.0, 6.0])
    def test_a_tilt_is_half_below_and_half_above(self, tilt: float) -> None:
        gains = 20 * np.log10(tilt_gains(44100, tilt))
        assert (gains[0], gains[-1]) == pytest.approx((-tilt / 2, tilt / 2), abs=0.01)
        for hz in (100, 1000, 10000):
            gain = level_db(only(sine(hz)[np.newaxis], replace(NOTHING, tilt_db=tilt))) - level_db(sine(hz))
            assert gain == pytest.approx(gains[round(hz * 2048 / 44100)], abs=0.1)

    def test_mel_bands_are_tilted_along_a_straight_line(self) -> None:
        sound = 0.5 * music()
        tilted = only(sound[np.newaxis], replace(NOTHING, tilt_db=6.0), RATE)
        before, after = features_of(sound)["timbre"][0], features_of(tilted)["timbre"][0]
        loud = before > -60
        place = np.interp(band_edges(RATE, 80)[1:-1], band_edges(RATE, 80), np.linspace(-0.5, 0.5, 82))
        assert np.abs((after - before - 6 * place[:, np.newaxis])[loud]).mean() < 0.3

    def test_another_window_is_mixed_in_at_its_level(self) -> None:
        windows = np.stack([0.3 * sine(440), 0.5 * sine(1000)])
        found = only(windows, replace(NOTHING, partner=1, mix_db=-6.0))
        np.testing.assert_allclose(found, windows[0] + 10 ** (-6 / 20) * windows[1], atol=1e-6)
