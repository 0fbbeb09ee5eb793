"""Sound in beets' query language: what `similar:` and the computed fields match, print and sort by."""

from __future__ import annotations

import hashlib
import logging
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from beets.dbcore.query import InvalidQueryArgumentValueError, InvalidQueryError
from beets.exceptions import UserError
from beets.library import Item
from beets.library.queries import parse_query_string
from beets.plugins import load_plugins
from beets.util import cached_classproperty
from hypothesis import example, given
from hypothesis import strategies as st

from beetsplug.resonance.config.settings import Settings
from beetsplug.resonance.fields.fields import SimilarResolver
from beetsplug.resonance.fields.queries import SimilarPattern
from beetsplug.resonance.library.sidecar import Sidecar
from resonance_engine.search.text.shown_tags import likeliest_tags
from resonance_engine.store.tracks import TrackTable
from tests.plugin.command_library import AnalysedLibrary, CommandLibrary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resonance_engine.store import TrackRow

FORMAT = "$title $similarity"
NO_SEED = "is not a query for tracks to compare with"
MISTAKES = {
    "similar:title:x --fromm genres:jazz": "'--fromm' is not an option of a similar query: did you mean --from?",
    "similar:title:x --form=genres:jazz": "did you mean --from?",
    "similar:title:x --not genres:jazz": "it takes --from alone, `beet similar` takes --not",
    "similar:title:x --count 5": "a number of tracks goes in front, as in similar:10:title:yesterday",
    "similar:title:x --from a --from b": "is not a query with --from once",
    "similar:": f"'' {NO_SEED}: write for example similar:title:yesterday",
    "similar:5:": NO_SEED,
    "similar:--from title:x": NO_SEED,
    "similar:title:x --from": "is not complete, for a query goes after --from",
    "similar:0:title:x": "'0' is not a number of tracks from 1 to 100,000",
    "similar:year:soon": "'soon' is not an int or a float",
    "similar:title:x --from year:soon": "'soon' is not an int or a float",
    "res_bpm:fast": "'fast' is not an int or a float",
    "similarity:high": "'high' is not an int or a float",
}
MEASURE_QUERIES = {
    "res_bpm:102..103": "12",
    "res_bpm:..102": "01",
    "res_bpm:104": "3",
    "^res_bpm:102..103": "034",
    "res_energy:-12.3..": "01",
    "res_key:minor": "0123",
    "res_key:major": "",
    "res_key:=A minor": "0123",
    "res_key::^A": "0123",
    "res_brightness:2000..2001": "0123",
}


class TestSimilar(AnalysedLibrary):
    """Of five tracks on two albums, all analysed."""

    @pytest.fixture(autouse=True)
    def _albums(self, _analysed: None) -> None:
        for artist in ("artist 0", "artist 1"):
            album = self.lib.add_album(list(self.lib.items(["artist:" + artist])))
            album.albumartist, album.artpath = artist, b"/cover.jpg"
            album.store()

    @pytest.fixture(autouse=True)
    def _the_library_is_only_read(self, _albums: None) -> Iterator[None]:
        before = hashlib.sha256(self.lib.path.read_bytes()).digest()
        yield
        assert hashlib.sha256(self.lib.path.read_bytes()).digest() == before

    def ranked(self, query: str) -> list[str]:
        """What `beet similar` lists, as title and score."""
        return self.beet("similar", "-f", FORMAT, query)

    def listed(self, *query: str) -> list[str]:
        return self.beet("ls", "-f", FORMAT, *query)

    def titles(self, *query: str) -> set[str]:
        return set(self.beet("ls", "-f", "$title", *query))

    def test_it_is_what_beet_similar_lists_and_similarity_sorts_it(self) -> None:
        expected = self.ranked("title:song 0")
        assert len(expected) == 4
        assert sorted(self.listed("similar:title:song 0")) == sorted(expected)
        assert self.listed("similar:title:song 0", "similarity-") == expected
        assert self.listed("similar:title:song 0", "similarity+") == expected[::-1]
        assert self.listed("-l", "2", "similar:title:song 0", "similarity-") == expected[:2]
        assert len(self.listed("-l", "3", "similar:title:song 0")) == 3

    def test_the_list_is_as_long_as_it_says_or_as_the_setting(self) -> None:
        expected = self.ranked("title:song 0")
        assert self.listed("similar:3:title:song 0", "similarity-") == expected[:3]
        self.config["resonance"]["count"].set(2)
        self.unload_plugins()
        self.load_plugins()
        cached_classproperty.cache.clear()
        assert self.listed("similar:title:song 0", "similarity-") == expected[:2]

    def test_it_is_negated_and_combined(self) -> None:
        found = self.titles("similar:3:title:song 0")
        odd, slow = self.titles("artist:artist 1"), "^nothing_sets_this:x"
        assert len(found) == 3
        assert self.titles("^similar:3:title:song 0") == self.titles() - found
        assert self.titles("similar:3:title:song 0", "artist:artist 1") == found & odd
        assert self.titles("similar:3:title:song 0", "albumartist:artist 1", "artpath::cover") == found & odd
        assert self.titles(slow, "similar:3:title:song 0") == self.titles("similar:3:title:song 0", slow) == found
        assert self.titles("nothing_sets_this:x", "similar:3:title:song 0") == set()
        assert self.titles("similar:3:title:song 0", ",", "title:song 0") == found | {"song 0"}

    def test_each_alternative_keeps_its_scores(self) -> None:
        one = self.ranked("title:song 0")[0]
        seed = one.rpartition(" ")[0]
        other = next(line for line in self.ranked(f"title:{seed}") if not line.startswith(seed))
        assert set(self.listed("similar:1:title:song 0", ",", f"similar:1:title:{seed}")) == {one, other}

    def test_a_range_of_similarity_may_stand_anywhere(self) -> None:
        expected = self.ranked("title:song 0")
        least = f"similarity:{float(expected[1].rpartition(' ')[2]) - 0.001:.4f}.."
        for wanted in ([least], [least, "^nothing_sets_this:x"]):
            assert self.listed(*wanted, "similar:title:song 0", "similarity-") == expected[:2]
            assert self.listed("similar:title:song 0", *wanted, "similarity-") == expected[:2]

    def test_shares_of_the_facets_sum_to_one_and_are_queries(self) -> None:
        shares = "$res_timbre $res_rhythm"
        lines = self.beet("ls", "-f", shares, "similar:title:song 0 , title:song 3", "res_rhythm-")
        found = [[float(share) for share in line.split()] for line in lines]
        assert len(found) == 3
        assert all(sum(each) == pytest.approx(1.0, abs=0.011) for each in found)
        assert found == sorted(found, key=lambda each: -each[1])
        most = f"res_rhythm:{found[0][1] - 0.01:.2f}.."
        for query in ([most, "similar:title:song 0 , title:song 3"], ["similar:title:song 0 , title:song 3", most]):
            assert lines[0] in self.beet("ls", "-f", shares, *query)
            assert lines[-1] == lines[0] or lines[-1] not in self.beet("ls", "-f", shares, *query)
        assert self.beet("ls", "-f", f"[{shares}$res_harmony]", "title:song 0") == ["[ ]"]
        for lacking in ("res_harmony", "res_instrumentation"):
            assert self.beet("ls", "-f", f"[${lacking}]", "similar:1:title:song 0") == ["[]"]
            assert self.beet("ls", f"{lacking}:0..", "similar:1:title:song 0") == []

    def test_candidates_are_chosen_before_the_list_is_cut(self) -> None:
        by_the_other = [line for line in self.ranked("title:song 0") if line.split()[1] in "13"]
        for candidates in ("artist:artist 1", "artist:artist 1 ^nothing_sets_this:x", "title:song 1 , title:song 3"):
            assert self.listed(f"similar:2:title:song 0 --from {candidates}", "similarity-") == by_the_other

    def test_no_list_no_similarity_and_no_seed_no_list(self, capteesys: pytest.CaptureFixture[str]) -> None:
        assert self.beet("ls", "-f", "[$similarity]", "title:song 0") == ["[]"]
        assert self.listed("similarity:-1..") == []
        capteesys.readouterr()
        self.run_command("ls", "similar:title:nothing", ",", "similar:title:nothing")
        printed = capteesys.readouterr()
        assert printed.out == ""
        assert printed.err.count("similar: no track matches title:nothing; try `beet ls title:nothing`") == 1

    def test_albums_are_compared_as_sets(self) -> None:
        [line] = self.beet("ls", "-a", "-f", "$albumartist $similarity", "similar:albumartist:artist 0")
        assert line.startswith("artist 1 ")
        assert -1.0 <= float(line.split()[-1]) < 1.0
        assert self.beet("ls", "-a", "-f", "$albumartist", "^similar:albumartist:artist 0") == ["artist 0"]
        assert self.beet("ls", "-a", "similar:albumartist:artist 0", "similarity:2..") == []
        assert self.beet("ls", "-a", "similar:albumartist:nobody") == []

    def test_mistakes_are_invalid_queries(self) -> None:
        for query, message in MISTAKES.items():
            with pytest.raises(InvalidQueryError) as caught:
                self.run_command("ls", query)
            assert message in str(caught.value)

    def test_a_damaged_store_is_one_sentence_or_nothing_in_a_field(self, capteesys: pytest.CaptureFixture[str]) -> None:
        Sidecar(self.lib).path.write_bytes(b"no database")
        for query in ("similar:song", "res_bpm:120.."):
            with pytest.raises(UserError, match="is damaged or not a Resonance database"):
                self.run_command("ls", query)
        capteesys.readouterr()
        self.run_command("ls", "-f", "[$res_bpm]")
        printed = capteesys.readouterr()
        assert printed.out.split() == ["[]"] * 5
        assert printed.err.count("is damaged or not a Resonance database") == 1
        # An import may ask one item after another, and goes on.
        query, _ = parse_query_string("similar:song", Item)
        assert not any(query.match(item) for item in self.lib.items())

    def test_smart_playlists_are_ranked_by_their_own_seeds(self) -> None:
        titles = [f"song {number}" for number in range(5)]
        expected = {title: self.beet("similar", "-n", "3", "-p", f"title:{title}") for title in titles}
        lists = [{"name": f"{title}.m3u", "query": f"similar:3:'title:{title}' similarity-"} for title in titles]
        lists.append({"name": "lost.m3u", "query": "similar:title:nothing similarity-"})
        self.config["smartplaylist"].set({"playlist_dir": str(self.temp_path), "auto": False, "playlists": lists})
        self.unload_plugins()
        self.config["plugins"] = ["resonance", "smartplaylist"]
        load_plugins()
        cached_classproperty.cache.clear()
        self.run_command("splupdate")
        for title in titles:
            assert (self.temp_path / f"{title}.m3u").read_text().splitlines() == expected[title]
        assert not (self.temp_path / "lost.m3u").exists()  # beets writes no empty lists


class TestSessions(AnalysedLibrary):
    """Of five tracks, all analysed."""

    def test_indexes_are_opened_once_for_a_state_of_the_store(self) -> None:
        resolver = SimilarResolver(Settings, logging.getLogger("resonance"), lambda _: False)
        resolver.open(self.lib)
        assert len(resolver.tracks(SimilarPattern.parse("title:song 0"))) == 4
        assert resolver.session is not None
        first = resolver.session.index
        assert resolver.tracks(SimilarPattern.parse("title:song 1"))
        assert resolver.session.index is first
        self.song("song 5")
        self.beet("resonance", "analyze")
        assert len(resolver.tracks(SimilarPattern.parse("title:song 0"))) == 5
        with closing(Sidecar(self.lib)) as sidecar:
            sidecar.store.tracks.unlink(sidecar.id, [1])
        assert len(resolver.tracks(SimilarPattern.parse("title:song 5"))) == 4


class TestMeasures(AnalysedLibrary):
    """Of five tracks with measures that the tests choose."""

    @pytest.fixture(autouse=True)
    def _measured(self, _analysed: None) -> None:
        sidecar = Sidecar(self.lib)
        with sidecar.store as store:
            for item_id, track in store.tracks.all(sidecar.id).items():
                heard = {"tempo": 100.0 + item_id, "key": "A minor", "energy": -10.25 - item_id, "brightness": 2000.4}
                heard |= {"tempo": None, "key": None, "brightness": None} if item_id == 5 else {}
                store.analyses.put(track.content_key, "1", heard)

    def test_fields_say_what_was_measured_and_nothing_of_what_was_not(self) -> None:
        fields = "$title|$res_bpm|$res_key|$res_energy|$res_brightness|$res_tags"
        assert self.beet("ls", "-f", fields, "title:song 0") == ["song 0|101.0|A minor|-11.2|2000|"]
        assert self.beet("ls", "-f", fields, "title:song 4") == ["song 4|||-15.2||"]

    def test_measures_are_queries_and_sorts(self) -> None:
        album = self.lib.add_album(list(self.lib.items()))
        album.artpath = b"/cover.jpg"
        album.store()
        for query, expected in MEASURE_QUERIES.items():
            for more in ((), ("^nothing_sets_this:x",), ("artpath::cover",)):
                found = self.beet("ls", "-f", "$title", "title+", *more, query)
                assert "".join(line[-1] for line in found) == expected, (query, more)
        assert [line[-1] for line in self.beet("ls", "-f", "$title", "res_bpm-")] == list("32104")
        assert self.beet("ls", "-a", "res_bpm:102") == []

    def test_a_list_is_read_in_a_few_batches(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with self.lib.transaction() as transaction:
            transaction.mutate_many(
                "INSERT INTO items (id, path) VALUES (?, ?)", [(id_, b"x") for id_ in range(6, 300)]
            )
        batches: list[int] = []
        get = TrackTable.get

        def noted(table: TrackTable, library: int, ids: range) -> dict[int, TrackRow]:
            batches.append(len(ids))
            return get(table, library, ids)

        monkeypatch.setattr(TrackTable, "get", noted)
        assert len(self.beet("ls", "-f", "$res_bpm $res_key $res_energy")) == 299
        assert len(batches) <= 5
        del batches[:]
        assert self.beet("ls", "-f", "$res_bpm", "id:2") == ["102.0"]
        assert batches == [6]

    def test_an_id_that_beets_gave_again_has_no_measures_and_a_new_date_does_not_matter(self) -> None:
        item = self.lib.items("title:song 1")[0]
        item.added -= 1e6
        item.store()
        assert self.beet("ls", "-f", "$res_bpm", "res_bpm:102") == ["102.0"]
        self.unload_plugins()
        self.run_command("remove", "-f", "title:song 4")
        self.load_plugins()
        cached_classproperty.cache.clear()
        self.song("other")
        assert self.beet("ls", "-f", "$id [$res_energy]", "title:other") == ["5 []"]
        assert self.beet("ls", "-f", "$id", "res_energy:-99..0", "id+") == ["1", "2", "3", "4"]
        self.beet("resonance", "analyze")
        assert self.beet("ls", "-f", "[$res_bpm]", "title:other") == ["[120.0]"]


class TestUnanalysed(CommandLibrary):
    """A library of which nothing is analysed; asking makes no files."""

    def test_nothing_is_similar_nor_measured(self, capteesys: pytest.CaptureFixture[str]) -> None:
        self.song("one")
        capteesys.readouterr()
        self.run_command("ls", "similar:title:one")
        printed = capteesys.readouterr()
        assert printed.out == ""
        assert "similar: no track is analysed yet; run `beet resonance analyze`" in printed.err
        assert self.beet("ls", "-f", "[$res_bpm]") == ["[]"]
        assert self.beet("ls", "res_bpm:1..") == []
        assert not Sidecar(self.lib).path.exists()


@example("''")
@given(st.text() | st.text("1:'\"\\ a,^-\u00e9"))
def test_any_pattern_names_seeds_or_is_refused(pattern: str) -> None:
    try:
        wanted = SimilarPattern.parse(pattern)
    except InvalidQueryArgumentValueError:
        return
    assert all(wanted.seeds)
    assert wanted.length is None or 1 <= wanted.length <= 100_000


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("title:yesterday", SimilarPattern(["title:yesterday"], [], None)),
        ("artist:'the beatles' title:help", SimilarPattern(["artist:the beatles", "title:help"], [], None)),
        ("title:don't", SimilarPattern(["title:don't"], [], None)),
        ("50:title:help", SimilarPattern(["title:help"], [], 50)),
        ("50 cent", SimilarPattern(["50", "cent"], [], None)),
        (
            "title:no surprises artist:the easy stars",
            SimilarPattern(["title:no surprises", "artist:the easy stars"], [], None),
        ),
        ("title:don't stop -live", SimilarPattern(["title:don't stop", "-live"], [], None)),
        ("title:5:15 , artist:the who", SimilarPattern(["title:5:15", ",", "artist:the who"], [], None)),
        ("artist:a, b", SimilarPattern(["artist:a,", "b"], [], None)),
        ("5:a , b --from year:1990.. ^live", SimilarPattern(["a", ",", "b"], ["year:1990..", "^live"], 5)),
    ],
)
def test_a_pattern_is_a_query_as_in_a_smart_playlist(pattern: str, expected: SimilarPattern) -> None:
    assert SimilarPattern.parse(pattern) == expected


@pytest.mark.parametrize(
    ("probabilities", "words"),
    [
        ({}, ""),
        ({"rock": 0.4}, "rock"),
        ({"pop": 0.1, "rock": 0.4, "80s": 0.2}, "rock, 80s"),
        ({"a": 0.4, "b": 0.4, "c": 0.4, "d": 0.4}, "a, b, c"),
    ],
)
def test_tags_are_the_likeliest_few(probabilities: dict[str, float], words: str) -> None:
    assert ", ".join(likeliest_tags(probabilities)) == words
