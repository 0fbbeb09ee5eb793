"""What can be asked of a list, and the sentences for what cannot: each names the option."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beetsplug.resonance.config.options import PLAYLIST_NAMES, SAVED, flag_of
from beetsplug.resonance.search.request import COMPARING, SearchRequest
from resonance_engine.errors import ConfigError
from resonance_engine.playlist.rules import WORKS
from resonance_engine.search.constraints import Caps
from resonance_engine.search.ranking import COMBINES, HUBNESS, RERANKS, Ranking

EXAMPLES = {name: option.example for name, option in SAVED.items() if option.example}
MISTAKES: list[tuple[str, Any, str]] = [
    ("count", 0, "-n must be 1 to 100,000 tracks, not 0."),
    ("count", -3, "-n must be 1 to 100,000 tracks, not -3."),
    ("count", 100_001, "-n must be 1 to 100,000 tracks, not 100001."),
    ("combine", "account", "--combine must be one of agreement, centroid, not 'account'."),
    ("combine", "rerank prf", "--combine must be one of agreement, centroid, not 'rerank prf'."),
    ("rerank", "min_score", "--rerank must be one of none, mmr, not 'min_score'."),
    ("hubness", "hubness", "--hubness must be one of mutual_proximity, none, not 'hubness'."),
    ("key", "key", "--key takes the word compatible, not 'key'."),
    ("prefer", "prefer=count", "--prefer takes a numeric field, as in rating or play_count=-0.5, not 'prefer=count'."),
    ("at", "at", "--at: A passage is written as 1:20-1:50, or in seconds as 80-110, not as 'at'."),
    ("combine", "mean", "--combine must be one of agreement, centroid, not 'mean'."),
    ("hubness", "", "--hubness must be one of mutual_proximity, none, not ''."),
    ("rerank", "MMR", "--rerank must be one of none, mmr, not 'MMR'; did you mean mmr?"),
    ("prf", -1, "--prf is a number of hits, 0 or more, not -1."),
    ("prf", math.nan, "--prf is a number of hits, 0 or more, not nan."),
    (
        "lambda_div",
        math.nan,
        "--lambda-div must lie between 0 (similarity alone) and 1 (diversity alone), not nan.",
    ),
    ("min_score", 1.5, "--min-score must lie between -1 and 1, not 1.5."),
    ("min_score", math.nan, "--min-score must lie between -1 and 1, not nan."),
    ("per_artist", -1, "--per-artist is a number of tracks, 0 for any number, not -1."),
    ("per_album", -2, "--per-album is a number of tracks, 0 for any number, not -2."),
    ("max_length", -1.0, "--max-length must be 0 (any) to 10,000 minutes, not -1."),
    ("max_length", math.nan, "--max-length must be 0 (any) to 10,000 minutes, not nan."),
    ("max_length", math.inf, "--max-length must be 0 (any) to 10,000 minutes, not inf."),
    ("key", "minor", "--key takes the word compatible, not 'minor'."),
    ("key", "", "--key takes the word compatible, not ''."),
    ("prefer", "=2", "--prefer takes a numeric field, as in rating or play_count=-0.5, not '=2'."),
    ("prefer", "rating=", "--prefer takes a numeric field, as in rating or play_count=-0.5, not 'rating='."),
    ("prefer", "rating=much", "--prefer takes a numeric field, as in rating or play_count=-0.5, not 'rating=much'."),
    ("prefer", "rating=nan", "--prefer takes a numeric field, as in rating or play_count=-0.5, not 'rating=nan'."),
    ("prefer", "rating=-11", "--prefer counts a field up to 10 times, or -10 times, not -11."),
    ("prefer", "rating=inf", "--prefer counts a field up to 10 times, or -10 times, not inf."),
    ("at", "1:20", "--at: A passage is written as 1:20-1:50, or in seconds as 80-110, not as '1:20'."),
    ("at", "", "--at: A passage is written as 1:20-1:50, or in seconds as 80-110, not as ''."),
    ("at", "20-21", "--at: The passage 0:20-0:21 lasts 1 s; at least 3 s are needed."),
    ("at", "50-20", "--at: The passage 0:50-0:20 ends before it begins; write the earlier time first."),
    ("file", ("",), "--file has nothing after it; write for example --file song.mp3."),
    ("file", ("a.mp3", " "), "--file has nothing after it; write for example --file song.mp3."),
]


@pytest.mark.parametrize(("name", "value", "said"), MISTAKES)
def test_a_mistake_is_a_sentence_that_names_the_option(name: str, value: Any, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SearchRequest(query=("x",), **{name: value})
    assert str(caught.value) == said


@pytest.mark.parametrize("value", ["fast", "130-120", "5-200", "0-0", "-3", "1e2", "120-", "0.95 to 1.05"])
def test_a_tempo_that_is_none(value: str) -> None:
    with pytest.raises(ConfigError, match=r"^--bpm: (A tempo is written|The bounds of a tempo) ") as caught:
        SearchRequest(bpm=value)
    assert str(caught.value).endswith(f"not {value!r}.")


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_a_weight_of_diversity_that_is_none(value: float) -> None:
    with pytest.raises(ConfigError, match=r"^--lambda-div must lie between 0 \(similarity alone\)"):
        SearchRequest(lambda_div=value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"weights": "rhythm=2", "like": "rhythm"}, "--weights and --like both weigh the facets; give one of them."),
        ({"at": "0:10-0:20", "file": ("a", "b")}, "--at is a passage of one file; give one --file with it."),
        (
            {"lambda_div": 0.5, "rerank": "none"},
            "--lambda-div is the weight of diversity for --rerank mmr; --rerank none has no use for it.",
        ),
    ],
)
def test_options_that_make_no_sense_together(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SearchRequest(query=("x",), **options)
    assert str(caught.value) == said


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "file"])
def test_an_option_without_a_text(name: str) -> None:
    """As from a script whose variable is empty; the example that is given is one that is taken."""
    for empty in ("", "  "):
        with pytest.raises(ConfigError) as caught:
            SearchRequest(**given_as(name, empty))
        assert str(caught.value) == (
            f"{flag_of(name)} has nothing after it; write for example {flag_of(name)} {EXAMPLES[name]}."
        )
    SearchRequest(**given_as(name, EXAMPLES[name].strip("'")))


def given_as(name: str, value: Any) -> dict[str, Any]:
    return {name: value}


def parse(options: dict[str, Any]) -> SearchRequest | str:
    """A request, or the error message."""
    try:
        return SearchRequest(**options)
    except ConfigError as error:
        return str(error)


@given(
    name=st.sampled_from(["at", "bpm", "prefer", "combine", "hubness", "rerank", "key", "like", "weights", "text"]),
    value=st.text(max_size=12) | st.from_regex(r"[0-9.:=-]{1,9}"),
)
def test_any_text_is_taken_or_named(name: str, value: str) -> None:
    request = parse({name: value})
    if isinstance(request, SearchRequest):
        assert SearchRequest(**request.recipe()).options == request.options
    else:
        assert request.startswith(flag_of(name))
        assert request.endswith(".")


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "count": st.integers(-5, 200_000),
            "prf": st.integers(-5, 5),
            "per_artist": st.integers(-3, 3),
            "per_album": st.integers(-3, 3),
            "max_length": st.floats(),
            "min_score": st.floats(),
            "lambda_div": st.floats(),
        },
    )
)
def test_any_number_is_taken_or_named(options: dict[str, Any]) -> None:
    names = tuple("-n" if name == "count" else flag_of(name) for name in options)
    request = parse(options)
    if isinstance(request, str):
        assert request.startswith(names)
        return
    ranking, caps = request.ranking, request.caps(Caps(3, 2))
    assert ranking.count == options.get("count", 20)
    assert (ranking.lambda_div if ranking.rerank == "mmr" else 0) == options.get("lambda_div", 0)
    assert (caps.per_artist, caps.per_album) == (options.get("per_artist", 3), options.get("per_album", 2))


def test_the_choices_are_those_of_the_engine() -> None:
    engine = {"combine": COMBINES, "hubness": HUBNESS, "rerank": RERANKS, "works": WORKS}
    assert {name: SAVED[name].choices for name in engine} == engine


@given(
    st.tuples(st.just("prf"), st.integers(-3, 3) | st.just(math.nan))
    | st.tuples(st.sampled_from(["lambda_div", "min_score"]), st.floats())
)
def test_the_ranges_are_those_of_the_engine(option: tuple[str, float]) -> None:
    name, value = option
    low, high = SAVED[name].range or (0, 0)
    try:
        Ranking(**{name: value})
    except ValueError:
        assert not low <= value <= high
    else:
        assert low <= value <= high


def test_a_weight_of_diversity_asks_for_variety() -> None:
    assert SearchRequest(lambda_div=0.4).ranking.rerank == "mmr"
    assert SearchRequest(rerank="mmr").ranking.lambda_div == 0.3
    assert SearchRequest().ranking.rerank == "none"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [(None, None), ("rating", ("rating", 1.0)), (" play_count = -0.5", ("play_count", -0.5))],
)
def test_a_preference(asked: str | None, expected: tuple[str, float] | None) -> None:
    assert SearchRequest(prefer=asked).preference == expected


def test_seeds_are_tracks_files_or_words() -> None:
    assert SearchRequest().is_seedless
    assert SearchRequest(among=("x",), avoid=("x",), at="0-9").is_seedless
    assert not any(
        each.is_seedless for each in (SearchRequest(query=("x",)), SearchRequest(file=("x",)), SearchRequest(text="x"))
    )


def test_a_recipe_has_what_differs_from_the_defaults() -> None:
    assert SearchRequest().recipe() == {}
    asked: dict[str, Any] = {
        "query": ("a", "b"),
        "avoid": ("c",),
        "count": 7,
        "versions": True,
        "min_score": 0.0,
        "lambda_div": 0.0,
    }
    recipe = SearchRequest(**asked).recipe()
    assert recipe == {name: list(value) if isinstance(value, tuple) else value for name, value in asked.items()}


def test_options_have_the_names_that_are_typed() -> None:
    assert [flag_of(name) for name in ("among", "avoid", "lambda_div", "bpm")] == [
        "--from", "--not", "--lambda-div", "--bpm",
    ]  # fmt: skip
    assert {*COMPARING} < SAVED.keys() - {*PLAYLIST_NAMES}
