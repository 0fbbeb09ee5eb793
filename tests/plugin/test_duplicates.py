"""`beet resonance duplicates` and `res_duplicates:`, where it is planned how tracks sound."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from beets.dbcore.query import InvalidQueryError
from beets.exceptions import UserError
from beets.library import Item
from hypothesis import given
from hypothesis import strategies as st

from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.search import duplicates
from beetsplug.resonance.search.preference import RATE_STEP, choose_best
from resonance_engine.store import Embedding, Model, TrackRow
from tests.embeddings import key
from tests.engine.search.test_duplicates import WIDTH, make_windows
from tests.plugin.command_library import CommandLibrary
from tests.plugin.synthetic_library import SyntheticLibrary
from tests.plugin.synthetic_tracks import TWIN

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from beetsplug.resonance.search.duplicates import DuplicateIds
    from beetsplug.resonance.search.session import SearchSession

TAGS_REASON = "more complete tags"
MODEL = Model("planned", "planned", "1", WIDTH)
KINDS = {"FLAC": 900_000, "MP3": 128_000}


class DuplicatesLibrary(CommandLibrary):
    """An empty library; `add_recording` adds an analysed track of a planned sound."""

    def add_recording(
        self,
        title: str,
        recording: int,
        kind: str = "MP3",
        error: float = 0.0,
        content: int | None = None,
        **fields: Any,
    ) -> Item:
        """An item that sounds like a recording, with an `error`; `content` is the number of its content key."""
        usual = {"artist": "Artist", "album": "Album", "length": 100.0, "format": kind, "bitrate": KINDS[kind]}
        path = self.lib_path / f"{title}.{kind.lower()}"
        path.touch()
        item = self.add_item(title=title, path=str(path), **{**usual, **fields})
        assert item.id is not None
        windows = make_windows(recording, error, seed=item.id)
        mean = windows.vectors.mean(axis=0)
        vector = (mean / np.linalg.norm(mean)).astype(np.float32)
        content_key = key(content or item.id)
        sidecar = Sidecar(self.lib)
        with closing(sidecar), sidecar.store as store, store.write():
            store.models.register(MODEL)
            store.models.activate(MODEL.id)
            store.vectors.put(content_key, MODEL.id, Embedding(vector, windows=windows))
            store.tracks.link(sidecar.id, TrackRow(item.id, item.added, 1, 1, content_key))
        return item

    def titles(self, query: str) -> list[str]:
        return self.beet("ls", "-f", "$title", *query.split())

    def records(self, *query: str) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = json.loads("\n".join(self.beet("resonance", "duplicates", "--json", *query)))
        return records


class TestDuplicates(DuplicatesLibrary):
    @pytest.fixture(autouse=True)
    def _recordings(self, setup: None, io: object) -> None:  # noqa: ARG002 - after beets and its output are set up
        for number in range(20):
            self.add_recording(f"other {number}", 100 + number)
        self.add_recording("one", 1, "MP3", 0.05)
        self.add_recording("one again", 1, "FLAC")
        self.add_recording("one once more", 1, "MP3", 0.05, bitrate=320_000)
        self.add_recording("two", 2, content=1000)
        self.add_recording("two copied", 2, content=1000)
        self.add_recording("three", 3, mb_trackid="recording")
        self.add_recording("three remastered", 3, error=0.6, length=110.0, mb_trackid="recording")

    def test_groups_are_printed_with_the_track_to_keep_first(self) -> None:
        before = sqlite3.connect(self.lib.path).execute("SELECT * FROM items").fetchall()
        assert self.beet("resonance", "duplicates") == [
            "same sound; keep the first: lossless",
            "    FLAC  900kbps  1:40  Artist - Album - one again",
            "    MP3   320kbps  1:40  Artist - Album - one once more",
            "    MP3   128kbps  1:40  Artist - Album - one",
            "same audio; keep the first: in the library for longer",
            "    MP3  128kbps  1:40  Artist - Album - two",
            "    MP3  128kbps  1:40  Artist - Album - two copied",
            "same MusicBrainz recording; keep the first: longer",
            "    MP3  128kbps  1:50  Artist - Album - three remastered",
            "    MP3  128kbps  1:40  Artist - Album - three",
            "3 groups, 4 tracks to spare; nothing was changed",
        ]
        assert sqlite3.connect(self.lib.path).execute("SELECT * FROM items").fetchall() == before
        assert all(item.filepath.exists() for item in self.lib.items())

    def test_a_query_keeps_to_the_groups_with_a_match(self) -> None:
        printed = self.beet("resonance", "duplicates", "title::^one$")
        assert [line.split(" - ")[-1] for line in printed[1:4]] == ["one again", "one once more", "one"]
        assert printed[4:] == ["1 group, 2 tracks to spare; nothing was changed"]
        assert self.beet("resonance", "duplicates", "title:other") == ["no duplicates in the 20 tracks that match"]

    def test_json(self) -> None:
        groups = self.records()
        assert [set(group) for group in groups] == [{"evidence", "keep", "reason", "tracks"}] * 3
        first = groups[0]
        assert (first["evidence"], first["reason"]) == (["same sound"], "lossless")
        assert first["keep"] == first["tracks"][0]["id"]
        assert [track["keep"] for track in first["tracks"]] == [True, False, False]
        assert set(first["tracks"][0]) == {
            "id", "artist", "title", "album", "path", "length", "format", "bitrate", "keep",
        }  # fmt: skip
        assert self.records("title:other") == []

    def test_a_format_for_scripts(self) -> None:
        printed = self.beet("resonance", "duplicates", "-f", "$res_group $res_keep $title")
        assert printed[:4] == ["1 1 one again", "1 0 one once more", "1 0 one", "2 1 two"]
        assert self.lib.items("title:two")[0].get("res_keep") is None, "nothing is stored"

    def test_a_query_field_matches_what_is_in_a_group(self) -> None:
        doubled = ["one", "one again", "one once more", "three", "three remastered", "two", "two copied"]
        assert sorted(self.titles("res_duplicates:1")) == doubled
        assert sorted(self.titles("res_duplicates:yes title:one")) == doubled[:3]
        assert len(self.titles("res_duplicates:0")) == 20
        assert len(self.titles("^res_duplicates:true")) == 20
        assert self.titles("res_duplicates:1 play_count:1..") == [], "beside a slow query"

    def test_one_search_serves_all_queries_until_other_tracks_are_analysed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        searches, search = [], duplicates.find_duplicate_ids

        def counted(session: SearchSession) -> list[DuplicateIds]:
            searches.append(session)
            return search(session)

        monkeypatch.setattr(duplicates, "find_duplicate_ids", counted)
        assert self.titles("res_duplicates:1 title:two , res_duplicates:1 title:three res_duplicates:yes")
        assert len(self.lib.items("res_duplicates:1 play_count:..1")) == 0
        assert len(self.lib.items("res_duplicates:0")) == 20
        assert len(searches) == 1
        self.add_recording("other 7 again", 107)
        assert len(self.lib.items("res_duplicates:0")) == 19
        assert len(searches) == 2

    def test_a_query_field_is_one_or_nothing(self) -> None:
        with pytest.raises(InvalidQueryError, match="'maybe' is not 1 or 0"):
            self.titles("res_duplicates:maybe")

    def test_json_takes_no_format(self) -> None:
        assert self.refused("resonance", "duplicates", "--json", "-f", "$id") == "resonance: --json takes no --format"

    def test_a_query_without_a_match(self) -> None:
        assert self.refused("resonance", "duplicates", "title:nothing").startswith("resonance: no track matches")

    def test_numbers_that_are_none_are_one_sentence(self) -> None:
        with closing(sqlite3.connect(Sidecar(self.lib).path)) as store:
            store.execute("UPDATE window SET data = ?", (b"\xff\x7f" * WIDTH,))
            store.commit()
        sentence = "The data of a track is damaged; run `beet resonance check --repair`"
        assert self.refused("resonance", "duplicates") == f"resonance: {sentence}"
        with pytest.raises(UserError, match="The data of a track is damaged"):
            self.titles("res_duplicates:1")


class TestFewTracks(DuplicatesLibrary):
    def test_an_empty_library(self) -> None:
        sentence = "resonance: the library has no tracks; import some with `beet import PATH`"
        assert self.refused("resonance", "duplicates") == sentence
        assert self.titles("res_duplicates:1") == []
        assert not Sidecar(self.lib).exists

    def test_nothing_analysed(self) -> None:
        self.song("one")
        assert "no track is analysed yet" in self.refused("resonance", "duplicates")
        assert self.titles("res_duplicates:1") == []
        assert self.titles("res_duplicates:0") == ["one"]

    def test_a_single_track(self) -> None:
        self.add_recording("one", 1)
        assert self.beet("resonance", "duplicates") == ["no duplicates in the library"]
        assert self.records() == []

    def test_an_embedding_that_is_no_number_is_one_sentence(self) -> None:
        self.add_recording("one", 1)
        self.add_recording("two", 1)
        with closing(sqlite3.connect(Sidecar(self.lib).path)) as store:
            store.execute("UPDATE vector SET data = ?", (b"\xff\x7f" * WIDTH,))
            store.commit()
        sentence = "The data of a track is damaged; run `beet resonance check --repair`"
        assert self.refused("resonance", "duplicates") == f"resonance: {sentence}"


def test_one_sound_in_two_files_is_a_group_and_a_stale_row_is_not(tmp_path: Path) -> None:
    library = SyntheticLibrary.create(tmp_path)
    try:
        with library.search() as session:
            from beetsplug.resonance.search.duplicates import find_duplicate_ids

            # 1 and 7 share a recording's id and not the sound; no windows are known of 13, which sounds like 1.
            assert [group.item_ids for group in find_duplicate_ids(session)] == [(5, TWIN)]
            assert find_duplicate_ids(session, {TWIN}) == find_duplicate_ids(session)
            assert find_duplicate_ids(session, {1}) == []
    finally:
        library.close()


@pytest.mark.parametrize(
    ("better", "worse", "reason"),
    [
        ({"format": "FLAC", "bitrate": 100_000}, {"format": "MP3", "bitrate": 320_000}, "lossless"),
        (
            {"format": "FLAC", "samplerate": 96_000, "bitdepth": 24, "bitrate": 900_000},
            {"format": "WAVE", "samplerate": 44_100, "bitdepth": 16, "bitrate": 1_411_000},
            "higher resolution",
        ),
        ({"format": "MP3", "bitrate": 320_000}, {"format": "MP3", "bitrate": 128_000}, "higher bitrate"),
        ({"length": 105.0}, {"length": 100.0}, "longer"),
        ({"length": 102.0}, {"length": 100.0}, "longer"),
        ({"format": "MP3", "bitrate": 191_900, "year": 1999}, {"format": "MP3", "bitrate": 192_100}, TAGS_REASON),
        ({"format": "MP3", "bitrate": 208_000}, {"format": "MP3", "bitrate": 192_000, "year": 1999}, "higher bitrate"),
        ({"length": 99.9, "year": 1999}, {"length": 100.1}, TAGS_REASON),
        ({"album": "Album", "year": 1999}, {"album": "Album"}, TAGS_REASON),
        ({"album_id": 3}, {}, "in an album"),
        ({"added": 1.0}, {"added": 2.0}, "in the library for longer"),
        ({"id": 1}, {"id": 2}, "the lowest id"),
    ],
)
def test_the_better_file_is_kept(better: dict[str, Any], worse: dict[str, Any], reason: str) -> None:
    items = [Item(**worse), Item(**better)]
    assert choose_best(items) == ([items[1], items[0]], reason)
    assert choose_best(items[::-1]) == ([items[1], items[0]], reason)


@given(st.lists(st.tuples(st.integers(100_000, 200_000), st.floats(90, 110)), min_size=1, max_size=6), st.randoms())
def test_a_file_is_at_most_a_step_worse_than_the_best_of_those_after_it(
    plan: list[tuple[int, float]], random: Random
) -> None:
    items = [Item(id=number, format="MP3", bitrate=rate, length=seconds) for number, (rate, seconds) in enumerate(plan)]
    ranked, _ = choose_best(items)
    for place, item in enumerate(ranked):
        assert max(other.bitrate for other in ranked[place:]) - item.bitrate < RATE_STEP
    random.shuffle(items)
    assert choose_best(items)[0] == ranked


def test_a_better_file_that_lacks_a_part_is_kept_with_a_warning() -> None:
    items = [Item(format="MP3", length=105.0), Item(format="FLAC", length=100.0)]
    assert choose_best(items) == (items[::-1], "lossless, but 5 s shorter than another")


def test_a_file_that_is_gone_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "there.mp3").touch()
    items = [
        Item(format="FLAC", path=str(tmp_path / "gone.flac")),
        Item(format="MP3", path=str(tmp_path / "there.mp3")),
    ]
    assert choose_best(items) == (items[::-1], "its file is there")
