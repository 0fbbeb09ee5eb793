"""What holds of every list that `Finder.find` makes, whatever is asked."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beetsplug.resonance.config.settings import Settings, parse_exclusions
from beetsplug.resonance.search.finder import Finder
from beetsplug.resonance.search.request import SearchRequest
from tests.plugin.synthetic_tracks import CHRISTMAS, LONG, SAME, SOUNDS, is_version, tags_of, within_caps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from beetsplug.resonance.search.finder import SearchResult
    from tests.plugin.synthetic_library import SyntheticLibrary

BPM = {"100-130": (100.0, 130.0), "90-180": (90.0, 180.0)}
law = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def wishes(draw: st.DrawFn) -> dict[str, Any]:
    """Seeds, and any of the options."""
    seeds = draw(st.lists(st.integers(1, SOUNDS), min_size=1, max_size=3, unique=True))
    away = draw(st.lists(st.integers(1, SOUNDS).filter(lambda each: each not in seeds), max_size=2, unique=True))
    options = {
        "count": st.integers(1, 30),
        "per_artist": st.integers(0, 3),
        "per_album": st.integers(0, 2),
        "versions": st.just(True),
        "bpm": st.sampled_from([*BPM]),
        "min_score": st.floats(-0.3, 0.5),
        "lambda_div": st.floats(0, 1),
        "prf": st.integers(0, 4),
        "combine": st.sampled_from(["agreement", "centroid"]),
        "hubness": st.sampled_from(["mutual_proximity", "none"]),
        "like": st.sampled_from(["rhythm", "timbre"]),
        "prefer": st.sampled_from(["play_count", "year=-3"]),
        "text": st.sampled_from(["rock", "jazz, not happy"]),
        "among": st.sampled_from([("genres:jazz",), ("id:1..30",), ("genres:jazz", ",", "id:1..20")]),
    }
    chosen = draw(st.fixed_dictionaries({}, optional=options))
    either = {"query": seeds, "avoid": away}
    ids = {name: tuple(" , ".join(f"id:{each}" for each in found).split()) for name, found in either.items()}
    return {**ids, **chosen}


def ids(words: tuple[str, ...]) -> set[int]:
    return {int(word[3:]) for word in words if word != ","}


def scores(found: SearchResult) -> list[tuple[int, float]]:
    return [(hit.item_id, hit.score) for hit in found.hits]


class TestLaws:
    """In a library that excludes Christmas songs, in summer."""

    @pytest.fixture
    def find(self, library: SyntheticLibrary) -> Iterator[Callable[[SearchRequest], SearchResult]]:
        self.shelf = library
        with library.search(Settings(exclude=parse_exclusions("genres:christmas"))) as search:
            yield lambda request: Finder(search, request, "similar", date(2025, 7, 1)).find()

    def may(self, item_id: int, wish: SearchRequest) -> bool:
        """Whether a track may be in a list at all."""
        tempo, said = self.shelf.plan.tempo[item_id - 1], tags_of(item_id)
        tempi = [] if tempo is None else [octave * tempo for octave in (0.5, 1.0, 2.0)]
        low, high = BPM[wish.options["bpm"]] if wish.tempo else (0.0, 0.0)
        among = {
            ("genres:jazz",): said["genres"] == ["Jazz"],
            ("id:1..30",): item_id <= 30,
            ("genres:jazz", ",", "id:1..20"): said["genres"] == ["Jazz"] or item_id <= 20,
        }
        return (
            item_id not in {*CHRISTMAS, LONG, *ids(wish.query), *ids(wish.avoid)}
            and (not wish.tempo or any(low <= each <= high for each in tempi))
            and (not wish.among or among[wish.among])
        )

    def may_join(self, item_id: int, others: list[int], wish: SearchRequest) -> bool:
        if not wish.versions and is_version(item_id, [*others, *ids(wish.query)]):
            return False
        return within_caps(item_id, others, wish.options.get("per_artist", 0), wish.options.get("per_album", 0))

    @law
    @given(asked=wishes())
    def test_rules_hold_and_a_list_is_short_for_nothing_else(
        self, find: Callable[[SearchRequest], SearchResult], asked: dict[str, Any]
    ) -> None:
        wish = SearchRequest(**asked)
        found = find(wish)
        listed = [item_id for item_id, _ in scores(found)]

        assert len({*listed}) == len(listed) <= wish.count
        for place, each in enumerate(listed):
            assert self.may(each, wish)
            assert self.may_join(each, listed[:place], wish)
        assert wish.ranking.min_score is None or all(score >= wish.ranking.min_score for _, score in scores(found))
        is_diverse = wish.ranking.rerank == "mmr" and wish.ranking.lambda_div
        if not (is_diverse or wish.preference):
            assert [score for _, score in scores(found)] == sorted((s for _, s in scores(found)), reverse=True)

        if len(listed) == wish.count:
            assert not any("tracks found" in note for note in found.notes)
            return
        assert f"{len(listed):,} of {wish.count:,} tracks found" in found.notes[-1]
        if wish.ranking.min_score is None:
            others = [each for each in range(1, SOUNDS + 1) if each not in listed and self.may(each, wish)]
            assert not [each for each in others if self.may_join(each, listed, wish)]

    @law
    @given(asked=wishes(), neutral=st.sampled_from([{"lambda_div": 0.0}, {"prf": 0}, {"rerank": "none"}]))
    def test_what_counts_for_nothing_changes_nothing(
        self, find: Callable[[SearchRequest], SearchResult], asked: dict[str, Any], neutral: dict[str, Any]
    ) -> None:
        plain = {name: value for name, value in asked.items() if name not in (*neutral, "lambda_div")}
        assert scores(find(SearchRequest(**plain, **neutral))) == scores(find(SearchRequest(**plain)))

    @law
    @given(asked=wishes(), longer=st.integers(1, 20))
    def test_a_longer_list_begins_with_the_shorter(
        self, find: Callable[[SearchRequest], SearchResult], asked: dict[str, Any], longer: int
    ) -> None:
        """Where caps hold, and no two tracks are weighed against each other."""
        fixed = {"per_artist": 0, "per_album": 1, **asked, "count": 5}
        for name in ("lambda_div", "text"):
            fixed.pop(name, None)
        shorter = scores(find(SearchRequest(**fixed)))
        assert scores(find(SearchRequest(**{**fixed, "count": 5 + longer})))[: len(shorter)] == shorter


def test_the_same_sound_is_the_same_sound_from_either_side(library: SyntheticLibrary) -> None:
    """13 is as long as 1, 14 is not."""
    for one, other in ((1, SAME[0]), (SAME[0], 1)):
        assert other not in library.ids(f"id:{one}", count=59, per_artist=0, per_album=0)
    assert SAME[1] in library.ids("id:1", count=59, per_artist=0, per_album=0)
