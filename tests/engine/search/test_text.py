"""Words about music: what is understood of them, what is named as unknown, and which recordings fit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.search.text.parser import parse_text, vocabulary
from resonance_engine.search.text.scoring import combine, fits, measures, soft_minimum
from resonance_engine.search.text.synonyms import MEASURES, SYNONYMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from resonance_engine.search.text.parser import TextQuery

# The 50 most frequent tags of the Million Song Dataset, which musicnn gives.
TAGS = (
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s", "alternative rock", "jazz",
    "beautiful", "metal", "chillout", "male vocalists", "classic rock", "soul", "indie rock", "mellow", "electronica",
    "80s", "folk", "90s", "chill", "instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic",
    "experimental", "female vocalist", "guitar", "hip-hop", "70s", "party", "country", "easy listening", "sexy",
    "catchy", "funk", "electro", "heavy metal", "progressive rock", "60s", "rnb", "indie pop", "sad", "house", "happy",
)  # fmt: skip
KNOWN = frozenset(vocabulary(TAGS))


def read(text: str) -> TextQuery:
    return parse_text(text, TAGS)


def phrases(text: str) -> list[tuple[str, float]]:
    return [(part.phrase, part.weight) for part in read(text).parts]


def scores(
    asked: TextQuery,
    tags: Sequence[str],
    probabilities: NDArray[np.float32],
    measured: Mapping[str, NDArray[np.float64]],
) -> NDArray[np.float64]:
    """How well recordings fit all that is asked, as `--text` ranks them."""
    parts = fits(asked, tags, probabilities, measured)
    return soft_minimum(parts, [abs(part.weight) for part in asked.parts])


class TestReading:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("upbeat pop with electronic elements", [("upbeat", 1), ("pop", 1), ("electronic", 1)]),
            ("some HARD ROCK, please!", [("hard rock", 0.5)]),
            ("hip hop / Hip-Hop / R&B", [("hip hop", 1), ("hip hop", 1), ("r and b", 1)]),
            ("something from the '80s or the 1980's", [("80s or 1980s", 1)]),
            ("drum'n'bass; drum & bass", [("drum n bass", 1), ("drum and bass", 1)]),
            ("guitars and female vocals", [("guitars", 1), ("female vocals", 1)]),
            ("in a minor key", [("minor key", 1)]),
            ("very slow, slightly dark", [("slow", 1.5), ("dark", 0.5)]),
            ("", []),
            ("music that I like", []),
        ],
    )
    def test_the_longest_known_phrases_count(self, text: str, expected: list[tuple[str, float]]) -> None:
        assert phrases(text) == expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("no vocals", [("vocals", -1)]),
            ("not sad", [("sad", -1)]),
            ("pop -rock", [("pop", 1), ("rock", -1)]),
            ("-rock pop", [("rock", -1), ("pop", 1)]),
            ("non-vocal jazz", [("vocal", -1), ("jazz", 1)]),
            ("it isn't sad", [("sad", -1)]),
            ("not very slow", [("slow", -1.5)]),
            ("no guitar or drums, but dance", [("guitar", -1), ("drums", -1), ("dance", 1)]),
            ("without guitar and drums and vocals, jazz", [("guitar", -1), ("drums", -1), ("vocals", -1), ("jazz", 1)]),
            ("no guitar and fast", [("guitar", -1), ("fast", 1)]),
            ("not sad, fast", [("sad", -1), ("fast", 1)]),
            ("fast or not sad", [("fast", 1), ("sad", -1)]),
            ("not without vocals", [("vocals", 1)]),
            ("no, jazz", [("jazz", 1)]),
        ],
    )
    def test_negations_turn_what_they_are_about(self, text: str, expected: list[tuple[str, float]]) -> None:
        assert phrases(text) == expected
        assert read(text).unknown == ()

    def test_either_of_two_will_do(self) -> None:
        (part,) = read("jazz or very blues or soul").parts
        assert (part.phrase, part.weight) == ("jazz or blues or soul", 1.0)
        assert [dict(meaning.tags) for meaning in part.meanings] == [{"jazz": 1.0}, {"blues": 1.0}, {"soul": 1.0}]

    def test_unknown_words_are_named_with_what_is_near(self) -> None:
        found = read("elektronic with no drumz and a piano, 120 bpm")
        assert found.parts == ()
        assert [each.word for each in found.unknown] == ["elektronic", "drumz", "piano", "120", "bpm"]
        assert "electronic" in found.unknown[0].near
        assert "drum" in found.unknown[1].near

    def test_a_negation_ends_with_an_unknown_word(self) -> None:
        assert phrases("no zither jazz") == [("jazz", 1)]

    def test_only_what_the_model_gives_is_known(self) -> None:
        assert [each.word for each in parse_text("groovy fast sad", ("funk",)).unknown] == ["sad"]
        (groovy, _) = parse_text("groovy fast", ("funk",)).parts
        assert dict(groovy.meanings[0].tags) == {"funk": 1.0}
        assert [part.phrase for part in parse_text("fast rock", ()).parts] == ["fast"]
        assert [part.phrase for part in parse_text("Zydeco-Punk!", ("zydeco punk",)).parts] == ["zydeco punk"]

    def test_the_attributes_that_are_asked_for(self) -> None:
        assert read("slow rock in minor, calm").attributes == ("tempo", "key", "energy")
        assert read("rock").attributes == ()

    @given(st.text(max_size=60))
    def test_any_text_is_read_and_none_of_it_twice(self, text: str) -> None:
        found = read(text)
        assert all(part.meanings and part.weight for part in found.parts)
        assert not {each.word for each in found.unknown} & KNOWN

    @given(st.lists(st.sampled_from([*sorted(KNOWN), "no", "or", "and", "without", ",", "zither"]), max_size=8))
    def test_every_known_phrase_counts(self, words: list[str]) -> None:
        found = read(" , ".join(words))
        known = [word for word in words if word in KNOWN]
        assert [part.phrase for part in found.parts] == known
        assert len(found.unknown) == words.count("zither")


class TestSynonyms:
    def test_each_means_tags_and_measures_that_there_are(self) -> None:
        terms = {*TAGS, *MEASURES}
        for phrases_, sum_ in SYNONYMS.items():
            for term in sum_.split(","):
                name, _, weight = term.strip().rpartition(" ")
                assert term.strip() in terms or (name in terms and float(weight) != 0), (phrases_, term)

    def test_no_phrase_has_two_meanings(self) -> None:
        named = [phrase.strip() for phrases_ in SYNONYMS for phrase in phrases_.split(",")]
        named += [*TAGS, *MEASURES]
        assert len(named) == len(set(named))

    def test_each_is_read_as_a_whole(self) -> None:
        for phrase in (phrase.strip() for phrases_ in SYNONYMS for phrase in phrases_.split(",")):
            assert phrases(phrase) == [(phrase, 1.0)]


def library(**probabilities: list[float]) -> np.ndarray:
    """Probabilities of all tags, those that are not named alike in all recordings."""
    count = len(next(iter(probabilities.values())))
    columns = [probabilities.get(name.replace(" ", "_"), [0.1] * count) for name in TAGS]
    return np.array(columns, np.float32).T


class TestFit:
    def test_one_word_ranks_by_its_tag(self) -> None:
        found = scores(read("sad"), TAGS, library(sad=[0.001, 0.02, 0.004, 0.3]), {})
        assert list(np.argsort(found)) == [0, 2, 1, 3]
        np.testing.assert_allclose([found.mean(), found.std()], [0, 1], atol=1e-6)
        np.testing.assert_allclose(scores(read("not sad"), TAGS, library(sad=[0.001, 0.02, 0.004, 0.3]), {}), -found)

    def test_a_rare_tag_counts_as_much_as_a_common_one(self) -> None:
        rare, common = [0.001, 0.002, 0.004, 0.008], [0.8, 0.66667, 0.5, 0.33333]
        probabilities = library(happy=rare, rock=common)
        happy, rock = fits(read("happy rock"), TAGS, probabilities, {})
        np.testing.assert_allclose(happy, -rock, atol=0.02)

    def test_all_words_have_to_fit(self) -> None:
        probabilities = library(jazz=[0.9, 0.5, 0.1, 0.01], sad=[0.01, 0.5, 0.1, 0.9])
        assert np.argmax(scores(read("sad jazz"), TAGS, probabilities, {})) == 1
        assert np.argmax(scores(read("sad jazz"), TAGS, probabilities[:, ::-1], {})) != 1

    def test_either_word_may_fit(self) -> None:
        probabilities = library(jazz=[0.9, 0.3, 0.1, 0.01], sad=[0.01, 0.3, 0.1, 0.9])
        assert set(np.argsort(scores(read("sad or jazz"), TAGS, probabilities, {}))[2:]) == {0, 3}

    def test_a_heavy_word_decides(self) -> None:
        probabilities = library(jazz=[0.9, 0.1, 0.3], sad=[0.1, 0.9, 0.3])
        assert np.argmax(scores(read("very sad, slightly jazz"), TAGS, probabilities, {})) == 1
        assert np.argmax(scores(read("slightly sad, very jazz"), TAGS, probabilities, {})) == 0

    def test_measures_count_like_tags(self) -> None:
        measured = {"tempo": np.log2([60.0, 90.0, 180.0]), "mode": np.array([1.0, -1.0, np.nan])}
        probabilities = library(sad=[0.1, 0.1, 0.1])
        assert list(np.argsort(scores(read("fast"), TAGS, probabilities, measured))) == [0, 1, 2]
        assert list(np.argsort(scores(read("minor"), TAGS, probabilities, measured))) == [0, 2, 1]
        assert scores(read("bright"), TAGS, probabilities, measured).tolist() == [0, 0, 0]

    def test_certainty_stays_finite(self) -> None:
        found = scores(read("no sad jazz"), TAGS, library(sad=[0.0, 1.0, 0.5], jazz=[1.0, 1.0, 1.0]), {})
        assert np.isfinite(found).all()

    def test_one_recording_or_none(self) -> None:
        assert scores(read("sad"), TAGS, library(sad=[0.5]), {}).tolist() == [0.0]
        assert scores(read("sad"), TAGS, np.empty((0, 50), np.float32), {}).shape == (0,)

    def test_nothing_understood_is_refused(self) -> None:
        with pytest.raises(ValueError, match="nothing that is asked is understood"):
            scores(read("zither"), TAGS, library(sad=[0.5]), {})

    @given(st.lists(st.floats(-4, 4), min_size=1, max_size=6), st.floats(-4, 4))
    def test_a_soft_minimum_lies_between_the_least_and_the_mean(self, parts: list[float], other: float) -> None:
        column = np.array(parts)[:, None]
        found = float(soft_minimum(column, [1.0] * len(parts))[0])
        assert min(parts) - 1e-9 <= found <= np.mean(parts) + 1e-9
        assert soft_minimum(np.full((3, 1), other), [0.5, 1, 1.5])[0] == pytest.approx(other)

    @given(st.integers(0, 2**32 - 1))
    def test_the_order_of_recordings_does_not_matter(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        probabilities = rng.random((12, 50), np.float32)
        order = rng.permutation(12)
        asked = read("happy jazz or rock, no guitar")
        np.testing.assert_allclose(
            scores(asked, TAGS, probabilities, {})[order], scores(asked, TAGS, probabilities[order], {}), atol=1e-9
        )


def test_measures_of_attributes_by_id() -> None:
    attributes: dict[str, list[object]] = {
        "tempo": [120.0, None, 60.0],
        "key": ["A minor", None, "F# major"],
        "energy": [-10.0, -20, "loud"],
        "brightness": [1024.0, 0.0, 2048.0],
        "duration": [1.0, 2.0, 3.0],
    }
    found = measures(np.array([7, 5, 2, 3]), np.array([2, 5, 7]), attributes)
    assert found.keys() == {"tempo", "mode", "energy", "brightness"}
    np.testing.assert_allclose(found["tempo"], np.log2([60, np.nan, 120, np.nan]))
    np.testing.assert_allclose(found["mode"], [1, np.nan, -1, np.nan])
    np.testing.assert_allclose(found["energy"], [np.nan, -20, -10, np.nan])
    np.testing.assert_allclose(found["brightness"], [11, np.nan, 10, np.nan])


class TestCombined:
    SIMILARITY = np.array([0.9, 0.5, 0.1], np.float32)

    def test_its_ends_are_similarity_and_words(self) -> None:
        fit = np.array([-1.0, 0.0, 3.0])
        np.testing.assert_allclose(combine(self.SIMILARITY, fit, 0.0), self.SIMILARITY)
        spoken = combine(self.SIMILARITY, fit, 1.0)
        assert list(np.argsort(spoken)) == [0, 1, 2]
        assert spoken.mean() == pytest.approx(0.5, abs=1e-6)

    def test_it_is_a_cosine_still(self) -> None:
        near = np.array([0.99, 0.5, 0.1], np.float32)
        assert combine(near, np.array([9.0, 0.0, 0.0]), 1.0).max() == 1.0

    def test_no_recordings_have_no_scores(self) -> None:
        assert combine(self.SIMILARITY[:0], np.empty(0)).shape == (0,)

    def test_a_share_that_is_none_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"between 0 and 1, not 1\.5"):
            combine(self.SIMILARITY, self.SIMILARITY.astype(float), 1.5)


def test_alternatives_keep_the_weight_of_the_first() -> None:
    (part,) = read("very fast or loud").parts
    assert part == replace(part, phrase="fast or loud", weight=1.5)
