"""Vocals, speech and spoken recordings, by the probabilities of tags, and the tags that are sure enough to be shown."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.encoder.backends import OnnxBackend
from resonance_engine.encoder.model_files import SHIPPED
from resonance_engine.search.explain import common_sure_tags, common_traits, common_vocals
from resonance_engine.search.text.shown_tags import MOST_SHOWN, sure_tags, thresholded_tags
from resonance_engine.search.text.tag_names import display_name, has_audioset, search_names
from resonance_engine.search.text.tag_table import TAG_TABLE
from resonance_engine.search.voice import SUNG as SUNG_TAGS
from resonance_engine.search.voice import VOCALS, VOICE_TAGS, detect_voices, has_voice_tags
from tests.audioset_tags import RAPPED, SPOKEN, STRINGS, SUNG, TAGS, tag_row

PROBABILITIES = st.floats(0, 1, width=16)


def voices_of(row: dict[str, float]) -> tuple[float, str, bool]:
    detected = detect_voices(np.array([[row[name] for name in VOICE_TAGS]], np.float32), VOICE_TAGS)
    return round(float(detected.speech[0]), 4), VOCALS[int(detected.vocals[0])], bool(detected.is_spoken[0])


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (tag_row(), (0.0001, "none", False)),
        (SPOKEN, (0.95, "none", True)),
        (RAPPED, (0.65, "throughout", False)),
        (SUNG, (0.05, "throughout", False)),
        (tag_row(Singing=0.01, Choir=0.006), (0.0001, "some", False)),
        (tag_row(female_vocalists=0.2), (0.0001, "throughout", False)),
        (tag_row(Speech=0.12), (0.12, "some", False)),
        (tag_row(Speech=0.98, Music=0.004, Chant=0.02), (0.98, "some", False)),
        (tag_row(Speech=0.4, Music=0.0), (0.4, "none", False)),
    ],
)
def test_voices(row: dict[str, float], expected: tuple[float, str, bool]) -> None:
    assert voices_of(row) == expected


@given(st.lists(st.fixed_dictionaries(dict.fromkeys(VOICE_TAGS, PROBABILITIES)), max_size=5))
def test_more_singing_is_never_less_vocal_nor_more_spoken(rows: list[dict[str, float]]) -> None:
    before = np.array([[row[name] for name in VOICE_TAGS] for row in rows], np.float32).reshape(-1, len(VOICE_TAGS))
    after = before.copy()
    after[:, VOICE_TAGS.index("Singing")] = 1.0
    one, other = detect_voices(before, VOICE_TAGS), detect_voices(after, VOICE_TAGS)
    assert (other.vocals >= one.vocals).all()
    assert not other.is_spoken.any()
    assert (one.vocals[one.is_spoken] == 0).all()
    columns = [*VOICE_TAGS][::-1]
    turned = detect_voices(before[:, ::-1], columns)
    np.testing.assert_array_equal(turned.vocals, one.vocals)
    np.testing.assert_array_equal(turned.is_spoken, one.is_spoken)


def test_only_a_model_with_all_of_these_tags_tells_voices() -> None:
    assert has_voice_tags(TAGS)
    assert has_audioset(TAGS)
    assert not has_voice_tags(TAGS[:50])
    assert not has_audioset(TAGS[:50])
    assert thresholded_tags(TAGS[:50]) == []
    assert set(SUNG_TAGS) < set(TAGS)


class TestShownTags:
    names = thresholded_tags(TAGS)

    def shown(self, row: dict[str, float]) -> list[str]:
        (tags,) = sure_tags(np.array([[row[name] for name in self.names]], np.float32), self.names)
        return tags

    def test_the_table_is_of_the_model_s_tags(self) -> None:
        assert set(TAG_TABLE) == set(self.names)
        assert all(0.01 <= each.threshold < 1 and set(each.parents) < set(TAG_TABLE) for each in TAG_TABLE.values())

    def test_a_wider_class_gives_way_to_a_narrower_one(self) -> None:
        assert self.shown(STRINGS) == ["violin", "cello", "orchestra"]
        assert self.shown(tag_row(**{"Bowed string instrument": 0.7})) == ["bowed strings"]
        assert self.shown(tag_row()) == []
        assert self.shown(SPOKEN) == ["speech"]

    @given(st.lists(PROBABILITIES, min_size=len(TAG_TABLE), max_size=len(TAG_TABLE)))
    def test_shown_ones_reach_their_thresholds_and_the_surest_come_first(self, values: list[float]) -> None:
        row = dict(zip(self.names, values, strict=True))
        shown = self.shown(row)
        given_names = {display_name(name): name for name in self.names if row[name] >= TAG_TABLE[name].threshold}
        assert set(shown) <= set(given_names)
        assert len(shown) <= MOST_SHOWN
        wider = {display_name(parent) for tag in given_names.values() for parent in TAG_TABLE[tag].parents}
        assert not wider & set(shown)
        assert len(shown) == min(MOST_SHOWN, len(set(given_names) - wider))


class TestNames:
    def test_no_shown_name_has_a_comma(self) -> None:
        assert not [tag for tag in TAGS if "," in display_name(tag) or not display_name(tag)]
        names = [display_name(tag) for tag in TAG_TABLE]
        assert {name for name in names if names.count(name) > 1} == set()

    @pytest.mark.parametrize(
        ("tag", "names"),
        [
            ("Violin, fiddle", ["violin", "fiddle"]),
            ("Rock music", ["rock"]),
            ("Music of Bollywood", ["bollywood"]),
            ("Keyboard (musical)", ["keyboard"]),
            ("Roaring cats (lions, tigers)", ["roaring cats"]),
            ("Bee, wasp, etc.", ["bee", "wasp"]),
            ("Burst, pop", []),
            ("hip-hop", ["hip-hop"]),
        ],
    )
    def test_names(self, tag: str, names: list[str]) -> None:
        assert search_names(tag) == names


class TestTraits:
    @pytest.mark.parametrize(
        ("one", "other", "words"),
        [
            (SUNG, RAPPED, ["both sung"]),
            (SPOKEN, SPOKEN, ["both spoken"]),
            (SPOKEN, SUNG, []),
            (STRINGS, tag_row(), ["both instrumental"]),
            (STRINGS, SUNG, []),
            (tag_row(Music=0.01), tag_row(), []),
            ({"rock": 0.5}, {"rock": 0.5}, []),
            ({}, {}, []),
        ],
    )
    def test_vocals(self, one: dict[str, float], other: dict[str, float], words: list[str]) -> None:
        assert common_vocals(one, other) == common_vocals(other, one) == words

    def test_tags_that_both_are_sure_of(self) -> None:
        assert common_sure_tags(STRINGS, tag_row(Cello=0.9, Rain=0.9)) == ["cello"]
        assert common_sure_tags(SPOKEN, SPOKEN) == []
        assert common_sure_tags(STRINGS, {}) == []

    def test_both_are_traits(self) -> None:
        from resonance_engine.search.explain import TrackProfile

        one, other = (TrackProfile({}, {}, {"tempo": 150.0}, tags) for tags in (STRINGS, STRINGS))
        traits = common_traits(one, other, TAGS, np.empty((0, len(TAGS)), np.float32))
        assert traits == ["fast rhythm", "about 150 BPM", "both instrumental", "violin", "cello", "orchestra"]


def test_the_shipped_model_gives_these_tags() -> None:
    assert OnnxBackend(SHIPPED).manifest.tags == TAGS
