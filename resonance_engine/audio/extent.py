"""The true extent of a file's sound, by counting its packets, for files whose header is wrong about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonance_engine.audio.decoding import DRIFT, PREROLL, cut_span
from resonance_engine.audio.ogg_links import has_more_links
from resonance_engine.audio.seeking import seek

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.packet import Packet

    from resonance_engine.audio.decoding import AudioSource
    from resonance_engine.audio.spans import Span

    CountedPacket = tuple[float, Packet[AudioStream]]

TOLERANCE = (1.0, 0.02)
"""Seconds, and share of the length, by which a right header may differ from the count; the larger holds."""

LARGEST_COUNTED = 1 << 31
"""Bytes of a file up to which its packets are counted: to read more takes too long."""

LONGEST_PACKET = 10.0
"""Seconds that a packet may last, by its duration or by the next one's timestamp; more is an error of the file."""


def is_same_length(stated: float, counted: float) -> bool:
    """Return whether a header is right about the length, as far as windows go."""
    seconds, share = TOLERANCE
    return abs(stated - counted) <= max(seconds, share * stated)


def is_chained(path: Path, source: AudioSource) -> bool:
    """Return whether the file is several recordings one behind the other, whose timestamps begin anew."""
    if source.container.format.name != "ogg":
        return False
    with path.open("rb") as file:
        return has_more_links(file)


def ends_as_stated(source: AudioSource, stated: float) -> bool:
    """Return whether the sound ends where the header says, after `stated` seconds.

    Reads the packets from shortly before that end on, decodes none, and stops at the first that is clearly behind it.
    """
    if not seek(source.container, source.stream, stated - PREROLL, stated):
        return False
    tick, origin = float(source.stream.time_base or 0), source.stream.start_time or 0
    end = 0.0
    for packet in source.packets():
        end = stated if packet.pts is None else (packet.pts - origin) * tick + _seconds_of(packet)
        if end > stated and not is_same_length(stated, end):
            return False
    return is_same_length(stated, end)


def count_seconds(source: AudioSource) -> float:
    """Count the seconds of sound in all packets from the present place to the end, without decoding them."""
    seconds = 0.0
    for begin, packet in _counted_packets(source):
        seconds = begin + _seconds_of(packet)
    return seconds


def count_spans(source: AudioSource, starts: Sequence[float], seconds: float) -> Iterator[Span | None]:
    """Yield the sound of `seconds` from each of `starts`, seconds behind the present place, in ascending order.

    Reads every packet up to the last span and decodes those within a span, so that timestamps and tables of the file
    do not matter. Spans that overlap are decoded once for each. None for a span that the file does not supply.
    """
    packets = _counted_packets(source)
    kept: list[CountedPacket] = []
    for start in starts:
        begin, end = start - PREROLL, start + seconds + PREROLL
        kept = [each for each in kept if each[0] >= begin]
        while not kept or kept[-1][0] < end:
            counted = next(packets, None)
            if counted is None:
                break
            if counted[0] >= begin:
                kept.append(counted)
            elif counted[1].has_sidedata("new_extradata"):
                source.decode(counted[1])  # it holds what the packets behind it are decoded with
        source.stream.codec_context.flush_buffers()
        yield cut_span(_counted_frames(source, kept), start, seconds, (-2 * PREROLL, 1.0))


def _counted_frames(source: AudioSource, packets: Iterable[CountedPacket]) -> Iterator[tuple[int, AudioFrame]]:
    """Decode packets; yield each frame with the index of its first sample, by the seconds before its packet."""
    position = None
    for seconds, packet in packets:
        for frame in source.decode(packet):
            place = round(seconds * frame.sample_rate)
            # Seconds are counted in packets, of which decoders hold one back and cut some: so samples are, meanwhile.
            if position is None or abs(place - position) > DRIFT * frame.sample_rate:
                position = place
            yield position, frame
            position += frame.samples


def _counted_packets(source: AudioSource) -> Iterator[CountedPacket]:
    """Yield packets from the present place on, each with the seconds of sound before it."""
    seconds, last, is_open = 0.0, None, False
    for packet in source.packets():
        tick = float(packet.time_base or 0)
        stamp = None if packet.pts is None else packet.pts * tick
        if is_open and stamp is not None and last is not None and 0.0 < stamp - last < LONGEST_PACKET:
            seconds += stamp - last
        yield seconds, packet
        is_open, last = not packet.duration, stamp
        seconds += _seconds_of(packet)


def _seconds_of(packet: Packet[AudioStream]) -> float:
    """Return the seconds that a packet lasts, 0 where it does not say."""
    seconds = (packet.duration or 0) * float(packet.time_base or 0)
    return seconds if seconds <= LONGEST_PACKET else 0.0
