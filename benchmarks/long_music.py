"""Create a beets library of ten-hour files in several formats, from one minute of sound each."""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from beets.library import Item, Library

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.audio.frame import AudioFrame
    from numpy.typing import NDArray

RATE = 44_100
HOURS = 10
SONGS = 24
SONG_SECONDS = 60
BARE = {"id3v2_version": "0", "write_xing": "0"}  # nothing but frames, and no table to seek by
Kind = tuple[str, dict[str, str], dict[str, int], dict[str, str]]  # codec, and options of the file, stream and encoder
CONSTANT: Kind = ("mp3", BARE, {"bit_rate": 64_000}, {})
VARIABLE: Kind = ("mp3", BARE, {}, {"flags": "+qscale", "global_quality": "590"})
ADTS: Kind = ("aac", {}, {"bit_rate": 64_000}, {})
FLAC: Kind = ("flac", {}, {}, {"compression_level": "0"})


def create_long_library(folder: Path) -> Path:
    """Create a beets home in `folder` with ten-hour files and a few songs, unless it exists; return it."""
    if not (folder / "library.db").exists():
        music = folder / "music"
        music.mkdir(parents=True, exist_ok=True)
        for number, (name, (codec, container, wanted, options)) in enumerate(
            {"constant.mp3": CONSTANT, "variable.mp3": VARIABLE, "bare.aac": ADTS}.items()
        ):
            write_repeated(music / name, number, codec, container, wanted, options)
        codec, container, wanted, options = FLAC
        encode(music / "long.flac", frames(99, HOURS * 60), codec, container, wanted, options)
        for number in range(SONGS):
            encode(music / f"song {number}.flac", frames(number, 1), codec, container, wanted, options)
        settings = {"plugins": ["resonance"], "directory": str(music), "library": str(folder / "library.db")}
        lines = (f"{name}: {json.dumps(value)}\n" for name, value in settings.items())
        (folder / "config.yaml").write_text("".join(lines), encoding="utf-8")
        with redirect_stdout(StringIO()):
            library = Library(str(folder / "library.db"), str(music))
            for path in sorted(music.iterdir()):
                # Its tags do not matter, and beets reads none of a bare AAC.
                library.add(Item(path=bytes(path), title=path.stem))
    return folder


def write_repeated(path: Path, seed: int, codec: str, *how: Any) -> None:
    """Write a minute's bytes again and again until ten hours are full: frames of MP3 and ADTS are independent."""
    encode(path, frames(seed, 1), codec, *how)
    minute = path.read_bytes()
    with path.open("ab") as file:
        for _ in range(HOURS * 60 - 1):
            file.write(minute)


def encode(
    path: Path, sound: Iterator[AudioFrame], codec: str, container: dict[str, str], wanted: Any, options: Any
) -> None:
    form = "adts" if path.suffix == ".aac" else path.suffix[1:]
    with av.open(str(path), "w", format=form, container_options=container) as file:
        stream: Any = file.add_stream(codec, rate=RATE, options=options)
        stream.layout = "mono"
        for name, value in wanted.items():
            setattr(stream, name, value)
        for frame in sound:
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def frames(seed: int, minutes: int) -> Iterator[AudioFrame]:
    """Yield a quiet chord, the same every second."""
    second = chord(seed)
    for number in range(minutes * 60):
        frame = av.AudioFrame.from_ndarray(second[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, number * RATE
        yield frame


def chord(seed: int) -> NDArray[np.int16]:
    pitches = np.random.default_rng(seed).integers(110, 1760, (4, 1))
    waves = np.sin(2 * np.pi * pitches * np.arange(RATE) / RATE)
    return np.asarray(100 * waves.sum(axis=0), np.int16)
