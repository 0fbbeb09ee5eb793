"""Patches for networks that were trained elsewhere: what a spec may be, and the numbers that it stands for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import soxr

from resonance_engine.features.front_end import FrontEnd
from resonance_engine.features.mel_bands import mel_bands
from resonance_engine.features.mel_framing import MelFraming
from resonance_engine.features.network_input import Logarithm, LogMelInput, NetworkInput, WaveformInput
from resonance_engine.features.patches import NETWORK, PatchFrontEnd, compress, cut_patches
from tests.signals import hiss
from tests.tiny_models import SPEC

MEL = MelFraming(rate=16000, n_fft=512, window=512, hop=256, n_mels=20, lowest=0, highest=8000)
LOG10 = Logarithm("log10", scale=10000, offset=1)
LOG_MEL = LogMelInput(MEL, LOG10, patch=15, patch_hop=10)
WAVEFORM = WaveformInput(rate=16000, patch=3000, patch_hop=2000)
DECODING = SPEC.decoding  # windows of 1 s at 8 kHz
WINDOW = hiss(seconds=2.0)[: DECODING.samples]


def test_patches_of_a_waveform() -> None:
    samples = soxr.resample(WINDOW, 8000, 16000, quality="HQ")
    patches = cut_patches(WINDOW, DECODING, WAVEFORM)
    assert patches.shape == (7, 3000)
    for number, patch in enumerate(patches):
        assert np.array_equal(patch, samples[2000 * number : 2000 * number + 3000])


def test_a_waveform_at_its_own_rate_is_not_resampled() -> None:
    patches = cut_patches(WINDOW, DECODING, replace(WAVEFORM, rate=8000, patch=8000))
    assert np.array_equal(patches, WINDOW[np.newaxis])


def test_standardised_patches() -> None:
    loud = cut_patches(WINDOW + np.float32(0.2), DECODING, replace(WAVEFORM, standardise=True))
    assert loud.mean(axis=1) == pytest.approx(0, abs=1e-5)
    assert loud.std(axis=1) == pytest.approx(1, abs=1e-3)
    silent = cut_patches(np.zeros_like(WINDOW), DECODING, replace(WAVEFORM, standardise=True))
    assert not silent.any()


def test_patches_of_a_log_mel_spectrogram() -> None:
    frames = np.log10(10000 * mel_bands(soxr.resample(WINDOW, 8000, 16000, quality="HQ"), MEL) + 1).T
    patches = cut_patches(WINDOW, DECODING, LOG_MEL)
    assert patches.shape == (5, 15, 20)
    assert len(frames) == 63
    for number, patch in enumerate(patches):
        assert patch == pytest.approx(frames[10 * number : 10 * number + 15], abs=1e-6)


@pytest.mark.parametrize(
    ("logarithm", "spectrum", "expected"),
    [
        (Logarithm("none"), "power", lambda x: x),
        (Logarithm("none", mean=1, deviation=2), "power", lambda x: (x - 1) / 2),
        (Logarithm("ln", offset=0.001), "magnitude", lambda x: np.log(x + 0.001)),
        (Logarithm("log10", scale=10000, offset=1), "power", lambda x: np.log10(10000 * x + 1)),
        (Logarithm("db", floor=1e-10), "power", lambda x: 10 * np.log10(np.maximum(x, 1e-10))),
        (Logarithm("db", floor=1e-5), "magnitude", lambda x: 20 * np.log10(np.maximum(x, 1e-5))),
        (Logarithm("ln", floor=1e-6, mean=-4, deviation=9), "power", lambda x: (np.log(np.maximum(x, 1e-6)) + 4) / 9),
    ],
)
def test_compression(logarithm: Logarithm, spectrum: str, expected: Any) -> None:
    bands = np.array([[0.0, 1e-12, 1e-4, 1.0, 300.0]], np.float32)
    values = compress(bands, logarithm, replace(MEL, spectrum=spectrum))
    assert values.dtype == np.float32
    assert values == pytest.approx(expected(bands.astype(np.float64)), rel=1e-5, abs=1e-6)


def test_the_front_end_adds_the_patches_to_the_features() -> None:
    windows = np.stack([WINDOW, WINDOW[::-1]])
    features, expected = PatchFrontEnd(SPEC, LOG_MEL)(windows), FrontEnd(SPEC)(windows)
    assert features.keys() == expected.keys() | {NETWORK}
    assert all(np.array_equal(features[name], expected[name]) for name in expected)
    assert features[NETWORK].shape == (2, 5, 15, 20)
    assert np.array_equal(features[NETWORK][1], cut_patches(windows[1], DECODING, LOG_MEL))
    assert PatchFrontEnd(SPEC, LOG_MEL)(windows[:0])[NETWORK].shape == (0, 5, 15, 20)


@pytest.mark.parametrize(
    "axes",
    [
        ["patch", "time", "mel"],
        ["patch", "mel", "time"],
        ["patch", 1, "time", "mel"],
        ["time", 1, "patch", "mel", 1],
        ["time", "mel"],
        [1, "mel", 1, "time"],
    ],
)
def test_axes_of_a_log_mel_spectrogram(axes: list[Any]) -> None:
    """Each number is at the place that the axes give it."""
    spec = replace(LOG_MEL, axes=tuple(axes))
    count = 3 if "patch" in axes else 1
    patches = np.arange(count * 15 * 20, dtype=np.float32).reshape(count, 15, 20)
    arranged = spec.arrange(patches)
    assert arranged.flags.c_contiguous
    assert spec.axis_lengths() == [{"patch": None, "time": 15, "mel": 20}.get(axis, 1) for axis in axes]
    for place in np.ndindex(*arranged.shape):
        at = dict(zip(axes, place, strict=True))
        assert arranged[place] == patches[at.get("patch", 0), at["time"], at["mel"]]


@pytest.mark.parametrize("axes", [["patch", "time"], ["patch", 1, "time"], ["time"], ["time", "patch"]])
def test_axes_of_a_waveform(axes: list[Any]) -> None:
    spec = replace(WAVEFORM, axes=tuple(axes))
    patches = np.arange(2 * 3000, dtype=np.float32).reshape(2, 3000)[: 2 if "patch" in axes else 1]
    arranged = spec.arrange(patches)
    assert arranged.shape == tuple({"patch": 2, "time": 3000}.get(axis, 1) for axis in axes)
    assert np.array_equal(arranged.reshape(-1), (patches.T if axes[0] == "time" and len(axes) > 1 else patches).ravel())


@pytest.mark.parametrize(
    ("spec", "change", "sentence"),
    [
        (WAVEFORM, {"rate": 4000}, "rate should be 8000 to 192000, not 4000"),
        (WAVEFORM, {"patch": 0}, "patch should be 1 to 4000000, not 0"),
        (WAVEFORM, {"patch_hop": 0}, "patch_hop should be 1 to 4000000, not 0"),
        (WAVEFORM, {"axes": ("patch",)}, "axes should be time, with patch"),
        (WAVEFORM, {"axes": ("patch", "time", "mel")}, r"not \['patch', 'time', 'mel'\]"),
        (WAVEFORM, {"axes": ("time", "time")}, "each once"),
        (WAVEFORM, {"axes": ("time", 2)}, "and 1 for each axis of that length"),
        (WAVEFORM, {"axes": ("time", True)}, "and 1 for each axis of that length"),
        (WAVEFORM, {"axes": ("time", ["patch"])}, "axes should be time"),
        (LOG_MEL, {"axes": ("patch", "time")}, "axes should be time and mel, with patch"),
        (LOG_MEL, {"patch": 300000}, "a patch should have at most 4000000 numbers, not 6000000"),
        (LOG10, {"kind": "log"}, "kind should be one of none, ln, log10, db, not 'log'"),
        (LOG10, {"offset": 0.0}, "offset or floor should be above 0 with log10, because silence has no logarithm"),
        (LOG10, {"offset": -1.0}, "offset should be 0 or more, not -1"),
        (LOG10, {"scale": 0.0}, "scale should be above 0, not 0"),
        (LOG10, {"deviation": 0.0}, "deviation should be above 0, not 0"),
    ],
)
def test_what_cannot_be(spec: Any, change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(spec, **change)


@pytest.mark.parametrize(
    ("spec", "seconds", "count"),
    [(WAVEFORM, 1.0, 7), (WAVEFORM, 0.1875, 1), (LOG_MEL, 1.0, 5), (replace(LOG_MEL, patch=63), 1.0, 1)],
)
def test_how_many_patches(spec: NetworkInput, seconds: float, count: int) -> None:
    assert spec.count_patches(seconds) == count


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (replace(WAVEFORM, patch=16001), "patch should be at most 16000, as many as 1 s have, not 16001"),
        (replace(LOG_MEL, patch=64), "patch should be at most 63, as many as 1 s have, not 64"),
        (replace(WAVEFORM, patch_hop=1), "longer than 1, which cuts 1 s into 13001 patches, more than 1000"),
    ],
)
def test_patches_that_do_not_fit_into_a_window(spec: NetworkInput, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        spec.count_patches(1.0)
