"""Why two tracks match: the share of each facet in their similarity, and the traits that both have, in words."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.search.text.scoring import logits
from resonance_engine.search.text.shown_tags import sure_tags, thresholded_tags
from resonance_engine.search.voice import IN_MUSIC, MUSIC, VOCALS, VOICE_TAGS, detect_voices, has_voice_tags

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Facets = Mapping[str, NDArray[np.float32]]

NO_WEIGHTS: Mapping[str, float] = MappingProxyType({})
SAME_TEMPO = 0.03  # share by which two tempi may differ and still count as one

# Words for either end of a measure, about the outer quarters of game soundtracks; between them there is no word.
ENDS = {
    "tempo": ("slow", 95.0, 130.0, "fast"),
    "energy": ("quiet", -20.0, -14.0, "loud"),
    "brightness": ("dark", 1800.0, 3400.0, "bright"),
}
# How fast and loud go together in one word.
RHYTHMS = {("fast", "loud"): "energetic rhythm", ("slow", "quiet"): "calm rhythm"}

STANDING_OUT = 1.0  # deviations above a library's mean from which a tag is worth a word
LIKELY = 0.05  # probability below which a tag is left out, however much rarer it is elsewhere
FEWEST = 10  # tracks from which a library has a mean
MOST_TAGS = 3
AUDIBLE_MUSIC = 0.2  # probability from which a track without vocals is called instrumental, and not a sound
VOICE_WORDS = frozenset(("instrumental", "singing", "speech"))


@dataclass(frozen=True, eq=False)
class TrackProfile:
    """Stored analysis of a track: facets, unit vectors by name, their gates in its embedding, attributes, and tags."""

    facets: Facets
    gates: Mapping[str, float]
    attributes: Mapping[str, Any]
    tags: Mapping[str, float]


def facet_shares(one: TrackProfile, other: TrackProfile, weights: Mapping[str, float] = NO_WEIGHTS) -> dict[str, float]:
    """Return the share of each facet in the similarity of two tracks, summing to 1: w_i cos_i / sum of w_j cos_j.

    w_i is the product of the facet's gates in both embeddings, times the user's weight (1 where none is named): what
    its cosine counts for in the embeddings' own. A facet in which the tracks are unlike (cos < 0) has no share; where
    that is all of them, the w_i themselves are shared out. Empty where the tracks have no facet in common.
    """
    common = [name for name in one.facets if name in other.facets]
    counted = {name: weights.get(name, 1.0) * one.gates.get(name, 1.0) * other.gates.get(name, 1.0) for name in common}
    alike = {name: counted[name] * max(float(one.facets[name] @ other.facets[name]), 0.0) for name in common}
    parts = alike if sum(alike.values()) > 0 else counted
    total = sum(parts.values())
    return {name: part / total if total > 0 else 1 / len(common) for name, part in parts.items()}


def common_traits(
    one: TrackProfile, other: TrackProfile, names: Sequence[str], library: NDArray[np.float32]
) -> list[str]:
    """Return words for the traits of both tracks, measured ones first, then voices, then tags.

    `names` are the model's tags and `library` their probabilities in a sample of it, (n, names): `TagTable.sample`.
    Tags are those that are sure of both, or, of a model without AudioSet's classes, by which both stand out.
    """
    traits = common_attributes(one.attributes, other.attributes) + common_vocals(one.tags, other.tags)
    if thresholded_tags(names):
        return traits + common_sure_tags(one.tags, other.tags)
    return traits + common_tags(one.tags, other.tags, names, library)


def format_traits(traits: Sequence[str]) -> str:
    """Format traits as they are printed below a hit: "[Similar: energetic rhythm, bright timbre, major key]"."""
    return f"[Similar: {', '.join(traits)}]" if traits else ""


def common_attributes(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return words for what the `attributes.Attributes` of both tracks share; empty where they share nothing.

    Such as "energetic rhythm", "about 124 BPM", "loud", "bright timbre", "A minor", "major key". Missing and malformed
    attributes are left out.
    """
    speed, loudness, timbre = (end_word(name, number(one, name), number(other, name)) for name in ENDS)
    rhythm = RHYTHMS.get((speed, loudness), "")
    traits = [
        rhythm or (f"{speed} rhythm" if speed else ""),
        tempo_word(number(one, "tempo"), number(other, "tempo")),
        "" if rhythm else loudness,
        f"{timbre} timbre" if timbre else "",
        key_word(one.get("key"), other.get("key")),
    ]
    return [trait for trait in traits if trait]


def number(attributes: Mapping[str, Any], name: str) -> float | None:
    value = attributes.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def tempo_word(one: float | None, other: float | None) -> str:
    if not one or not other or abs(one - other) > SAME_TEMPO * min(one, other):
        return ""
    return f"about {(one + other) / 2:.0f} BPM"


def key_word(one: object, other: object) -> str:
    if not isinstance(one, str) or not isinstance(other, str):
        return ""
    if one == other:
        return one
    modes = {key.rpartition(" ")[2] for key in (one, other)}
    return f"{modes.pop()} key" if len(modes) == 1 else ""


def end_word(name: str, one: float | None, other: float | None) -> str:
    if one is None or other is None:
        return ""
    low_word, low, high, high_word = ENDS[name]
    if max(one, other) < low:
        return low_word
    return high_word if min(one, other) > high else ""


def common_vocals(one: Mapping[str, float], other: Mapping[str, float]) -> list[str]:
    """Return "both sung", "both spoken" or "both instrumental" in a list; empty where they differ or none is known."""
    if not all(map(has_voice_tags, (one, other))):
        return []
    rows = np.array([[tags[name] for name in VOICE_TAGS] for tags in (one, other)], np.float32)
    voices = detect_voices(rows, VOICE_TAGS)
    if voices.is_spoken.any():
        return ["both spoken"] if voices.is_spoken.all() else []
    sung = voices.vocals > VOCALS.index("none")
    if sung.all():
        return ["both sung"]
    is_instrumental = ~sung & (voices.speech < IN_MUSIC) & (rows[:, VOICE_TAGS.index(MUSIC)] >= AUDIBLE_MUSIC)
    return ["both instrumental"] if is_instrumental.all() else []


def common_sure_tags(one: Mapping[str, float], other: Mapping[str, float]) -> list[str]:
    """Return the tags that are sure enough to be shown of both tracks, at most three, the surest of one first.

    What `common_vocals` says is left out.
    """
    if not one or not other:
        return []
    names = thresholded_tags(tuple(one))
    rows = np.array([[tags[name] for name in names] for tags in (one, other)], np.float32)
    first, second = sure_tags(rows, names)
    return [name for name in first if name in second and name not in VOICE_WORDS][:MOST_TAGS]


def common_tags(
    one: Mapping[str, float], other: Mapping[str, float], names: Sequence[str], library: NDArray[np.float32]
) -> list[str]:
    """Return the tags by which both tracks stand out from a library, at most three, the clearest first.

    From probabilities by name, and those of a sample of the library, (n, names), in the order of `names`. Of tags that
    hold each other's name ("rock", "indie rock") the clearer one is taken. With a track twice: by which it stands out.
    """
    if not one or not other or len(library) < FEWEST:
        return []
    both = np.array([[track[name] for name in names] for track in (one, other)], np.float32).min(axis=0)
    usual = logits(library)
    outstanding = (logits(both) - usual.mean(axis=0)) / np.maximum(usual.std(axis=0), 1e-9)
    outstanding[both < LIKELY] = 0.0
    chosen: list[str] = []
    for place in np.argsort(-outstanding, kind="stable"):
        name = names[place]
        if outstanding[place] < STANDING_OUT or len(chosen) == MOST_TAGS:
            break
        if not any(name in tag or tag in name for tag in chosen):
            chosen.append(name)
    return chosen
