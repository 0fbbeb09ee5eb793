"""Names as they are tagged: one normalisation, names that stand for no artist or album, movements, versions of a song.

Caps, versions, training and evaluation compare names by these functions alone. A version of a song is another pressing,
a remaster, a live take, a cover by the same artist.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

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

_find_words = re.compile(r"\w+").findall
# A note in brackets, or after " - ", names a version when it begins or ends with one of these.
BEGINNINGS = frozenset(
    _find_words("""
    acoustic alternate alternative bonus demo explicit extended feat featuring ft instrumental karaoke live mono
    original outtake radio rehearsal remaster remastered remix stereo take unplugged version
""")
)
ENDINGS = frozenset(
    _find_words("""
    acoustic demo edit edition instrumental karaoke live mix mono outtake rehearsal reissue remaster remastered
    remix session sessions stereo unplugged version
""")
)
# A title of nothing but these identifies no song: one artist has many of that title.
COMMON = frozenset(
    _find_words("""
    adagio allegretto allegro andante andantino assai battle boss brio con credits end ending finale game grave i ii
    iii interlude intro introduction iv ix larghetto largo lento ma main menu menuet menuetto minuet moderato molto
    no non opening outro over overture part prelude presto reprise rondo scherzo skit theme title titles track
    troppo unknown untitled v vi victory vii viii vivace x
""")
)
SECONDS_APART = 5.0  # two encodings of one recording differ by the silence at their ends, not by more

_NOTE = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]|\s[-\u2013\u2014]\s((?:(?!\s[-\u2013\u2014]\s).)*)$")


class TrackMetadata(NamedTuple):
    """Metadata of a track that rules need; names as they are tagged, empty where unknown.

    `artist` is the artist that the track counts for, empty for "Various Artists" and the like, `album` its record
    (two records of one name need names that differ, such as with the album artist in front). `recording` and `work` are
    MusicBrainz ids: the same recording is the same sound, the same work the same composition. `seconds` is 0 where
    unknown.
    """

    artist: str = ""
    album: str = ""
    title: str = ""
    recording: str = ""
    work: str = ""
    seconds: float = 0.0


class TrackKeys(NamedTuple):
    """What a track is compared by: normalised `artist` and `album`, empty where unknown, and keys of its song.

    A track is a version of another where one of its `matches` is among the `songs` of that one.
    """

    artist: str
    album: str
    songs: tuple[tuple[str, ...], ...]
    matches: tuple[tuple[str, ...], ...]


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


@lru_cache(maxsize=32768)
def track_keys(track: TrackMetadata) -> TrackKeys:
    """Return what a track is compared by.

    Versions share a MusicBrainz recording or work; or, unless both have works and these differ, artist and title are
    the same after `song_title` and `normalise_artist`.
    """
    artist, title, work = normalise_artist(track.artist), song_title(track.title), track.work
    songs: list[tuple[str, ...]] = [("recording", track.recording), ("work", work)]
    matches = [key for key in songs if key[1]]
    # A title of common words alone is shared by many songs of an artist.
    if artist and not all(word in COMMON or word.isdecimal() for word in title.split()):
        songs += [("title", artist, title), ("title", artist, title, work)]
        matches.append(("title", artist, title, "") if work else ("title", artist, title))
    return TrackKeys(artist, normalise_name(track.album), tuple(songs), tuple(matches))


def song_title(title: str) -> str:
    """Normalise a title: without case, accents, punctuation and notes like "(Live at ...)", "- Remaster".

    Brackets that belong to the name stay: "(I Can't Get No) Satisfaction". A title that would vanish stays as it is.
    """

    bare, before = GUEST.sub("", title), ""
    while bare != before:
        bare, before = _NOTE.sub(without_note, bare).strip(), bare
    return split_words(bare) or split_words(title) or title.strip()


def without_note(match: re.Match[str]) -> str:
    words = split_words(match[1] or match[2] or "").split()
    return " " if words and (words[0] in BEGINNINGS or words[-1] in ENDINGS) else match[0]
