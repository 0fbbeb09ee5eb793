"""What happens to a file on its way: seeded damage to the bytes of audio files."""

from __future__ import annotations

import random
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.reliability.fuzz_files import Seed

    Mutation = Callable[[random.Random, bytearray], bytearray]

HOURS = 36_000  # seconds: ten hours
EXTREMES = (0, 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
HEADER = 600  # bytes in which most formats say what they are
SUFFIXES = (
    ".mp3",
    ".flac",
    ".m4a",
    ".ogg",
    ".opus",
    ".wav",
    ".aiff",
    ".wma",
    ".wv",
    ".ape",
    ".mpc",
    ".dsf",
    ".txt",
    "",
)
OTHERS = ("intact", "empty", "renamed", "sparse", "foreign", "chained", "several", "several", "several")
HOLES = (2**20, 2**24, 2**26, 2**26, 2**28, 2**30, 6 * 2**30)  # bytes of zeros that take no room on the disk


@dataclass(frozen=True)
class Case:
    """One input: what was done to which kind of file, and the file. `hole` zeros are put in at `at`."""

    kind: str
    damage: str
    suffix: str
    content: bytes
    at: int = 0
    hole: int = 0

    def write(self, path: Path) -> None:
        with path.open("wb") as file:
            file.write(self.content[: self.at] if self.hole else self.content)
            if self.hole:
                file.seek(self.hole, 1)
                file.write(self.content[self.at :])
                file.truncate(len(self.content) + self.hole)


def case(seeds: Sequence[Seed], seed: int, number: int) -> Case:
    """Input `number` of a run: the same for the same seed, whatever was made before."""
    chance = random.Random(f"{seed} {number}")  # noqa: S311 # repeatable damage, no secret
    first, other = chance.choice(seeds), chance.choice(seeds)
    content, suffix = bytearray(first.content), first.suffix
    damage = chance.choice((*MUTATIONS, *MUTATIONS, *OTHERS))
    at = hole = 0
    if damage in MUTATIONS:
        content = MUTATIONS[damage](chance, content)
        if damage == "ten hours" and content[:4] == b"RIFF":  # a WAV file lasts as long as it is large
            at, hole = len(content), silence(content)
    elif damage == "several":
        for name in chance.choices([*MUTATIONS], k=chance.randint(2, 4)):
            content = MUTATIONS[name](chance, content)
    elif damage == "empty":
        content = bytearray()
    elif damage == "renamed":
        suffix = chance.choice(SUFFIXES)
    elif damage == "sparse":
        hole = chance.choice(HOLES)
        at = chance.choice((0, HEADER, len(content) // 2, len(content)))
    elif damage == "foreign":
        content += MUTATIONS[chance.choice([*MUTATIONS])](chance, bytearray(other.content))
    elif damage == "chained":
        same = [each for each in seeds if each.suffix == first.suffix]
        content += b"".join(each.content for each in chance.choices(same, k=chance.randint(1, 3)))
    return Case(first.kind, damage, suffix, bytes(content), at, hole)


def few_bits(chance: random.Random, content: bytearray) -> bytearray:
    return flipped(chance, content, chance.randint(1, 8), len(content))


def many_bits(chance: random.Random, content: bytearray) -> bytearray:
    return flipped(chance, content, chance.randint(20, 5000), len(content))


def header_bits(chance: random.Random, content: bytearray) -> bytearray:
    return flipped(chance, content, chance.randint(1, 30), HEADER)


def flipped(chance: random.Random, content: bytearray, count: int, end: int) -> bytearray:
    for _ in range(count if content else 0):
        content[chance.randrange(min(end, len(content)))] ^= 1 << chance.randrange(8)
    return content


def truncated(chance: random.Random, content: bytearray) -> bytearray:
    end = chance.choice((HEADER, 5000, len(content), len(content)))
    return content[: chance.randint(0, min(end, len(content)))]


def beheaded(chance: random.Random, content: bytearray) -> bytearray:
    return content[chance.randint(0, len(content)) :]


def deleted(chance: random.Random, content: bytearray) -> bytearray:
    begin, end = stretch(chance, content)
    del content[begin:end]
    return content


def doubled(chance: random.Random, content: bytearray) -> bytearray:
    begin, end = stretch(chance, content)
    content[end:end] = content[begin:end] * chance.randint(1, 3)
    return content


def swapped(chance: random.Random, content: bytearray) -> bytearray:
    begin, end = stretch(chance, content)
    middle = chance.randint(begin, end)
    content[begin:end] = content[middle:end] + content[begin:middle]
    return content


def zeroed(chance: random.Random, content: bytearray) -> bytearray:
    begin, end = stretch(chance, content)
    content[begin:end] = bytes(end - begin)
    return content


def noise(chance: random.Random, content: bytearray) -> bytearray:
    begin, end = stretch(chance, content)
    content[begin:end] = chance.randbytes(end - begin)
    return content


def stretch(chance: random.Random, content: bytearray) -> tuple[int, int]:
    """Where a random stretch begins and ends; short ones are as likely as long ones."""
    begin = chance.randint(0, len(content))
    return begin, min(len(content), begin + int(2 ** chance.uniform(0, 20)))


def extreme_number(chance: random.Random, content: bytearray) -> bytearray:
    """Numbers in the header, or behind the name of some chunk, are as large or small as they can be."""
    names = [found.end() for found in re.finditer(rb"[A-Za-z0-9 ]{4}", content[:4096] + content[-4096:])]
    for _ in range(chance.randint(1, 3)):
        at = chance.choice(names) + chance.choice((0, 0, 4, 8)) if names and chance.random() < 0.6 else -1
        if at > 4096:
            at += len(content) - 8192
        at = chance.randrange(HEADER) if at < 0 else at
        width = chance.choice((1, 2, 4, 8))
        number = chance.choice(EXTREMES) % 2 ** (8 * width)
        content[at : at + width] = number.to_bytes(width, chance.choice(("little", "big")))
    return content


def ten_hours(_: random.Random, content: bytearray) -> bytearray:
    """The header promises ten hours, in the formats that say how long they last."""
    magic = bytes(content[:4])
    if magic == b"RIFF":
        content[4:8] = struct.pack("<I", 2**32 - 1)
        at = content.find(b"data")
        content[at + 4 : at + 8] = struct.pack("<I", len(content) - at - 8 + silence(content))
    elif magic == b"FORM":
        at = content.find(b"COMM")
        content[at + 10 : at + 14] = struct.pack(">I", 2**32 - 1)
        at = content.find(b"SSND")
        content[at + 4 : at + 8] = struct.pack(">I", 2**32 - 1)
    elif magic == b"fLaC":
        content[21] |= 0x0F
        content[22:26] = b"\xff" * 4
    elif magic == b"wvpk":
        content[12:16] = struct.pack("<I", HOURS * 44_100)
    elif magic == b"OggS":
        last = content.rfind(b"OggS")
        content[last + 6 : last + 14] = struct.pack("<Q", HOURS * 48_000)
        content[last:] = checked_page(content[last:])
    elif content[4:8] == b"ftyp":
        for name in (b"mvhd", b"mdhd"):
            at = content.find(name)
            scale = int.from_bytes(content[at + 16 : at + 20], "big")
            content[at + 20 : at + 24] = struct.pack(">I", min(HOURS * scale, 2**32 - 1))
        content[:] = content.replace(b"edts", b"free")  # which would take only the first seconds of them
        at = content.find(b"stts")  # how long each packet lasts, which FFmpeg believes rather
        packets = int.from_bytes(content[at + 12 : at + 16], "big")
        content[at + 16 : at + 20] = struct.pack(">I", HOURS * scale // packets)
    elif (at := content.find(b"Info")) > 0 or (at := content.find(b"Xing")) > 0:
        content[at + 8 : at + 12] = struct.pack(">I", HOURS * 40)
    return content


def silence(content: bytearray) -> int:
    """How many zeros make a WAV file last ten hours, or as long as one can."""
    return min(HOURS * int.from_bytes(content[28:32], "little"), 2**32 - 2 - len(content))


def checked_page(page: bytearray) -> bytearray:
    """An Ogg page with the checksum that belongs to it, without which FFmpeg passes it over."""
    page[22:26] = bytes(4)
    checksum = 0
    for byte in page:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1) ^ (0x104C11DB7 if checksum & 0x80000000 else 0)
    page[22:26] = struct.pack("<I", checksum)
    return page


def giant_tag(chance: random.Random, content: bytearray) -> bytearray:
    """An ID3 tag in front or behind that is large, or says that it is."""
    room = chance.choice((0, 10, 100_000, 3_000_000))
    stated = chance.choice((room, 2**28 - 1, 2**21))
    size = bytes(stated >> shift & 0x7F for shift in (21, 14, 7, 0))
    frame = b"APIC" + struct.pack(">I", chance.choice((room, 2**31))) + b"\0\0" + bytes(room)
    tag = b"ID3" + bytes([chance.choice((2, 3, 4)), 0, chance.choice((0, 0x80, 0x10))]) + size + frame
    if chance.random() < 0.3:
        return content + bytearray(
            b"APETAGEX" + struct.pack("<III", 2000, stated, 2**31) + bytes(12) + b"TAG" + bytes(125)
        )
    return bytearray(tag) + content


def giant_picture(chance: random.Random, content: bytearray) -> bytearray:
    """A FLAC picture, comment or cue sheet, or an MP4 box, that says it is larger than the file."""
    stated = chance.choice((2**24 - 1, 2**31 - 1, 2**32 - 1))
    if content[:4] == b"fLaC":
        kind = chance.choice((3, 4, 5, 6))
        body = struct.pack(">II", 3, stated) + b"image/png" + struct.pack(">I", stated) + bytes(500)
        size = chance.choice((len(body), 2**24 - 1)).to_bytes(3, "big")
        content[42:42] = bytes([kind]) + size + body
    elif content[4:8] == b"ftyp":
        at = content.find(chance.choice((b"moov", b"udta", b"ilst", b"stsz", b"stco", b"stsc", b"esds", b"mdat")))
        content[at - 4 : at] = struct.pack(">I", stated)
        content[at + 12 : at + 16] = struct.pack(">I", stated)
    elif (at := content.find(b"vorbis")) > 0 or (at := content.find(b"OpusTags")) > 0:
        content[at + 8 : at + 12] = struct.pack("<I", stated)
    else:
        return giant_tag(chance, content)
    return content


MUTATIONS: dict[str, Mutation] = {
    "few bits": few_bits,
    "many bits": many_bits,
    "header bits": header_bits,
    "truncated": truncated,
    "beheaded": beheaded,
    "deleted": deleted,
    "doubled": doubled,
    "swapped": swapped,
    "zeroed": zeroed,
    "noise": noise,
    "extreme number": extreme_number,
    "ten hours": ten_hours,
    "giant tag": giant_tag,
    "giant picture": giant_picture,
}
