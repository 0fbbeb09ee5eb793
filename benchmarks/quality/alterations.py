"""The same recording as people have it: other codecs, other cuts, other levels, other equalisers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import av
import av.error
import numpy as np
import scipy.fft
from av.audio.stream import AudioStream

from resonance_engine.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[np.float32]

MP3_RATES = (16000, 22050, 24000, 32000, 44100, 48000)  # Hz that 128 kbit/s exist for
BLOCK = 65536  # samples written at a time
SHIFT = 1.2  # seconds
LOWEST = 20.0  # Hz from which on an equaliser tilts


@dataclass(frozen=True)
class Sound:
    """All of a recording: stereo (2, samples) at `rate` Hz."""

    samples: Array
    rate: int


def decoded(path: Path) -> Sound:
    """The whole file at its own rate; one channel, or the mean of more than two, stands on both sides.

    FFmpeg's own way from one channel to two would take 3 dB off.
    """
    try:
        with av.open(str(path)) as container:
            stream = container.streams.audio[0]
            rate = stream.rate
            resampler = av.AudioResampler("fltp", stream.layout, rate)
            frames = [each.to_ndarray() for frame in container.decode(stream) for each in resampler.resample(frame)]
            frames += [each.to_ndarray() for each in resampler.resample(None)]
    except (av.error.FFmpegError, IndexError) as error:
        raise AudioError(path, f"it cannot be decoded from end to end ({error})") from error
    samples = np.concatenate(frames, axis=1).astype(np.float32)
    return Sound(samples if len(samples) == 2 else np.tile(samples.mean(axis=0), (2, 1)), rate)


def encoded(sound: Sound, path: Path, codec: str, rate: int, bit_rate: int = 0) -> Path:
    """The sound as a stereo file at `rate` Hz, in the container that the path's suffix stands for."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="stereo")
        assert isinstance(stream, AudioStream)
        if bit_rate:
            stream.bit_rate = bit_rate
        resampler = av.AudioResampler(stream.format, "stereo", rate, stream.frame_size or None)
        for at in range(0, sound.samples.shape[1], BLOCK):
            block = np.ascontiguousarray(sound.samples[:, at : at + BLOCK])
            frame = av.AudioFrame.from_ndarray(block, "fltp", "stereo")
            frame.sample_rate, frame.pts = sound.rate, at
            for each in resampler.resample(frame):
                container.mux(stream.encode(each))
        for each in resampler.resample(None):
            container.mux(stream.encode(each))
        container.mux(stream.encode(None))
    return path


def mp3(sound: Sound, folder: Path, bit_rate: int) -> Path:
    """As MP3 at the sound's own rate or, where MP3 does not know that, at 44.1 kHz."""
    rate = sound.rate if sound.rate in MP3_RATES else 44100
    return encoded(sound, folder / f"{bit_rate}.mp3", "libmp3lame", rate, bit_rate)


def wav(sound: Sound, path: Path) -> Path:
    """As it is, sample by sample."""
    return encoded(sound, path, "pcm_f32le", sound.rate)


def cut(sound: Sound, folder: Path) -> Path:
    """Without its first 1.2 s; each window begins a little elsewhere in the music, the last ones hardly."""
    return wav(Sound(sound.samples[:, shift(sound) :], sound.rate), folder / "cut.wav")


def moved(sound: Sound, folder: Path) -> Path:
    """Without its first 1.2 s, and with as much silence at its end, so that every window begins 1.2 s later."""
    samples = np.pad(sound.samples[:, shift(sound) :], ((0, 0), (0, shift(sound))))
    return wav(Sound(samples, sound.rate), folder / "moved.wav")


def shift(sound: Sound) -> int:
    return round(SHIFT * sound.rate)


def quieter(windows: Array, rate: int) -> Array:  # noqa: ARG001 - the same for any rate
    """6 dB less."""
    return (windows * 10 ** (-6 / 20)).astype(np.float32)


def tilted(windows: Array, rate: int, decibels: float) -> Array:
    """Windows (n, samples) through an equaliser that is a straight line over log frequency, clipped at ±1.

    From 20 Hz to half the rate the gain rises by `decibels`, or falls, and is 0 dB half way (630 Hz to 660 Hz).
    """
    count = windows.shape[1]
    length = scipy.fft.next_fast_len(count, real=True)
    pitch = np.log2(np.maximum(scipy.fft.rfftfreq(length, 1 / rate), LOWEST) / LOWEST)
    gain = 10 ** (decibels * (pitch / np.log2(rate / 2 / LOWEST) - 0.5) / 20)
    spectrum = scipy.fft.rfft(windows, length, axis=1) * gain.astype(np.float32)
    heard: Array = np.clip(scipy.fft.irfft(spectrum, length, axis=1)[:, :count], -1.0, 1.0).astype(np.float32)
    return heard


# Whole files are written where the file matters: an MP3 has a header, padding in front and frames to seek by, and a
# cut moves the windows. Gain and equaliser act on windows as they act on files.
FILES: Mapping[str, Callable[[Sound, Path], Path]] = {
    "MP3, 64 kbit/s": partial(mp3, bit_rate=64_000),
    "MP3, 128 kbit/s": partial(mp3, bit_rate=128_000),
    "first 1.2 s cut off": cut,
    "every window 1.2 s later": moved,
}
WINDOWS: Mapping[str, Callable[[Array, int], Array]] = {
    "6 dB quieter": quieter,
    "tilted by +6 dB (-3 to +3)": partial(tilted, decibels=6.0),
    "tilted by -6 dB (+3 to -3)": partial(tilted, decibels=-6.0),
    "tilted by +12 dB (-6 to +6)": partial(tilted, decibels=12.0),
    "tilted by -12 dB (+6 to -6)": partial(tilted, decibels=-12.0),
}
