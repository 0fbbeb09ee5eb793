"""Artists under the letters of an index, by names without their articles."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resonance_engine.server.browsing import Artist

ARTICLES = ("The", "El", "La", "Los", "Las", "Le", "Les", "Der", "Die", "Das")
OTHER = "#"  # for names that begin with no letter


def group_by_letter(artists: Sequence[Artist]) -> dict[str, list[Artist]]:
    """Return artists by the letter of the index that they stand under, sorted."""
    groups: dict[str, list[Artist]] = {}
    for artist in sorted(artists, key=sort_key):
        groups.setdefault(index_letter(artist), []).append(artist)
    return dict(sorted(groups.items()))


def sort_key(artist: Artist) -> tuple[str, str]:
    return sort_name(artist).casefold(), artist.name


def sort_name(artist: Artist) -> str:
    """Return the name that an artist is sorted by: the tagged one, or the name without an article before it."""
    if artist.sort_name:
        return artist.sort_name
    first, _, rest = artist.name.partition(" ")
    return rest if rest and first.capitalize() in ARTICLES else artist.name


def index_letter(artist: Artist) -> str:
    """Return the letter that an artist stands under, without marks such as accents."""
    letter = unicodedata.normalize("NFD", sort_name(artist).strip())[:1].upper()
    return letter if letter.isalpha() else OTHER
