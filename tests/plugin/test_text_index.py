"""The texts that the server keeps in memory: words match what a beets query matches, and pages have one order."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import pytest
from beets.library import Item, Library

from beetsplug.resonance.library.items import matching_ids, parse_query

pytest.importorskip("fastapi", reason="needs FastAPI, of the extra serve")

from beetsplug.resonance.server.text_index import TextIndex, plain_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARTS = ("rain", "Rain", "50%", "a_b", "Björk", "\\", "line\nbreak", "Il Était", "ΟΔΟΣΑ", "x", "")
WORDS = ("rain", "RAIN", "50%", "_", "%", "björk", "\\", "break", "était", "a_b", "zz", "ΟΔΟΣ", "x", "7.mp3")


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = Library(str(tmp_path / "library.db"), "/music")
    choose = random.Random(1)  # noqa: S311 - no secret
    for number in range(60):
        fields: dict[str, Any] = {
            name: " ".join(choose.sample(PARTS, 2))
            for name in ("title", "artist", "album", "albumartist", "comments")
            if choose.random() < 0.7
        }
        item = Item(path=f"/music/{number}.mp3".encode(), genres=[choose.choice(PARTS)], **fields)
        item.add(library)
    yield library
    library._close()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_words_match_what_a_query_matches(library: Library, count: int) -> None:
    index, choose = TextIndex(library), random.Random(count)  # noqa: S311 - no secret
    for _ in range(40):
        words = choose.sample(WORDS, count)
        assert plain_words(parse_query(library, words)) is not None
        expected = {
            item.id
            for item in library.items()
            # Unlike SQLite's LIKE, which folds the case of ASCII alone.
            # And a track without a title goes by the name of its file.
            if all(any(word.casefold() in text for text in texts_of(item)) for word in words)
        }
        assert {*index.find(words, " ".join(words))} == expected
        assert matching_ids(library, words) <= expected


def texts_of(item: Item) -> list[str]:
    """Return the texts of an item that a word is looked up in, case-folded."""
    names = ("artist", "album", "albumartist", "comments")
    title = item.title.replace("\n", " ").casefold() or os.fsdecode(item.path).rpartition("/")[2]
    return [
        title,
        *(str(item[name]).replace("\n", " ").casefold() for name in names),
        "\n".join(item.genres).casefold(),
    ]


@pytest.mark.parametrize("words", [["^rain"], ["title:rain"], ["rain", ",", "x"], ["title::r.in"], ["id:3..9"]])
def test_what_is_more_than_words_is_left_to_beets(library: Library, words: list[str]) -> None:
    assert plain_words(parse_query(library, words)) is None
    assert {*TextIndex(library).find(words, " ".join(words))} == matching_ids(library, words)


def test_titles_come_first(tmp_path: Path) -> None:
    library = Library(str(tmp_path / "library.db"), "/music")
    rows = [("rain song", "x"), ("x", "rain"), ("Rain", "y"), ("the rain", "z"), ("y", "rainer"), ("rain", "a")]
    for number, (title, artist) in enumerate(rows):
        Item(path=f"/music/{number}.mp3".encode(), title=title, artist=artist, albumartist=artist).add(library)
    assert TextIndex(library).find(["rain"], " Rain ") == [6, 3, 1, 2, 5, 4]
    assert sorted(TextIndex(library).find([], "")) == [1, 2, 3, 4, 5, 6]
    library._close()
