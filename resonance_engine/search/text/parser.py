"""Parse a text about music into phrases with meanings in a model's tags and measured attributes."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from resonance_engine.search.text.audioset_synonyms import AUDIOSET_SYNONYMS, RELATED
from resonance_engine.search.text.synonyms import MEASURES, SYNONYMS
from resonance_engine.search.text.tag_names import has_audioset, search_names
from resonance_engine.suggestions import nearest_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NEGATIONS = frozenset(["no", "not", "non", "without", "never", "less", "lacking", "minus", "isnt", "dont"])
WEAKER, STRONGER = 0.5, 1.5
MODIFIERS = {
    **dict.fromkeys(["slightly", "somewhat", "bit", "little", "touch", "hint", "some"], WEAKER),
    **dict.fromkeys(["very", "really", "extremely", "super", "highly", "especially"], STRONGER),
}
BREAKS = frozenset([*",;.:!?()", "but"])
STOP_WORDS = frozenset(
    word
    for line in (
        "a an the of in on at by for from to as with and also plus that which is are be it its this these any more",
        "most much too so quite rather kind sort lots lot i im me my we you want wanted need give find play please",
        "like likes similar something anything thing things music song songs track tracks tune tunes piece pieces",
        "sound sounds sounding style styled vibe vibes feel feels feeling mood moods element elements influence",
        "influences part parts tempo paced speed made based only just both good great nice",
    )
    for word in line.split()
)
STORED_AS = {"mode": "key"}
LONGEST = 3  # words of a phrase
NEAR, ALIKE = 3, 0.7  # suggestions for an unknown word, and how much of it they share


@dataclass(frozen=True)
class Meaning:
    """Meaning of a phrase: weights of tags by name and of measures (tempo, energy, brightness, mode)."""

    tags: Mapping[str, float]
    measures: Mapping[str, float]


@dataclass(frozen=True)
class Phrase:
    """A phrase of the text; with a `weight` below zero it must not fit. Any one of several meanings will do."""

    phrase: str
    weight: float
    meanings: tuple[Meaning, ...]


@dataclass(frozen=True)
class UnknownWord:
    """A word without a meaning, and known ones that are related to it or look like it."""

    word: str
    near: tuple[str, ...]


@dataclass(frozen=True)
class TextQuery:
    """The phrases of a text, in order, and its unknown words."""

    parts: tuple[Phrase, ...]
    unknown: tuple[UnknownWord, ...]

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes that the phrases need, as they are stored: some of tempo, energy, brightness, key."""
        names = (name for part in self.parts for each in part.meanings for name in each.measures)
        return tuple(dict.fromkeys(STORED_AS.get(name, name) for name in names))

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that the phrases need."""
        return tuple(dict.fromkeys(name for part in self.parts for each in part.meanings for name in each.tags))


def parse_text(text: str, tags: Sequence[str]) -> TextQuery:
    """Parse a text about music, given the names of the model's tags.

    The longest phrase that is known counts. "no", "not", "without" turn the next phrase around, and the ones that "or"
    joins to it ("and" too, after "without"); "jazz or blues" takes either; "very" and "slightly" weigh. Stop words mean
    nothing, any other word is unknown.
    """
    return PhraseParser(vocabulary(tags)).read(text)


def vocabulary(tags: Sequence[str]) -> dict[str, Meaning]:
    """Return the meanings that these tags allow, by phrase as `tokens` splits it.

    Tags with the same name ("jazz" and "Jazz", "hip-hop" and "Hip hop music") are one meaning, their sum.
    """
    terms = {name: Meaning({}, {measure: sign}) for name, (measure, sign) in MEASURES.items()}
    for tag in tags:
        for name in search_names(tag):
            phrase = " ".join(tokens(name))
            if phrase and phrase not in STOP_WORDS:
                same = terms.get(phrase, Meaning({}, {}))
                terms[phrase] = Meaning({**same.tags, tag: 1.0}, same.measures)
    known = meanings(SYNONYMS, terms) | terms
    return known | meanings(AUDIOSET_SYNONYMS, terms) if has_audioset(tags) else known


def meanings(synonyms: Mapping[str, str], terms: Mapping[str, Meaning]) -> dict[str, Meaning]:
    """Return the meanings of a table's phrases, without those of which the model has no tag at all."""
    known: dict[str, Meaning] = {}
    for phrases, sum_ in synonyms.items():
        meaning = summed(sum_, terms)
        if meaning.tags or meaning.measures:
            known |= {" ".join(tokens(phrase)): meaning for phrase in phrases.split(",")}
    return known


def summed(text: str, terms: Mapping[str, Meaning]) -> Meaning:
    """Parse the right side of a synonym, as far as the model has its tags."""
    weights: tuple[dict[str, float], dict[str, float]] = ({}, {})
    for term in text.split(","):
        name, weight = re.fullmatch(r"\s*(.+?)(?:\s+(-?[\d.]+))?\s*", term).groups()  # type: ignore[union-attr]  # ours
        meaning = terms.get(" ".join(tokens(name)), Meaning({}, {}))
        for into, part in zip(weights, (meaning.tags, meaning.measures), strict=True):
            into.update({each: sign * float(weight or 1) for each, sign in part.items()})
    return Meaning(*weights)


def related_words(word: str, known: Mapping[str, Meaning]) -> tuple[str, ...]:
    """Return known phrases that come nearest to an unknown word: those of the table, then those spelt like it."""
    lines = (near for words, near in RELATED.items() if {word, word.removesuffix("s")} & set(words.split(", ")))
    related = [phrase for near in lines for phrase in near.split(", ") if phrase in known]
    return tuple(dict.fromkeys([*related, *nearest_names(word, known, NEAR, ALIKE)]))[:NEAR]


def tokens(text: str) -> list[str]:
    """Split a text into lower-case words and punctuation; a minus before a word becomes "not"."""
    plain = re.sub(r"['\u2018\u2019`]", "'", text.casefold()).replace("'n'", " n ").replace("'", "")
    plain = plain.replace("&", " and ")
    plain = re.sub(r"(?<![^\s(,;])-(?=\w)", " not ", plain)
    return re.findall(r"\w+|[,;.:!?()]", plain.replace("_", " "))


class PhraseParser:
    """Reads a text from left to right, and keeps what modifies the next phrase."""

    def __init__(self, known: Mapping[str, Meaning]) -> None:
        self.known = known
        self.parts: list[Phrase] = []
        self.unknown: list[UnknownWord] = []
        self.weight = 1.0
        self.without = False  # "and" carries a "without" on
        self.before: Phrase | None = None
        self.either = False

    def read(self, text: str) -> TextQuery:
        words = tokens(text)
        while words:
            length = next((n for n in range(min(LONGEST, len(words)), 0, -1) if self.phrase(words[:n])), 0)
            if length:
                self.take(self.phrase(words[:length]), " ".join(words[:length]))
            else:
                self.pass_over(words[0])
            del words[: max(length, 1)]
        return TextQuery(tuple(self.parts), tuple(self.unknown))

    def phrase(self, words: list[str]) -> str:
        """Return the known phrase that words form, in singular or plural; empty for none."""
        joined = " ".join(words)
        return next((form for form in (joined, joined.removesuffix("s"), f"{joined}s") if form in self.known), "")

    def take(self, phrase: str, written: str) -> None:
        part = Phrase(written, self.weight, (self.known[phrase],))
        if self.either and self.before is not None and self.weight > 0:
            self.parts.remove(self.before)
            either = f"{self.before.phrase} or {written}"
            part = replace(self.before, phrase=either, meanings=(*self.before.meanings, *part.meanings))
        self.parts.append(part)
        self.before, self.weight, self.either = part, 1.0, False
        self.without = self.without and part.weight < 0

    def pass_over(self, word: str) -> None:
        """Apply a word that is no phrase: a negation, a weight, what joins or separates, or an unknown one."""
        if word in BREAKS:
            self.weight, self.before, self.either, self.without = 1.0, None, False, False
            return
        if word in ("or", "nor") or (word == "and" and self.without):
            self.join()
            return
        if word in NEGATIONS:
            self.weight = -self.weight
            self.without = word == "without"
        elif word in MODIFIERS:
            self.weight *= MODIFIERS[word]
        elif word not in STOP_WORDS:
            self.unknown.append(UnknownWord(word, related_words(word, self.known)))
            self.before, self.weight, self.either = None, 1.0, False

    def join(self) -> None:
        """Carry the negation of the last phrase to the next, or let either of both do."""
        if self.before is not None and self.before.weight < 0:
            self.weight = math.copysign(self.weight, -1)
        else:
            self.either = self.before is not None
