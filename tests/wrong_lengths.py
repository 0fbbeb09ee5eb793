"""Kinds of file whose header is wrong about the length: VBR without one, chains, junk, wrapped sizes and others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.wrong_length_files import (
    NOISE,
    RATE,
    all_of,
    ape_tag,
    bare,
    behind,
    flac_samples,
    granules,
    id3_tag,
    in_front,
    joined,
    late,
    patched,
    put,
    rf64,
    times,
    truncated,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.wrong_length_files import Patch, WrongLength

QUIET_INTRO = (0.00001, 0.9, 0.8, 0.9, 0.7)
QUIET_OUTRO = (0.9, 0.8, 0.9, 0.004, 0.002)
ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": "5000000"}
NO_XING = {"write_xing": "0"}
VBR: dict[str, object] = {"quality": 4.0, "muxer_options": NO_XING}
CBR: dict[str, object] = {"bit_rate": 128_000, "muxer_options": NO_XING}


def mp4_duration(factor: float) -> Patch:
    """Return what multiplies the durations in all of an MP4's headers but the table of its samples."""
    return all_of(
        *(times(b"mvhd", 20, ">I", factor), times(b"tkhd", 24, ">I", factor), times(b"mdhd", 20, ">I", factor))
    )


WRONG_LENGTHS: dict[str, Callable[[Path], WrongLength]] = {
    "mp3: VBR without Xing, quiet intro": bare("mp3", QUIET_INTRO, **VBR),
    "mp3: VBR without Xing, quiet outro": bare("mp3", QUIET_OUTRO, **VBR),
    "mp3: 200 kB of noise in front": bare("mp3", QUIET_INTRO, in_front(NOISE), **VBR),
    "mp3: 60 kB of zeros in front": bare("mp3", QUIET_OUTRO, in_front(bytes(60_000)), **VBR),
    "mp3: ID3v2 of another size than it says": bare("mp3", QUIET_INTRO, in_front(id3_tag(90_000, 400)), **VBR),
    "mp3: two ID3v2 tags in front": bare("mp3", QUIET_OUTRO, in_front(id3_tag(500_000) + id3_tag(300_000)), **CBR),
    "mp3: picture of 3 MB in an APE tag behind": bare("mp3", QUIET_OUTRO, behind(ape_tag(3_000_000)), **CBR),
    "mp3: 2 MB of zeros behind": bare("mp3", QUIET_OUTRO, behind(bytes(2_000_000)), **CBR),
    "mp3: Xing with five times the frames": patched("mp3", times(b"Xing", 8, ">I", 5.0), quality=4.0),
    "mp3: Xing with a fifth of the frames": patched("mp3", times(b"Xing", 8, ">I", 0.2), quality=4.0),
    "mp3: Xing with 70 % of the frames": patched("mp3", times(b"Xing", 8, ">I", 0.7), quality=4.0),
    "mp3: truncated": truncated("mp3", quality=4.0),
    "mp3: two joined": joined("mp3", (0.4, 0.6), quality=4.0),
    "mp3: three joined, tags between": joined("mp3", (0.3, 0.3, 0.4), id3_tag(5_000), quality=4.0),
    "mp3: joined, another bit rate each": joined("mp3", (0.3, 0.7), b"", (320_000, 48_000), muxer_options=NO_XING),
    "aac: ADTS, quiet intro": bare("adts", QUIET_INTRO),
    "aac: ADTS, quiet outro": bare("adts", QUIET_OUTRO),
    "aac: ADTS, tag in front": bare("adts", QUIET_INTRO, in_front(id3_tag(400_000))),
    "aac: ADTS, truncated": truncated("adts"),
    "ogg: two links": joined("vorbis", (0.75, 0.25)),
    "ogg: two links, the first short": joined("vorbis", (0.1, 0.9)),
    "ogg: three links, the last short": joined("vorbis", (0.4, 0.5, 0.1)),
    "ogg: two links of one length": joined("vorbis", (0.5, 0.5)),
    "ogg: five links of Opus": joined("opus", (0.2, 0.2, 0.2, 0.2, 0.2)),
    "ogg: two links of FLAC": joined("ogg-flac", (0.6, 0.4)),
    "ogg: begins an hour late": patched("vorbis", granules(lambda granule, _: granule + 3600 * RATE)),
    "ogg: last page five times as far": patched("vorbis", granules(lambda granule, last: granule * (5 if last else 1))),
    "ogg: last page a fifth as far": patched("vorbis", granules(lambda granule, last: granule // (5 if last else 1))),
    "ogg: truncated": truncated("vorbis"),
    "flac: 0 samples": patched("flac", flac_samples(0)),
    "flac: five times the samples": patched("flac", flac_samples(5)),
    "flac: a fifth of the samples": patched("flac", flac_samples(0.2)),
    "flac: truncated": truncated("flac"),
    "wav: size 0": patched("wav", put(b"data", 4, bytes(4))),
    "wav: size 0xFFFFFFFF": patched("wav", put(b"data", 4, b"\xff" * 4)),
    "wav: size wrapped": patched("wav", times(b"data", 4, "<I", 0.3)),
    "wav: five times the size": patched("wav", times(b"data", 4, "<I", 5)),
    "wav: truncated": truncated("wav"),
    "wav: RF64 of size 0": patched("wav", lambda content: rf64(content, 0)),
    "wav: RF64 of size -1": patched("wav", lambda content: rf64(content, (1 << 64) - 1)),
    "wav: RF64 of a fifth of the size": patched("wav", lambda content: rf64(content, len(content) // 20 * 4)),
    "w64: a fifth of the size": patched("w64", times(b"data\xf3\xac\xd3\x11", 16, "<Q", 0.2)),
    "aiff: a fifth of frames and size": patched(
        "aiff", all_of(times(b"COMM", 10, ">I", 0.2), times(b"SSND", 4, ">I", 0.2))
    ),
    "aiff: 0 frames": patched("aiff", put(b"COMM", 10, bytes(4))),
    "aiff: five times the frames": patched("aiff", times(b"COMM", 10, ">I", 5)),
    "caf: size -1": patched("caf", put(b"data", 4, b"\xff" * 8)),
    "caf: a fifth of the size": patched("caf", times(b"data", 4, ">Q", 0.2)),
    "au: size unknown": patched("au", put(b".snd", 8, b"\xff" * 4)),
    "au: five times the size": patched("au", times(b".snd", 8, ">I", 5)),
    "wavpack: samples unknown": patched("wavpack", put(b"wvpk", 12, b"\xff" * 4)),
    "wavpack: a fifth of the samples": patched("wavpack", times(b"wvpk", 12, "<I", 0.2)),
    "wavpack: five times the samples": patched("wavpack", times(b"wvpk", 12, "<I", 5)),
    "wma: five times the time": patched("wma", times(ASF_PROPERTIES, 64, "<Q", 5)),
    "wma: a fifth of the time": patched("wma", times(ASF_PROPERTIES, 64, "<Q", 0.2)),
    "m4a: five times the time": patched("aac", mp4_duration(5)),
    "m4a: a fifth of the time": patched("aac", mp4_duration(0.2)),
    "m4a: fragments": patched("aac", put(b"mvhd", 20, bytes(4)), muxer_options=FRAGMENTS),
    "m4a: truncated, table in front": truncated("alac", muxer_options={"movflags": "faststart"}),
    "mka: five times the time": patched("mka", times(b"\x44\x89\x88", 3, ">d", 5.0)),
    "mka: a fifth of the time": patched("mka", times(b"\x44\x89\x88", 3, ">d", 0.2)),
    "mka: no time": patched("mka", put(b"\x44\x89\x88", 0, b"\xec\x89")),
    "mka: begins 40 s late": late("mka", 40.0),
    "mka: begins an hour late": late("mka", 3600.0),
    "mka: truncated": truncated("mka-flac"),
    "ts: begins an hour late": late("ts", 3600.0),
    "flv: five times the time": patched("flv", times(b"\0\x08duration\0", 11, ">d", 5.0)),
    "flv: a fifth of the time": patched("flv", times(b"\0\x08duration\0", 11, ">d", 0.2)),
    "flv: no time": patched("flv", put(b"\0\x08duration\0", 11, bytes(8))),
    "flv: begins 40 s late": late("flv", 40.0),
}
