"""Samples to tagged FLAC and MP3 files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import av
import numpy as np
from mediafile import MediaFile

from demo.instruments import RATE, Signal

if TYPE_CHECKING:
    from pathlib import Path

# Encoder, sample format, bit rate (0: lossless) and options by file suffix.
# LAME's level 7 takes half the time of its default.
ENCODINGS: dict[str, tuple[str, str, int, dict[str, str]]] = {
    ".flac": ("flac", "s16", 0, {}),
    ".mp3": ("libmp3lame", "s16p", 192_000, {"compression_level": "7"}),
}
_FRAME = 65_536


@dataclass(frozen=True)
class Tags:
    """What a file says of itself."""

    title: str
    artist: str
    album: str
    genre: str
    year: int
    track: int
    tracktotal: int


def write_recording(path: Path, sound: Signal, tags: Tags) -> None:
    """Writes float32 (2, n) samples as the format of the path's suffix, then its tags."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"unfinished-{path.name}")
    _write_audio(unfinished, sound)
    media = MediaFile(unfinished)
    media.update(
        {
            "title": tags.title,
            "artist": tags.artist,
            "albumartist": tags.artist,
            "album": tags.album,
            "genres": [tags.genre],
            "year": tags.year,
            "track": tags.track,
            "tracktotal": tags.tracktotal,
        }
    )
    media.save()
    unfinished.replace(path)


def _write_audio(path: Path, sound: Signal) -> None:
    codec, sample_format, bit_rate, options = ENCODINGS[path.suffix]
    whole = np.clip(np.round(sound * 32_767.0), -32_768, 32_767).astype(np.int16)
    with av.open(str(path), "w") as container:
        added = container.add_stream(codec, rate=RATE, layout="stereo", format=sample_format, options=options)
        stream = cast("av.AudioStream", added)
        if bit_rate:
            stream.bit_rate = bit_rate
        for start in range(0, whole.shape[1], _FRAME):
            chunk = whole[:, start : start + _FRAME]
            samples = chunk if sample_format.endswith("p") else chunk.T.reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), sample_format, "stereo")
            frame.sample_rate = RATE
            frame.pts = start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
