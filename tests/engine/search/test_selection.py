"""From a query to the list that is shown: no seed, no version, no more than a cap, and short for a reason only."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.search.constraints import Caps
from resonance_engine.search.names import TrackMetadata
from resonance_engine.search.ranking import AVOIDANCE, Ranking, query, rank_by_similarity, refine
from resonance_engine.search.selection import (
    ALBUM,
    ARTIST,
    GONE,
    SCORE,
    SOUND,
    VERSION,
    CandidateTrack,
    SeedRecordings,
    Selection,
    SelectionRules,
    favour_bonus,
    find_neighbours,
    select,
)
from tests.embeddings import stored, unit_vectors

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from resonance_engine.search.ranking import CandidatePool, Query

COUNT = 300
IDS = np.arange(COUNT, dtype=np.int64) * 2 + 5
VECTORS = stored(unit_vectors(COUNT))
INDEX = VectorIndex(IDS, VECTORS)
EVERY = {int(each) for each in IDS}
TRACKS = {
    int(each): TrackMetadata(f"artist {i % 40}" if i % 7 else "", f"album {i % 90}", f"title {i}", seconds=60.0 + 7 * i)
    for i, each in enumerate(IDS)
}
FIXED = frozenset({"per_artist", "per_album"})
FREE = SelectionRules()
USUAL = SelectionRules(Caps(3, 2), versions=False)


def load(ids: list[int]) -> dict[int, CandidateTrack]:
    return {each: CandidateTrack(TRACKS[each]) for each in ids}


def selected(
    asked: Query,
    ranking: Ranking,
    rules: SelectionRules,
    load: Callable[[list[int]], dict[int, CandidateTrack]] = load,
    seeds: SeedRecordings | None = None,
) -> Selection:
    """What a query selects, as the product asks it."""
    return select(partial(rank_by_similarity, refine(asked, ranking), ranking), ranking, rules, load, seeds)


def circle(*degrees: float) -> NDArray[np.float32]:
    angle = np.radians(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


class TestLaws:
    @given(
        seeds=st.sets(st.integers(0, COUNT - 1), min_size=1, max_size=70),
        allowed=st.none() | st.sets(st.integers(0, COUNT - 1), max_size=150),
        ranking=st.builds(
            Ranking,
            count=st.integers(1, 40),
            prf=st.integers(0, 6),
            rerank=st.sampled_from(["none", "mmr"]),
            lambda_div=st.floats(0, 1),
            combine=st.sampled_from(["agreement", "centroid"]),
            hubness=st.sampled_from(["mutual_proximity", "none"]),
            min_score=st.none() | st.floats(-1, 1),
        ),
        rules=st.builds(
            SelectionRules,
            st.builds(Caps, st.integers(0, 3), st.integers(0, 3), st.just(FIXED)),
            st.booleans(),
            st.floats(-2, 2),
        ),
        avoid=st.integers(0, 2),
        refused=st.sets(st.integers(0, COUNT - 1), max_size=50),
    )
    def test_rules_hold_and_a_short_list_is_explained(
        self,
        seeds: set[int],
        allowed: set[int] | None,
        ranking: Ranking,
        rules: SelectionRules,
        avoid: int,
        refused: set[int],
    ) -> None:
        own = {int(IDS[i]) for i in seeds}
        may = EVERY if allowed is None else {int(IDS[i]) for i in allowed}
        bad = {int(IDS[i]) for i in refused}
        asked = query(INDEX, VECTORS[sorted(seeds)], own, None if allowed is None else may, unit_vectors(avoid, seed=4))

        def load_some(ids: list[int]) -> dict[int, CandidateTrack]:
            values = {each: float(each % 5) if each % 3 else math.nan for each in ids}
            return {each: CandidateTrack(TRACKS[each], "tempo" if each in bad else "", values[each]) for each in ids}

        recordings = SeedRecordings([TRACKS[each] for each in sorted(own)], VECTORS[sorted(seeds)])
        found = selected(asked, ranking, rules, load_some, recordings)
        listed = [each.id for each in found.hits]
        assert len(listed) == len(set(listed)) <= ranking.count
        assert not own.intersection(listed)
        assert not bad.intersection(listed)
        assert may.issuperset(listed)
        for most, name in ((rules.caps.per_artist, "artist"), (rules.caps.per_album, "album")):
            names = [getattr(TRACKS[each], name) for each in listed]
            assert not most or all(names.count(each) <= most for each in names if each)
        assert all(ranking.min_score is None or each.score >= ranking.min_score for each in found.hits)
        assert all(each.score <= 1 for each in found.hits)
        if len(listed) < ranking.count:
            assert found.exhausted or found.rejected[SCORE]
            if found.exhausted:
                assert len(listed) + found.rejected.total() == len(may - own)

    @settings(max_examples=25)
    @given(count=st.integers(1, 60), seeds=st.integers(1, 5), prf=st.integers(0, 3))
    def test_diversity_of_0_is_the_plain_ranking(self, count: int, seeds: int, prf: int) -> None:
        plain = Ranking(count, prf=prf)
        asked = query(INDEX, VECTORS[:seeds], IDS[:seeds].tolist())
        diverse = replace(plain, rerank="mmr", lambda_div=0.0)
        assert selected(asked, diverse, USUAL).hits == selected(asked, plain, USUAL).hits
        everything = selected(asked, plain, FREE).hits
        assert everything == find_neighbours(INDEX, VECTORS[:seeds], plain, IDS[:seeds].tolist())

    @settings(max_examples=10)
    @given(seeds=st.integers(1, 5), combine=st.sampled_from(["agreement", "centroid"]))
    def test_feedback_of_no_hits_changes_nothing(self, seeds: int, combine: str) -> None:
        asked = query(INDEX, VECTORS[:seeds])
        nothing = query(INDEX, VECTORS[:seeds], allowed=[])
        unmoved, plain = (refine(nothing, Ranking(9, prf=prf, combine=combine)) for prf in (5, 0))
        np.testing.assert_array_equal(unmoved.layers[0].seeds, plain.layers[0].seeds)
        hits = selected(asked, Ranking(9, prf=0, combine=combine), FREE).hits
        assert hits == selected(asked, Ranking(9, combine=combine), FREE).hits
        assert hits != selected(asked, Ranking(9, prf=5, combine=combine), FREE).hits

    def test_everybody_is_asked_about_a_track_once(self) -> None:
        asked: list[int] = []

        def load_few(ids: list[int]) -> dict[int, CandidateTrack]:
            asked.extend(ids)
            return {each: CandidateTrack(TRACKS[each]) for each in ids if each == 77}

        found = selected(query(INDEX, VECTORS[:1]), Ranking(5), USUAL, load_few)
        assert [each.id for each in found.hits] == [77]
        assert sorted(asked) == sorted(EVERY)
        assert found.rejected == {GONE: COUNT - 1}
        assert found.exhausted

    def test_caps_give_way_over_candidates_that_are_known(self) -> None:
        """Of one artist there are as many as the list has, and no ranking or metadata is asked for twice."""
        sizes: list[int] = []
        asked: list[int] = []
        ranking = Ranking(20)
        ready = refine(query(INDEX, VECTORS[:1]), ranking)

        def rank(size: int) -> CandidatePool:
            sizes.append(size)
            return rank_by_similarity(ready, ranking, size)

        def load_one_artist(ids: list[int]) -> dict[int, CandidateTrack]:
            asked.extend(ids)
            return {each: CandidateTrack(TRACKS[each]._replace(artist="one")) for each in ids}

        caps = Caps(3, 0)
        found = select(rank, ranking, SelectionRules(caps), load_one_artist)
        fixed = select(rank, ranking, SelectionRules(replace(caps, fixed=FIXED)), load_one_artist)
        assert len(found.hits) == 20
        assert found.rejected[ARTIST] == 0
        assert sizes[: len(sizes) // 2] == [100, 400]
        assert sorted(asked[: len(asked) // 2]) == sorted(EVERY)
        assert len(fixed.hits) == 3
        assert fixed.rejected == {ARTIST: COUNT - 3}

    def test_a_score_that_nothing_reaches_does_not_read_the_whole_library(self) -> None:
        seen: list[int] = []

        def load_noted(ids: list[int]) -> dict[int, CandidateTrack]:
            seen.extend(ids)
            return load(ids)

        found = selected(query(INDEX, VECTORS[:1], [5]), Ranking(5, min_score=0.999), USUAL, load_noted)
        assert found.hits == []
        assert len(seen) < COUNT / 2
        assert found.rejected == {SCORE: len(seen)}


def capped(per_artist: int, per_album: int) -> SelectionRules:
    return SelectionRules(Caps(per_artist, per_album, FIXED), versions=False)


class TestRules:
    def listed(
        self, tracks: list[TrackMetadata], rules: SelectionRules, seeds: SeedRecordings | None = None
    ) -> tuple[list[int], dict[str, int]]:
        """What is listed of tracks that lie 20 degrees apart, for a query at the first."""
        vectors = circle(*(20 * i for i in range(len(tracks))))
        index = VectorIndex(np.arange(len(tracks)), vectors)
        ranking = Ranking(10, hubness="none")

        def look(ids: list[int]) -> dict[int, CandidateTrack]:
            return {i: CandidateTrack(tracks[i]) for i in ids}

        found = selected(query(index, vectors[:1]), ranking, rules, look, seeds)
        return [each.id for each in found.hits], dict(found.rejected)

    def test_caps(self) -> None:
        tracks = [
            TrackMetadata("The Who", "A"),
            TrackMetadata("Who", "B"),
            TrackMetadata("WHO", "C"),
            TrackMetadata("", "D"),
        ]
        assert self.listed(tracks, capped(2, 0)) == ([0, 1, 3], {ARTIST: 1})
        tracks = [TrackMetadata("a", "X"), TrackMetadata("b", "x"), TrackMetadata("c", ""), TrackMetadata("d", "")]
        assert self.listed(tracks, capped(0, 1)) == ([0, 2, 3], {ALBUM: 1})

    def test_various_artists_are_nobody(self) -> None:
        tracks = [TrackMetadata("", f"album {i}", f"title {i}") for i in range(8)]
        assert self.listed(tracks, capped(1, 1))[0] == list(range(8))

    def test_versions_of_seeds_and_of_each_other(self) -> None:
        tracks = [
            TrackMetadata("a", "1", "Song"),
            TrackMetadata("a", "2", "Song (Live)"),
            TrackMetadata("b", "3", "Hymn", work="w"),
            TrackMetadata("c", "4", "Psalm", work="w"),
        ]
        seeds = SeedRecordings([TrackMetadata("d", "5", "Hymn", work="w")], np.empty((0, 2), np.float32))
        assert self.listed(tracks, USUAL) == ([0, 2], {VERSION: 2})
        assert self.listed(tracks, USUAL, seeds) == ([0], {VERSION: 3})
        assert self.listed(tracks, FREE, seeds)[0] == [0, 1, 2, 3]

    @pytest.mark.parametrize(
        ("degrees", "seconds", "other", "same"),
        [
            (14, 200, 203, True),
            (14, 125, 129.9, True),
            (14, 125, 131, False),
            (14, 200, 260, False),
            (14, 200, 0, False),
            (5, 0, 200, True),
            (25, 200, 200, False),
        ],
    )
    def test_the_same_sound(self, degrees: float, seconds: float, other: float, same: bool) -> None:
        tracks = [TrackMetadata(seconds=seconds), TrackMetadata(seconds=other)]
        vectors = circle(0, degrees)
        index = VectorIndex(np.arange(2), vectors)

        def look(ids: list[int]) -> dict[int, CandidateTrack]:
            return {i: CandidateTrack(tracks[i]) for i in ids}

        ranking = Ranking(hubness="none")
        among = selected(query(index, vectors[:1]), ranking, USUAL, look)
        seed = SeedRecordings(tracks[:1], vectors[:1])
        of_seed = selected(query(index, vectors[:1], [0]), ranking, USUAL, look, seed)
        assert among.rejected == of_seed.rejected == ({SOUND: 1} if same else {})

    def test_rules_that_cannot_be(self) -> None:
        with pytest.raises(ValueError, match="between -10 and 10, not nan"):
            SelectionRules(favour=float("nan"))


def test_favoured_values_move_scores_by_rank() -> None:
    values = [0.0, 5.0, 1000.0, math.nan]
    np.testing.assert_allclose(favour_bonus(values, 1.0), [-0.05, 0, 0.05, 0])
    np.testing.assert_allclose(favour_bonus(values, -2.0), [0.1, 0, -0.1, 0])
    np.testing.assert_array_equal(favour_bonus([0.0, math.nan], 1.0), [0, 0])


def test_negative_seeds_cost_what_they_are_nearer_than_chance() -> None:
    plain = rank_by_similarity(query(INDEX, SEED, EVERY - set(IDS[10:])), Ranking(hubness="none"), COUNT)
    asked = query(INDEX, SEED, EVERY - set(IDS[10:]), avoid=circle_of_two())
    avoiding = rank_by_similarity(asked, Ranking(hubness="none"), COUNT)
    before = dict(zip(plain.ids.tolist(), plain.scores, strict=True))
    for vector_id, score in zip(avoiding.ids.tolist(), avoiding.scores, strict=True):
        (vector,) = INDEX.vectors([vector_id])
        near = max(float(vector @ each) for each in circle_of_two()) - INDEX.moments.mean
        assert score == pytest.approx(before[vector_id] - AVOIDANCE * max(near, 0), abs=1e-5)


SEED = VECTORS[:1]


def circle_of_two() -> NDArray[np.float32]:
    return unit_vectors(2, seed=8)
