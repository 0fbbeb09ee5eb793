"""Vocals and speech in a library: fields, queries, explanations, and spoken tracks that keep out of lists of music."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from beets.exceptions import UserError

from beetsplug.resonance.fields.analysis_cache import load_tags
from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.search.explanations import explain_hits
from beetsplug.resonance.search.finder import Finder
from beetsplug.resonance.search.groups import nearest_groups, tracks_by_artist
from beetsplug.resonance.search.request import SearchRequest
from beetsplug.resonance.search.stored_voices import StoredVoices
from resonance_engine.store import Embedding
from resonance_engine.store.annotations import TagTable
from tests.audioset_tags import RAPPED, SPOKEN, STRINGS, SUNG, TAGS, tag_row
from tests.plugin.command_library import AnalysedLibrary
from tests.plugin.synthetic_library import MODEL, SyntheticLibrary
from tests.plugin.synthetic_tracks import EVERY, tags_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from resonance_engine.store import Model

SPOKEN_IDS = (17, 40)
ROWS = {**dict.fromkeys(SPOKEN_IDS, SPOKEN), 18: RAPPED, 19: SUNG, 20: STRINGS, 21: STRINGS}
REJECTED = "57 of 59 tracks found; turned down: spoken (2), not in the library (1)"


class VoiceLibrary(SyntheticLibrary):
    """The library by a model with AudioSet's classes: two tracks are spoken, others rapped, sung and of strings."""

    model = replace(MODEL, id="voices", tags=TAGS)

    def tag_row(self, number: int) -> dict[str, float]:
        return ROWS.get(number, tag_row())


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VoiceLibrary]:
    with closing(VoiceLibrary.create(tmp_path_factory.mktemp("voices"))) as library:
        yield library


class TestSpokenTracks:
    def test_they_do_not_come_up_beside_music(self, library: VoiceLibrary) -> None:
        result = library.find("id:3", **EVERY)
        ids = {hit.item_id for hit in result.hits}
        assert not ids & {*SPOKEN_IDS}
        assert {18, 19} <= ids, "rapped and sung ones do"
        assert result.notes == (REJECTED,)

    def test_the_rest_of_a_list_is_what_it_would_be(self, library: VoiceLibrary) -> None:
        with library.search() as session:
            finder = Finder(session, SearchRequest(query=("id:3",), **EVERY), "similar")
            finder.filter.voices = None
            everything = [hit.item_id for hit in finder.find().hits]
        assert library.ids("id:3", **EVERY) == [each for each in everything if each not in SPOKEN_IDS]
        assert len(everything) == 59

    def test_they_do_beside_one_of_them(self, library: VoiceLibrary) -> None:
        assert {40, 18} <= {*library.ids("id:17", **EVERY)}
        assert 40 in library.ids("id:17 , id:3", **EVERY)

    def test_they_do_beside_a_spoken_file(self, library: VoiceLibrary) -> None:
        library.set_files({"skit.mp3": 17, "song.mp3": 19})
        assert 40 in library.ids(file=("/music/skit.mp3",), **EVERY)
        assert 40 not in library.ids(file=("/music/song.mp3",), **EVERY)

    @pytest.mark.parametrize(
        ("text", "are_in"),
        [("speech", True), ("spoken word or jazz", True), ("quiet", False), ("no speech", False), ("rap", False)],
    )
    def test_a_text_asks_for_them(self, library: VoiceLibrary, text: str, are_in: bool) -> None:
        ids = library.ids(text=text, **{**EVERY, "hubness": None})
        assert ({*SPOKEN_IDS} <= {*ids}) == are_in
        if text == "speech":
            assert {*ids[:2]} == {*SPOKEN_IDS}

    def test_the_tags_of_a_recording_are_read_once(
        self, library: VoiceLibrary, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read: list[bytes] = []
        select = TagTable.select

        def noted(table: TagTable, keys: list[bytes], *arguments: object) -> object:
            read.extend(keys := list(keys))
            return select(table, keys, *arguments)  # type: ignore[arg-type]  # as they came

        monkeypatch.setattr(TagTable, "select", noted)
        library.ids("id:3", **EVERY)
        assert len(read) == len({*read}) == 60

    def test_without_tags_none_is_spoken(self, library: VoiceLibrary) -> None:
        with library.search() as session:
            voices = StoredVoices(session.store, library.model)
            ids = session.store.tracks.vector_ids(session.sidecar.id, [1, 17, 40], library.model.id)
            assert voices.spoken([*ids.values(), 999_999]) == {ids[17], ids[40]}
            assert voices.spoken([]) == set()

    def test_an_album_of_them_does_not_come_up_either(self, tmp_path: Path) -> None:
        class Audiobooks(VoiceLibrary):
            def tag_row(self, number: int) -> dict[str, float]:
                return SPOKEN if tags_of(number)["artist"] in ("Artist D", "Artist E") else tag_row()

        with closing(Audiobooks.create(tmp_path)) as library, library.search() as session:
            artists = tracks_by_artist(library.lib, ())
            music = nearest_groups(session, {"Artist A": artists["Artist A"]}, artists, 100)
            books = nearest_groups(session, {"Artist D": artists["Artist D"]}, artists, 100)
        assert not {"Artist D", "Artist E"} & {*music}
        assert len(music) == len(books) - 2
        assert "Artist E" in books


@pytest.mark.parametrize(("vocals", "rows"), [("none", {20, 21}), ("sung", {18, 19, 22}), ("throughout", {18, 19})])
def test_only_tracks_with_such_vocals(tmp_path: Path, vocals: str, rows: set[int]) -> None:
    class Sung(VoiceLibrary):
        def tag_row(self, number: int) -> dict[str, float]:
            return ROWS.get(number, tag_row(Singing=0.02) if number == 22 else tag_row(Rain=0.9))

    with closing(Sung.create(tmp_path)) as library:
        ids = {*library.ids("id:3", **EVERY, vocals=vocals)}
        assert {each for each in (17, 18, 19, 20, 21, 22, 40) if each in ids} == rows
        (note,) = library.find("id:3", **EVERY, vocals=vocals).notes
        assert "vocals (" in note


def test_vocals_of_a_model_that_tells_none(tmp_path: Path) -> None:
    with closing(SyntheticLibrary.create(tmp_path)) as library:
        assert library.find("id:3", **EVERY, vocals="none").hits == []
        (note,) = library.find("id:3", **EVERY, vocals="none").notes
        assert "no vocals known (" in note


def test_explanations_name_voices_and_sure_tags(library: VoiceLibrary) -> None:
    with library.search() as session:
        for seed, other, words in ((18, 19, {"both sung"}), (20, 21, {"both instrumental", "violin", "cello"})):
            result = Finder(session, SearchRequest(query=(f"id:{seed}",), **EVERY), "similar").find()
            (hit,) = (hit for hit in result.hits if hit.item_id == other)
            assert words <= {*explain_hits(session, result)[hit.id].words}


def test_a_text_reads_only_its_columns(library: VoiceLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    matrix = TagTable.matrix

    def noted(table: TagTable, model_id: str, names: object = None) -> object:
        asked.append(names)
        return matrix(table, model_id, names)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(TagTable, "matrix", noted)
    assert {*library.ids(text="violin", **{**EVERY, "count": 2, "hubness": None})} == {20, 21}
    assert asked == [("Violin, fiddle", "Bowed string instrument")]


class TestFields(AnalysedLibrary):
    """Of five tracks by another model, which gives AudioSet's classes."""

    rows = (SPOKEN, RAPPED, SUNG, STRINGS)

    @pytest.fixture(autouse=True)
    def _tagged(self, _analysed: None) -> None:
        sidecar = Sidecar(self.lib)
        with sidecar.store as store:
            fake = store.models.active()
            assert fake is not None
            model: Model = replace(fake, id="voices", tags=TAGS)
            store.models.register(model)
            for item_id, track in store.tracks.all(sidecar.id).items():
                vector = store.vectors.get([track.content_key], fake.id)[track.content_key]
                row = dict(enumerate(self.rows, 1)).get(item_id, {})
                store.vectors.put(track.content_key, model.id, Embedding(vector, tags=row))
            store.models.activate(model.id)

    def titles(self, *query: str) -> str:
        return "".join(line[-1] for line in self.beet("ls", "-f", "$title", "title+", *query))

    def test_fields_are_printed_sorted_and_searched(self) -> None:
        assert self.beet("ls", "-f", "$title|$res_vocals|$res_speech|$res_tags", "title+") == [
            "song 0|none|0.95|speech",
            "song 1|throughout|0.65|speech",
            "song 2|throughout|0.05|singing",
            "song 3|none|0.00|violin, cello, orchestra",
            "song 4|||",
        ]
        for query, expected in {
            "res_vocals:none": "03",
            "res_vocals:throughout": "12",
            "^res_vocals:none": "124",
            "res_speech:0.5..": "01",
            "res_speech:..0.1": "23",
            "res_tags:cello": "3",
        }.items():
            for more in ((), ("^nothing_sets_this:x",)):
                assert self.titles(query, *more) == expected, (query, more)
        assert [line[-1] for line in self.beet("ls", "-f", "$title", "res_speech-")][:3] == list("012")

    def test_no_track_with_vocals_is_shown_as_instrumental(self) -> None:
        sidecar = Sidecar(self.lib)
        with sidecar.store as store:
            tracks, model = store.tracks.all(sidecar.id), store.models.active()
            assert model is not None
            keys = [tracks[item_id].content_key for item_id in (2, 4)]
            for key, row in zip(keys, (RAPPED, STRINGS), strict=True):
                vector = store.vectors.get([key], model.id)[key]
                tags = {**row, "Speech": min(row["Speech"], 0.4), "instrumental": 0.5}
                store.vectors.put(key, model.id, Embedding(vector, tags=tags))
            rapped, played = (load_tags(store, {key})[key] for key in keys)
        assert (rapped["vocals"], "instrumental" in rapped["tags"]) == ("throughout", False)
        assert (played["vocals"], "instrumental" in played["tags"]) == ("none", True)

    def test_no_track_without_vocals_is_shown_as_sung(self) -> None:
        sidecar = Sidecar(self.lib)
        with sidecar.store as store:
            tracks, model = store.tracks.all(sidecar.id), store.models.active()
            assert model is not None
            key = tracks[4].content_key
            vector = store.vectors.get([key], model.id)[key]
            # From its threshold on the tag would be shown, and a little more is needed for vocals.
            store.vectors.put(key, model.id, Embedding(vector, tags={**STRINGS, "Singing": 0.0125}))
            played = load_tags(store, {key})[key]
        assert played["vocals"] == "none"
        assert "singing" not in played["tags"]

    def test_a_query_on_speech_asks_for_spoken_tracks(self) -> None:
        assert "song 0" not in " ".join(self.beet("similar", "title:song 3"))
        assert "song 0" in " ".join(self.beet("similar", "title:song 3", "--from", "res_speech:0.9.."))
        assert "song 0" not in " ".join(self.beet("similar", "title:song 3", "--from", "artist:artist 0"))

    def test_a_playlist_is_music_too(self) -> None:
        assert "song 0" not in " ".join(self.beet("playlist", "-n", "4", "title:song 3"))
        assert "song 0" in " ".join(self.beet("playlist", "-n", "4", "title:song 0"))

    def test_a_playlist_keeps_to_the_vocals_of_its_recipe(self, tmp_path: Path) -> None:
        path = tmp_path / "sung.m3u8"
        self.beet("playlist", "-n", "2", "--vocals", "sung", "-o", str(path), "title:song 1")
        before = path.read_text(encoding="utf-8")
        assert '"vocals":"sung"' in before
        assert [f"song {number}.flac" in before for number in range(5)] == [False, True, True, False, False]
        self.beet("playlist", "--refresh", str(path))
        assert path.read_text(encoding="utf-8") == before

    def test_they_are_written_as_they_are_shown(self) -> None:
        self.beet("resonance", "write", "-y", "--fields", "res_speech,res_vocals", "title:song 2")
        item = self.lib.items("title:song 2")[0]
        assert item.id is not None
        stored = self.lib.get_item(item.id)
        assert stored is not None
        assert (stored._values_flex["res_speech"], stored._values_flex["res_vocals"]) == (0.05, "throughout")


class TestModelOfBefore(AnalysedLibrary):
    """Of a model that has other tags, or none."""

    def test_nothing_is_known_of_voices(self) -> None:
        assert self.beet("ls", "-f", "$res_vocals|$res_speech|$res_tags", "title:song 0") == ["||"]
        assert self.beet("ls", "res_vocals:none") == []

    def test_its_tags_are_the_likeliest(self) -> None:
        sidecar = Sidecar(self.lib)
        with sidecar.store as store:
            fake = store.models.active()
            assert fake is not None
            store.models.register(replace(fake, id="old", tags=("rock", "pop", "sad")))
            track = store.tracks.all(sidecar.id)[1]
            vector = store.vectors.get([track.content_key], fake.id)[track.content_key]
            store.vectors.put(track.content_key, "old", Embedding(vector, tags={"rock": 0.5, "pop": 0.3, "sad": 0.01}))
            store.models.activate("old")
            assert load_tags(store, {track.content_key}) == {track.content_key: {"tags": "rock, pop"}}


def test_a_text_of_which_nothing_is_known_names_what_is(library: VoiceLibrary) -> None:
    with pytest.raises(UserError, match=r"no word for 'polka' \(accordion or folk\?\); take it out. It knows .* sixty"):
        library.find(text="polka")
