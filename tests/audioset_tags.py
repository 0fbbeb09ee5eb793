"""Rows of tags of a model with musicnn's 50 tags and the 521 classes that YAMNet gives of AudioSet."""

from __future__ import annotations

from pathlib import Path

TAGS = tuple((Path(__file__).parent / "data" / "tags.txt").read_text(encoding="utf-8").splitlines())
RARE = 0.0001  # probability of what is not named


def tag_row(**likely: float) -> dict[str, float]:
    """Return the probabilities of all tags, of music without a voice unless named; `_` in a name stands for a space."""
    named = {name.replace("_", " "): value for name, value in likely.items()}
    assert set(named) <= set(TAGS)
    return dict.fromkeys(TAGS, RARE) | {"Music": 0.9} | named


SPOKEN = tag_row(Speech=0.95, Music=0.001)
RAPPED = tag_row(Speech=0.65, Music=0.24)
SUNG = tag_row(Singing=0.12, Speech=0.05)
STRINGS = tag_row(**{"Violin, fiddle": 0.6, "Cello": 0.3, "Bowed string instrument": 0.7, "Orchestra": 0.02})
