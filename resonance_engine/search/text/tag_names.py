"""Names of tags as they are shown and searched: AudioSet's classes are called by short words without a comma."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

AUDIOSET = frozenset(("Speech", "Music", "Singing"))  # a model with all three gives the classes of AudioSet

# Names that the rule below would get wrong, or that are no words of a listener.
SHOWN_AS = {
    "A capella": "a cappella",
    "Bowed string instrument": "bowed strings",
    "Brass instrument": "brass",
    "Cricket": "crickets",
    "Keyboard (musical)": "keyboard",
    "Mallet percussion": "mallets",
    "Music for children": "children's music",
    "Plucked string instrument": "plucked strings",
    "Steel guitar, slide guitar": "slide guitar",
    "Steelpan": "steel drums",
    "String section": "strings",
    "Vocal music": "vocal music",
    "Wind instrument, woodwind instrument": "woodwind",
}
# Classes whose names mean something else in a text about music ("pop", "run", "hands", "fill"), or everything.
NOT_SEARCHED = frozenset(
    (
        "Arrow", "Burst, pop", "Fill (with liquid)", "Fly, housefly", "Hands", "Harmonic", "Independent music",
        "Light engine (high frequency)", "Music", "Musical instrument", "Run", "Shuffle", "Song", "Sound effect", "Tap",
        "Tools",
    )
)  # fmt: skip


def has_audioset(tags: Collection[str]) -> bool:
    """Return whether a model's tags include the classes of AudioSet, besides or instead of others."""
    return AUDIOSET.issubset(tags)


def display_name(tag: str) -> str:
    """Return the short name of a tag, as it is shown: "Violin, fiddle" is "violin", "Rock music" is "rock"."""
    return SHOWN_AS.get(tag) or shorten(tag.partition(",")[0])


def search_names(tag: str) -> list[str]:
    """Return the names that a text may call a tag by: "Violin, fiddle" is a violin and a fiddle; empty for none."""
    if tag in NOT_SEARCHED:
        return []
    plain = re.sub(r"\s*\(.*?\)", "", tag)
    return list(dict.fromkeys([display_name(tag), *(shorten(part) for part in plain.split(", ") if part != "etc.")]))


def shorten(name: str) -> str:
    """Return a name in lower case without "music" at its ends, or without what is in brackets."""
    plain = re.sub(r"\s*\(.*?(\)|$)", "", name).casefold()
    return plain.removeprefix("music of ").removesuffix(" music").strip()
