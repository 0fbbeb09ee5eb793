"""A beets library as the collection of the server: the lists of `beet similar` and `beet playlist`, and refusals."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from beets import config
from beets.library import Item, Library

from resonance_engine.errors import AudioError, ResonanceError
from resonance_engine.server.collection import (
    ListQuery,
    RequestError,
    UnavailableError,
    UnknownTrackError,
)
from tests.plugin.synthetic_library import SyntheticLibrary
from tests.plugin.synthetic_tracks import EVERY, NEW, SOUNDS

pytest.importorskip("fastapi", reason="needs FastAPI, of the extra serve")

from beetsplug.resonance.config.settings import Settings
from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.server.library_collection import LibraryCollection
from beetsplug.resonance.server.library_tracks import TrackReader
from beetsplug.resonance.server.recipes import file_name
from beetsplug.resonance.server.sent_files import hide_paths

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyntheticLibrary]:
    library = SyntheticLibrary.create(tmp_path_factory.mktemp("library"))
    yield library
    library.close()


@pytest.fixture
def collection(library: SyntheticLibrary, tmp_path: Path) -> Iterator[LibraryCollection]:
    sidecar = Sidecar(library.lib, runtime=library.runtime)
    yield LibraryCollection(sidecar, tmp_path)
    sidecar.close()


class TestLists:
    def test_they_are_those_of_the_command(self, library: SyntheticLibrary, collection: LibraryCollection) -> None:
        for options in ({}, {"per_artist": 1}, {"weights": "rhythm=2"}, {"text": "rock"}, EVERY):
            matches = collection.similar(ListQuery((3,), options={"count": 10, **options})).matches
            assert [match.track.id for match in matches] == library.ids("id:3", **options)

    def test_several_seeds_are_any_of_them(self, library: SyntheticLibrary, collection: LibraryCollection) -> None:
        matches = collection.similar(ListQuery((3, 22), options={"count": 10})).matches
        assert [match.track.id for match in matches] == library.ids("id:3 , id:22")

    def test_ids_come_beside_a_query(self, library: SyntheticLibrary, collection: LibraryCollection) -> None:
        matches = collection.similar(ListQuery((22,), options={"query": "id:3", "count": 10})).matches
        assert [match.track.id for match in matches] == library.ids("id:3 , id:22")

    def test_what_is_excluded_does_not_come_up(self, collection: LibraryCollection) -> None:
        before = [match.track.id for match in collection.similar(ListQuery((3,))).matches]
        excluded = tuple(before[:5])
        after = [match.track.id for match in collection.similar(ListQuery((3,), excluded=excluded)).matches]
        assert not set(excluded) & set(after)
        assert set(before) - set(excluded) <= set(after)
        listed = [track.id for track in collection.playlist(ListQuery((3,), excluded=excluded)).tracks]
        assert not set(excluded) & set(listed)

    def test_what_is_avoided_is_far(self, library: SyntheticLibrary, collection: LibraryCollection) -> None:
        matches = collection.similar(ListQuery((3,), avoided=(22,), options={"count": 10})).matches
        assert [match.track.id for match in matches] == library.ids("id:3", avoid=("id:22",))

    def test_reasons_sum_to_one(self, collection: LibraryCollection) -> None:
        for match in collection.similar(ListQuery((3,), explain=True)).matches:
            assert sum(match.shares.values()) == pytest.approx(1.0)
        assert not collection.similar(ListQuery((3,))).matches[0].shares

    def test_a_playlist_begins_at_its_seed(self, collection: LibraryCollection) -> None:
        tracks = collection.playlist(ListQuery((3,), options={"count": 6})).tracks
        assert (len(tracks), tracks[0].id) == (6, 3)

    def test_a_path_has_its_ends(self, collection: LibraryCollection) -> None:
        ids = [track.id for track in collection.path([3, 22, 41], 9).tracks]
        assert (ids[0], ids[-1], len(ids)) == (3, 41, 9)
        assert 22 in ids[1:-1]

    def test_a_file_that_was_sent(
        self, library: SyntheticLibrary, collection: LibraryCollection, tmp_path: Path
    ) -> None:
        library.set_files({"sent": 3})
        result = collection.similar(ListQuery(audio=tmp_path / "sent", options={"count": 5}))
        assert len(result.matches) == 5
        assert all(str(tmp_path) not in note for note in result.notes)
        with pytest.raises(AudioError):
            collection.similar(ListQuery(audio=tmp_path / "another"))

    def test_a_file_that_was_sent_before(
        self, library: SyntheticLibrary, collection: LibraryCollection, tmp_path: Path
    ) -> None:
        library.set_files({"sent": 3})
        once = ListQuery(audio=tmp_path / "sent", options={"count": 5})
        analysed = collection.analyse(tmp_path / "sent")
        library.set_files({})
        for options in ({"count": 5}, {"count": 5, "weights": "rhythm=2"}):
            kept = collection.similar(ListQuery(analysed=analysed, options=options))
            assert len(kept.matches) == 5
            assert all(str(tmp_path) not in note for note in kept.notes)
        assert collection.similar(ListQuery(analysed=analysed, options={"count": 5})).matches != kept.matches
        with pytest.raises(RequestError, match="--at is a passage of a file, which has to be sent with the search"):
            collection.similar(ListQuery(analysed=analysed, options={"at": "0:01-0:09"}))
        with pytest.raises(UnknownTrackError, match="send it again"):
            collection.similar(ListQuery(analysed=analysed._replace(model="another")))
        library.set_files({"sent": 3})
        assert collection.similar(once) == collection.similar(ListQuery(analysed=analysed, options={"count": 5}))


def test_notes_without_a_file() -> None:
    assert hide_paths(["there is no word for None"], ListQuery()) == ("there is no word for None",)


REFUSED = {
    "no seed": (ListQuery(), "Name a track to start from, with id, query or text."),
    "no match": (
        ListQuery(options={"query": "artist:nobody"}),
        "No track matches artist:nobody; try `beet ls artist:nobody`.",
    ),
    "an empty query": (ListQuery((3,), options={"among": " "}), "Similar --from: a query is missing"),
    "not analysed": (ListQuery((NEW,)), "The track that matches is not analysed yet"),
    "a facet": (ListQuery((3,), options={"weights": "colour=1"}), "--weights: The model has no facet 'colour'"),
    "two weights": (
        ListQuery((3,), options={"weights": "rhythm=1", "like": "rhythm"}),
        "--weights and --like both weigh",
    ),
    "a passage": (ListQuery((3,), options={"at": "soon"}), "--at: "),
    "no taste": (ListQuery((3,), options={"taste": True}), "--taste takes what"),
    "a broken query": (ListQuery(options={"query": "year:[x"}), ""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_done_is_a_sentence(collection: LibraryCollection, name: str) -> None:
    query, sentence = REFUSED[name]
    with pytest.raises(RequestError) as caught:
        collection.similar(query)
    assert str(caught.value).startswith(sentence)
    assert str(caught.value).endswith((".", "?", "`"))


class TestTracks:
    def test_search_has_the_title_itself_first(self, library: SyntheticLibrary) -> None:
        page = TrackReader(library.lib).search("song 3", 0, 50)
        assert page.tracks[0].title.lower() == "song 3"
        assert page.total == len(page.tracks)

    def test_pages_are_parts_of_one_order(self, library: SyntheticLibrary) -> None:
        for text in ("", "song"):
            whole = TrackReader(library.lib).search(text, 0, 500)
            parts = [TrackReader(library.lib).search(text, start, 7).tracks for start in range(0, whole.total, 7)]
            assert tuple(track for part in parts for track in part) == whole.tracks
        assert TrackReader(library.lib).search("", 0, 500).total == len(library.lib.items())

    def test_a_field(self, library: SyntheticLibrary) -> None:
        assert [track.id for track in TrackReader(library.lib).search("id:5", 0, 5).tracks] == [5]

    @pytest.mark.parametrize(
        "text", ["'", '"', "\\", "%", "_", "a:b:c", "::", "^", ",", "-", "path:/", "\0", "~", "year:x"]
    )
    def test_odd_texts(self, collection: LibraryCollection, text: str) -> None:
        try:
            collection.search(text, 0, 5)
        except RequestError as error:
            assert str(error)  # noqa: PT017 - either is an answer

    def test_details(self, collection: LibraryCollection) -> None:
        details = collection.details(3)
        assert details.is_analysed
        assert {"tempo", "key", "energy"} <= details.attributes.keys()
        assert not collection.details(NEW).is_analysed

    def test_ids_that_are_none(self, collection: LibraryCollection) -> None:
        for function in (collection.details, collection.file, collection.cover):
            with pytest.raises(UnknownTrackError):
                function(9_999)
        assert collection.tracks([9_999, 3, 9_998, 3])[0].id == 3

    def test_without_a_map(self, collection: LibraryCollection) -> None:
        with pytest.raises(UnavailableError, match="There is no map yet"):
            collection.map_points()


def test_a_library_that_is_moved_away_and_replaced(tmp_path: Path) -> None:
    synthetic = SyntheticLibrary.create(tmp_path)
    collection = LibraryCollection(Sidecar(synthetic.lib, runtime=synthetic.runtime))
    total = collection.search("", 0, 1).total
    path = Path(os.fsdecode(synthetic.lib.path))
    content = path.read_bytes()
    path.rename(tmp_path / "aside.db")
    for _ in range(2):
        with pytest.raises(ResonanceError, match=r"^The library cannot be read now \(.*No such file.*\)\.$"):
            collection.search("", 0, 1)
    assert not path.exists()
    path.write_bytes(content)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM items WHERE id = 3")
    assert collection.search("", 0, 1).total == total - 1
    assert collection.tracks([3]) == []
    synthetic.close()


class TestStatus:
    def test_counts(self, collection: LibraryCollection) -> None:
        status = collection.status()
        assert status.tracks == 63
        assert status.analysed >= SOUNDS
        assert status.facets == ("timbre", "harmony", "rhythm", "semantic")

    def test_the_version_follows_the_library(self, library: SyntheticLibrary, collection: LibraryCollection) -> None:
        collection.status()  # opens the store's files
        time.sleep(0.1)
        before = collection.status().version
        assert collection.status().version == before
        item = library.lib.get_item(3)
        assert item is not None
        item["mood"] = "calm"
        item.store()
        assert collection.status().version != before

    def test_a_track_that_leaves_the_library(self, tmp_path: Path) -> None:
        library = SyntheticLibrary.create(tmp_path)
        collection = LibraryCollection(Sidecar(library.lib, runtime=library.runtime))
        query = ListQuery((3,), options={"count": 10})
        first, second = [match.track.id for match in collection.similar(query).matches][:2]
        item = library.lib.get_item(first)
        assert item is not None
        item.remove()
        assert collection.similar(query).matches[0].track.id == second
        assert collection.search(f"id:{first}", 0, 5).total == 0
        assert collection.status().tracks == 62
        library.close()

    def test_a_library_that_is_locked(self, tmp_path: Path) -> None:
        SyntheticLibrary.create(tmp_path).close()
        patience = config["timeout"].get()
        config["timeout"].set(0.1)
        library = Library(str(tmp_path / "library.db"), "/music")
        collection = LibraryCollection(Sidecar(library))
        assert collection.search("id:3", 0, 5).total == 1
        assert len(collection.similar(ListQuery((3,), options={"count": 3})).matches) == 3  # whose session is kept
        with closing(sqlite3.connect(tmp_path / "library.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(ResonanceError, match="The library cannot be read now"):
                collection.search("id:3", 0, 5)
            with pytest.raises(ResonanceError, match=r"The (beets )?library (cannot be read|is being written)"):
                collection.similar(ListQuery(options={"query": "title:song"}))
        assert collection.search("id:3", 0, 5).total == 1
        library._close()
        config["timeout"].set(patience)

    def test_nothing_is_analysed(self, tmp_path: Path) -> None:
        library = Library(str(tmp_path / "library.db"), str(tmp_path))
        empty = LibraryCollection(Sidecar(library, Settings()))
        assert empty.status().tracks == 0
        with pytest.raises(UnavailableError):
            empty.similar(ListQuery((1,)))
        library.add(Item(title="one", path=b"/music/one.mp3"))
        with pytest.raises(UnavailableError, match=r"None of 1 tracks|No track is analysed yet"):
            empty.similar(ListQuery((1,)))
        assert empty.search("one", 0, 5).total == 1
        library._close()


class TestRecipes:
    def test_the_file_is_refreshed_by_its_recipe(self, collection: LibraryCollection, tmp_path: Path) -> None:
        from resonance_engine.playlist.m3u import read_playlist

        name = collection.save_recipe("Evening", ListQuery((3,), options={"count": 5}))
        playlist = read_playlist(tmp_path / name)
        assert name == "Evening.m3u8"
        assert len(playlist.entries) == 5
        assert '"query":["id:3"]' in (playlist.recipe or "")

    def test_a_list_is_saved_as_it_is(self, collection: LibraryCollection, tmp_path: Path) -> None:
        from resonance_engine.playlist.m3u import read_playlist

        listed = [41, 3, 22, 9_999, 5]
        name = collection.save_recipe("By hand", ListQuery((3, 41), options={"count": 4}), listed)
        paths = [entry.path for entry in read_playlist(tmp_path / name).entries]
        assert paths == [b"/music/%d.mp3" % each for each in (41, 3, 22, 5)]
        with pytest.raises(RequestError, match="no tracks"):
            collection.save_recipe("Gone", ListQuery((3,)), [9_999])

    def test_no_list_is_overwritten(self, collection: LibraryCollection, tmp_path: Path) -> None:
        (tmp_path / "Mine.m3u8").write_text("mine")
        with pytest.raises(RequestError, match=r"is a playlist 'Mine\.m3u8' already"):
            collection.save_recipe("Mine", ListQuery((3,)))
        assert (tmp_path / "Mine.m3u8").read_text() == "mine"

    @pytest.mark.parametrize(
        "name", ["../x", "a/b", "", " ", ".hidden", "a\nb\0", "x" * 200, "..", "a\\b", "\u202eb", "C:x"]
    )
    def test_names_that_are_none(self, collection: LibraryCollection, tmp_path: Path, name: str) -> None:
        with pytest.raises(RequestError, match="A playlist's name has letters"):
            collection.save_recipe(name, ListQuery((3,)))
        assert list(tmp_path.iterdir()) == []

    def test_names(self) -> None:
        assert file_name("Für Elise - 2 ") == "Für Elise - 2.m3u8"
        assert file_name("list.m3u8") == "list.m3u8"
