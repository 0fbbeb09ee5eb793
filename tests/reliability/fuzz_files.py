"""Small real files of every format that the engine reads: what the fuzzer damages."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tests.audio_files import FORMATS, Format, tune, write_audio

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

SHORT = 4.0  # seconds; less than a window, so decoded from the start
LONG = 20.0  # more than a window, so sought

RARE = {
    "ac3": Format("ac3", "ac3", "fltp", ".ac3"),
    "au": Format("au", "pcm_mulaw", "s16", ".au"),
    "caf": Format("caf", "pcm_s16be", "s16", ".caf"),
    "matroska": Format("matroska", "flac", "s16", ".mka"),
    "mp2": Format("mp2", "mp2", "s16", ".mp2"),
    "ogg-flac": Format("ogg", "flac", "s16", ".oga"),
    "tta": Format("tta", "tta", "s16", ".tta"),
    "w64": Format("w64", "pcm_s16le", "s16", ".w64"),
}
"""Kinds of file that few keep music in, and that FFmpeg reads all the same."""

EXACT = {"fflags": "+bitexact"}  # no random serial numbers, so that a seed gives the same inputs at each run
TAGS = {"artist": "Can", "title": "Vitamin C", "album": "Ege Bamyasi", "genre": "Krautrock"}


class Seed(NamedTuple):
    """An intact file: its kind, its suffix and its bytes."""

    kind: str
    suffix: str
    content: bytes


def seeds(folder: Path, kinds: Collection[str] = ()) -> list[Seed]:
    """Intact files of these kinds, or of all, short and long, written by way of `folder`; the same at each call."""
    intact = []
    for kind, form in {**FORMATS, **RARE}.items():
        if kinds and kind not in kinds:
            continue
        narrow = kind in {"opus", "ac3", "vorbis", "mp2"}  # encoders that want a rate or channels of their own
        for seconds in (SHORT, LONG):
            rate = 48_000 if narrow else 44_100 if seconds == SHORT else 16_000
            samples = tune(seconds, rate, channels=2 if narrow or seconds == SHORT else 1)
            path = folder / f"{kind}{form.suffix}"
            write_audio(path, samples, rate, form, metadata=TAGS, muxer_options=EXACT)
            intact.append(Seed(kind, form.suffix, path.read_bytes()))
    return intact if kinds else [*intact, *variants(folder)]


def variants(folder: Path) -> list[Seed]:
    """Files that `write_audio` makes only when told how, or not at all."""
    samples = tune(LONG, 22_050)
    variable = write_audio(folder / "vbr.mp3", samples, 22_050, quality=6, metadata=TAGS)
    # Without ID3 and Xing FFmpeg has to guess what it is and how long it lasts.
    plain = EXACT | {"write_xing": "0", "id3v2_version": "0"}
    bare = write_audio(folder / "bare.mp3", samples, 22_050, bit_rate=64_000, muxer_options=plain)
    return [
        Seed("mp3-vbr", ".mp3", variable.read_bytes()),
        Seed("mp3-bare", ".mp3", bare.read_bytes()),
        Seed("dsf", ".dsf", dsf()),
    ]


def dsf(seconds: float = SHORT, rate: int = 2_822_400, block: int = 4096) -> bytes:
    """A DSD stream file of one channel; nothing at hand encodes any."""
    blocks = round(seconds * rate / 8) // block
    noise = np.random.default_rng(0).bytes(blocks * block)
    samples = 8 * len(noise)
    form = b"fmt " + struct.pack("<QIIIIIIQII", 52, 1, 0, 1, 1, rate, 1, samples, block, 0)
    data = b"data" + struct.pack("<Q", 12 + len(noise)) + noise
    return b"DSD " + struct.pack("<QQQ", 28, 28 + len(form) + len(data), 0) + form + data
