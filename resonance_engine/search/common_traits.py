"""What two tracks have in common, in words, from what was measured of each and from the tags that a model gave them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.search.text.scoring import logits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

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
LIKELY = 0.05  # probability below which a tag is not said, however much rarer it is elsewhere
FEWEST = 10  # tracks from which a library has a mean to speak of
MOST_TAGS = 3


def in_common(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Words for what holds of both tracks, by their `analysis.Attributes`; empty where nothing does.

    Such as "energetic rhythm", "about 124 BPM", "loud", "bright timbre", "A minor", "major key". What is missing or odd
    says nothing.
    """
    speed, loudness, timbre = (end_word(name, number(one, name), number(other, name)) for name in ENDS)
    rhythm = RHYTHMS.get((speed, loudness), "")
    words = [
        rhythm or (f"{speed} rhythm" if speed else ""),
        tempo_word(number(one, "tempo"), number(other, "tempo")),
        "" if rhythm else loudness,
        f"{timbre} timbre" if timbre else "",
        key_word(one.get("key"), other.get("key")),
    ]
    return [word for word in words if word]


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


def tags_in_common(
    one: Mapping[str, float], other: Mapping[str, float], names: Sequence[str], library: NDArray[np.float32]
) -> list[str]:
    """The tags by which both tracks stand out from a library, at most three, the clearest first.

    From probabilities by name, and those of a sample of the library, (n, names), in the order of `names`. Of tags that
    hold each other's name ("rock", "indie rock") the clearer one is taken. With a track twice, what it stands out by.
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
        if not any(name in said or said in name for said in chosen):
            chosen.append(name)
    return chosen
