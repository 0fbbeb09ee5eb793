"""From a path to windows of mono samples and to the tags of the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resonance_engine.audio.content_key import content_key
from resonance_engine.audio.decoding import open_audio
from resonance_engine.audio.extent import (
    LARGEST_COUNTED,
    count_seconds,
    count_spans,
    ends_as_stated,
    is_chained,
    is_same_length,
)
from resonance_engine.audio.passage import SHORTEST, Passage, format_time
from resonance_engine.audio.seeking import can_seek
from resonance_engine.audio.spans import (
    NOTHING_LOUDER,
    OPENING,
    WHOLE,
    collect_windows,
    place_windows,
    window_starts,
)
from resonance_engine.errors import AudioError

if TYPE_CHECKING:
    from pathlib import Path

    from resonance_engine.audio.spans import Recording, Span
    from resonance_engine.features.spec import Decoding

__all__ = ["AudioTags", "content_key", "read_passage", "read_tags", "read_windows"]

ROUNDING = 1.0
"""Seconds by which a passage may outlast its recording: players round the length that they show."""

ALBUM_ARTIST = ("album_artist", "albumartist", "album artist")
"""How FFmpeg calls the album artist; it translates only some kinds of tag."""


@dataclass(frozen=True)
class AudioTags:
    """Tags of a file; empty where it has none."""

    artist: str = ""
    title: str = ""
    album: str = ""
    albumartist: str = ""
    genre: str = ""


def read_windows(path: Path, decoding: Decoding) -> Recording:
    """Decode up to `decoding.windows` windows spread over a file.

    Reads by seeking, so that a mix of two hours costs what a song costs. Where the header is wrong about the length,
    the windows are spread over the length that counting the packets gives. Silent windows and those in damaged places
    are left out. Where none of those left is louder than -60 dBFS, or seeking leads nowhere, the windows come from the
    first three minutes, decoded from the start.
    Raises AudioError for a file without sound, with less than three seconds of it, or with nothing louder there either.
    """
    return _windows_by_length(path, decoding) or _windows_by_decoding(path, decoding)


def read_passage(path: Path, decoding: Decoding, passage: Passage) -> Recording:
    """Decode up to `decoding.windows` windows spread over a passage of a file, and nothing beside it.

    They lie in the passage as `read_windows` lays them in a file. A passage shorter than a window is repeated until it
    fills one, as a short file is: a window around it would hold more of its neighbours. `starts` count from the
    beginning of the file, `duration` is the passage's. One that ends up to a second behind the file is cut there.
    Raises AudioError where the passage ends later than that, and as `read_windows` for the passage's sound.
    """
    start, end = _clip_passage(path, passage)
    seconds = end - start
    short, places = place_windows(seconds, decoding)
    starts = tuple(start + each for each in places)
    length = min(seconds, decoding.seconds)
    with open_audio(path) as source:
        spans = [source.seek_span(each, length) for each in starts]
    if not any(span and span.filled >= WHOLE for span in spans):
        spans = [_decode_span(path, each, length) for each in starts]
    if not any(span and span.filled >= WHOLE for span in spans):
        raise AudioError(path, f"it ends before the passage {passage}, or is damaged there")
    recording = collect_windows(spans, decoding, seconds, short)
    if recording is None:
        raise AudioError(path, f"the passage {passage} of it is silent: {NOTHING_LOUDER}")
    return recording


def read_tags(path: Path) -> AudioTags:
    """Read artist, title, album, album artist and genre.

    From any kind of tag that FFmpeg reads: all that are usual, but not APEv2 in MP3. Raises AudioError for a file
    that is not audio; never for odd tags.
    """
    with open_audio(path) as source:
        values = {name: text.replace("\0", " ").strip() for name, text in source.metadata.items()}
    albumartist = next((values[name] for name in ALBUM_ARTIST if values.get(name)), "")
    artist, title, album, genre = (values.get(name, "") for name in ("artist", "title", "album", "genre"))
    return AudioTags(artist, title, album, albumartist, genre)


def _windows_by_length(path: Path, decoding: Decoding) -> Recording | None:
    """Decode windows spread over the length that the header states, or over the true one; None where none result."""
    with open_audio(path) as source:
        stated = source.duration or 0.0
        if not can_seek(source.container, stated):
            return None
        is_countable = path.stat().st_size <= LARGEST_COUNTED
        chained = is_countable and is_chained(path, source)
        is_right = not is_countable or (not chained and stated > 0.0 and ends_as_stated(source, stated))
    if not is_right:
        with open_audio(path) as source:
            counted = count_seconds(source)
        if chained or not is_same_length(stated, counted):
            return _windows_by_counting(path, counted, decoding)
    return collect_windows(_seek_spans(path, stated, decoding), decoding, stated, short=False)


def _seek_spans(path: Path, seconds: float, decoding: Decoding) -> list[Span | None]:
    """Decode the windows of a file that lasts so many seconds, by seeking; none where it is shorter than one."""
    if seconds < max(decoding.seconds, SHORTEST):
        return []
    with open_audio(path) as source:
        return [source.seek_span(start, decoding.seconds) for start in window_starts(seconds, decoding)]


def _windows_by_counting(path: Path, seconds: float, decoding: Decoding) -> Recording | None:
    """Decode the windows of a file that lasts so many seconds by its packets, whatever its timestamps say."""
    if seconds < max(decoding.seconds, SHORTEST):
        return None
    with open_audio(path) as source:
        spans = count_spans(source, window_starts(seconds, decoding), decoding.seconds)
        return collect_windows(spans, decoding, seconds, short=False)


def _windows_by_decoding(path: Path, decoding: Decoding) -> Recording:
    """Decode windows from the first minutes, from the start on; a short file is repeated to fill one."""
    most = max(OPENING, decoding.seconds)
    with open_audio(path) as source:
        length = source.measure_length(most)
        duration = length if length < most else max(length, source.duration or 0.0)
    if length == 0.0:
        raise AudioError(path, "none of its audio can be decoded")
    if length < SHORTEST:
        raise AudioError(path, f"it lasts only {length:.2f} s; at least {SHORTEST:.0f} s are needed")
    short, starts = place_windows(length, decoding)
    spans = (_decode_span(path, start, min(length, decoding.seconds)) for start in starts)
    recording = collect_windows(spans, decoding, duration, short)
    if recording is None:
        raise AudioError(path, f"it is silent: {NOTHING_LOUDER}")
    return recording


def _decode_span(path: Path, start: float, seconds: float) -> Span | None:
    """Decode a span by decoding the file up to it, opened anew: windows may overlap, and a source may not go back."""
    with open_audio(path) as source:
        return source.decode_span(start, seconds)


def _clip_passage(path: Path, passage: Passage) -> tuple[float, float]:
    """Return begin and end of the passage, cut at the end of the file; AudioError where the file ends before it."""
    start, end = passage
    with open_audio(path) as source:
        if end <= (source.duration or 0.0):
            return start, end
        # What a header says may be an estimate, or nothing: how long the file is shows in decoding it.
        length = source.measure_length(end)
    if length == 0.0:
        raise AudioError(path, "none of its audio can be decoded")
    if end - length > ROUNDING or length - start < SHORTEST:
        raise AudioError(path, f"it lasts {format_time(round(length, 1))}, so it has no passage {passage}")
    return start, length
