"""Duplicates are the pairs that a comparison of all gives, by each tier of evidence; what is doubtful is none."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.errors import StoreError
from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.search.duplicates import (
    FINGERPRINT,
    RECORDING,
    SOUND,
    DuplicatePair,
    RecordingMetadata,
    compare_recordings,
    find_duplicates,
    fingerprint_distance,
    group_pairs,
    least_agreement,
)
from resonance_engine.search.same_sound import measure_spread
from resonance_engine.store.records import Windows
from tests.embeddings import key, stored, unit_vectors
from tests.engine.search.test_fingerprint import compress, subfingerprints

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

WIDTH = 64
STARTS = (5.0, 25.0, 45.0, 65.0)
WORDS = subfingerprints(300, 1)


def make_windows(recording: int, error: float = 0.0, seed: int = 0, variation: float = 0.4) -> Windows:
    """Windows of a recording, and of its copies with an `error`."""
    center = unit_vectors(1, WIDTH, seed=recording)
    vectors = center + variation * unit_vectors(4, WIDTH, seed=1000 + recording)
    vectors = vectors + error * unit_vectors(4, WIDTH, seed=2000 + seed)
    return Windows(STARTS, stored(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)))


class Shelf:
    """Recordings with their vectors and windows."""

    def __init__(self) -> None:
        self.metadata: list[RecordingMetadata] = []
        self.windows: dict[bytes, Windows] = {}
        self.fingerprints: dict[int, str] = {}
        self.loaded: set[int] = set()
        self.vectors: list[np.ndarray] = []

    def add(self, windows: Windows, seconds: float = 100.0, fingerprint: str = "", **fields: object) -> None:
        number = len(self.metadata) + 1
        mean = windows.vectors.mean(axis=0)
        self.vectors.append((mean / np.linalg.norm(mean)).astype(np.float32))
        self.metadata.append(RecordingMetadata(number, key(number), seconds, **fields))  # type: ignore[arg-type]
        self.windows[key(number)] = windows
        self.fingerprints[number] = fingerprint

    def load(self, content_keys: Collection[bytes]) -> Mapping[bytes, Windows]:
        return {each: self.windows[each] for each in content_keys if each in self.windows}

    def load_fingerprints(self, vector_ids: Collection[int]) -> Mapping[int, str]:
        self.loaded.update(vector_ids)
        return {each: self.fingerprints[each] for each in vector_ids if self.fingerprints[each]}

    def index(self) -> VectorIndex:
        vectors = np.stack(self.vectors) if self.vectors else np.empty((0, WIDTH), np.float32)
        return VectorIndex(np.arange(1, len(self.metadata) + 1), vectors)

    def pairs(self, seeds: Collection[int] | None = None) -> list[DuplicatePair]:
        return find_duplicates(self.metadata, self.index(), self.load, self.load_fingerprints, seeds)

    def all_pairs(self) -> list[DuplicatePair]:
        """Brute force."""
        index = self.index()
        spread = measure_spread(index.moments)
        compared = []
        for one, other in combinations(self.metadata, 2):
            cosine = float(np.dot(*index.vectors([one.vector_id, other.vector_id])))
            bits = fingerprint_distance(self.fingerprints[one.vector_id], self.fingerprints[other.vector_id])
            compared.append((one, other, compare_recordings(one, other, cosine, bits, self.windows, spread)))
        return [DuplicatePair(one.vector_id, other.vector_id, tier) for one, other, tier in compared if tier]


def tier_of(first: Windows, second: Windows, seconds: float = 100.0, **fields: object) -> str:
    """The tier of two recordings among twenty others; `fields` are those of both."""
    shelf = Shelf()
    shelf.add(first, 100.0, **fields)
    shelf.add(second, seconds, **fields)
    for number in range(20):
        shelf.add(make_windows(100 + number))
    pairs = shelf.pairs()
    assert pairs == shelf.all_pairs()
    return pairs[0].tier if pairs else ""


@given(st.lists(st.tuples(st.integers(0, 6), st.floats(0, 0.3), st.floats(-8, 8)), max_size=9), st.integers(0, 99))
def test_the_pairs_are_those_of_a_comparison_of_all(plan: list[tuple[int, float, float]], seed: int) -> None:
    shelf = Shelf()
    for number, (recording, error, seconds) in enumerate(plan):
        ids = {"recordings": frozenset([f"recording {recording}"])} if (number + seed) % 3 == 0 else {}
        shelf.add(make_windows(recording, error, seed + number), 100.0 + seconds, **ids)
    pairs = shelf.all_pairs()
    assert shelf.pairs() == pairs

    seeds = {1, 4}
    assert shelf.pairs(seeds) == [pair for pair in pairs if not seeds.isdisjoint(pair[:2])]
    assert list(group_pairs(pairs)) == joined(pairs)


def joined(pairs: list[DuplicatePair]) -> list[list[int]]:
    """Groups by merging sets until none overlap."""
    groups = [{pair.one, pair.other} for pair in pairs]
    while overlapping := next((two for two in combinations(groups, 2) if two[0] & two[1]), None):
        groups = [group for group in groups if all(group is not each for each in overlapping)]
        groups.append(overlapping[0] | overlapping[1])
    return sorted(sorted(group) for group in groups)


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_and_a_single_recording_have_no_duplicates(count: int) -> None:
    shelf = Shelf()
    for number in range(count):
        shelf.add(make_windows(number))
    assert shelf.pairs() == []


class TestSound:
    def test_a_copy_is_the_same_sound(self) -> None:
        assert tier_of(make_windows(1), make_windows(1, 0.1, seed=3)) == SOUND

    def test_other_lengths_are_other_recordings(self) -> None:
        assert tier_of(make_windows(1), make_windows(1), seconds=105.1) == SOUND
        assert tier_of(make_windows(1), make_windows(1), seconds=106.0) == ""
        assert tier_of(make_windows(1), make_windows(1), seconds=0.0) == ""

    @pytest.mark.parametrize(
        ("cosine", "seconds", "agreement"),
        [
            (0.98, 5.0, 0.65),
            (0.98, 0.2, 0.65),
            (0.96, 5.0, 0.75),
            (0.94, 0.2, 0.8),
            (0.94, 5.0, None),
            (0.98, 6.0, None),
            (0.89, 0.0, None),
        ],
    )
    def test_the_farther_a_sound_the_more_of_its_windows_and_length_must_agree(
        self, cosine: float, seconds: float, agreement: float | None
    ) -> None:
        assert least_agreement(cosine, seconds, spread=1.0) == agreement

    def test_in_a_library_of_near_tracks_copies_are_nearer(self) -> None:
        assert least_agreement(0.98, 5.0, spread=0.1) is None
        assert least_agreement(0.998, 5.0, spread=0.1) == 0.65

    def test_windows_that_differ_otherwise_are_another_recording(self) -> None:
        one = make_windows(1, variation=0.1)
        other = Windows(STARTS, one.vectors[[1, 2, 3, 0]])
        assert tier_of(one, other) == ""

    def test_a_loop_and_too_few_windows_show_nothing(self) -> None:
        loop = make_windows(1, variation=0.0)
        assert tier_of(loop, loop) == ""
        few = Windows(STARTS[:2], make_windows(1).vectors[:2])
        assert tier_of(few, few) == ""

    def test_without_windows_nothing_is_shown(self) -> None:
        shelf = Shelf()
        for _ in range(2):
            shelf.add(make_windows(1))
        shelf.windows.clear()
        assert shelf.pairs() == []

    def test_windows_that_are_no_numbers_are_an_error(self) -> None:
        shelf = Shelf()
        for _ in range(2):
            shelf.add(make_windows(1))
        shelf.windows[key(2)].vectors[0, 0] = np.nan
        with pytest.raises(StoreError, match="The data of a track is damaged; run `beet resonance check --repair`"):
            shelf.pairs()


class TestRecording:
    SAME = {"recordings": frozenset(["recording"])}  # noqa: RUF012 - read only

    def test_the_same_id_is_the_same_recording_where_the_sound_is_near(self) -> None:
        near = make_windows(1, 0.5, seed=3)
        assert tier_of(make_windows(1), near, seconds=112.0) == ""
        assert tier_of(make_windows(1), near, seconds=112.0, **self.SAME) == RECORDING
        assert tier_of(make_windows(1), make_windows(1), seconds=0.0, **self.SAME) == RECORDING

    def test_a_sound_or_a_length_that_contradicts_is_another_recording(self) -> None:
        assert tier_of(make_windows(1), make_windows(2), **self.SAME) == ""
        assert tier_of(make_windows(1), make_windows(1), seconds=116.0, **self.SAME) == ""

    def test_an_id_that_half_of_a_library_has_is_compared_among_neighbours_alone(self) -> None:
        shelf = Shelf()
        for number in range(60):
            shelf.add(make_windows(number), **self.SAME)
        shelf.add(make_windows(7, 0.1), **self.SAME)
        assert shelf.pairs() == [DuplicatePair(8, 61, RECORDING)]


class TestFingerprint:
    LOOP = make_windows(1, variation=0.0)

    def test_equal_fingerprints_show_what_windows_do_not(self) -> None:
        assert tier_of(self.LOOP, self.LOOP, fingerprint=compress(WORDS)) == FINGERPRINT
        assert tier_of(self.LOOP, self.LOOP, fingerprint="damaged") == ""

    def test_an_acoustid_shows_it_where_the_sound_is_near(self) -> None:
        same = {"acoustids": frozenset(["id"])}
        assert tier_of(self.LOOP, self.LOOP, **same) == FINGERPRINT
        assert tier_of(make_windows(1), make_windows(2), **same) == ""

    def test_fingerprints_that_differ_rule_out_every_tier(self) -> None:
        for fields in ({}, {"recordings": frozenset("r")}, {"acoustids": frozenset("a")}):
            shelf = Shelf()
            shelf.add(make_windows(1), fingerprint=compress(WORDS), **fields)
            shelf.add(make_windows(1), fingerprint=compress(subfingerprints(300, 2)), **fields)
            assert shelf.pairs() == []

    @pytest.mark.parametrize(("share", "tiers"), [(0.06, [SOUND, RECORDING]), (0.2, ["", RECORDING]), (0.45, ["", ""])])
    def test_two_takes_of_one_sound_differ_in_their_fingerprints(self, share: float, tiers: list[str]) -> None:
        flips = np.packbits(np.random.default_rng(3).random((len(WORDS), 32)) < share, axis=1).view(np.uint32)[:, 0]
        shown = []
        for fields in ({}, {"recordings": frozenset("r")}):
            shelf = Shelf()
            shelf.add(make_windows(1), fingerprint=compress(WORDS), **fields)
            shelf.add(make_windows(1), fingerprint=compress(WORDS ^ flips), **fields)
            shown.append(shelf.pairs()[0].tier if shelf.pairs() else "")
        assert shown == tiers

    def test_only_those_of_plausible_pairs_are_loaded(self) -> None:
        shelf = Shelf()
        for number in (*range(20), 3):
            shelf.add(make_windows(number), fingerprint=compress(WORDS))
        shelf.pairs({21})
        assert shelf.loaded == {4, 21}
