"""What the front end hears: loudness, notes and beats, and nothing else.

After a change that is meant, raise FRONT_END_VERSION and run this file to store the new reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from resonance_engine.features.filters import BandedMatrix, chroma_filters
from resonance_engine.features.front_end import FrontEnd
from resonance_engine.features.spec import FRONT_END_VERSION, Decoding, FeatureSpec, Framing
from resonance_engine.features.spectrum import Spectra
from tests.paths import DATA
from tests.signals import RATE, chirp, clicks, hiss, tones

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.signals import Signal

HOP = 882
SECONDS = 2.0
FRONT_END = FrontEnd(FeatureSpec())
SHORT = FrontEnd(FeatureSpec(Decoding(seconds=SECONDS)))
REFERENCE = DATA / f"front_end_v{FRONT_END_VERSION}.npz"

Features = dict[str, "NDArray[np.float32]"]


def heard(signal: Signal, front_end: FrontEnd = SHORT) -> Features:
    return {name: features[0] for name, features in front_end(signal[np.newaxis]).items()}


def summary() -> Features:
    """Every 45th frame of what is heard of beats, chord, chirp and hiss together."""
    features = heard(clicks(126) + tones((0, 4, 7)) + chirp() + hiss(level=0.001), FRONT_END)
    return {name: values[..., ::45] if values.ndim == 2 else values for name, values in features.items()}


def test_the_front_end_does_not_drift_without_a_new_version() -> None:
    # Another FFT and products in float64 move these by 4e-4 dB, 1e-6 and 2e-7.
    tolerances = {"timbre": 5e-3, "harmony": 5e-5, "rhythm": 5e-5}
    with np.load(REFERENCE) as reference:
        assert set(reference) == set(tolerances)
        for name, values in summary().items():
            np.testing.assert_allclose(values, reference[name], rtol=0, atol=tolerances[name], err_msg=name)


def test_shapes_and_types() -> None:
    features = FRONT_END(np.stack([tones((0,)), hiss()]))
    assert {name: values.shape for name, values in features.items()} == {
        "timbre": (2, 160, 900),
        "harmony": (2, 24, 900),
        "rhythm": (2, 320),
    }
    assert all(values.dtype == np.float32 for values in features.values())


def test_a_window_is_heard_alike_alone_and_among_others() -> None:
    windows = np.stack([tones((0, 4, 7), SECONDS), hiss(SECONDS), clicks(120, SECONDS)])
    together = SHORT(windows)
    for row, window in enumerate(windows):
        for name, values in heard(window).items():
            assert np.array_equal(together[name][row], values)


def test_no_windows() -> None:
    assert SHORT(np.zeros((0, 88200), np.float32))["timbre"].shape == (0, 160, 100)


@pytest.mark.parametrize(
    ("windows", "complaint"),
    [
        (np.zeros(88200, np.float32), r"expected windows of the shape \(n, 88200\), got \(88200,\)"),
        (np.zeros((1, 88201), np.float32), r"got \(1, 88201\)"),
        (np.zeros((1, 88200)), "expected float32 samples, got float64"),
        (np.full((1, 88200), np.nan, np.float32), "got NaN or infinity"),
        (np.full((1, 88200), -np.inf, np.float32), "got NaN or infinity"),
    ],
)
def test_what_is_not_a_batch_of_windows_is_refused(windows: NDArray[np.float32], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        SHORT(windows)


def test_silence() -> None:
    features = heard(np.zeros(88200, np.float32))
    np.testing.assert_allclose(features["timbre"], -100, atol=1e-4)
    assert not features["harmony"].any()
    assert not features["rhythm"].any()


def test_silent_frames_between_notes_have_no_harmony() -> None:
    signal = tones((0, 4, 7), SECONDS)
    signal[30000:60000] = 0
    harmony = heard(signal)["harmony"]
    quiet = slice(30000 // HOP + 4, 60000 // HOP - 4)
    assert not harmony[:, quiet].any()
    assert harmony[:, :30].max(axis=0) == pytest.approx(np.ones(30))


@given(arrays(np.float32, 88200, elements=st.floats(-1, 1, width=32), fill=st.just(np.float32(0))))
@settings(max_examples=25)
def test_any_samples_give_finite_features_in_range(signal: Signal) -> None:
    features = heard(signal)
    assert features["timbre"].min() >= -100.001
    assert 0 <= features["harmony"].min() <= features["harmony"].max() <= 1
    assert -1e-6 <= features["rhythm"].min() <= features["rhythm"].max() <= 1 + 1e-6
    assert all(np.isfinite(values).all() for values in features.values())


@given(st.integers(-6, 6))
@settings(max_examples=6)
def test_gain_raises_timbre_by_its_decibels_and_leaves_the_rest(doublings: int) -> None:
    signal = tones((0, 4, 7), SECONDS) + clicks(120, SECONDS) + hiss(SECONDS, 0.01)
    plain, loud = heard(signal), heard(signal * np.float32(2**doublings))
    np.testing.assert_allclose(loud["timbre"] - plain["timbre"], 20 * np.log10(2) * doublings, atol=1e-4)
    assert np.array_equal(plain["harmony"], loud["harmony"])
    assert np.array_equal(plain["rhythm"], loud["rhythm"])


@given(st.integers(1, 20))
@settings(max_examples=6)
def test_a_delay_of_whole_hops_shifts_the_frames(hops: int) -> None:
    signal = hiss(SECONDS)
    delayed = np.concatenate([np.zeros(hops * HOP, np.float32), signal])[: len(signal)]
    before, after = heard(signal)["timbre"], heard(delayed)["timbre"]
    # Frames that reach beyond an end of either signal hear its edge.
    np.testing.assert_allclose(after[:, hops + 3 : -3], before[:, 3 : -3 - hops], atol=0.01)


@pytest.mark.parametrize("semitones", range(12))
def test_a_major_chord_lights_its_notes(semitones: int) -> None:
    chord = tones((semitones, semitones + 4, semitones + 7), SECONDS, harmonics=1)
    chroma = heard(chord)["harmony"].mean(axis=1)
    lit = {(2 * (semitones + interval)) % 24 for interval in (0, 4, 7)}
    assert set(np.argsort(chroma)[-3:].tolist()) == lit


def test_a_quarter_tone_lies_between_two_notes() -> None:
    time = np.arange(88200) / RATE
    sharp_a = (0.3 * np.sin(2 * np.pi * 440 * 2 ** (0.5 / 12) * time)).astype(np.float32)
    assert heard(sharp_a)["harmony"].mean(axis=1).argmax() == 19


@pytest.mark.parametrize("lag", [20, 25, 30, 37, 50])
def test_beats_are_peaks_at_the_multiples_of_their_period(lag: int) -> None:
    rhythm = heard(clicks(60 * RATE / (lag * HOP)), FRONT_END)["rhythm"]
    assert rhythm[0] == pytest.approx(1)
    for peak in range(lag, 151, lag):
        around = rhythm[peak - 5 : peak + 6]
        assert around.argmax() == 5
        assert around[5] > 2 * around.min()


def test_separation_parts_a_chord_from_beats() -> None:
    framing = Framing()
    chord, beats = Spectra(tones((0, 4, 7)), framing, True), Spectra(clicks(120), framing, True)
    inner = slice(3, -3)  # the cut at the ends of a window is a beat of its own
    assert chord.harmonic[inner].sum() > 0.95 * chord.power[inner].sum()
    assert chord.percussive[inner].sum() < 0.01 * chord.mel[inner].sum()
    assert beats.harmonic[inner].sum() < 0.01 * beats.power[inner].sum()
    assert beats.percussive[inner].sum() > 0.95 * beats.mel[inner].sum()


def test_without_separation_both_parts_are_the_whole() -> None:
    whole = Spectra(tones((0,), SECONDS), Framing(), False)
    assert whole.harmonic is whole.power
    assert whole.percussive is whole.mel


def test_separation_keeps_beats_out_of_harmony() -> None:
    whole = FrontEnd(FeatureSpec(SHORT.spec.decoding, hpss=False))
    chord, beats = tones((0, 4, 7), SECONDS), 3 * clicks(300, SECONDS)
    clean = heard(chord)["harmony"]
    errors = [np.abs(heard(chord + beats, ears)["harmony"] - clean)[:, 5:-5].mean() for ears in (SHORT, whole)]
    assert errors[0] < 0.5 * errors[1]


@given(st.integers(1, 40), st.integers(1, 30), st.integers(1, 8))
@settings(max_examples=30)
def test_a_banded_product_is_the_full_product(bins: int, columns: int, group: int) -> None:
    matrix = np.triu(np.tril(np.ones((bins, columns)), 3), -3) * np.arange(1, columns + 1)
    matrix[0] += 1
    left = np.arange(5 * bins, dtype=np.float32).reshape(5, bins)
    np.testing.assert_allclose(BandedMatrix(matrix, group)(left), left @ matrix, rtol=1e-5)


if __name__ == "__main__":
    REFERENCE.parent.mkdir(exist_ok=True)
    np.savez_compressed(REFERENCE, **summary())  # type: ignore[arg-type]  # its stub mistakes names for options


def test_the_weights_of_chroma_are_zero_or_normal() -> None:
    weights = chroma_filters(Framing(22_050, 2_048, 441, 128), 24)
    assert (weights[weights != 0] >= np.finfo(np.float32).tiny).all()
    assert (weights.max(axis=1) > 0).all()
