"""Versions of one song: another pressing, a remaster, a live take, a cover by the same artist."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from resonance_engine.names import GUEST, normalise_artist, split_words

if TYPE_CHECKING:
    from collections.abc import Iterable

# A note in brackets, or after " - ", names a version when it begins or ends with one of these.
BEGINNINGS = frozenset(
    re.findall(
        r"\w+",
        """
    acoustic alternate alternative bonus demo explicit extended feat featuring ft instrumental karaoke live mono
    original outtake radio rehearsal remaster remastered remix stereo take unplugged version
""",
    )
)
ENDINGS = frozenset(
    re.findall(
        r"\w+",
        """
    acoustic demo edit edition instrumental karaoke live mix mono outtake rehearsal reissue remaster remastered
    remix session sessions stereo unplugged version
""",
    )
)
# A title of nothing but these identifies no song: one artist has many of that title.
COMMON = frozenset(
    re.findall(
        r"\w+",
        """
    adagio allegretto allegro andante andantino assai battle boss brio con credits end ending finale game grave i ii
    iii interlude intro introduction iv ix larghetto largo lento ma main menu menuet menuetto minuet moderato molto
    no non opening outro over overture part prelude presto reprise rondo scherzo skit theme title titles track
    troppo unknown untitled v vi victory vii viii vivace x
""",
    )
)
SECONDS_APART = 5.0  # two encodings of one recording differ by the silence at their ends, not by more

_NOTE = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]|\s[-\u2013\u2014]\s((?:(?!\s[-\u2013\u2014]\s).)*)$")


@dataclass(frozen=True)
class TrackMetadata:
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


class Versions:
    """A set of songs that contains every version of them.

    A track is a version of one when both share a MusicBrainz recording or work; or, unless both have works and these
    differ, when artist and title are the same after `song_title` and `normalise_artist`.
    """

    def __init__(self, tracks: Iterable[TrackMetadata] = ()) -> None:
        self._recordings: set[str] = set()
        self._works: set[str] = set()
        self._titles: dict[tuple[str, str], set[str]] = {}
        for track in tracks:
            self.add(track)

    def add(self, track: TrackMetadata) -> None:
        """Add a song."""
        self._recordings.add(track.recording)
        self._works.add(track.work)
        self._titles.setdefault((normalise_artist(track.artist), song_title(track.title)), set()).add(track.work)

    def __contains__(self, track: TrackMetadata) -> bool:
        """Return whether the track is a version of a song in the set."""
        if track.recording and track.recording in self._recordings:
            return True
        if track.work and track.work in self._works:
            return True
        artist, title = normalise_artist(track.artist), song_title(track.title)
        # A title of common words alone is shared by many songs of an artist.
        if not artist or all(word in COMMON or word.isdecimal() for word in title.split()):
            return False
        works = self._titles.get((artist, title), set())
        return bool(works) and (not track.work or "" in works)


def of_one_length(one: TrackMetadata, other: TrackMetadata) -> bool:
    """Return whether both could be one recording by their lengths; unknown ones could."""
    return not one.seconds or not other.seconds or abs(one.seconds - other.seconds) <= SECONDS_APART


@lru_cache(maxsize=65536)
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
