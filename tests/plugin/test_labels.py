"""What tracks are called in lines of output, whatever their tags are."""

from __future__ import annotations

import pytest
from beets.library import Album, Item

from beetsplug.resonance.library.labels import describe_entry, label_item
from tests.plugin.circle_library import CircleLibrary

FILE = b"/music/caf\xe9\n01.flac"


def item(**fields: str) -> Item:
    return Item(path=FILE, **fields)


@pytest.mark.parametrize(
    ("fields", "described", "label"),
    [
        ({}, r"caf\xe9\n01.flac", r"caf\xe9\n01.flac"),
        ({"album": "Best"}, r"caf\xe9\n01.flac", r"caf\xe9\n01.flac"),
        ({"title": "A"}, " -  - A", "A"),
        ({"artist": "Can"}, "Can -  - ", r"Can - caf\xe9\n01.flac"),
        ({"artist": "Can", "album": "Ege", "title": "Vitamin C"}, "Can - Ege - Vitamin C", "Can - Vitamin C"),
        ({"artist": "a\x1b[2J", "title": "b\n\u202ec"}, "a [2J -  - b  c", "a [2J - b  c"),
        ({"artist": "محمد", "title": "👩\u200d🚀"}, "محمد -  - 👩\u200d🚀", "محمد - 👩\u200d🚀"),
    ],
)
def test_a_track_is_called_by_its_tags_or_else_by_its_file(fields: dict[str, str], described: str, label: str) -> None:
    assert describe_entry(item(**fields)) == described
    assert label_item(item(**fields)) == label


def test_a_template_is_obeyed_to_the_letter() -> None:
    assert describe_entry(item(), "$artist - $title") == " - "
    assert describe_entry(item(title="a\tb\x1bc"), "$title\t$title") == "a\tb c\ta\tb c"
    assert describe_entry(item(), "") == " -  - "


class TestLibrary(CircleLibrary):
    def test_an_album_without_tags_is_called_by_its_folder(self) -> None:
        self.add_track("1", 0.0, artist="", album="", albumartist="")
        album = self.lib.add_album(self.lib.items())
        assert isinstance(album, Album)
        assert describe_entry(album) == self.lib_path.name

    def test_lists_name_the_files_of_untagged_tracks(self) -> None:
        for number in range(4):
            self.add_track("", 10.0 * number, name=f"file {number}.flac", artist="", album="", albumartist="")
        assert [line.split("  ")[1] for line in self.beet("similar", "-n", "2", "id:1")] == [
            "file 1.flac",
            "file 2.flac",
        ]
        assert self.beet("similar", "-n", "1", "-f", "$title", "id:1") == [""]
        assert self.beet("playlist", "-n", "1", "id:1")[0].endswith("  file 0.flac")
