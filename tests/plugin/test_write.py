"""Copying what was heard into beets' own database, which only this command does, and only when told to."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import pytest
from beets.exceptions import UserError
from beets.library import Item

from beetsplug.resonance.commands.write import beets_key, compare, parse_fields
from beetsplug.resonance.library.sidecar import Sidecar
from resonance_engine.features.attributes import MAJOR_TONICS, MINOR_TONICS
from tests.plugin.command_library import AnalysedLibrary, CommandLibrary

KEYS = {"major": MAJOR_TONICS, "minor": MINOR_TONICS}
EXAMPLE = {"tempo": 118.26, "key": "C# minor", "energy": -10.24, "brightness": 2000.4}


class TestWrite(AnalysedLibrary):
    """Of five tracks, of which the last has no measures."""

    @pytest.fixture(autouse=True)
    def _measured(self, _analysed: None) -> None:
        sidecar = Sidecar(self.lib)
        with sidecar.store as store:
            for item_id, track in store.tracks.all(sidecar.id).items():
                measured = EXAMPLE if item_id < 5 else dict.fromkeys(EXAMPLE)
                store.analyses.put(track.content_key, "1", measured)

    def write(self, *words: str) -> list[str]:
        return self.beet("resonance", "write", *words)

    def stored(self, *names: str, query: str = "title:song 0") -> list[str]:
        """What beets has in fields of the tracks that match, without this plugin."""
        self.unload_plugins()
        lines = self.beet("ls", "-f", "|".join(f"${name}" for name in names), query)
        self.load_plugins()
        return lines

    def test_what_would_change_is_shown_and_then_stored(self) -> None:
        files = {item.path: item.filepath.read_bytes() for item in self.lib.items()}
        assert self.write("--fields", "res_bpm, res_key", "--yes", "title:song 0") == [
            "artist 0 - Album - song 0",
            "  res_bpm: 118.3",
            "  res_key: C# minor",
            "written to 1 track",
        ]
        assert self.stored("res_bpm", "res_key", "res_energy") == ["118.3|C# minor|$res_energy"]
        assert self.stored("res_bpm", query="title:song 1") == ["$res_bpm"]
        self.write("-y", "--fields", "res_energy,res_brightness,res_tags", "title:song 1")
        assert self.stored("res_energy", "res_brightness", "res_tags", query="title:song 1") == ["-10.2|2000|$res_tags"]
        assert {item.path: item.filepath.read_bytes() for item in self.lib.items()} == files

    def test_written_twice_nothing_changes(self) -> None:
        names = "res_bpm,res_key,res_energy,res_brightness,bpm,initial_key"
        assert self.write("-y", "--fields", names)[-1] == "written to 4 tracks"
        before = self.digest()
        assert self.write("-y", "--fields", names) == ["nothing of this is known of 1 track", "nothing to write"]
        assert self.digest() == before

    def test_what_changed_is_shown_beside_what_was(self) -> None:
        self.write("-y", "--fields", "res_bpm", "title:song 0")
        sidecar = Sidecar(self.lib)
        with sidecar.store as store:
            store.analyses.put(store.tracks.all(sidecar.id)[1].content_key, "2", {"tempo": 60})
        assert self.write("-y", "--fields", "res_bpm,res_key", "title:song 0")[1:] == [
            "  res_bpm: 118.3 -> 60.0",
            "written to 1 track",
        ]
        assert self.stored("res_bpm") == ["60.0"]
        with sidecar.store as store:
            store.analyses.put(store.tracks.all(sidecar.id)[1].content_key, "3", {"tempo": 70})
        assert self.beet("ls", "-f", "$res_bpm", "res_bpm:..100") == ["70.0"], "with the plugin, what holds now"

    def test_nothing_is_stored_without_a_yes(self) -> None:
        before = self.digest()
        for words, answer in ((["--pretend", "--yes"], ""), ([], "n"), ([], "")):
            self.io.addinput(answer)
            lines = self.write("--fields", "res_bpm,bpm", *words)
            assert lines[:3] == ["artist 0 - Album - song 0", "  res_bpm: 118.3", "  bpm: 118"]
            asked = "would write to 4 tracks" if words else "Write this to 4 tracks in the library's database? (y/N)"
            assert lines[-1].startswith(asked)
            assert "nothing of this is known of 1 track" in lines
            assert self.digest() == before
        self.io.getoutput()
        assert self.refused("resonance", "write", "--fields", "bpm", "title:x") == (
            "resonance: no track matches title:x; try `beet ls title:x`"
        )

    def test_the_end_of_the_input_is_a_sentence_and_no_question(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = self.digest()
        monkeypatch.setattr("sys.stdin", io.StringIO())
        with pytest.raises(UserError) as caught:
            self.write("--fields", "res_bpm")
        assert str(caught.value) == (
            "resonance: Write this to 4 tracks in the library's database? Nobody is there to answer; --yes does"
        )
        assert self.digest() == before

    def test_a_yes_stores(self) -> None:
        self.io.addinput("y")
        assert self.write("--fields", "res_bpm")[-1].endswith("written to 4 tracks")
        assert self.stored("res_bpm") == ["118.3"]

    def test_fields_of_beets_are_replaced_only_when_told_to(self) -> None:
        item = self.lib.items("title:song 0")[0]
        item.update({"bpm": 61, "initial_key": "C"})
        item.store()
        lines = self.write("-y", "--fields", "bpm,initial_key,res_bpm", "title:song 0", ",", "title:song 1")
        assert lines[2:] == [
            "artist 1 - Album - song 1",
            "  bpm: 118",
            "  initial_key: C#m",
            "  res_bpm: 118.3",
            "bpm stays as it is on 1 track that has another; --overwrite replaces it",
            "initial_key stays as it is on 1 track that has another; --overwrite replaces it",
            "written to 2 tracks",
        ]
        assert self.stored("bpm", "initial_key") == ["61|C"]
        assert self.write("-y", "--overwrite", "--fields", "bpm,initial_key", "title:song 0")[1:3] == [
            "  bpm: 61 -> 118",
            "  initial_key: C -> C#m",
        ]
        assert self.stored("bpm", "initial_key") == ["118|C#m"]

    @pytest.mark.parametrize("key", [f"{tonic} {mode}" for mode, tonics in KEYS.items() for tonic in tonics])
    def test_what_is_shown_is_what_is_stored(self, key: str) -> None:
        """beets stores A flat as G sharp."""
        sidecar = Sidecar(self.lib)
        with sidecar.store as store:
            measured = {"tempo": 118.26, "key": key, "energy": -10.25, "brightness": 2000.5}
            store.analyses.put(store.tracks.all(sidecar.id)[1].content_key, "2", measured)
        names = ["res_bpm", "res_key", "res_energy", "res_brightness", "bpm", "initial_key"]
        lines = self.write("-y", "--fields", ",".join(names), "title:song 0")
        shown = dict(line.strip().split(": ") for line in lines[1:-1])
        assert list(shown) == names
        assert self.stored(*names) == ["|".join(shown.values())]
        assert self.write("-y", "--fields", ",".join(names), "title:song 0") == ["nothing to write"]

    def digest(self) -> str:
        return hashlib.sha256(self.lib.path.read_bytes()).hexdigest()


class TestTags(CommandLibrary):
    def test_tags_are_words(self) -> None:
        self.runtime.ship(self.runtime.model_id, "rock", "80s")
        self.song("one")
        self.beet("resonance", "analyze")
        assert self.beet("resonance", "write", "-y", "--fields", "res_tags")[1] == "  res_tags: rock, 80s"

    def test_nothing_analysed(self) -> None:
        self.song("one")
        said = self.refused("resonance", "write", "--fields", "res_bpm")
        assert said.startswith("resonance: no track is analysed yet; run `beet resonance analyze`")
        assert not Sidecar(self.lib).exists


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "write takes --fields, one or more of res_bpm,res_key,"),
        (" , ", "write takes --fields, one or more of res_bpm,res_key,"),
        ("res_bmp", "write knows no field 'res_bmp'; did you mean res_bpm?"),
        ("res_bpm,title", "write knows no field 'title'; choose from res_bpm, res_key, "),
    ],
)
def test_a_field_that_cannot_be_written_is_named(text: str | None, said: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_fields(text)
    assert str(caught.value).startswith(f"resonance: {said}")


def test_fields_are_named_once() -> None:
    assert parse_fields("res_key, bpm,res_key,") == ("res_key", "bpm")


@pytest.mark.parametrize("mode", ["major", "minor"])
def test_a_key_is_kept_by_beets_as_it_is(mode: str) -> None:
    """Of beets' long form, "C# minor", its sharp would be lost."""
    same = {"Db": "C#", "Eb": "D#", "Gb": "F#", "Ab": "G#", "Bb": "A#"}
    for tonic in MAJOR_TONICS if mode == "major" else MINOR_TONICS:
        item = Item(initial_key=beets_key(f"{tonic} {mode}"))
        assert item.initial_key == same.get(tonic, tonic) + ("m" if mode == "minor" else "")


@pytest.mark.parametrize(
    ("held", "overwrite", "values", "kept"),
    [(0, False, {"bpm": 120}, ()), (120, False, {}, ()), (61, False, {}, ("bpm",)), (61, True, {"bpm": 120}, ())],
)
def test_comparison(held: int, overwrite: bool, values: dict[str, Any], kept: tuple[str, ...]) -> None:
    change = compare(Item(bpm=held), {"bpm": 120}, overwrite)
    assert (change.values, change.kept) == (values, kept)
