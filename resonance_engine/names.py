"""Names as they are tagged: one normalisation, the names that stand for no artist or album, and numbered movements.

Caps, versions, training and evaluation compare names by these functions alone.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_ACCENTS = re.compile("[\u0300-\u036f]")
_APOSTROPHES = re.compile("['\u2019`]")
_NO_WORD = re.compile(r"[^\w]+|_")
_ARTICLE = re.compile(r"^the |,? the$")
GUEST = re.compile(r"\s+(?:feat\.?|featuring|ft\.?)\s.*$", re.IGNORECASE)

# As MusicBrainz writes titles: "Symphony no. 5 in C minor, op. 67: II. Andante con moto".
_TITLE = re.compile(r"(?P<work>.*\S)\s*(?::|\s[-\u2013\u2014])\s*(?:No\.\s*)?(?P<number>[IVX]+|\d{1,2})\.(?:\s|$)")
_ROMAN = re.compile(r"(X{0,3})(IX|IV|V?I{0,3})")
_ONES = {"": 0, "I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7, "VIII": 8, "IX": 9}

# As `normalise_name` returns them.
_UNKNOWN = ("", "unknown", "unknown artist", "unknown album", "n a", "none", "untitled")
NO_ALBUM = frozenset((*_UNKNOWN, "non album tracks", "standalone recordings", "single", "singles"))
NO_ARTIST = frozenset(
    (
        *(*_UNKNOWN, "anonymous", "artistes divers", "artistes varies", "artisti vari", "compilation", "divers"),
        *("diverse interpreten", "no artist", "original soundtrack", "ost", "soundtrack", "traditional", "v a", "va"),
        *("various", "various artists", "varios artistas", "verschiedene", "verschiedene interpreten"),
    )
)


def split_words(text: str) -> str:
    """Return the words of a text in lower case without accents and punctuation, one space between them."""
    text = _ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    # An apostrophe parts no word: "Don't" is "Dont".
    text = unicodedata.normalize("NFC", _APOSTROPHES.sub("", text)).replace("&", " and ")
    return _NO_WORD.sub(" ", text).strip()


@lru_cache(maxsize=65536)
def normalise_name(name: str) -> str:
    """Return a name without case, accents and punctuation, unless it is nothing else."""
    return split_words(name) or name.strip()


@lru_cache(maxsize=65536)
def normalise_artist(name: str) -> str:
    """Return an artist's name without case, accents, punctuation, guests and a leading "The"."""
    return _ARTICLE.sub("", split_words(GUEST.sub("", name))) or name.strip()


def is_artist(name: str) -> bool:
    """Return whether a name is that of an artist: not empty, "Various Artists" or the like."""
    return normalise_name(name) not in NO_ARTIST


def is_album(name: str) -> bool:
    """Return whether a name is that of an album: not empty, "Unknown Album" or the like."""
    return normalise_name(name) not in NO_ALBUM


def parse_movement(title: str) -> tuple[str, int] | None:
    """Parse work and number of a movement from a title such as "Sonata no. 8: II. Adagio"; None for other titles."""
    match = _TITLE.match(title)
    if match is None:
        return None
    number = int(match["number"]) if match["number"].isdecimal() else parse_roman(match["number"])
    return (match["work"], number) if number else None


def parse_roman(numeral: str) -> int:
    """Parse a Roman numeral up to XXXIX; 0 for any other text."""
    match = _ROMAN.fullmatch(numeral)
    return 10 * len(match[1]) + _ONES[match[2]] if match else 0
