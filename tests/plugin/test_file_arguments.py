"""Files that commands are given to read and to write: homes that do not exist, folders that are not there."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from beetsplug.resonance.commands import evaluate
from beetsplug.resonance.commands.explore import Explorer
from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.search.library_map import LibraryMap
from beetsplug.resonance.search.request import SearchRequest
from resonance_engine.errors import TargetError
from tests.extras import needs_viz
from tests.plugin.command_library import AnalysedLibrary
from tests.plugin.test_map import MapLibrary

COUNT = 12
UNWRITABLE = Path("/proc")  # a folder in which nobody can make a file


class TestUnknownHome(AnalysedLibrary):
    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["resonance", "map", "-o", "~nosuch/x.html"], "there is no folder "),
            (["resonance", "map", "-o", "{folder}/x.html", "--playlist", "~nosuch/x.m3u8"], "~nosuch/x.m3u8 cannot be"),
            (["resonance", "eval", "-o", "~nosuch/x.md"], "there is no folder "),
            (["resonance", "train", "--from-playlists", "~nosuch/*.m3u8"], "no .m3u8 or .m3u file matches"),
            (["similar", "--file", "~nosuch/x.flac"], "~nosuch/x.flac"),
            (["similar", "--file", "{folder}/x.flac", "~nosuch/x.flac"], "no track matches"),
            (["playlist", "--file", "~nosuch/x.flac"], "~nosuch/x.flac"),
            (["playlist", "--refresh", "~nosuch/x.m3u8"], "~nosuch/x.m3u8"),
            (["playlist", "title:song 0", "-o", "~nosuch/x.m3u8"], "there is no folder "),
            (["resonance", "compare", "~nosuch/x.flac", "title:song 0"], "there is no file ~nosuch/x.flac"),
        ],
    )
    def test_unknown_home_folder_raises_user_error(self, arguments: list[str], sentence: str, tmp_path: Path) -> None:
        refusal = self.refused(*(each.format(folder=tmp_path) for each in arguments))
        assert sentence in refusal
        assert "nosuch" in refusal
        assert "\n" not in refusal

    def test_so_it_is_for_a_playlist_that_is_named_at_a_prompt(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("beets.ui.input_", lambda _: "~nosuch/x.m3u8")
        with closing(Sidecar(self.lib)) as sidecar:
            explorer = Explorer(sidecar, SearchRequest(query=["title:song 0"]), lambda *_: None)  # type: ignore[arg-type,return-value]
            with pytest.raises(TargetError, match=r"there is no folder .*~nosuch"):
                explorer.add_to_file(list(self.lib.items()))


class TestFileAsAQuery(AnalysedLibrary):
    @pytest.mark.parametrize("command", ["similar", "playlist"])
    def test_the_path_of_a_file_beside_the_library_names_the_option(self, command: str, tmp_path: Path) -> None:
        first, second = tmp_path / "a song.mp3", tmp_path / "b.mp3"
        first.touch()
        assert self.refused(command, str(second)) == (
            f"{command}: no track matches {second}; try `beet ls {second}`"
        ), "it is not there"
        assert self.refused(command, str(first)) == (
            f"{command}: no track matches '{first}'; `beet {command} --file '{first}'` starts from a file"
        )
        second.touch()
        options = f"--file '{first}' --file {second}"
        assert f"`beet {command} {options}` starts from a file" in self.refused(command, str(first), str(second))

    @pytest.mark.parametrize("words", [("similar", "--album"), ("similar", "--from"), ("resonance", "analyze")])
    def test_other_queries_do_not(self, words: tuple[str, ...], tmp_path: Path) -> None:
        file = tmp_path / "a.mp3"
        file.touch()
        sentence = self.refused(*words, str(file), *(["title:song 0"] if "--from" in words else []))
        assert "--file" not in sentence
        assert f"matches {file}; try `beet ls " in sentence

    def test_a_word_that_is_no_path_is_a_query(self) -> None:
        assert "; try `beet ls x" in self.refused("similar", "x" * 5000)


class TestOutput(MapLibrary):
    def test_missing_output_folder_is_refused_before_the_computation(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        self.circle(COUNT)
        monkeypatch.setattr(LibraryMap, "points", None)
        monkeypatch.setattr(evaluate, "load_library", None)
        folder = tmp_path / "missing"
        for verb, name in (("map", "map.html"), ("map", "map.png"), ("eval", "report.md")):
            assert self.refused("resonance", verb, "-o", str(folder / name)) == (
                f"resonance: {verb} -o: there is no folder {folder}"
            )

    @needs_viz
    def test_a_map_that_cannot_be_written_is_not_computed_twice(self) -> None:
        self.circle(COUNT)
        assert "cannot be written" in self.refused("resonance", "map", "-o", str(UNWRITABLE / "map.html"))
        assert len(self.arrays()["points"]) == COUNT

    @needs_viz
    def test_playlists_of_one_name_are_two_lines(self, tmp_path: Path) -> None:
        self.circle(COUNT)
        paths = {item.title: item.path for item in self.lib.items()}
        options: list[str] = []
        for folder, titles in (("one", "05"), ("two", "37"), ("three", "48")):
            listing = tmp_path / folder / "mix.m3u8"
            listing.parent.mkdir()
            listing.write_bytes(b"\n".join(paths[title] for title in titles))
            options += ["--playlist", str(listing)]
        data = self.draw(*options)
        assert [(line["name"], [data["title"][place] for place in line["tracks"]]) for line in data["lines"]] == [
            ("mix", ["0", "5"]),
            ("mix (2)", ["3", "7"]),
            ("mix (3)", ["4", "8"]),
        ]
