"""The input of the classifier of sounds: 64 mel bands of 16 kHz, 100 frames a second, in dB."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soxr

from resonance_engine.features.front_end import FrontEnd, resample
from resonance_engine.features.instrumentation import mel_decibels
from resonance_engine.features.mel_bands import mel_bands
from resonance_engine.features.spec import YAMNET, Decoding, FeatureSpec, InstrumentationSpec, SemanticSpec
from tests.signals import RATE, chirp, clicks, hiss, tones

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.signals import Signal

SECONDS = 4.0
DECODING = Decoding(seconds=SECONDS)
SPEC = FeatureSpec(DECODING, semantic=SemanticSpec(), instrumentation=InstrumentationSpec())
ALONE = FrontEnd(FeatureSpec(DECODING, timbre=None, harmony=None, rhythm=None, instrumentation=InstrumentationSpec()))
MUSIC = clicks(126, SECONDS) + tones((0, 4, 7), SECONDS) + chirp(SECONDS) + hiss(SECONDS, 0.001)


def measure(signal: Signal) -> NDArray[np.float32]:
    return ALONE(signal[np.newaxis])["instrumentation"][0]


def test_it_is_off_unless_it_is_switched_on() -> None:
    assert FeatureSpec().instrumentation is None
    assert "instrumentation" not in FeatureSpec(semantic=SemanticSpec()).to_json()


def test_a_window_of_18_seconds_has_1798_frames_of_10_ms() -> None:
    spec = FeatureSpec(semantic=SemanticSpec(), instrumentation=InstrumentationSpec())
    assert list(spec.modalities) == ["timbre", "harmony", "rhythm", "semantic", "instrumentation"]
    assert spec.modalities["instrumentation"].shape(spec.decoding) == (64, 1798)
    framing = json.loads(spec.to_json())["modalities"]["instrumentation"]["framing"]
    assert (framing["lowest"], framing["highest"], framing["slopes"]) == (125.0, 7500.0, "mel")
    assert FeatureSpec.from_json(spec.to_json()) == spec


def test_the_other_modalities_stay_what_they_are() -> None:
    windows = np.stack([MUSIC, hiss(SECONDS)])
    usual, wider = FrontEnd(FeatureSpec(DECODING, semantic=SemanticSpec()))(windows), FrontEnd(SPEC)(windows)
    assert wider.keys() - usual.keys() == {"instrumentation"}
    for name, values in usual.items():
        np.testing.assert_array_equal(wider[name], values)
    np.testing.assert_array_equal(wider["instrumentation"][0], measure(MUSIC))


def test_it_holds_what_yamnet_takes() -> None:
    """ln(m + 0.001) of the magnitude m, by numpy's own FFT of windows of 25 ms, filled up with zeros to 512 samples."""
    signal = soxr.resample(MUSIC, RATE, 16000, quality="HQ")[: round(16000 * SECONDS)]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = np.stack([signal[start : start + 400] * hann for start in range(0, len(signal) - 399, 160)])
    spectrum = np.abs(np.fft.rfft(frames, 512))
    mels = 1127 * np.log1p(np.arange(257) * 16000 / 512 / 700)
    edges = np.linspace(1127 * np.log1p(125 / 700), 1127 * np.log1p(7500 / 700), 66)
    magnitude = np.stack([spectrum @ np.interp(mels, edges[band : band + 3], [0, 1, 0]) for band in range(64)])
    found = np.log(10 ** (measure(MUSIC).astype(np.float64) / 20) + 0.001)
    assert found.shape == (64, 398)
    np.testing.assert_allclose(found, np.log(magnitude + 0.001), atol=2e-3)


@pytest.mark.parametrize("doublings", [1, 3, 6])
def test_gain_raises_it_by_its_decibels(doublings: int) -> None:
    plain, loud = measure(MUSIC), measure(MUSIC * np.float32(2**doublings))
    np.testing.assert_allclose(loud - plain, 20 * np.log10(2) * doublings, atol=1e-3)


def test_silence() -> None:
    np.testing.assert_allclose(measure(np.zeros(DECODING.samples, np.float32)), -100, atol=1e-4)


def test_samples_at_its_own_rate_are_not_resampled() -> None:
    samples = resample(MUSIC, DECODING, 16000)
    decibels = mel_decibels(samples, InstrumentationSpec())
    np.testing.assert_array_equal(decibels, measure(MUSIC))
    audible = decibels > -99
    np.testing.assert_allclose(10 ** (decibels / 20)[audible], mel_bands(samples, YAMNET)[audible], rtol=1e-4)


def test_moments_have_the_same_time_as_in_the_other_modalities() -> None:
    signal = np.zeros(DECODING.samples, np.float32)
    signal[round(2.5 * RATE) : round(2.5 * RATE) + 50] = 0.5
    loudest = FrontEnd(SPEC)(signal[np.newaxis])["instrumentation"][0].max(axis=0)
    middle = np.flatnonzero(loudest > loudest.max() - 3).mean()
    # A frame is 12.5 ms before the middle of its window.
    assert middle / 100 + 0.0125 == pytest.approx(2.5, abs=0.01)


@pytest.mark.parametrize("rate", [8000, 11025])
def test_a_sound_without_the_frequencies_is_refused(rate: int) -> None:
    with pytest.raises(ValueError, match=f"instrumentation: framing.rate must be at most the decoding's, {rate}"):
        FeatureSpec(Decoding(rate=rate), timbre=None, harmony=None, rhythm=None, instrumentation=InstrumentationSpec())


def test_a_window_shorter_than_a_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="instrumentation: hop is longer than a window"):
        FeatureSpec(
            Decoding(seconds=0.02), timbre=None, harmony=None, rhythm=None, instrumentation=InstrumentationSpec()
        )
