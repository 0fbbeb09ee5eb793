"""From a path to what the engine hears of it: windows of mono samples, a content key, and the tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soxr

from resonance_engine.content_key import content_key
from resonance_engine.decoding import Span, open_audio
from resonance_engine.errors import AudioError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from resonance_engine.features.spec import Decoding

__all__ = ["Recording", "Tags", "content_key", "read_windows", "tags"]

SHORTEST = 3.0
"""Seconds that a recording must last to be listened to."""

OPENING = 180.0
"""Seconds from the beginning that are decoded where seeking fails."""

WHOLE = 0.95
"""Share of a window that the file must supply for the window to count."""

ALBUM_ARTIST = ("album_artist", "albumartist", "album artist")
"""How FFmpeg calls the album artist; it translates only some kinds of tag."""

SILENCE = 1e-4
"""Peak at or below which a window is silent: -80 dB, three steps of 16 bits."""


@dataclass(frozen=True)
class Recording:
    """What is listened to of one file.

    `windows` is float32 (n, samples), mono within ±1; `starts` and `duration` are seconds, the latter by the
    file's header unless all of it was decoded. `short` says that the file is shorter than one window and was
    repeated to fill it.
    """

    windows: NDArray[np.float32]
    starts: tuple[float, ...]
    duration: float
    short: bool


@dataclass(frozen=True)
class Tags:
    """What the file says of itself; empty where it says nothing."""

    artist: str = ""
    title: str = ""
    album: str = ""
    albumartist: str = ""
    genre: str = ""


def read_windows(path: Path, decoding: Decoding) -> Recording:
    """Listen to a file: up to `decoding.windows` windows spread over it.

    Reads by seeking, so that a mix of two hours costs what a song costs. Windows that the file does not
    supply (its header promised more than it holds) and silent ones are left out. Where none is left, or
    seeking leads nowhere, the windows come from the first three minutes, decoded from the start. Raises
    AudioError for a file without sound, with less than three seconds of it, or with nothing but silence.
    """
    return _spread(path, decoding) or _opening(path, decoding)


def tags(path: Path) -> Tags:
    """Artist, title, album, album artist and genre as the file states them.

    In any kind of tag that FFmpeg reads: all that are usual, but not APEv2 in MP3. Raises AudioError for a file
    that is not audio; never for odd tags.
    """
    with open_audio(path) as source:
        found = {name: text.replace("\0", " ").strip() for name, text in source.metadata.items()}
    albumartist = next((found[name] for name in ALBUM_ARTIST if found.get(name)), "")
    artist, title, album, genre = (found.get(name, "") for name in ("artist", "title", "album", "genre"))
    return Tags(artist, title, album, albumartist, genre)


def window_starts(duration: float, decoding: Decoding) -> tuple[float, ...]:
    """Seconds at which windows begin: the middles of equal parts of what one window leaves of the duration.

    So neither intro nor ending is heard unless the track is hardly longer than a window.
    """
    slack = duration - decoding.seconds
    count = min(decoding.windows, 1 + int(slack // decoding.hop_seconds))
    return tuple((2 * i + 1) / (2 * count) * slack for i in range(count))


def _spread(path: Path, decoding: Decoding) -> Recording | None:
    """Windows over the length that the header promises, by seeking; None where that yields none."""
    with open_audio(path) as source:
        duration = source.duration
        if duration is None or duration < max(decoding.seconds, SHORTEST):
            return None
        spans = (source.sought_span(start, decoding.seconds) for start in window_starts(duration, decoding))
        heard = [(_window(span, decoding), span.start) for span in spans if span and _sounds(span)]
    if not heard:
        return None
    windows, starts = zip(*heard, strict=True)
    return Recording(np.stack(windows), starts, duration, short=False)


def _opening(path: Path, decoding: Decoding) -> Recording:
    """Windows from the first minutes, by decoding from the start; a short file repeated to fill one."""
    most = max(OPENING, decoding.seconds)
    with open_audio(path) as source:
        length = source.length(most)
        duration = length if length < most else max(length, source.duration or 0.0)
    if length == 0.0:
        raise AudioError(path, "none of its audio can be decoded")
    if length < SHORTEST:
        raise AudioError(path, f"it lasts only {length:.1f} s; at least {SHORTEST:.0f} s are needed")
    short = length < decoding.seconds
    heard = []
    # Opened anew for each window, because windows may overlap and the file may not be able to go back.
    for start in (0.0,) if short else window_starts(length, decoding):
        with open_audio(path) as source:
            span = source.next_span(start, min(length, decoding.seconds))
        if span and _sounds(span):
            heard.append((_window(span, decoding), span.start))
    if not heard:
        raise AudioError(path, "it is silent")
    windows, starts = zip(*heard, strict=True)
    return Recording(np.stack(windows), starts, duration, short)


def _sounds(span: Span) -> bool:
    return span.filled >= WHOLE and float(np.abs(span.samples).max()) > SILENCE


def _window(span: Span, decoding: Decoding) -> NDArray[np.float32]:
    """The span at the wanted rate; one that is shorter than a window is repeated until it fills it."""
    samples = span.samples
    if span.rate != decoding.rate:
        samples = soxr.resample(samples, span.rate, decoding.rate, quality="HQ")
    short = len(samples) < decoding.samples - 1  # the resampler may round one sample off
    window = np.zeros(decoding.samples, np.float32)
    window[: len(samples)] = samples[: len(window)]
    return np.clip(np.resize(samples, decoding.samples) if short else window, -1.0, 1.0)
