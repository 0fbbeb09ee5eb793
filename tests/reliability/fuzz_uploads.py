"""Files that are sent to a server: what `fuzz_mutations` makes, noise, and headers that promise what no file has."""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING

from tests.reliability.fuzz_mutations import Case, case, checked_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.reliability.fuzz_files import Seed

KINDS = ("mp3", "vorbis", "flac", "opus", "aac", "wav")
CHANNELS = (0, 3, 8, 64, 255)
RATES = (0, 1, 192_000, 2**20 - 1, 2**31 - 1, 2**32 - 1)


def make_upload(seeds: Sequence[Seed], seed: int, number: int) -> Case:
    """Upload `number` of a run: the same for the same seed."""
    chance = random.Random(f"upload {seed} {number}")  # noqa: S311 # repeatable damage, no secret
    kind = chance.random()
    if kind < 0.1:
        return Case("none", "random bytes", "", chance.randbytes(int(2 ** chance.uniform(0, 17))))
    if kind < 0.3:
        first = chance.choice(seeds)
        content = bytes(lying_header(chance, bytearray(first.content)))
        return Case(first.kind, "lying header", first.suffix, content)
    return case(seeds, seed, number)


def lying_header(chance: random.Random, content: bytearray) -> bytearray:
    """Channels, a sampling rate and a length in the header that are not those of the audio, each as likely as not."""
    channels, rate = chance.choice(CHANNELS), chance.choice(RATES)
    if content[:4] == b"RIFF":
        at = content.find(b"fmt ") + 8
        content[at + 2 : at + 8] = struct.pack("<HI", channels, rate)
        content[at + 14 : at + 16] = struct.pack("<H", chance.choice((0, 1, 16, 64, 65_535)))
    elif content[:4] == b"fLaC":  # 20 bits of the rate, 3 of the channels, 5 of the depth, 36 of the length
        bits = (rate % 2**20) << 44 | chance.randrange(8) << 41 | chance.randrange(32) << 36 | (2**36 - 1)
        content[18:26] = bits.to_bytes(8, "big")
    elif (at := content.find(b"OpusHead")) > 0:
        content[at + 9] = channels
        content[at + 10 : at + 16] = struct.pack("<HI", chance.choice((0, 312, 65_535)), rate)
    elif (at := content.find(b"\x01vorbis")) > 0:
        content[at + 11 : at + 16] = struct.pack("<BI", channels, rate)
    elif (at := content.find(b"mp4a")) > 0:
        content[at + 20 : at + 22] = struct.pack(">H", channels)
        content[at + 28 : at + 32] = struct.pack(">I", rate)
        at = content.find(b"mdhd")
        content[at + 16 : at + 24] = struct.pack(">II", rate, 2**32 - 1)
    elif (at := max(content.find(b"Info"), content.find(b"Xing"))) > 0:
        content[at + 8 : at + 12] = struct.pack(">I", 2**32 - 1)
    if content[:4] == b"OggS":
        end = content.find(b"OggS", 4)
        content[:end] = checked_page(content[:end])
    return content
