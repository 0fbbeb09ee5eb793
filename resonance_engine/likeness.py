"""What two tracks have in common, in words, from what was measured of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SAME_TEMPO = 0.03  # share by which two tempi may differ and still count as one

# Words for either end of a measure, about the outer quarters of game soundtracks; between them there is no word.
ENDS = {
    "tempo": ("slow", 95.0, 130.0, "fast"),
    "energy": ("quiet", -20.0, -14.0, "loud"),
    "brightness": ("dark", 1800.0, 3400.0, "bright"),
}


def in_common(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Words for what holds of both tracks, by their `analysis.Attributes`; empty where nothing does.

    Such as "fast", "about 124 BPM", "A minor", "major key", "loud", "bright". What is missing or odd says nothing.
    """
    words = [*tempo_words(number(one, "tempo"), number(other, "tempo")), *key_words(one.get("key"), other.get("key"))]
    for name in ("energy", "brightness"):
        words += end_words(name, number(one, name), number(other, name))
    return words


def number(attributes: Mapping[str, Any], name: str) -> float | None:
    value = attributes.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def tempo_words(one: float | None, other: float | None) -> list[str]:
    words = end_words("tempo", one, other)
    if one and other and abs(one - other) <= SAME_TEMPO * min(one, other):
        words.append(f"about {(one + other) / 2:.0f} BPM")
    return words


def key_words(one: object, other: object) -> list[str]:
    if not isinstance(one, str) or not isinstance(other, str):
        return []
    if one == other:
        return [one]
    modes = {key.rpartition(" ")[2] for key in (one, other)}
    return [f"{modes.pop()} key"] if len(modes) == 1 else []


def end_words(name: str, one: float | None, other: float | None) -> list[str]:
    if one is None or other is None:
        return []
    low_word, low, high, high_word = ENDS[name]
    if max(one, other) < low:
        return [low_word]
    return [high_word] if min(one, other) > high else []
