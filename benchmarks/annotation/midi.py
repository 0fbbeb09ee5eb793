"""Standard MIDI files: write notes, and read how long each program sounds."""

from __future__ import annotations

import struct
from collections import defaultdict
from typing import NamedTuple

from resonance_engine.errors import ResonanceError

TICKS = 480  # a beat
DRUM_CHANNEL = 9
DRUMS = 128  # stands for the percussion channel where programs are counted
META, SYSTEM_EXCLUSIVE = 0xFF, (0xF0, 0xF7)


class MidiNote(NamedTuple):
    """A note: `start` and `length` in beats, `pitch` and `velocity` 0 to 127, `channel` 0 to 15."""

    start: float
    length: float
    pitch: int
    velocity: int = 96
    channel: int = 0


def write_midi(notes: list[MidiNote], programs: dict[int, int], tempo: float) -> bytes:
    """Return a MIDI file of one track: notes, the program of each channel, and a tempo in beats a minute."""
    events = [(0, bytes([0xC0 | channel, program])) for channel, program in sorted(programs.items())]
    for note in notes:
        start, end = round(note.start * TICKS), round((note.start + note.length) * TICKS)
        events.append((start, bytes([0x90 | note.channel, note.pitch, note.velocity])))
        events.append((max(end, start + 1), bytes([0x80 | note.channel, note.pitch, 0])))
    events.sort(key=lambda event: (event[0], event[1][0] & 0xF0 == 0x90))  # a repeated note ends before it begins
    microseconds = round(60e6 / tempo).to_bytes(3, "big")
    track = b"\x00\xff\x51\x03" + microseconds
    now = 0
    for tick, event in events:
        track += variable_length(tick - now) + event
        now = tick
    track += b"\x00\xff\x2f\x00"
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, TICKS) + b"MTrk" + struct.pack(">I", len(track)) + track


def variable_length(number: int) -> bytes:
    """Encode a number in groups of seven bits, the highest first; all but the last have the eighth bit set."""
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(0x80 | number & 0x7F)
    return bytes(reversed(groups))


def program_shares(content: bytes) -> dict[int, float]:
    """Return the share of each program, DRUMS included, in the sounding time of all notes of a MIDI file, in ticks.

    Raises ResonanceError for what is no MIDI file.
    """
    if content[:4] != b"MThd":
        raise ResonanceError("A MIDI file begins with MThd; this one does not. Leave it out.")
    sounding: dict[int, float] = defaultdict(float)
    programs: dict[int, int] = {}  # files of several tracks set them in any of these
    at = 8 + int.from_bytes(content[4:8], "big")
    changes: list[tuple[int, int, bytes]] = []
    notes: list[tuple[int, int, bytes]] = []
    while at + 8 <= len(content):
        length = int.from_bytes(content[at + 4 : at + 8], "big")
        if content[at : at + 4] == b"MTrk":
            for tick, status, data in track_events(content[at + 8 : at + 8 + length]):
                (changes if status & 0xF0 == 0xC0 else notes).append((tick, status, data))
        at += 8 + length
    open_notes: dict[tuple[int, int], int] = {}
    order = sorted([*changes, *notes], key=lambda event: (event[0], event[1] & 0xF0 != 0xC0))
    for tick, status, data in order:
        kind, channel = status & 0xF0, status & 0x0F
        if kind == 0xC0:
            programs[channel] = data[0]
        elif kind == 0x90 and data[1]:
            open_notes.setdefault((channel, data[0]), tick)
        elif kind in (0x80, 0x90) and (channel, data[0]) in open_notes:
            start = open_notes.pop((channel, data[0]))
            if channel == DRUM_CHANNEL:
                sounding[DRUMS] += TICKS / 4  # a drum's note has no length of its own
            else:
                sounding[programs.get(channel, 0)] += tick - start
    total = sum(sounding.values()) or 1.0
    return {program: time / total for program, time in sorted(sounding.items())}


def track_events(track: bytes) -> list[tuple[int, int, bytes]]:
    """Return the channel events of a track: tick, status byte, data bytes."""
    events = []
    at, tick, status = 0, 0, 0
    while at < len(track):
        delta, at = read_number(track, at)
        tick += delta
        if track[at] & 0x80:
            status, at = track[at], at + 1
        if status == META:
            length, at = read_number(track, at + 1)
            at += length
        elif status in SYSTEM_EXCLUSIVE:
            length, at = read_number(track, at)
            at += length
        else:
            size = 1 if status & 0xF0 in (0xC0, 0xD0) else 2
            events.append((tick, status, track[at : at + size]))
            at += size
    return events


def read_number(content: bytes, at: int) -> tuple[int, int]:
    """Read a number as `variable_length` writes it; return it and the place after it."""
    number = 0
    while True:
        number = number << 7 | content[at] & 0x7F
        at += 1
        if not content[at - 1] & 0x80:
            return number, at
