"""`beet resonance eval`: the report on the user's own library, printed or written, and two models compared."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest

from beetsplug.resonance.commands import evaluate
from beetsplug.resonance.library.sidecar import Sidecar
from tests.plugin.command_library import CommandLibrary
from tests.plugin.models_library import ModelsLibrary
from tests.raw_sql import change_rows

if TYPE_CHECKING:
    from pathlib import Path


class TestReport(ModelsLibrary):
    def test_it_says_what_was_evaluated_and_how_well(self) -> None:
        lines = self.beet("resonance", "eval")
        assert lines[0] == "5 of 5 tracks analysed"
        assert lines[1].startswith("fake 1 (fake) on 5 tracks of 1 album, ")
        assert any(line.startswith("Same album, the query's artist left out (5 queries") for line in lines)
        assert "Same genre, the query's artist and album left out: no two tracks share one" in lines
        assert {"Facets, each by itself", "Ways to rank, lists of 20; alike: mean cosine within a list"} <= {*lines}

    def test_a_query_chooses_the_tracks(self) -> None:
        assert self.beet("resonance", "eval", "artist:artist 0")[1].startswith("fake 1 (fake) on 3 tracks of ")

    def test_the_first_genre_counts(self) -> None:
        for item in self.lib.items():
            item.genres = ["Jazz", f"Kind {item.id}"]
            item.album = item.artist = f"own {item.id}"
            item.store()
        assert any(
            line.startswith("Same genre, the query's artist and album left out (5 ")
            for line in self.beet("resonance", "eval")
        )

    def test_tracks_that_are_not_analysed_are_counted(self) -> None:
        self.song("new")
        assert self.beet("resonance", "eval")[0] == "5 of 6 tracks analysed"

    def test_of_a_large_library_whole_albums_are_taken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(evaluate, "MOST_TRACKS", 3)
        lines = self.beet("resonance", "eval")
        assert lines[1] == "3 of 5 tracks taken: whole albums, the same each time"
        assert lines == self.beet("resonance", "eval")

    @pytest.mark.parametrize("suffix", [".md", ".html", ".json", ".HTML"])
    def test_it_is_written_in_the_format_of_the_suffix(self, tmp_path: Path, suffix: str) -> None:
        target = tmp_path / f"report{suffix}"
        assert self.beet("resonance", "eval", "-o", str(target)) == [f"the report was written to {target}"]
        text = target.read_text(encoding="utf-8")
        if suffix == ".json":
            assert json.loads(text)["songs"] == 5
        else:
            assert text.startswith("# Evaluation" if suffix == ".md" else "<!doctype html>")
            assert "5 of 5 tracks analysed" in text
        self.beet("resonance", "eval", "-o", str(target))
        target.write_text("of the user", encoding="utf-8")
        assert "is there already and is no picture, page or report of Resonance" in self.refused(
            "resonance", "eval", "-o", str(target)
        )
        assert target.read_text(encoding="utf-8") == "of the user"

    def test_a_file_that_cannot_be_written(self, tmp_path: Path) -> None:
        target = tmp_path / "missing" / "report.md"
        assert self.refused("resonance", "eval", "-o", str(target)) == (
            f"resonance: eval -o: there is no folder {target.parent}"
        )
        assert self.refused("resonance", "eval", "-o", "report.txt") == (
            "resonance: eval -o takes the name of a file that ends in .md, .html or .json, not 'report.txt'"
        )

    def test_one_track_has_no_neighbour(self) -> None:
        assert self.refused("resonance", "eval", "title:song 0") == (
            "resonance: eval takes at least two different tracks that are analysed, not 1"
        )

    def test_a_query_without_a_match(self) -> None:
        said = self.refused("resonance", "eval", "title:x")
        assert said == "resonance: no track matches title:x; try `beet ls title:x`"

    def test_damaged_vectors_are_a_sentence(self) -> None:
        broken = np.full(8, np.nan, np.float16).tobytes()
        with closing(Sidecar(self.lib)) as sidecar:
            assert sidecar.model is not None
            width = sidecar.model.dimensions
            path = sidecar.path
        for index in path.parent.glob("*.index"):
            index.unlink()
        change_rows(path, "UPDATE vector SET data = ?, generation = generation + 1", broken[:2] * width)
        said = self.refused("resonance", "eval")
        assert said.startswith("resonance: ")
        assert "`beet resonance check --repair`" in said


class TestComparison(ModelsLibrary):
    @pytest.fixture(autouse=True)
    def _own(self, _analysed: None) -> None:
        self.add_trained_model("own")

    def test_another_model_is_compared_by_its_name(self) -> None:
        self.beet("resonance", "model", "use", "own")
        self.beet("resonance", "model", "use", "default")
        lines = self.beet("resonance", "eval", "--compare", "own")
        start = lines.index("own 1 against fake 1 (map)")
        assert lines[start + 1].split()[:2] == ["queries", "albums"]
        rows = {line.split("  ")[1]: line for line in lines[start + 2 : start + 6]}
        target = self.lib_path / "report.json"
        self.beet("resonance", "eval", "--compare", "own", "-o", str(target))
        written = json.loads(target.read_text(encoding="utf-8"))
        assert (written["notes"], written["tables"][0]["title"]) == (["5 of 5 tracks analysed"], lines[start])
        assert rows.keys() == {"album", "artist", "genre", "all tasks"}
        assert all(line.endswith("cannot be told") for line in rows.values())

    def test_a_facet_is_compared_with_the_whole(self) -> None:
        lines = self.beet("resonance", "eval", "--compare", "rhythm")
        assert "rhythm alone against fake 1 (map)" in lines
        assert self.refused("resonance", "eval", "--compare", "rythm") == (
            "resonance: there is no model 'rythm'; did you mean rhythm?"
        )

    def test_a_model_that_has_analysed_nothing(self) -> None:
        assert self.refused("resonance", "eval", "--compare", "own") == (
            "resonance: the model own has analysed nothing here; `beet resonance model use own` does that"
        )

    def test_the_model_in_use_and_one_that_is_not_there(self) -> None:
        assert self.refused("resonance", "eval", "--compare", "default") == (
            "resonance: default is in use; eval --compare takes another one"
        )
        assert self.refused("resonance", "eval", "--compare", "owm") == (
            "resonance: there is no model 'owm'; did you mean own?"
        )


class TestNothing(CommandLibrary):
    def test_an_empty_library(self) -> None:
        assert self.refused("resonance", "eval").startswith("resonance: the library has no tracks")

    def test_nothing_analysed(self) -> None:
        self.song("one")
        assert self.refused("resonance", "eval").startswith("resonance: no track is analysed yet; run ")
