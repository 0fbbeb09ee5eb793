"""Open an audio file: its packets, and mono samples from any place in it."""

from __future__ import annotations

import os
import stat
from collections import deque
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain, takewhile
from statistics import median_low
from typing import TYPE_CHECKING, Any

import av
import av.error
import numpy as np
from av.container import Container

from resonance_engine.audio.chunk_sizes import MendedFile, mend_sizes
from resonance_engine.audio.downmix import join_frames, mix_to_mono
from resonance_engine.audio.seeking import seek
from resonance_engine.audio.spans import RATES, Span
from resonance_engine.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from numpy.typing import NDArray

PREROLL = 0.5
"""Seconds decoded and thrown away before a span, so that decoders with memory, such as MP3's, are in step."""

LANDING = (-30.0, 1.0)
"""How far from the wanted second a seek may land, in seconds; farther away it counts as failed."""

DRIFT = 0.1
"""Seconds by which timestamps may leave the count of samples before the count follows them."""

BARREN_PACKETS = 400
"""Packets in a row that may fail to decode (about ten seconds of MP3) before the rest is given up."""

FAILED_READS = 20
"""Reads in a row that may fail before the file counts as ended."""

PLAYLISTS = {"concat", "dash", "hls"}
"""FFmpeg's names for text files that make it open other files."""

TEXT_OPTIONS: dict[str, Any] = {"metadata_errors": "surrogateescape"} if hasattr(Container, "metadata_errors") else {}
"""Arguments with which PyAV keeps the bytes of tags that are not UTF-8; from version 19 on it always does."""

UNREADABLE = "it is not audio in a format that can be read, or it is damaged"


class AudioSource:
    """The first audio stream of an open file."""

    def __init__(self, container: InputContainer, stream: AudioStream) -> None:
        self.container = container
        self.stream = stream

    @property
    def duration(self) -> float | None:
        """Seconds that the header promises; None where it promises nothing."""
        stream = self.stream
        if stream.duration and stream.time_base:
            seconds = float(stream.duration * stream.time_base)
        else:
            seconds = (self.container.duration or 0) / 1e6
        return seconds if seconds > 0.0 else None

    @property
    def metadata(self) -> dict[str, str]:
        """Tags by names in small letters; bytes that are not UTF-8 become U+FFFD."""
        tags: dict[str, str] = {}
        # Ogg keeps its comments on the stream, all others on the container.
        for metadata in (self.stream.metadata, self.container.metadata):
            for name, text in metadata.items():
                tags[name.lower()] = text.encode(errors="surrogateescape").decode(errors="replace")
        return tags

    def packets(self) -> Iterator[Packet[AudioStream]]:
        """Yield the stream's packets from here to the end; reading goes on behind damage."""
        failures = 0
        while failures < FAILED_READS:
            try:
                for packet in self.container.demux(self.stream):
                    if packet.size:
                        failures = 0
                        yield packet
                return
            except (av.error.EOFError, IndexError):
                # PyAV gives an IndexError at the end of a file in which a stream appeared on the way.
                return
            except av.error.MemoryError:
                raise
            except av.error.FFmpegError:
                failures += 1

    def frames(self) -> Iterator[AudioFrame]:
        """Yield decoded frames from here to the end; packets that do not decode are passed over."""
        barren = 0
        for packet in self.packets():
            frames = self.decode(packet)
            barren = 0 if frames else barren + 1
            if barren > BARREN_PACKETS:
                return
            yield from frames
        yield from self.decode(None)

    def decode(self, packet: Packet[AudioStream] | None) -> list[AudioFrame]:
        """Decode a packet, or what the decoder still holds; nothing of a packet that does not decode."""
        try:
            frames = self.stream.decode(packet)
        except av.error.MemoryError:
            raise
        except av.error.FFmpegError:
            return []
        return [frame for frame in frames if frame.sample_rate in RATES]

    def seek_span(self, start: float, seconds: float) -> Span | None:
        """Decode `seconds` of sound from second `start`, reached by seeking; None where seeking leads elsewhere."""
        # Before the beginning where need be: behind second 0 itself, FFmpeg 9 leaves the first frame of an m4a out.
        if not seek(self.container, self.stream, start - PREROLL, self.duration or 0.0):
            return None
        return cut_span(self._timed_frames(start), start, seconds, LANDING)

    def decode_span(self, start: float, seconds: float) -> Span | None:
        """Decode `seconds` of sound from `start` seconds behind the present place, reached by decoding up to it."""
        return cut_span(self._counted_frames(), start, seconds, (-start, 0.0))

    def measure_length(self, most: float) -> float:
        """Measure the seconds of sound from the present position to the end by decoding, up to `most`."""
        seconds, last = 0.0, None
        for frame in self.frames():
            seconds += frame.samples / frame.sample_rate
            if seconds >= most:
                return most
            last = frame
        return seconds - (_padding_seconds(last) if last else 0.0)

    def _timed_frames(self, start: float) -> Iterator[tuple[int, AudioFrame]]:
        """Yield frames, each with the index of its first sample by the file's timestamps.

        One timestamp alone is not to be trusted: FFmpeg stamps Vorbis frames between a long and a short block
        448 samples late, others come in whole milliseconds. So up to second `start` the median of the last
        stamps decides, and from there on samples are counted.
        """
        tick = float(self.stream.time_base or 0)
        origin = self.stream.start_time or 0
        offsets: deque[int] = deque(maxlen=99)
        count, offset = 0, 0
        for frame in self.frames():
            rate = frame.sample_rate
            if frame.pts is not None:
                offsets.append(round((frame.pts - origin) * tick * rate) - count)
                if count + offset < start * rate or len(offsets) == 1:
                    offset = median_low(offsets)
                elif abs(offsets[-1] - offset) > DRIFT * rate:
                    offset = offsets[-1]
            if offsets:
                yield count + offset, frame
                count += frame.samples

    def _counted_frames(self) -> Iterator[tuple[int, AudioFrame]]:
        """Yield frames, each with the number of samples before it."""
        count = 0
        for frame in self.frames():
            yield count, frame
            count += frame.samples


@contextmanager
def open_audio(path: Path, *, mend: bool = True) -> Iterator[AudioSource]:
    """Open the file at `path` for the time of a `with`; whatever fails inside comes out as one AudioError.

    Unless `mend` is False, audio behind the end that a WAV file and its like state is read, too.
    """
    _check_file(path)
    try:
        # Without the protocol list a text file that is a playlist would be followed into the network.
        with (
            path.open("rb") as file,
            av.open(
                MendedFile(file, sizes) if mend and (sizes := mend_sizes(file)) else os.fsdecode(path.absolute()),
                mode="r",
                container_options={"protocol_whitelist": "file"},
                **TEXT_OPTIONS,
            ) as container,
        ):
            yield AudioSource(container, _select_stream(path, container))
    except AudioError:
        raise
    except av.error.MemoryError as error:
        raise AudioError(path, "it needs more memory than it may have, so it is damaged or no music") from error
    except (av.error.FFmpegError, OSError, ValueError, ArithmeticError, EOFError) as error:
        raise AudioError(path, f"{UNREADABLE} ({getattr(error, 'strerror', error)})") from error


def _check_file(path: Path) -> None:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise AudioError(path, "it is a folder, not a file")
        if not stat.S_ISREG(status.st_mode):
            raise AudioError(path, "it is not a regular file")
        if status.st_size == 0:
            raise AudioError(path, "it is empty (0 bytes)")
        path.open("rb").close()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a zero byte in the name
        raise AudioError(path, "there is no such file") from None
    except PermissionError:
        raise AudioError(path, "you may not read it; check its permissions and its folders'") from None
    except OSError as error:
        raise AudioError(path, f"it cannot be opened ({error.strerror})") from error


def _select_stream(path: Path, container: InputContainer) -> AudioStream:
    if container.format.name in PLAYLISTS:
        raise AudioError(path, "it is a list of files, not audio")
    if not container.streams.audio:
        raise AudioError(path, "it holds no audio")
    stream = container.streams.audio[0]
    # PyAV leaves the codec context out where FFmpeg has no decoder, whatever its types say.
    if stream.codec_context is None:
        raise AudioError(path, "its audio is of a kind that cannot be decoded, or is copy-protected")
    if stream.rate == 0:
        raise AudioError(path, UNREADABLE)
    if stream.rate not in RATES:
        raise AudioError(path, f"it is damaged: its header says {stream.rate} samples per second")
    return stream


def _padding_seconds(frame: AudioFrame) -> float:
    """Return the seconds at the end of a last frame that only fill it up, where the file states its music exactly.

    In an m4a FFmpeg cuts them off from version 9 on.
    """
    stated = frame.duration
    if not stated or frame.time_base != Fraction(1, frame.sample_rate):
        return 0.0
    return max(0, frame.samples - stated) / frame.sample_rate


def cut_span(
    frames: Iterator[tuple[int, AudioFrame]], start: float, seconds: float, landing: tuple[float, float]
) -> Span | None:
    """Cut `seconds` out of the frames from second `start`, or from the first frame where that is later."""
    position, frame = next(frames, (0, None))
    if frame is None:
        return None
    rate = frame.sample_rate
    if not landing[0] <= position / rate - start <= landing[1]:
        return None
    begin = max(round(start * rate), position)
    samples = np.zeros(round(seconds * rate), np.float32)
    end = begin + len(samples)
    within = (
        (place, part)
        for place, part in takewhile(lambda placed: placed[0] < end, chain([(position, frame)], frames))
        if place + part.samples > begin and part.sample_rate == rate
    )
    filled = sum(_copy_frame(samples, joined, place - begin) for place, joined in join_frames(within))
    if not np.isfinite(samples.sum()):
        np.nan_to_num(samples, copy=False, nan=0.0, posinf=1.0, neginf=-1.0)
    np.clip(samples, -1.0, 1.0, out=samples)
    return Span(samples, rate, begin / rate, filled / len(samples))


def _copy_frame(samples: NDArray[np.float32], frame: AudioFrame, offset: int) -> int:
    """Copy the part of a frame beginning at `offset` that falls into `samples`; return its number of samples."""
    begin, end = max(0, -offset), min(frame.samples, len(samples) - offset)
    samples[offset + begin : offset + end] = mix_to_mono(frame)[begin:end]
    return end - begin
