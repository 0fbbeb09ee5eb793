"""The vote of neighbours: against a slow loop, without own artists and albums, and abstaining where it should."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from resonance_engine.index.statistics import VectorMoments
from resonance_engine.search.same_sound import measure_spread
from resonance_engine.tagging.suggestions import (
    Proportion,
    VoteAgreement,
    agreement,
    evaluate,
    hold_vote,
    precision_interval,
    suggest,
)
from resonance_engine.tagging.tracks import UNKNOWN, LabelledTracks, build_table
from resonance_engine.tagging.vote import NO_VOTER, VoteSettings, nearest_voters, vote
from tests.embeddings import crowded, unit_vectors, vectors_around

ARTISTS, ALBUMS, GENRES = ("", "Ann", "Bob", "Cid"), ("", "one", "two", "three"), ("rock", "jazz", "folk")


@st.composite
def tables(draw: st.DrawFn, most: int = 40) -> LabelledTracks:
    """Libraries in which names, labels and recordings are missing or shared at random."""
    count = draw(st.integers(1, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return build_table(
        unit_vectors(count, seed=int(rng.integers(2**31))),
        rng.integers(0, max(count - 1, 1), count).tolist(),
        rng.choice(ARTISTS, count).tolist(),
        rng.choice(ALBUMS, count).tolist(),
        [[str(name) for name in rng.choice(GENRES, rng.integers(0, 3), replace=False)] for _ in range(count)],
    )


def is_own(tracks: LabelledTracks, one: int, other: int) -> bool:
    """Whether two tracks share recording, artist or album, or sound as copies do."""
    if tracks.vectors[one] @ tracks.vectors[other] >= 1 - 0.03 * tracks.spread:
        return True
    same = [(codes[one], codes[other]) for codes in (tracks.artists, tracks.albums)]
    return bool(tracks.recordings[one] == tracks.recordings[other] or any(a == b and a != UNKNOWN for a, b in same))


def slow_vote(tracks: LabelledTracks, query: int, settings: VoteSettings) -> list[float]:
    """The shares of the labels of one track, by loops."""
    others = [
        other for other in range(len(tracks)) if tracks.has_label[other].any() and not is_own(tracks, query, other)
    ]
    cosines = tracks.vectors @ tracks.vectors[query]
    chosen = sorted(others, key=lambda other: -cosines[other])[: settings.neighbours]
    owners = [
        ("artist", tracks.artists[each]) if tracks.artists[each] >= 0 else ("album", tracks.albums[each])
        for each in chosen
    ]
    votes = []
    for place, owner in zip(chosen, owners, strict=True):
        rivals = owners.count(owner) if owner[1] >= 0 else 1
        votes.append(max(float(cosines[place]), 0.0) ** settings.power / rivals**settings.sharing)
    total, full = sum(votes), len(chosen) / settings.neighbours
    return [
        full
        * sum(weight for weight, place in zip(votes, chosen, strict=True) if tracks.has_label[place, label])
        / total
        if total
        else 0.0
        for label in range(len(tracks.labels))
    ]


SETTINGS = st.builds(
    VoteSettings, st.integers(1, 12), st.sampled_from([0.0, 1.0, 4.0]), st.sampled_from([0.0, 0.5, 1.0])
)


@given(tables(), SETTINGS)
def test_shares_are_those_of_a_slow_loop(tracks: LabelledTracks, settings: VoteSettings) -> None:
    places = np.arange(len(tracks))
    shares = vote(tracks, nearest_voters(tracks, places, tracks.labelled, settings.neighbours), settings)
    expected = np.array([slow_vote(tracks, place, settings) for place in range(len(tracks))])
    assert np.allclose(shares, expected.reshape(shares.shape), atol=1e-4)


@given(tables(), st.integers(1, 50))
def test_a_track_s_own_recording_artist_and_album_never_vote(tracks: LabelledTracks, count: int) -> None:
    neighbours = nearest_voters(tracks, np.arange(len(tracks)), tracks.labelled, count)
    for query, row in enumerate(neighbours.places.tolist()):
        voters = [place for place in row if place != NO_VOTER]
        assert not [place for place in voters if is_own(tracks, query, place)]
        assert len(set(voters)) == len(voters)
        assert tracks.has_label[voters].any(axis=1).all()


@given(tables())
def test_votes_on_some_tracks_are_those_of_all(tracks: LabelledTracks) -> None:
    votes = hold_vote(tracks, np.arange(len(tracks)), VoteSettings(3))
    some = np.arange(0, len(tracks), 2)
    assert np.allclose(votes.of(some).shares, hold_vote(tracks, some, VoteSettings(3)).shares, atol=1e-5)


@given(tables(), st.floats(0.05, 1.0))
def test_suggestions_reach_the_threshold_and_are_in_order(tracks: LabelledTracks, threshold: float) -> None:
    for row in suggest(tracks, hold_vote(tracks, np.arange(len(tracks)), VoteSettings(5)), threshold):
        confidences = [each.confidence for each in row]
        assert confidences == sorted(confidences, reverse=True)
        assert all(threshold <= each <= 1 for each in confidences)


def make_clusters(near: str = "rock") -> LabelledTracks:
    """Twelve tracks of rock and twelve of jazz by as many artists, and one without a genre in the midst of `near`."""
    vectors = vectors_around([0] * 12 + [1] * 12 + [0 if near == "rock" else 1])
    genres = [["Rock"]] * 12 + [["Jazz"]] * 12 + [[]]
    return build_table(vectors, range(25), [f"artist {number}" for number in range(25)], [""] * 25, genres)


@pytest.mark.parametrize(("near", "genre"), [("rock", "Rock"), ("jazz", "Jazz")])
def test_a_track_gets_the_genre_of_the_tracks_around_it(near: str, genre: str) -> None:
    tracks = make_clusters(near)
    (suggestions,) = suggest(tracks, hold_vote(tracks, np.array([24]), VoteSettings(10)))
    assert [(each.label, each.carriers) for each in suggestions] == [(genre, 10)]
    assert suggestions[0].confidence == pytest.approx(1.0)


def test_between_genres_it_abstains() -> None:
    tracks = make_clusters()
    vectors = tracks.vectors.copy()
    vectors[24] = (np.eye(8, dtype=np.float32)[0] + np.eye(8, dtype=np.float32)[1]) / np.sqrt(2)
    between = LabelledTracks(vectors, tracks.recordings, tracks.artists, tracks.albums, tracks.labels, tracks.has_label)
    neighbours = nearest_voters(between, np.array([24]), between.labelled, 24)
    shares = vote(between, neighbours, VoteSettings(24))
    assert shares.max() == pytest.approx(0.5, abs=0.05)
    assert suggest(between, hold_vote(between, np.array([24]), VoteSettings(24))) == [[]]


def test_a_single_labelled_track_is_no_certainty() -> None:
    tracks = build_table(vectors_around([0, 0]), [1, 2], ["a", "b"], ["", ""], [["Rock"], []])
    assert suggest(tracks, hold_vote(tracks, np.array([1]), VoteSettings()), threshold=0.01) == [[]]
    shares = vote(tracks, nearest_voters(tracks, np.array([1]), tracks.labelled, 10), VoteSettings(10))
    assert shares[0].tolist() == pytest.approx([0.1])


def test_precision_counts_the_labelled_tracks_only() -> None:
    tracks = make_clusters()
    result = evaluate(tracks, hold_vote(tracks, tracks.labelled, VoteSettings(10)))
    assert (result.precision, result.coverage) == (Proportion(24, 24), Proportion(24, 24))
    assert (result.commonest, result.share) == ("Jazz", 0.5)
    assert result.interval == Proportion(24, 24).interval


def test_the_commonest_label_is_that_of_the_tracks_with_a_suggestion() -> None:
    """Thirty tracks of pop, none of which has a suggestion, are no reason to expect pop where there is one."""
    genres = [["Rock"]] * 12 + [["Jazz"]] * 12 + [["Pop"]] * 30
    vectors = np.concatenate([make_clusters().vectors[:24], -vectors_around([0] * 30)])
    tracks = build_table(vectors, range(54), [f"artist {number}" for number in range(54)], [""] * 54, genres)
    votes = hold_vote(tracks, tracks.labelled, VoteSettings(10))
    votes.shares[20:] = 0
    result = evaluate(tracks, votes)
    assert result.coverage == Proportion(20, 54)
    assert (result.commonest, result.share) == ("Rock", 12 / 20)


def test_tracks_of_one_album_are_one_trial() -> None:
    """Ten albums of ten tracks, each all right or all wrong: the interval is that of ten trials, not of a hundred."""
    is_right = np.repeat([True] * 7 + [False] * 3, 10)
    low, high = precision_interval(is_right, np.repeat(np.arange(10), 10).astype(str))
    alone_low, alone_high = Proportion(70, 100).interval
    assert low < alone_low - 0.1
    assert high > alone_high + 0.1
    assert precision_interval(np.ones(30, bool), np.full(30, "one album")) == Proportion(1, 1).interval


def test_a_copy_without_tags_has_no_vote() -> None:
    """The FLAC without an artist is no recording by somebody else than its own MP3."""
    clusters = make_clusters()
    vectors = np.concatenate([clusters.vectors, clusters.vectors[24:] + 0.02 * unit_vectors(1, seed=5)])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    artists = [f"artist {number}" for number in range(24)] + ["", "The Copied"]
    tracks = build_table(vectors, range(26), artists, [""] * 26, [["Rock"]] * 12 + [["Jazz"]] * 12 + [[], ["Polka"]])
    assert 25 not in nearest_voters(tracks, np.array([24]), tracks.labelled, 25).places


@given(tables())
def test_the_spread_is_that_of_the_duplicate_rule(tracks: LabelledTracks) -> None:
    moments = VectorMoments.empty(tracks.vectors.shape[1]).with_vectors(tracks.vectors)
    assert tracks.spread == pytest.approx(measure_spread(moments), abs=1e-6)


def test_tracks_of_a_network_that_holds_all_near_are_no_copies() -> None:
    near = crowded(unit_vectors(400, width=16))
    tracks = build_table(near, range(400), [""] * 400, [""] * 400, [["Rock"]] * 400)
    assert (near @ near.T).min() > 0.85
    assert (near[0] @ near.T > 0.97).sum() > 5
    assert (nearest_voters(tracks, np.array([0]), tracks.labelled, 399).places != NO_VOTER).all()


def test_nothing_is_suggested_of_one_artist_or_without_labels() -> None:
    names = ["The Same"] * 6
    one = build_table(unit_vectors(6), range(6), names, [""] * 6, [["Rock"], ["Jazz"]] * 3)
    assert evaluate(one, hold_vote(one, one.labelled, VoteSettings()))[:2] == (Proportion(0, 0), Proportion(0, 6))
    none = build_table(unit_vectors(6), range(6), names, [""] * 6, [[]] * 6)
    assert suggest(none, hold_vote(none, np.arange(6), VoteSettings())) == [[]] * 6
    assert evaluate(none, hold_vote(none, none.labelled, VoteSettings()))[:2] == (Proportion(0, 0), Proportion(0, 0))


@given(st.integers(1, 300).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))))
def test_intervals_are_those_of_the_beta_distribution(counts: tuple[int, int]) -> None:
    hits, trials = counts
    low, high = Proportion(hits, trials).interval
    assert low == pytest.approx(beta.ppf(0.025, hits, trials - hits + 1) if hits else 0.0)
    assert high == pytest.approx(beta.ppf(0.975, hits + 1, trials - hits) if hits < trials else 1.0)


def test_agreement_counts_what_is_sure_and_what_is_right() -> None:
    shares = np.array([[0.9, 0.1], [0.7, 0.2], [0.5, 0.4], [0.0, 0.0]], np.float32)
    truth = np.array([[True, False], [False, True], [True, False], [True, True]])
    assert agreement(shares, truth, 0.6) == VoteAgreement(Proportion(1, 2), Proportion(2, 4))


def test_spellings_of_a_label_are_one() -> None:
    tracks = build_table(
        unit_vectors(4), range(4), [""] * 4, [""] * 4, [["hip hop"], ["Hip-Hop"], ["Hip-Hop"], ["Pop"]]
    )
    assert tracks.labels == ("Hip-Hop", "Pop")
    assert tracks.has_label.sum(axis=0).tolist() == [3, 1]


def test_unknown_names_are_no_common_artist_or_album() -> None:
    names = ["", "Unknown Album", "Unknown Album"]
    tracks = build_table(unit_vectors(3), range(3), ["", "", ""], names, [["a"]] * 3)
    assert tracks.albums.tolist() == tracks.artists.tolist() == [UNKNOWN] * 3


def test_vectors_that_are_not_finite_are_refused() -> None:
    vectors = unit_vectors(2)
    vectors[0, 0] = np.nan
    with pytest.raises(ValueError, match="finite"):
        build_table(vectors, range(2), ["", ""], ["", ""], [[], []])
    with pytest.raises(ValueError, match="Expected 2 values a column, got 1"):
        build_table(unit_vectors(2), range(2), [""], ["", ""], [[], []])
