"""Whole recordings are decoded, and encoded by another codec."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.audio.windows import content_key, read_windows
from resonance_engine.features.spec import FeatureSpec
from tests.audio_files import tune
from training.default_model.transcoding import (
    StereoAudio,
    decode,
    encode,
    encode_mp3,
    matching_keys,
)

if TYPE_CHECKING:
    from pathlib import Path


def song(path: Path) -> Path:
    return encode(
        StereoAudio(tune(4.0, 44100, seed=1), 44100), path, "flac" if path.suffix == ".flac" else "pcm_s16le", 44100
    )


def ogg_page(page: bytearray) -> bytes:
    """Return an Ogg page with its checksum, a CRC of the polynomial 0x04C11DB7 (RFC 3533, section 6)."""
    page[22:26] = bytes(4)
    checksum = 0
    for byte in page:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1 ^ (0x04C11DB7 if checksum >> 31 else 0)) & 0xFFFFFFFF
    page[22:26] = checksum.to_bytes(4, "little")
    return bytes(page)


def test_an_mp3_is_the_same_music_and_small(tmp_path: Path) -> None:
    path = song(tmp_path / "a.wav")
    copy = encode_mp3(decode(path), tmp_path, 64_000)
    assert content_key(copy) != content_key(path)
    assert copy.stat().st_size < 4.5 * 64_000 / 8
    one, other = (read_windows(each, FeatureSpec().decoding).windows for each in (path, copy))
    # The padding that the format puts in front is a few hundredths of a second.
    assert abs(np.abs(one).mean() - np.abs(other).mean()) < 0.2 * np.abs(one).mean()


def test_an_empty_packet_at_the_end_costs_nothing(tmp_path: Path) -> None:
    audio = StereoAudio(tune(4.0, 44100, seed=1), 44100)
    path = encode(audio, tmp_path / "a.ogg", "vorbis", 44100, options={"strict": "experimental"})
    whole, content = decode(path), path.read_bytes()
    place = content.rindex(b"OggS")
    last, empty = bytearray(content[place:]), bytearray(content[place:][:27])
    last[5] = 0  # not the end
    empty[18] += 1  # number
    empty[26] = 1  # packet, of no bytes
    path.write_bytes(content[:place] + ogg_page(last) + ogg_page(empty + b"\0"))
    samples, expected = decode(path).samples, whole.samples
    np.testing.assert_array_equal(samples[:, : expected.shape[1]], expected)
    assert samples.shape[1] - expected.shape[1] < 1024  # the last page no longer says how much of it is padding
    path.write_bytes(content[: len(content) // 2] + bytes(2000) + content[len(content) // 2 :])
    assert decode(path).samples.shape[1] > 44100


def test_tags_in_another_encoding_are_no_obstacle(tmp_path: Path) -> None:
    audio = StereoAudio(tune(1.0, 44100, seed=1), 44100)
    path = encode(audio, tmp_path / "a.flac", "flac", 44100, comment="Made by ACID")
    samples = decode(path).samples
    path.write_bytes(path.read_bytes().replace(b"Made by ACID", b"\x82\xc5\x8d\xec\x90\xac    AC"))
    np.testing.assert_array_equal(decode(path).samples, samples)


def test_a_copy_of_another_number_of_windows_does_not_count() -> None:
    own, copy = [b"a", b"b", b"c"], [b"A", b"B", b"C"]
    assert matching_keys(np.array([0, 4, 8, 9]), own, np.array([0, 4, 7, 8]), copy) == [b"A", b"b", b"C"]
