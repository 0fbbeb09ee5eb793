"""One normalisation of names, and the names that are none."""

from __future__ import annotations

import pytest

from resonance_engine.search.names import is_album, is_artist, normalise_artist, normalise_name


@pytest.mark.parametrize(
    ("name", "artist"),
    [
        ("The Beatles", "beatles"),
        ("Beatles, The", "beatles"),
        ("Bj\u00f6rk", "bjork"),
        ("Bjork feat. Somebody", "bjork"),
        ("The The", "the"),
        ("!!!", "!!!"),
        ("", ""),
    ],
)
def test_artists(name: str, artist: str) -> None:
    assert normalise_artist(name) == artist


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("  Abbey\tRoad ", "abbey road"),
        ("Caf\u00e9 del Mar", "cafe del mar"),
        ("Rock & Roll", "rock and roll"),
        ("???", "???"),
    ],
)
def test_names(name: str, same: str) -> None:
    assert normalise_name(name) == same


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Various Artists",
        "VARIOUS",
        "V.A.",
        "v/a",
        "[Unknown]",
        "<unknown>",
        "Artistes Vari\u00e9s",
        "[traditional]",
    ],
)
def test_no_artist(name: str) -> None:
    assert not is_artist(name)


def test_artists_and_albums_of_an_odd_name() -> None:
    assert is_artist("Vari")
    assert is_artist("The The")
    assert is_album("1")
    assert not is_album("[non-album tracks]")
    assert not is_album("Unknown Album")
