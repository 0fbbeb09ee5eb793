"""Mel spectrograms of any kind are those of the libraries that networks are trained with."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import librosa
import numpy as np
import pytest

from resonance_engine.features.mel_bands import mel_bands, mel_weights, taper
from resonance_engine.features.mel_framing import MelFraming
from resonance_engine.features.mel_scale import hz_from_mel, mel_from_hz
from resonance_engine.features.spec import YAMNET

if TYPE_CHECKING:
    from numpy.typing import NDArray

MUSICNN = MelFraming(rate=16000, n_fft=512, window=512, hop=256, n_mels=96, lowest=0, highest=8000)
CLAP = MelFraming(rate=48000, n_fft=1024, window=1024, hop=480, n_mels=64, lowest=50, highest=14000, padding="reflect")
ODD = replace(MUSICNN, window=401, taper="hamming", spectrum="magnitude", normalisation="none")
SPARSE = MelFraming(rate=16000, n_fft=512, window=400, hop=160, n_mels=128, lowest=20, highest=8000, scale="htk")

SOUND = np.random.RandomState(3).standard_normal(20000).astype(np.float32)


def librosa_bands(samples: NDArray[np.float32], framing: MelFraming) -> NDArray[np.float32]:
    centred = framing.padding != "none"
    if not centred:  # librosa puts the window into the middle of the FFT, and its frames are those of the FFT
        before = (framing.n_fft - framing.window) // 2
        samples = np.pad(samples, (before, framing.n_fft - framing.window - before))
    window: Any = {"hann": "hann", "hamming": "hamming", "symmetric-hann": np.hanning(framing.window)}[framing.taper]
    padding: Any = {"zero": "constant", "reflect": "reflect", "none": "constant"}[framing.padding]
    bands: NDArray[np.float32] = librosa.feature.melspectrogram(
        y=samples,
        sr=framing.rate,
        n_fft=framing.n_fft,
        win_length=framing.window,
        hop_length=framing.hop,
        window=window,
        center=centred,
        pad_mode=padding,
        power=1.0 if framing.spectrum == "magnitude" else 2.0,
        n_mels=framing.n_mels,
        fmin=framing.lowest,
        fmax=framing.highest,
        htk=framing.scale == "htk",
        norm="slaney" if framing.normalisation == "area" else None,
    )
    return bands


@pytest.mark.filterwarnings("ignore:Empty filters detected")
@pytest.mark.parametrize(
    "framing",
    [
        MUSICNN,
        CLAP,
        ODD,
        SPARSE,
        replace(YAMNET, slopes="hz"),
        replace(YAMNET, slopes="hz", taper="symmetric-hann", spectrum="power", padding="zero"),
        replace(MUSICNN, padding="none", scale="htk"),
    ],
    ids=["musicnn", "clap", "odd window", "empty bands", "yamnet but for its slopes", "symmetric", "not centred"],
)
@pytest.mark.parametrize("samples", [20000, 19999, 1200])
def test_it_is_librosas(framing: MelFraming, samples: int) -> None:
    expected = librosa_bands(SOUND[:samples], framing)
    bands = mel_bands(SOUND[:samples], framing)
    assert bands.dtype == np.float32
    assert bands.shape == expected.shape == (framing.n_mels, framing.frames(samples))
    assert bands == pytest.approx(expected, rel=1e-4, abs=1e-5 * float(expected.max()))


@pytest.mark.filterwarnings("ignore:Empty filters detected")
@pytest.mark.parametrize("framing", [MUSICNN, CLAP, SPARSE, replace(YAMNET, slopes="hz")])
def test_the_filters_are_librosas(framing: MelFraming) -> None:
    expected = librosa.filters.mel(
        sr=framing.rate,
        n_fft=framing.n_fft,
        n_mels=framing.n_mels,
        fmin=framing.lowest,
        fmax=framing.highest,
        htk=framing.scale == "htk",
        norm="slaney" if framing.normalisation == "area" else None,
        dtype=np.float64,
    )
    weights = mel_weights(framing).transpose()
    assert weights == pytest.approx(expected, abs=1e-9)


def test_slopes_in_mel_are_tensorflows() -> None:
    """A loop over the definition of tf.signal.linear_to_mel_weight_matrix."""
    low, high = (1127 * math.log(1 + hz / 700) for hz in (125, 7500))
    step = (high - low) / 65
    weights = mel_weights(YAMNET)
    for band in range(64):
        for number in range(1, 257):
            mel = 1127 * math.log(1 + number * 31.25 / 700)
            place = (mel - low) / step - band
            assert weights[number, band] == pytest.approx(max(0.0, 1 - abs(place - 1)), abs=1e-3)
    assert not weights[0].any()


def test_tapers() -> None:
    assert taper("hann", 8) == pytest.approx(np.hanning(9)[:8], abs=1e-6)
    assert taper("symmetric-hann", 8) == pytest.approx(np.hanning(8), abs=1e-6)
    assert taper("hamming", 8) == pytest.approx(np.hamming(9)[:8], abs=1e-6)


@pytest.mark.parametrize(("hz", "mel"), [(0, 0), (200, 3), (1000, 15), (6400, 42)])
def test_slaneys_mel_scale(hz: float, mel: float) -> None:
    assert mel_from_hz(np.array([hz]))[0] == pytest.approx(mel)


@pytest.mark.parametrize("scale", ["slaney", "htk"])
def test_scales_and_back(scale: str) -> None:
    hz = np.linspace(0, 20000, 77)
    assert hz_from_mel(mel_from_hz(hz, scale), scale) == pytest.approx(hz)
    assert mel_from_hz(hz, scale) == pytest.approx(librosa.hz_to_mel(hz, htk=scale == "htk"))


@pytest.mark.parametrize(
    ("framing", "samples"), [(YAMNET, 399), (CLAP, 512), (YAMNET, 0)], ids=["short", "mirrored", "none"]
)
def test_too_few_samples_for_a_frame(framing: MelFraming, samples: int) -> None:
    with pytest.raises(ValueError, match=f"{samples} samples are too few for a frame of {framing.window}"):
        mel_bands(SOUND[:samples], framing)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"rate": 100}, "rate should be 8000 to 192000, not 100"),
        ({"n_fft": 513}, "n_fft should be even, not 513"),
        ({"window": 600}, "window should be 16 to 512, not 600"),
        ({"hop": 0}, "hop should be 1 to 65536, not 0"),
        ({"n_mels": 300}, "n_mels should be 2 to 256, not 300"),
        ({"highest": 9000}, "lowest and highest should rise from 0 to half of the rate, 8000 Hz, not from 125 to 9000"),
        ({"lowest": 7500}, "lowest and highest should rise from 0 to half of the rate, 8000 Hz, not from 7500 to 7500"),
        ({"scale": "bark"}, "scale should be one of slaney, htk, not 'bark'"),
        ({"padding": "wrap"}, "padding should be one of none, zero, reflect, not 'wrap'"),
        ({"spectrum": "energy"}, "spectrum should be one of magnitude, power, not 'energy'"),
    ],
)
def test_what_cannot_be(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        replace(YAMNET, **change)  # type: ignore[arg-type]  # any field
