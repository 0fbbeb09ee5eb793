"""What tracks are compared by: artist, album, and the song, which another pressing, remaster or live take shares."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from resonance_engine.names import GUEST, normalise_artist, normalise_name, split_words

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
