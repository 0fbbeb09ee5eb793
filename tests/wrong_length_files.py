"""Write files whose headers are wrong about how long they are, each beside a right one of the same music."""

from __future__ import annotations

import os
import re
import struct
from contextlib import suppress
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import av
import numpy as np

from tests.audio_files import FORMATS, Format, tune, write_audio

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Samples = NDArray[np.float32]
    Patch = Callable[[bytes], bytes]

RATE = 24_000
SECONDS = 82.0

MORE_FORMATS = {
    "mka": Format("matroska", "libmp3lame", "fltp", ".mka"),
    "mka-flac": Format("matroska", "flac", "s16", ".mka"),
    "ts": Format("mpegts", "aac", "fltp", ".ts"),
    "flv": Format("flv", "aac", "fltp", ".flv"),
    "w64": Format("w64", "pcm_s16le", "s16", ".w64"),
    "caf": Format("caf", "pcm_s16be", "s16", ".caf"),
    "au": Format("au", "pcm_s16be", "s16", ".au"),
    "ogg-flac": Format("ogg", "flac", "s16", ".oga"),
}


class WrongLength(NamedTuple):
    """A file with a wrong length in its header, and one with the right length and the same music."""

    path: Path
    right: Path


@lru_cache
def sections(seconds: float = SECONDS, levels: tuple[float, ...] = (0.5, 0.9, 0.3, 0.8, 0.6)) -> Samples:
    """Music whose equal parts differ in register, density and level, stereo."""
    parts = []
    for number, level in enumerate(levels):
        part = tune(seconds / len(levels), RATE, seed=number)
        time = np.arange(part.shape[1]) / RATE
        chord = sum(
            np.sin(2 * np.pi * 65.4 * 2 ** ((7 * number + step) / 12) * time) for step in (0, 4, 7, 12 + number)
        )
        pulse = np.sin(2 * np.pi * (1.5 + number) * time) > 0.6
        parts.append((0.6 * part + 0.1 * chord * (pulse if number % 2 else 1.0)) * level)
    return np.concatenate(parts, axis=1).astype(np.float32)


def write(folder: Path, name: str, samples: Samples, kind: str, **options: object) -> Path:
    """Write samples as a kind of file, under `name` and its suffix."""
    form = MORE_FORMATS.get(kind) or FORMATS[kind]
    return write_audio(folder / f"{name}{form.suffix}", samples, RATE, form, **options)  # type: ignore[arg-type]


def patched(kind: str, patch: Patch, **options: object) -> Callable[[Path], WrongLength]:
    """Return what writes a right file, and one of its bytes as `patch` changes them."""

    def make(folder: Path) -> WrongLength:
        right = write(folder, "right", sections(), kind, **options)
        path = right.with_stem("wrong")
        path.write_bytes(patch(right.read_bytes()))
        return WrongLength(path, right)

    return make


def bare(
    kind: str, levels: tuple[float, ...], patch: Patch = bytes, **options: object
) -> Callable[[Path], WrongLength]:
    """Return what writes a stream without a length, whose beginning tells little of its bit rate, and the music."""

    def make(folder: Path) -> WrongLength:
        music = sections(levels=levels)
        path = write(folder, "wrong", music, kind, **options)
        path.write_bytes(patch(path.read_bytes()))
        kept = {name: value for name, value in options.items() if name != "muxer_options"}
        return WrongLength(path, write(folder, "right", music, "mp3" if kind == "mp3" else "aac", **kept))

    return make


def truncated(kind: str, share: float = 0.6, **options: object) -> Callable[[Path], WrongLength]:
    """Return what writes a file that is cut off, and the music as far as it goes."""

    def make(folder: Path) -> WrongLength:
        music = sections()
        path = write(folder, "wrong", music, kind, **options)
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        with av.open(os.fspath(path)) as container:
            kept = music[:, : sum(frame.samples for frame in frames_of(container))]
        return WrongLength(path, write(folder, "right", kept, kind, **options))

    return make


def frames_of(container: av.container.InputContainer) -> list[av.AudioFrame]:
    """The frames up to the first that does not decode."""
    frames: list[av.AudioFrame] = []
    with suppress(av.error.FFmpegError):
        frames.extend(container.decode(audio=0))
    return frames


def joined(
    kind: str, shares: tuple[float, ...], glue: bytes = b"", bit_rates: tuple[int, ...] = (), **options: object
) -> Callable[[Path], WrongLength]:
    """Return what writes files one behind the other, as `cat` does, and the whole music as one file."""

    def make(folder: Path) -> WrongLength:
        music = sections()
        ends = [round(end * music.shape[1]) for end in np.cumsum((0.0, *shares))]
        content = []
        for number, (begin, end) in enumerate(pairwise(ends)):
            rate = {"bit_rate": bit_rates[number]} if bit_rates else {}
            part = write(folder, f"part {number}", music[:, begin:end], kind, **rate, **options)
            content.append(part.read_bytes())
        path = part.with_stem("wrong")
        path.write_bytes(glue.join(content))
        return WrongLength(path, write(folder, "right", music, kind))

    return make


def put(find: bytes, offset: int, value: bytes) -> Patch:
    """Return what overwrites bytes at `offset` behind the first `find`."""

    def patch(content: bytes) -> bytes:
        begin = content.index(find) + offset
        return content[:begin] + value + content[begin + len(value) :]

    return patch


def times(find: bytes, offset: int, form: str, factor: float) -> Patch:
    """Return what multiplies the number of the struct format `form` at `offset` behind the first `find`."""

    def patch(content: bytes) -> bytes:
        begin = content.index(find) + offset
        (value,) = struct.unpack_from(form, content, begin)
        scaled = factor * value if "f" in form or "d" in form else int(factor * value)
        return put(find, offset, struct.pack(form, scaled))(content)

    return patch


def all_of(*patches: Patch) -> Patch:
    def patch(content: bytes) -> bytes:
        for each in patches:
            content = each(content)
        return content

    return patch


def flac_samples(factor: float) -> Patch:
    """Return what multiplies FLAC's number of samples, the lower 36 bits of eight bytes of STREAMINFO."""

    def patch(content: bytes) -> bytes:
        begin = content.index(b"fLaC") + 18
        word = int.from_bytes(content[begin : begin + 8], "big")
        count = int(factor * (word & (1 << 36) - 1))
        return put(b"fLaC", 18, (word >> 36 << 36 | count).to_bytes(8, "big"))(content)

    return patch


def in_front(junk: bytes) -> Patch:
    return lambda content: junk + content


def behind(junk: bytes) -> Patch:
    return lambda content: content + junk


def ape_tag(size: int) -> bytes:
    """An APEv2 tag with a picture of so many bytes, header and footer."""
    item = struct.pack("<II", size, 2) + b"Cover Art (Front)\0" + bytes(size)
    length = len(item) + 32
    footer = b"APETAGEX" + struct.pack("<IIII", 2000, length, 1, 0x80000000) + bytes(8)
    header = b"APETAGEX" + struct.pack("<IIII", 2000, length, 1, 0xA0000000) + bytes(8)
    return header + item + footer


def id3_tag(size: int, stated: int | None = None) -> bytes:
    """An ID3v2.4 tag of padding; `stated` is the size that it gives where that is wrong."""
    number = size if stated is None else stated
    return b"ID3\4\0\0" + bytes(number >> shift & 127 for shift in (21, 14, 7, 0)) + bytes(size)


NOISE = np.random.default_rng(5).bytes(200_000).replace(b"\xff", b"\x7f")


def granules(change: Callable[[int, bool], int]) -> Patch:
    """Return what changes the positions of Ogg pages, with checksums; `change` gets each and whether it is the last."""

    def patch(content: bytes) -> bytes:
        pages = [match.start() for match in re.finditer(b"OggS\0", content)]
        data = bytearray(content)
        for page in pages:
            (granule,) = struct.unpack_from("<q", data, page + 6)
            if granule > 0:
                struct.pack_into("<q", data, page + 6, change(granule, page == pages[-1]))
        for page, end in zip(pages, [*pages[1:], len(data)], strict=True):
            data[page + 22 : page + 26] = bytes(4)
            struct.pack_into("<I", data, page + 22, ogg_checksum(data[page:end]))
        return bytes(data)

    return patch


def _checksum_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value & 0x80000000 else value << 1) & 0xFFFFFFFF
        table.append(value)
    return table


CHECKSUMS = _checksum_table()


def ogg_checksum(page: bytes) -> int:
    value = 0
    for byte in page:
        value = (value << 8 & 0xFFFFFFFF) ^ CHECKSUMS[value >> 24 ^ byte]
    return value


def late(kind: str, seconds: float) -> Callable[[Path], WrongLength]:
    """Return what writes a file whose timestamps begin so late, as recordings of broadcasts do."""

    def make(folder: Path) -> WrongLength:
        right = write(folder, "right", sections(), kind)
        path = right.with_stem("wrong")
        with (
            av.open(os.fspath(right)) as source,
            av.open(
                os.fspath(path), "w", format=MORE_FORMATS[kind].muxer, options={"avoid_negative_ts": "disabled"}
            ) as target,
        ):
            stream = target.add_stream_from_template(source.streams.audio[0])
            for packet in source.demux(audio=0):
                if packet.size:
                    shift = round(seconds / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    target.mux(packet)
        return WrongLength(path, right)

    return make


def rf64(content: bytes, size: int) -> bytes:
    """A WAV file as RF64 with this 64-bit size of its data."""
    data = content.index(b"data")
    sizes = b"ds64" + struct.pack("<IQQQI", 28, len(content) + 28, size, 0, 0)
    return b"RF64\xff\xff\xff\xffWAVE" + sizes + content[12:data] + b"data\xff\xff\xff\xff" + content[data + 8 :]
