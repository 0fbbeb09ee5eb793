"""Writes short audio files of every format that the engine reads, with the encoders inside PyAV's wheel."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import av
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


class Format(NamedTuple):
    """How FFmpeg calls a kind of file: muxer, encoder, and the sample format given to the encoder."""

    muxer: str
    encoder: str
    sample_format: str
    suffix: str


FORMATS = {
    "mp3": Format("mp3", "libmp3lame", "fltp", ".mp3"),
    "flac": Format("flac", "flac", "s16", ".flac"),
    "vorbis": Format("ogg", "vorbis", "fltp", ".ogg"),
    "opus": Format("opus", "libopus", "flt", ".opus"),
    "aac": Format("ipod", "aac", "fltp", ".m4a"),
    "alac": Format("ipod", "alac", "s16p", ".m4a"),
    "wav": Format("wav", "pcm_s16le", "s16", ".wav"),
    "aiff": Format("aiff", "pcm_s16be", "s16", ".aiff"),
    "wma": Format("asf", "wmav2", "fltp", ".wma"),
    "wavpack": Format("wv", "wavpack", "s16p", ".wv"),
    "wav24": Format("wav", "pcm_s24le", "s32", ".wav"),
    "wav-float": Format("wav", "pcm_f32le", "flt", ".wav"),
    "aiff24": Format("aiff", "pcm_s24be", "s32", ".aiff"),
    "flac24": Format("flac", "flac", "s32", ".flac"),
    "adts": Format("adts", "aac", "fltp", ".aac"),
}
"""Every kind of file that `write_audio` knows."""

MUSIC_FORMATS = ("mp3", "flac", "vorbis", "opus", "aac", "alac", "wav", "aiff", "wma", "wavpack")
"""The kinds that people keep music in, one of each codec."""

LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}

FRAME = 1 << 14


def write_audio(
    path: Path,
    samples: NDArray[np.float32],
    rate: int,
    kind: str | Format | None = None,
    *,
    bit_rate: int | None = None,
    quality: float | None = None,
    metadata: dict[str, str] | None = None,
    muxer_options: dict[str, str] | None = None,
    repeats: int = 1,
) -> Path:
    """Encode `samples`, shape (n,) or (channels, n), `repeats` times over, into `path` and return the path.

    `kind` is a key of FORMATS or a format; without it the first with the path's suffix is taken. Opus wants a rate
    of 48000, 24000, 16000, 12000 or 8000, FFmpeg's Vorbis encoder two channels. `quality` asks MP3 for a
    variable bit rate, 0 best to 9 worst; `muxer_options={"write_xing": "0"}` leaves the Xing header out.
    """
    if not isinstance(kind, Format):
        kind = FORMATS[kind] if kind else next(f for f in FORMATS.values() if f.suffix == path.suffix)
    form = kind
    planes = np.atleast_2d(np.asarray(samples, np.float32))
    layout = LAYOUTS[len(planes)]
    with av.open(os.fspath(path), "w", format=form.muxer, options=muxer_options or {}) as container:
        container.metadata.update(metadata or {})
        options = {"strict": "experimental"}
        if quality is not None:
            options |= {"flags": "+qscale", "global_quality": str(round(118 * quality))}  # FF_QP2LAMBDA
        stream = container.add_stream(form.encoder, rate=rate, options=options)
        assert isinstance(stream, av.AudioStream)
        context = stream.codec_context
        context.layout = layout
        context.format = form.sample_format
        context.time_base = Fraction(1, rate)
        if bit_rate is not None or form.encoder == "wmav2":
            context.bit_rate = bit_rate or 128_000  # wmav2 has no default of its own
        length = planes.shape[1]
        for repeat in range(repeats):
            for start in range(0, length, FRAME):
                block = np.ascontiguousarray(planes[:, start : start + FRAME])
                frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
                frame.sample_rate = rate
                frame.pts = repeat * length + start
                frame.time_base = Fraction(1, rate)
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_looped(path: Path, source: Path, times: int) -> Path:
    """Write the packets of `source`, an MP3 or ADTS file, `times` over, without encoding anything; return the path."""
    with av.open(os.fspath(source)) as container:
        packets = b"".join(bytes(packet) for packet in container.demux(audio=0))
    path.write_bytes(packets * times)
    return path


def write_silent_film(path: Path, seconds: float = 1.0) -> Path:
    """Write a video of grey frames that has no audio stream, and return the path."""
    with av.open(os.fspath(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(round(10 * seconds)):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 128, np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def hiss(seconds: float, rate: int, level: float, channels: int = 1, seed: int = 1) -> NDArray[np.float32]:
    """White noise of an RMS in dBFS, the same in all channels, (channels, n)."""
    noise = np.random.default_rng(seed).standard_normal(round(seconds * rate)) * 10 ** (level / 20)
    return np.tile(noise, (channels, 1)).astype(np.float32)


def tune(seconds: float, rate: int = 44100, *, channels: int = 2, seed: int = 0) -> NDArray[np.float32]:
    """A melody of decaying tones over soft noise, (channels, n) within ±0.8; no two seconds are alike."""
    random = np.random.default_rng(seed)
    count = round(seconds * rate)
    time = np.arange(count) / rate
    beat = np.floor(time * 4).astype(np.int64)
    pitches = 110.0 * 2 ** (random.integers(0, 36, beat[-1] + 1) / 12)
    pitch = np.minimum(pitches[beat], 0.4 * rate)
    decay = np.exp(-6.0 * (time * 4 - beat) / 4)
    melody = 0.5 * decay * np.sin(2 * np.pi * pitch * (time - beat / 4))
    noise = 0.05 * random.standard_normal((channels, count))
    music: NDArray[np.float32] = np.clip(melody + noise, -0.8, 0.8).astype(np.float32)
    return music
