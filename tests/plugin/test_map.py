"""`beet resonance map`: the page, the picture, points that stay, new ones among them, clusters."""

from __future__ import annotations

import builtins
import json
import re
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from beetsplug.resonance.commands import draw_map
from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.search import library_map
from tests.embeddings import WIDTH
from tests.extras import needs_viz
from tests.plugin.circle_library import MODEL, CircleLibrary
from tests.raw_sql import change_rows

if TYPE_CHECKING:
    from pathlib import Path

    from resonance_engine.store.arrays import Array

COUNT = 40
ANALYSE = "resonance: none of the tracks that match is analysed yet; run `beet resonance analyze`"


class MapLibrary(CircleLibrary):
    """Maps of a library on a circle."""

    @pytest.fixture(autouse=True)
    def _target(self, tmp_path: Path) -> None:
        self.target = tmp_path / "map.html"

    def draw(self, *args: str) -> dict[str, Any]:
        """The data of a page."""
        self.lines = self.beet("resonance", "map", "-o", str(self.target), *args)
        text = self.target.read_text(encoding="utf-8")
        (block,) = re.findall(r'id="data">(.*?)</script>', text, re.DOTALL)
        data: dict[str, Any] = json.loads(block)
        return data

    def arrays(self) -> dict[str, Array]:
        with closing(Sidecar(self.lib)) as sidecar:
            names = sidecar.store.arrays.names(sidecar.id)
            return {name.split()[2]: each for name, each in sidecar.store.arrays.get(sidecar.id, names).items()}

    def points(self) -> dict[bytes, bytes]:
        """The stored bytes of a point by content key."""
        arrays = self.arrays()
        return {bytes(each): point.tobytes() for each, point in zip(arrays["keys"], arrays["points"], strict=True)}


@needs_viz
class TestPage(MapLibrary):
    def test_it_shows_each_track_with_what_it_is_called(self) -> None:
        self.circle(COUNT, genres=lambda number: ["jazz"] if number % 2 else [], year=lambda number: 1990 + number)
        data = self.draw()
        assert self.lines == [f"the map of 40 tracks was written to {self.target} (0.0 MB)"]
        assert sorted(data["title"]) == sorted(map(str, range(COUNT)))
        assert {name for _, name in data["modes"]} == {
            "cluster", "genre", "artist", "album", "year", "tempo", "energy", "brightness",
        }  # fmt: skip
        assert set(data["words"]["genre"]) == {"", "jazz"}
        assert data["summary"] == "40 tracks, model drawn 1"

    def test_near_sounds_are_near(self) -> None:
        self.circle(COUNT)
        data = self.draw()
        places = np.argsort(np.array(data["title"]).astype(int))
        points = np.stack([data["x"], data["y"]], axis=1)[places]
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        assert np.median(steps) < 0.2 * np.linalg.norm(points[0] - points[-1])

    def test_a_query_shows_a_part_at_the_same_places(self) -> None:
        self.circle(COUNT)
        self.draw()
        before = self.points()
        data = self.draw("title:1")
        assert set(data["title"]) == {str(number) for number in range(COUNT) if "1" in str(number)}
        assert self.points() == before

    def test_tracks_of_one_sound_are_one_point(self) -> None:
        self.circle(12)
        self.draw()
        with closing(Sidecar(self.lib)) as sidecar:
            change_rows(
                sidecar.path,
                "UPDATE track SET content_key = (SELECT content_key FROM track WHERE item_id = 1) WHERE item_id = ?",
                2,
            )
        assert len(self.draw()["title"]) == 11
        assert self.lines == [f"the map of 11 tracks was written to {self.target} (0.0 MB, 1 copy counts once)"]
        assert "copies:         1 of the analysed, which lists, `map` and `eval` count once with their originals" in (
            self.beet("resonance", "status")
        )

    def test_lines_of_playlists(self, tmp_path: Path) -> None:
        self.circle(12)
        paths = {item.title: item.path for item in self.lib.items()}
        listing = tmp_path / "mix.m3u8"
        listing.write_bytes(b"\n".join([paths["5"], b"/elsewhere.mp3", paths["0"], paths["7"]]))
        data = self.draw("--playlist", str(listing), "title:0")
        (line,) = data["lines"]
        assert line["name"] == "mix"
        assert [data["title"][place] for place in line["tracks"]] == ["5", "0", "7"]

    def test_a_picture(self) -> None:
        pytest.importorskip("matplotlib")
        self.circle(12, artist=lambda _: "$x^2 \u202e</a>", genres=lambda _: ["音楽 $\\frac{"])
        target = self.target.with_suffix(".png")
        self.beet("resonance", "map", "-o", str(target))
        content = target.read_bytes()
        assert content.startswith(b"\x89PNG")
        self.beet("resonance", "map", "-o", str(target))
        assert target.read_bytes() == content

    @pytest.mark.parametrize("suffix", [".png", ".html"])
    def test_a_file_of_the_user_is_not_replaced(self, suffix: str) -> None:
        self.circle(12)
        target = self.target.with_suffix(suffix)
        target.write_bytes(b"\x89PNG of a cover")
        assert "is there already and is no picture" in self.refused("resonance", "map", "-o", str(target))
        assert target.read_bytes() == b"\x89PNG of a cover"


@needs_viz
class TestPoints(MapLibrary):
    def test_the_same_library_gives_the_same_bytes(self) -> None:
        self.circle(COUNT)
        self.draw()
        page, points = self.target.read_bytes(), self.points()
        self.draw()
        assert self.target.read_bytes() == page
        self.draw("--anew")
        assert self.points() == points
        assert self.target.read_bytes() == page

    def test_old_points_stay_to_the_byte_and_new_ones_come_near_their_neighbours(self) -> None:
        self.circle(COUNT)
        self.draw()
        before = self.points()
        self.add_track("new", 4.0 * 20 + 1)
        data = self.draw()
        assert self.lines[1] == "1 track placed among the earlier ones; --anew computes the whole map again"
        after = self.points()
        assert len(after) == COUNT + 1
        assert {each: after[each] for each in before} == before
        points = dict(zip(data["title"], zip(data["x"], data["y"], strict=True), strict=True))
        distances = {title: np.hypot(*np.subtract(points[title], points["new"])) for title in points if title != "new"}
        assert set(sorted(distances, key=lambda title: distances[title])[:3]) <= {"18", "19", "20", "21", "22"}
        self.draw()
        assert self.points() == after
        assert len(self.lines) == 1

    def test_a_track_that_comes_back_has_its_old_place(self) -> None:
        self.circle(COUNT)
        self.draw()
        before = self.points()
        with closing(Sidecar(self.lib)) as sidecar:
            rows = sidecar.store.tracks.all(sidecar.id)
            sidecar.store.tracks.unlink(sidecar.id, [3])
        assert len(self.draw()["title"]) == COUNT - 1
        with closing(Sidecar(self.lib)) as sidecar:
            sidecar.store.tracks.link(sidecar.id, rows[3])
        self.draw()
        assert self.points() == before

    def test_anew_computes_it_with_the_new_ones(self) -> None:
        self.circle(COUNT)
        self.draw()
        before = self.points()
        self.add_track("new", 100.0)
        self.draw("--anew")
        assert len(self.lines) == 1
        assert len(self.points()) == COUNT + 1
        assert self.points() != before

    def test_a_map_of_few_tracks_is_computed_anew_when_they_have_doubled(self) -> None:
        self.circle(COUNT)
        self.draw()
        before = self.points()
        self.circle(COUNT)
        self.draw()
        after = self.points()
        assert len(after) == 2 * COUNT
        assert any(after[key] != point for key, point in before.items())

    def test_a_map_that_the_library_has_outgrown_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(library_map, "SMALL", 10)
        self.circle(COUNT)
        self.draw()
        self.beet("resonance", "map", "--clusters")
        before = self.points()
        self.circle(COUNT)
        for _ in range(2):
            self.draw()
            assert self.lines[-1] == "the map was computed of 40 tracks, and there are 80 now; --anew computes it again"
        assert before.items() <= self.points().items()
        assert self.beet("resonance", "map", "--clusters")[-1] == (
            "the clusters were computed of 40 tracks, and there are 80 now; --anew computes them again"
        )
        self.draw("--anew")
        assert len(self.lines) == 1

    def test_maps_of_removed_models_are_dropped(self) -> None:
        self.circle(12)
        self.analyse()
        with closing(Sidecar(self.lib)) as sidecar:
            sidecar.store.arrays.put(
                sidecar.id, {"map gone points": np.zeros(2), "map": np.zeros(2), "x y z": np.zeros(2)}
            )
        self.draw()
        with closing(Sidecar(self.lib)) as sidecar:
            names = sidecar.store.arrays.names(sidecar.id)
        assert [name for name in names if MODEL.id not in name] == ["map", "x y z"]

    def test_the_arrays_are_numbers_and_text(self) -> None:
        self.circle(12)
        self.draw()
        arrays = self.arrays()
        assert {name: (each.shape[0], each.dtype.kind) for name, each in arrays.items()} == {
            "keys": (12, "u"), "points": (12, "f"), "centroids": (2, "f"), "names": (2, "U"),
            "points-size": (1, "i"), "centroids-size": (1, "i"),
        }  # fmt: skip


class TestMistakes(MapLibrary):
    def test_no_tracks(self) -> None:
        assert self.refused("resonance", "map", "-o", "x.html") == (
            "resonance: the library has no tracks; import some with `beet import PATH`"
        )

    @needs_viz
    @pytest.mark.parametrize("count", [1, 2, 3, 9, 10, 11])
    def test_few_tracks_are_a_map_too(self, count: int) -> None:
        self.circle(count)
        assert len(self.draw()["title"]) == count
        assert len(self.beet("resonance", "map", "--clusters")) <= 2
        self.add_track("new", 300.0)
        assert len(self.draw()["title"]) == count + 1

    @needs_viz
    def test_tracks_that_sound_all_the_same(self) -> None:
        for number in range(30):
            self.add_track(str(number), 10.0)
        data = self.draw()
        assert len(data["x"]) == 30
        assert np.isfinite(data["x"]).all()

    def test_damaged_vectors(self) -> None:
        self.circle(12)
        self.analyse()
        with closing(Sidecar(self.lib)) as sidecar:
            path = sidecar.path
        broken = np.full(WIDTH, np.nan, np.float16).tobytes()
        change_rows(path, "UPDATE vector SET data = ?, generation = generation + 1", broken)
        said = self.refused("resonance", "map", "-o", str(self.target))
        assert said == "resonance: The data of a track is damaged; run `beet resonance check --repair`"

    @needs_viz
    def test_nothing_that_matches_is_analysed(self) -> None:
        self.circle(12)
        self.analyse()
        self.add_item(title="silent", path=str(self.lib_path / "silent.flac"))
        assert self.refused("resonance", "map", "title:silent", "-o", str(self.target)) == ANALYSE
        assert self.refused("resonance", "map", "title:silent", "--clusters") == ANALYSE
        said = self.refused("resonance", "map", "title:nothing", "-o", str(self.target))
        assert said == "resonance: no track matches title:nothing; try `beet ls title:nothing`"

    @needs_viz
    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            ([], "map takes -o with a file that ends in .html or .png"),
            (["-o", "map.svg"], "map -o takes the name of a file that ends in .html or .png, not 'map.svg'"),
            (["--clusters", "-o", "map.png"], "map --clusters lists the clusters and takes no -o"),
            (["--clusters", "--playlist", "a.m3u"], "map --clusters lists the clusters and takes no --playlist"),
            (["-o", "/no/folder/map.html"], "map -o: there is no folder /no/folder"),
            (
                ["-o", "x.html", "--playlist", "/no.m3u8"],
                "The playlist /no.m3u8 cannot be read: No such file or directory",
            ),
        ],
    )
    def test_each_mistake_is_one_sentence(self, arguments: list[str], sentence: str) -> None:
        self.circle(12)
        assert self.refused("resonance", "map", *arguments) == f"resonance: {sentence}"

    def test_a_playlist_of_nothing_known(self, tmp_path: Path) -> None:
        self.circle(12)
        listing = tmp_path / "other.m3u"
        listing.write_text("/elsewhere.mp3\n", encoding="utf-8")
        said = self.refused("resonance", "map", "-o", str(self.target), "--playlist", str(listing))
        assert said == f"resonance: no track of {listing} is analysed in this library"

    @pytest.mark.parametrize(("package", "suffix"), [("openTSNE", ".html"), ("matplotlib", ".png")])
    def test_without_the_extra(self, monkeypatch: pytest.MonkeyPatch, package: str, suffix: str) -> None:
        self.circle(12)
        self.analyse()
        self.hide(monkeypatch, package)
        said = self.refused("resonance", "map", "-o", str(self.target.with_suffix(suffix)))
        assert said == (
            f"resonance: map needs {package}; install it into beets' environment with "
            "`pip install '.[viz]'` in a checkout of Resonance"
        )

    def hide(self, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
        """Let a package be missing."""
        load, find = builtins.__import__, draw_map.find_spec

        def missing(name: str, *args: Any, **options: Any) -> Any:
            if name.split(".")[0] == package:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            return load(name, *args, **options)

        monkeypatch.setattr(builtins, "__import__", missing)
        monkeypatch.setattr(draw_map, "find_spec", lambda name: None if name == package else find(name))
