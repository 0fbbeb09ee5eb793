"""librosa as the oracle: step by step the same numbers, to the rounding of float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from resonance_engine.features.filters import chroma_filters, mel_filters
from resonance_engine.features.front_end import FrontEnd
from resonance_engine.features.rhythm import onset_strength, tempogram_mean
from resonance_engine.features.spec import Decoding, FeatureSpec, Framing
from resonance_engine.features.spectrum import KERNEL, Spectra, row_medians
from tests.signals import RATE, chirp, clicks, hiss, tones

librosa = pytest.importorskip("librosa", reason="needs the development extra: librosa is the oracle")

SECONDS = 6.0
FRAMING = Framing()
SIGNAL = clicks(126, SECONDS) + tones((0, 4, 7), SECONDS) + chirp(SECONDS) + hiss(SECONDS, 0.001)
OPTIONS: dict[str, Any] = {"sr": RATE, "n_fft": FRAMING.n_fft, "hop_length": FRAMING.hop}
FRAMES = 300


@pytest.fixture(scope="module")
def spectra() -> Spectra:
    return Spectra(SIGNAL, FRAMING, True)


def test_power_is_the_squared_stft(spectra: Spectra) -> None:
    stft = librosa.stft(SIGNAL, n_fft=FRAMING.n_fft, hop_length=FRAMING.hop)
    expected = np.abs(stft[:, :FRAMES].T) ** 2
    np.testing.assert_allclose(spectra.power, expected, rtol=0, atol=1e-6 * expected.max())


def test_timbre_is_the_mel_spectrogram_in_decibels() -> None:
    mel = librosa.feature.melspectrogram(y=SIGNAL, n_mels=160, **OPTIONS)[:, :FRAMES]
    expected = librosa.power_to_db(mel, ref=1.0, amin=1e-10, top_db=None)
    timbre = FrontEnd(FeatureSpec(Decoding(seconds=SECONDS)))(SIGNAL[np.newaxis])["timbre"][0]
    np.testing.assert_allclose(timbre, expected, rtol=0, atol=0.01)


@pytest.mark.parametrize(("rate", "n_fft", "n_mels"), [(44100, 4096, 160), (16000, 512, 96), (22050, 2048, 128)])
def test_mel_filters(rate: int, n_fft: int, n_mels: int) -> None:
    filters = mel_filters(Framing(rate, n_fft, 256, n_mels))(np.eye(n_fft // 2 + 1, dtype=np.float32))
    expected = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels)
    np.testing.assert_allclose(filters.T, expected, rtol=0, atol=1e-6 * expected.max())


@pytest.mark.parametrize(
    ("rate", "n_fft", "classes"), [(44100, 4096, 24), (44100, 4096, 12), (44100, 2048, 36), (16000, 512, 12)]
)
def test_chroma_filters(rate: int, n_fft: int, classes: int) -> None:
    filters = chroma_filters(Framing(rate, n_fft, 256, 64), classes)
    expected = librosa.filters.chroma(sr=rate, n_fft=n_fft, n_chroma=classes, tuning=0)
    np.testing.assert_allclose(filters.T, expected, rtol=0, atol=1e-6)


def test_flat_medians_are_the_medians_of_rows(spectra: Spectra) -> None:
    for rows in (spectra.mel, spectra.mel.T):
        expected = ndimage.median_filter(rows, size=(1, KERNEL), mode="reflect")
        assert np.array_equal(row_medians(rows), expected)


def test_separation_is_hpss_of_the_mel_magnitudes(spectra: Spectra) -> None:
    harmonic, percussive = librosa.decompose.hpss(np.sqrt(spectra.mel.T), kernel_size=KERNEL, power=2.0)
    mask = spectra.harmonic_mask.T
    np.testing.assert_allclose(mask * np.sqrt(spectra.mel.T), harmonic, rtol=0, atol=1e-5 * harmonic.max())
    np.testing.assert_allclose(np.sqrt(spectra.percussive.T), percussive, rtol=0, atol=1e-4 * percussive.max())


def test_separation_agrees_with_hpss_of_linear_bins_on_what_is_loud(spectra: Spectra) -> None:
    harmonic, _ = librosa.decompose.hpss(np.sqrt(spectra.power.T))
    # The masks differ (see Spectra), the music that they let through hardly does.
    assert np.corrcoef(spectra.harmonic.T.ravel(), np.square(harmonic).ravel())[0, 1] > 0.95


def test_harmony_is_the_chromagram() -> None:
    whole = FrontEnd(FeatureSpec(Decoding(seconds=SECONDS), hpss=False))
    expected = librosa.feature.chroma_stft(y=SIGNAL, n_chroma=24, tuning=0, **OPTIONS)[:, :FRAMES]
    np.testing.assert_allclose(whole(SIGNAL[np.newaxis])["harmony"][0], expected, rtol=0, atol=1e-5)


def test_onset_strength(spectra: Spectra) -> None:
    decibels = librosa.power_to_db(spectra.percussive.T, ref=np.max, top_db=80)
    expected = librosa.onset.onset_strength(S=decibels, sr=RATE, center=False)
    np.testing.assert_allclose(onset_strength(spectra.percussive), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("lags", [320, 321, 64])
def test_tempogram(spectra: Spectra, lags: int) -> None:
    onsets = onset_strength(spectra.percussive)
    expected = librosa.feature.tempogram(onset_envelope=onsets, sr=RATE, win_length=lags).mean(axis=1)
    np.testing.assert_allclose(tempogram_mean(onsets, lags), expected, rtol=0, atol=1e-5)
