"""Decode whole recordings, and encode them by another codec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import av
import av.error
import numpy as np
from av.audio.stream import AudioStream

from resonance_engine.audio.decoding import TEXT_OPTIONS
from resonance_engine.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from av.audio.frame import AudioFrame
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

MP3_RATES = (16000, 22050, 24000, 32000, 44100, 48000)  # Hz that 64 and 128 kbit/s exist for
BLOCK = 65536  # samples written at a time


@dataclass(frozen=True)
class StereoAudio:
    """A whole recording: stereo (2, samples) at `rate` Hz."""

    samples: Array
    rate: int


def decode(path: Path) -> StereoAudio:
    """Decode the whole file at its own rate; one channel, or the mean of more than two, goes to both sides.

    FFmpeg's own way from one channel to two would take 3 dB off.
    """
    try:
        with av.open(str(path), **TEXT_OPTIONS) as container:
            stream = container.streams.audio[0]
            rate = stream.rate
            resampler = av.AudioResampler("fltp", stream.layout, rate)
            decoded = (frame for packet in container.demux(stream) for frame in decode_packet(packet))
            frames = [each.to_ndarray() for frame in decoded for each in resampler.resample(frame)]
            frames += [each.to_ndarray() for each in resampler.resample(None)]
    except (av.error.FFmpegError, IndexError) as error:
        raise AudioError(path, f"it cannot be decoded from end to end ({error})") from error
    if not frames:
        raise AudioError(path, "it has no sound")
    samples = np.concatenate(frames, axis=1).astype(np.float32)
    return StereoAudio(samples if len(samples) == 2 else np.tile(samples.mean(axis=0), (2, 1)), rate)


def decode_packet(packet: av.Packet[AudioStream]) -> Sequence[AudioFrame]:
    """Decode a packet; an empty one, with which some Ogg files end, and the end after it give nothing."""
    try:
        return packet.decode()
    except av.error.FFmpegError:
        if packet.size:
            raise
        return []


def encode(
    audio: StereoAudio,
    path: Path,
    codec: str,
    rate: int,
    bit_rate: int = 0,
    options: Mapping[str, str] | None = None,
    comment: str = "",
) -> Path:
    """Encode audio as a stereo file at `rate` Hz, in the container that the path's suffix stands for.

    `options` are the encoder's own; `comment` becomes a tag of the file.
    """
    with av.open(str(path), "w") as container:
        if comment:
            container.metadata["comment"] = comment
        stream = container.add_stream(codec, rate=rate, options=dict(options or {}), layout="stereo")
        assert isinstance(stream, AudioStream)
        if bit_rate:
            stream.bit_rate = bit_rate
        resampler = av.AudioResampler(stream.format, "stereo", rate, stream.frame_size or None)
        for at in range(0, audio.samples.shape[1], BLOCK):
            block = np.ascontiguousarray(audio.samples[:, at : at + BLOCK])
            frame = av.AudioFrame.from_ndarray(block, "fltp", "stereo")
            frame.sample_rate, frame.pts = audio.rate, at
            for part in resampler.resample(frame):
                container.mux(stream.encode(part))
        for each in resampler.resample(None):
            container.mux(stream.encode(each))
        container.mux(stream.encode(None))
    return path


def encode_mp3(audio: StereoAudio, folder: Path, bit_rate: int) -> Path:
    """Encode audio as MP3 at its own rate or, where MP3 lacks that, at 44.1 kHz."""
    rate = audio.rate if audio.rate in MP3_RATES else 44100
    return encode(audio, folder / f"{bit_rate}.mp3", "libmp3lame", rate, bit_rate)


def matching_keys(
    first: NDArray[np.intp], keys: Sequence[bytes], other_first: NDArray[np.intp], other_keys: Sequence[bytes]
) -> list[bytes]:
    """Return the keys of the copies, or of the track itself where its copy has more windows or fewer.

    `first` (songs + 1,) are the places of the songs' first windows.
    """
    same = np.diff(first) == np.diff(other_first)
    return [other if alike else key for key, other, alike in zip(keys, other_keys, same, strict=True)]
