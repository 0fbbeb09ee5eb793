"""The content key: equal for files of one recording, however they are named and tagged."""

from __future__ import annotations

import os
from fractions import Fraction
from hashlib import blake2b
from typing import TYPE_CHECKING, BinaryIO

from resonance_engine.audio.decoding import open_audio
from resonance_engine.errors import AudioError

if TYPE_CHECKING:
    from pathlib import Path

    from av.audio.stream import AudioStream

KEY_SIZE = 16

HEAD = 16 << 20
"""Bytes of audio that are hashed: all of most lossy songs, 95 s of a CD. Beyond them the length decides."""

RAW_STREAMS = {"aac", "ac3", "dts", "eac3", "flac", "mp3"}
"""Formats, by FFmpeg's names, without a frame around the audio: tags behind it look like more of it."""

STATED_LENGTH = {"aiff", "flac", "mov,mp4,m4a,3gp,3g2,mj2", "ogg", "wav", "wv"}
"""Formats that state the length of the audio independently of tags.

In MP3 and other bare streams FFmpeg estimates it from the size of the file, tags included, and in ASF where
the header's file size is out of date, as it is after tagging.
"""

ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


def content_key(path: Path, *, head: int = HEAD) -> bytes:
    """Return the 16 bytes that identify a recording; the same after retagging, moving and renaming.

    BLAKE2b of the codec's name, sample rate and channels and of the first `head` bytes of the demuxed audio
    packets; where there is more, also of how much more there is. Tags do not take part, nor do decoded
    samples, which differ between versions of a decoder. Raises AudioError where there is no audio to be read.
    """
    with open_audio(path, mend=False) as source, path.open("rb") as file:
        stream = source.stream
        form = source.container.format.name
        end = find_audio_end(file) if form in RAW_STREAMS else file.seek(0, os.SEEK_END)
        # The canonical name, because `mp3float` and `mp3` are two decoders of one codec.
        parameters = f"{stream.codec_context.codec.canonical_name} {stream.rate} {stream.channels}\n"
        digest = blake2b(parameters.encode(), digest_size=KEY_SIZE)
        begin, hashed = 0, 0
        for packet in source.packets():
            data = memoryview(packet)
            if form in RAW_STREAMS and packet.pos is not None:
                begin = begin if hashed else packet.pos
                data = data[: max(0, end - packet.pos)]
            # Packets are cut at will in PCM, so that only their concatenation means something.
            digest.update(data[: head - hashed])
            hashed += len(data)
            if hashed > head:
                digest.update(b"\n" + _audio_extent(file, form, stream, end - begin))
                break
    if not hashed:
        raise AudioError(path, "none of its audio can be read")
    return digest.digest()


def _audio_extent(file: BinaryIO, form: str, stream: AudioStream, size: int) -> bytes:
    """Return the amount of audio in the unit that the format is exact in; for FLAC with the checksum of all samples."""
    if form in RAW_STREAMS and form != "flac":
        return str(size).encode()
    if form == "asf":
        return _asf_extent(file)
    if form not in STATED_LENGTH:
        return b""
    codec = stream.codec_context
    # Only FLAC's: the extradata of Vorbis contain its comments.
    checksum = (codec.extradata or b"")[18:34] if codec.codec.canonical_name == "flac" else b""
    unit = stream.time_base or Fraction(0)
    # Written out, because the types in which versions of PyAV give it print whole numbers differently.
    return f"{stream.duration} {unit.numerator}/{unit.denominator}".encode() + checksum


def _asf_extent(file: BinaryIO) -> bytes:
    """Read the number of packets and their play time from the header of a WMA file."""
    file.seek(30)
    while len(head := file.read(24)) == 24:
        if head[:16] == ASF_FILE_PROPERTIES:
            return file.read(48)[32:]
        size = int.from_bytes(head[16:], "little")
        if not 24 <= size < 1 << 32:
            break
        file.seek(size - 24, os.SEEK_CUR)
    return b""


def find_audio_end(file: BinaryIO) -> int:
    """Return the offset at which a bare audio stream ends and the tags behind it begin.

    Recognises ID3v1 and its extension, APEv2, Lyrics3v2 and appended ID3v2.4, in any order and number.
    """
    end = file.seek(0, os.SEEK_END)
    while size := _trailing_tag_size(file, end):
        end = max(0, end - size)
    return end


def _trailing_tag_size(file: BinaryIO, end: int) -> int:
    """Return the size in bytes of the tag that ends at offset `end`; 0 without one."""
    file.seek(max(0, end - 355))
    tail = file.read(end - file.tell())
    if tail[-128:-125] == b"TAG":
        return 355 if tail[-355:-351] == b"TAG+" else 128
    if tail[-32:-24] == b"APETAGEX":
        with_header = tail[-9] & 0x80
        return int.from_bytes(tail[-20:-16], "little") + (32 if with_header else 0)
    if tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
        return int(tail[-15:-9]) + 15
    if tail[-10:-7] == b"3DI":
        a, b, c, d = tail[-4:]
        return 20 + (a << 21 | b << 14 | c << 7 | d)
    return 0
