"""Lossy codecs: encode a window of samples at a low bit rate and decode it again, in memory."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

import av
import numpy as np
import scipy.fft
import soxr
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.packet import Packet

Array = NDArray[np.float32]

BLOCK = 1024  # samples a frame where the encoder takes any number
LOUDNESS = 0.1  # RMS of the noise that delays are measured with
LAMBDA = 118  # FFmpeg's unit of quality


class Codec(NamedTuple):
    """FFmpeg's encoder and decoder of a codec, the encoder's channels and options, and its rate if it has only one."""

    encoder: str
    decoder: str
    channels: int
    options: dict[str, str]
    rate: int | None = None


# With the encoders' defaults, MP3 and AAC would take twice the time.
CODECS = {
    "mp3": Codec("libmp3lame", "mp3float", 1, {"compression_level": "9"}),
    "aac": Codec("aac", "aac", 1, {"aac_coder": "fast"}),
    "opus": Codec("libopus", "opus", 1, {"compression_level": "2"}, 48000),
    "vorbis": Codec("vorbis", "vorbis", 2, {"strict": "experimental", "flags": "+qscale"}),
}
LAYOUTS = {1: "mono", 2: "stereo"}


@lru_cache(maxsize=1)
def list_codecs() -> tuple[str, ...]:
    """List the codecs that the installed PyAV both encodes and decodes."""
    return tuple(
        name
        for name, codec in CODECS.items()
        if _is_available(codec.encoder, "w") and _is_available(codec.decoder, "r")
    )


def round_trip(samples: Array, rate: int, name: str, bit_rate: int) -> Array:
    """Encode mono samples (n,) at `rate` Hz by the codec `name` at `bit_rate` bits a second, and decode them again.

    Returns as many samples, aligned in time: the codec's delay is measured and removed. FFmpeg's Vorbis has no bit
    rate, only a quality: the one that needs about as many bits for music.
    """
    coded_rate = _coded_rate(name, rate)
    coded = samples if coded_rate == rate else soxr.resample(samples, rate, coded_rate)
    decoded = _encode_and_decode(coded, coded_rate, name, bit_rate)[_measure_delay(name, coded_rate) :]
    if coded_rate != rate:
        decoded = soxr.resample(decoded, coded_rate, rate)
    kept = np.zeros(len(samples), np.float32)
    kept[: len(decoded)] = decoded[: len(samples)]
    return kept


def _is_available(name: str, mode: Literal["r", "w"]) -> bool:
    try:
        av.codec.Codec(name, mode)
    except ValueError:
        return False
    return True


def _coded_rate(name: str, rate: int) -> int:
    """Return the rate itself, or the next one up that the encoder takes."""
    fixed = CODECS[name].rate
    if fixed is not None:
        return fixed
    rates = av.codec.Codec(CODECS[name].encoder, "w").audio_rates
    if not rates or rate in rates:
        return rate
    return min((each for each in rates if each > rate), default=max(rates))


@lru_cache(maxsize=32)
def _measure_delay(name: str, rate: int) -> int:
    """Measure the samples that a round trip puts in front, on a second of noise: PyAV removes only some codecs'."""
    noise = np.random.default_rng(0).standard_normal(rate, dtype=np.float32)
    noise *= np.float32(LOUDNESS)
    decoded = _encode_and_decode(noise, rate, name, 64_000)
    length = scipy.fft.next_fast_len(len(noise) + len(decoded), real=True)
    spectrum = scipy.fft.rfft(decoded, length) * np.conj(scipy.fft.rfft(noise, length))
    return int(scipy.fft.irfft(spectrum, length)[: len(decoded)].argmax())


def _encode_and_decode(samples: Array, rate: int, name: str, bit_rate: int) -> Array:
    """Return the decoder's output, delay and padding included."""
    codec = CODECS[name]
    encoder = _open_context(codec.encoder, "w", rate, codec.channels)
    formats = [each.name for each in encoder.codec.audio_formats or ()]
    encoder.format = "fltp" if "fltp" in formats else "flt"
    encoder.time_base = Fraction(1, rate)
    encoder.options = dict(codec.options)
    if "flags" in codec.options:  # for music, FFmpeg's Vorbis needs 34, 44 and 52 kbit/s at the qualities 1, 2 and 3
        encoder.options["global_quality"] = str(round(LAMBDA * max(0.5, (bit_rate / 1000 - 25) / 9)))
    encoder.bit_rate = bit_rate
    encoder.open()
    packets = _encode(encoder, samples, rate)
    decoder = _open_context(codec.decoder, "r", rate, codec.channels)
    decoder.extradata = encoder.extradata
    frames = [frame for packet in (*packets, None) for frame in decoder.decode(packet)]
    assert all(frame.format.name == "fltp" for frame in frames), "these decoders give planes of floats"
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def _open_context(name: str, mode: Literal["r", "w"], rate: int, channels: int) -> AudioCodecContext:
    context = av.CodecContext.create(name, mode)
    assert isinstance(context, AudioCodecContext)
    context.sample_rate = rate
    context.layout = LAYOUTS[channels]
    return context


def _encode(encoder: AudioCodecContext, samples: Array, rate: int) -> list[Packet[AudioStream]]:
    """Encode all samples in frames of the encoder's size; the last one is filled up with silence."""
    channels, form = encoder.channels, encoder.format.name
    size = encoder.frame_size or BLOCK
    padded = np.pad(samples, (0, -len(samples) % size))
    packets: list[Packet[AudioStream]] = []
    for start in range(0, len(padded), size):
        block = padded[np.newaxis, start : start + size]
        frame = av.AudioFrame.from_ndarray(np.repeat(block, channels, axis=0), form, LAYOUTS[channels])
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        packets += encoder.encode(frame)
    return [*packets, *encoder.encode(None)]
