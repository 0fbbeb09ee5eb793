"""Words for AudioSet's classes: what a text means to a model that gives them, and to one that does not."""

from __future__ import annotations

import numpy as np
import pytest

from resonance_engine.search.text.audioset_synonyms import AUDIOSET_SYNONYMS, RELATED
from resonance_engine.search.text.parser import NEGATIONS, STOP_WORDS, parse_text, tokens, vocabulary
from resonance_engine.search.text.scoring import fits, soft_minimum
from resonance_engine.search.text.synonyms import MEASURES, SYNONYMS
from resonance_engine.search.text.tag_names import search_names
from tests.audioset_tags import RAPPED, SPOKEN, STRINGS, SUNG, TAGS, tag_row

MUSICNN = TAGS[:50]
ROWS = {
    "spoken": SPOKEN,
    "rapped": RAPPED | {"Rapping": 0.1},
    "sung": SUNG,
    "strings": STRINGS,
    "piano": tag_row(Piano=0.5, instrumental=0.3),
    "choir": tag_row(Choir=0.1, Chant=0.05),
    "rain": tag_row(Rain=0.5, Music=0.01),
    "techno": tag_row(Techno=0.4, Electronic_music=0.4, electronic=0.3),
    "game": tag_row(Video_game_music=0.1, Synthesizer=0.5, electronic=0.3),
    "guitar": tag_row(Guitar=0.6, Acoustic_guitar=0.5, acoustic=0.3),
    "carol": tag_row(Christmas_music=0.2, Jingle_bell=0.1),
}
WORDS = (
    "classical, orchestral, piano, violin, cello, flute, choir, organ, harp, strings, brass, trumpet, saxophone, drums,"
    "electric guitar, acoustic guitar, bass, chiptune, synthesizer, techno, trance, drum and bass, reggae, blues,"
    "opera, a cappella, rap, beatboxing, lullaby, christmas, children, speech, spoken, singing, vocals, rain,"
    "applause, bells, accordion, banjo, sitar, ambient, scary, tender, exciting, jazz, hip hop"
)


def nearest(text: str) -> str:
    """The row that fits a text best."""
    query = parse_text(text, TAGS)
    assert not query.unknown
    rows = np.array([[row[name] for name in query.tags] for row in ROWS.values()], np.float32)
    scores = soft_minimum(fits(query, query.tags, rows, {}), [abs(part.weight) for part in query.parts])
    return list(ROWS)[int(scores.argmax())]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("violin", "strings"), ("piano", "piano"), ("choir", "choir"), ("rain", "rain"), ("techno", "techno"),
        ("chiptune", "game"), ("acoustic guitar", "guitar"), ("rap", "rapped"), ("audiobook", "spoken"),
        ("singing", "sung"), ("Christmas songs", "carol"), ("orchestral strings, no vocals", "strings"),
        ("no vocals, piano", "piano"),
    ],
)  # fmt: skip
def test_the_recording_that_is_meant_comes_first(text: str, expected: str) -> None:
    assert nearest(text) == expected


@pytest.mark.parametrize("word", [word.strip() for word in WORDS.split(",")])
def test_a_word_is_known_and_means_tags(word: str) -> None:
    query = parse_text(word, TAGS)
    assert len(query.parts) == 1
    assert query.unknown == ()
    assert query.tags


@pytest.mark.parametrize("word", ["violin", "flute", "choir", "rain", "speech", "opera", "banjo", "reggae"])
def test_a_word_without_any_tag_of_the_model_is_unknown(word: str) -> None:
    assert [each.word for each in parse_text(word, MUSICNN).unknown] == [word]


def test_words_of_before_mean_the_same_to_a_model_of_before() -> None:
    known = vocabulary(MUSICNN)
    assert dict(known["techno"].tags) == {"electronic": 1.0, "dance": 1.0, "electro": 1.0, "house": 0.5}
    assert dict(known["vocal"].tags)["instrumental"] == -1.0
    names = {" ".join(tokens(name)) for name in (*MUSICNN, *MEASURES)}
    synonyms = {" ".join(tokens(phrase)) for phrases in SYNONYMS for phrase in phrases.split(",")}
    assert set(known) <= names | synonyms


def test_tags_of_one_name_are_one_meaning() -> None:
    assert dict(vocabulary(TAGS)["jazz"].tags) == {"jazz": 1.0, "Jazz": 1.0}
    assert dict(vocabulary(TAGS)["folk"].tags) == {"folk": 1.0, "Folk music": 1.0}


def test_synonyms_refer_to_existing_tags_and_measures() -> None:
    terms = {" ".join(tokens(name)) for tag in TAGS for name in search_names(tag)} | {*MEASURES}
    for phrases, sum_ in AUDIOSET_SYNONYMS.items():
        for term in sum_.split(","):
            name, _, weight = term.strip().rpartition(" ")
            plain = " ".join(tokens(term))
            assert plain in terms or (" ".join(tokens(name)) in terms and float(weight) != 0), (phrases, term)
    named = [" ".join(tokens(phrase)) for phrases in AUDIOSET_SYNONYMS for phrase in phrases.split(",")]
    assert len(named) == len(set(named))
    assert not set(vocabulary(TAGS)) & (STOP_WORDS | NEGATIONS)


@pytest.mark.parametrize(
    ("word", "tags", "near"),
    [
        ("polka", TAGS, "accordion"), ("sonata", TAGS, "classical"), ("tuba", TAGS, "brass"),
        ("saxofone", TAGS, "saxophone"), ("sonata", MUSICNN, ""), ("violin", MUSICNN, "instrumental"),
    ],
)  # fmt: skip
def test_an_unknown_word_names_what_is_related(word: str, tags: tuple[str, ...], near: str) -> None:
    (unknown,) = parse_text(word, tags).unknown
    assert unknown.near[:1] == ((near,) if near else ())


def test_related_words_are_known() -> None:
    phrases = {phrase for near in RELATED.values() for phrase in near.split(", ")}
    assert phrases <= set(vocabulary(TAGS))  # as they are written, or they would never be named


def test_unknown_words_are_single() -> None:
    words = [word for line in RELATED for word in line.split(", ")]
    assert [word for word in words if len(tokens(word)) != 1] == []
    assert len(words) == len(set(words))
