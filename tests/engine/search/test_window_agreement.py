"""Two recordings of noise are two recordings; a copy is a copy, whatever a codec does to all of it."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.search.names import TrackMetadata
from resonance_engine.search.ranking import Ranking, query, rank_by_similarity, refine
from resonance_engine.search.same_sound import Sound, is_same_sound, window_agreement
from resonance_engine.search.selection import CandidateTrack, SeedRecordings, SelectionRules, select
from resonance_engine.store.records import Windows
from tests.embeddings import unit_vectors

WIDTH = 128
STARTS = (5.0, 16.0, 27.0, 38.0)


def recording(kind: int, seed: int, variation: float, count: int = 4) -> Windows:
    """Windows around the sound that all recordings of a kind have, each off it by its own `variation`."""
    center = unit_vectors(1, WIDTH, seed=kind)
    vectors = center + variation * unit_vectors(count, WIDTH, seed=1000 + seed)
    return Windows(STARTS[:count], unit(vectors))


def encode(windows: Windows, seed: int, shift: float, error: float) -> Windows:
    """A copy of lower quality: all windows are moved alike by `shift`, and each by `error`."""
    count = len(windows.starts)
    noise = shift * unit_vectors(1, WIDTH, seed=2000 + seed) + error * unit_vectors(count, WIDTH, seed=3000 + seed)
    return Windows(tuple(start + 0.3 for start in windows.starts), unit(windows.vectors + noise))


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def sound(windows: Windows | None, seconds: float = 60.0, vector: np.ndarray | None = None) -> Sound:
    if vector is None:
        assert windows is not None
        vector = unit(windows.vectors.mean(axis=0, keepdims=True))[0]
    return Sound(TrackMetadata(seconds=seconds), vector, lambda: windows)


@given(st.integers(0, 500), st.sampled_from([0.06, 0.1, 0.3, 0.7]), st.floats(0.0, 0.15), st.floats(0.0, 0.4))
def test_a_copy_agrees_and_another_recording_does_not(seed: int, variation: float, shift: float, error: float) -> None:
    one, other = recording(1, seed, variation), recording(1, seed + 501, variation)
    copy = encode(one, seed, shift, error * variation)

    assert is_same_sound(sound(copy), [sound(one)], 1.0)
    assert is_same_sound(sound(one), [sound(copy)], 1.0)
    assert not is_same_sound(sound(other), [sound(one), sound(copy)], 1.0)
    assert window_agreement(one, one) == pytest.approx(1.0)


def test_windows_that_are_alike_show_nothing() -> None:
    loop = recording(1, 0, 0.0)
    assert window_agreement(loop, encode(loop, 0, 0.1, 0.002)) is None
    assert is_same_sound(sound(loop), [sound(encode(loop, 0, 0.1, 0.002))], 1.0)


def test_windows_of_other_places_are_not_compared() -> None:
    one = recording(1, 0, 0.3)
    late = Windows(tuple(start + 30.0 for start in one.starts), one.vectors)
    assert window_agreement(one, late) is None
    assert window_agreement(one, Windows((), np.empty((0, WIDTH), np.float32))) is None
    gap = Windows((one.starts[0], *one.starts[2:]), one.vectors[[0, 2, 3]])
    assert window_agreement(one, gap) == pytest.approx(1.0)


@pytest.mark.parametrize(("cosine", "same"), [(0.96, False), (0.979, False), (0.981, True)])
def test_of_one_window_the_sound_alone_must_show_it(cosine: float, same: bool) -> None:
    windows = recording(1, 0, 0.1, count=1)
    vectors = np.array([[1.0, 0.0], [cosine, np.sqrt(1 - cosine**2)]], np.float32)
    pair = [sound(windows, vector=vector) for vector in vectors]
    assert is_same_sound(pair[0], pair[1:], 1.0) is same
    assert is_same_sound(sound(None, vector=vectors[0]), pair[1:], 1.0), "where no windows are known, lengths decide"


@pytest.mark.parametrize("of_seed", [True, False])
def test_rain_does_not_hide_rain(of_seed: bool) -> None:
    """Twelve recordings of one kind and length, and a copy of each."""
    rain = [recording(1, seed, 0.12) for seed in range(12)]
    windows = [*rain, *(encode(each, seed, 0.03, 0.02) for seed, each in enumerate(rain))]
    vectors = unit(np.stack([each.vectors.mean(axis=0) for each in windows]))
    index = VectorIndex(np.arange(24), vectors)
    assert (vectors @ vectors.T).min() > 0.95
    rules = SelectionRules(versions=False, load_windows=lambda vector_id: windows[vector_id])
    ranking = Ranking(24, hubness="none")

    def load(ids: list[int]) -> dict[int, CandidateTrack]:
        return {each: CandidateTrack(TrackMetadata(title=f"rain {each}", seconds=60.0)) for each in ids}

    seeds = SeedRecordings([TrackMetadata(seconds=60.0)], vectors[:1], lambda place: windows[place])
    ready = refine(query(index, vectors[:1], [0] if of_seed else []), ranking)
    rank = partial(rank_by_similarity, ready, ranking)
    found = select(rank, ranking, rules, load, seeds if of_seed else None)

    recordings = [hit.id % 12 for hit in found.hits]
    assert sorted(recordings) == list(range(1 if of_seed else 0, 12))
