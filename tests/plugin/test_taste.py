"""A taste that is learned from lists, plays and answers, kept in the sidecar, and searched by with --taste."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest

from beetsplug.resonance.commands import teach
from beetsplug.resonance.commands.taste import shares_of
from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.playlist.history import drop_low_rated, read_playlists, read_sessions, to_places
from beetsplug.resonance.search.session import open_session
from beetsplug.resonance.search.taste import load_material, load_taste, save_taste
from resonance_engine.taste.questions import next_question
from tests.plugin.command_library import AnalysedLibrary, CommandLibrary
from tests.plugin.models_library import ModelsLibrary

if TYPE_CHECKING:
    from pathlib import Path

    from beetsplug.resonance.search.taste import TasteMaterial


def keep_taste(library: CommandLibrary, **weights: float) -> TasteMaterial:
    """Keep weights, by name, as the taste of a library."""
    with closing(Sidecar(library.lib)) as sidecar:
        assert sidecar.model is not None
        with open_session(sidecar) as session:
            material = load_material(session)
        values = np.zeros(len(material.features.names))
        for name, weight in weights.items():
            values[material.features.names.index(name)] = weight
        save_taste(sidecar, sidecar.model, material, values)
    return material


class TestHistory(AnalysedLibrary):
    """Five tracks, with the ids 1 to 5."""

    def write(self, path: Path, *ids: int, extra: str = "") -> Path:
        lines = [os.fsdecode(item.path) for item_id in ids if (item := self.lib.get_item(item_id))]
        path.write_text("#EXTM3U\n" + "\n".join(lines) + f"\n{extra}", encoding="utf-8")
        return path

    def test_playlists_are_read_whatever_program_wrote_them(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.write(tmp_path / "a.m3u8", 1, 2, extra="/gone/x.mp3\n")
        backslashes = self.write(tmp_path / "b.m3u", 3, 4)
        backslashes.write_text(backslashes.read_text("utf-8").replace("/", "\\"), encoding="utf-8")
        (tmp_path / "c.txt").write_text("no list", encoding="utf-8")
        with closing(Sidecar(self.lib)) as sidecar:
            history = read_playlists(sidecar, [f"{tmp_path}/*"], sidecar_log())
        assert (history.lists, history.files, history.unknown) == ([[1, 2], [3, 4]], 2, 1)
        assert caplog.text == ""

    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("a.txt", "", "no .m3u8 or .m3u file matches "),
            ("a.m3u8", "#EXTM3U\n/gone/x.mp3\n", "is one of the library"),
            ("a.m3u8", "", "is one of the library"),
        ],
    )
    def test_lists_of_nothing_known_are_a_sentence(self, tmp_path: Path, name: str, content: str, said: str) -> None:
        (tmp_path / name).write_text(content, encoding="utf-8")
        sentence = self.refused("resonance", "train", "--from-playlists", f"{tmp_path}/*")
        assert sentence.startswith("resonance: --from-playlists: no ")
        assert said in sentence

    def test_sessions_end_with_a_pause(self) -> None:
        for item_id, moment in ((1, 1000.0), (2, 1200.0), (3, 9000.0), (4, 9100.0)):
            item = self.lib.get_item(item_id)
            assert item is not None
            item["last_played"] = moment
            item.store()
        assert read_sessions(self.lib).lists == [[1, 2], [3, 4]]
        assert "cannot be told" in self.beet("resonance", "train", "--plays")[-2]

    def test_tracks_that_are_rated_low_are_dropped(self) -> None:
        for item_id, rating in ((1, "0.2"), (2, "0.9"), (3, "0.8"), (4, "much")):
            item = self.lib.get_item(item_id)
            assert item is not None
            item["rating"] = rating
            item.store()
        assert drop_low_rated(self.lib, [[1, 2, 4], [3, 5, 1]]) == [[2, 4], [3, 5]]

    def test_positions_are_of_recordings_each_once(self) -> None:
        lists = to_places([[1, 2, 1], [2], [9, 3, 1]], {1: 0, 2: 5, 3: 0})
        assert [each.tolist() for each in lists] == [[0, 5]]


def sidecar_log() -> object:
    from beets.logging import getLogger

    return getLogger("resonance")


class TestTrain(AnalysedLibrary):
    def test_few_lists_change_nothing(self, tmp_path: Path) -> None:
        history = TestHistory.write
        history(self, tmp_path / "a.m3u8", 1, 2, 3)
        lines = self.beet("resonance", "train", "--from-playlists", f"{tmp_path}/*.m3u8")
        assert lines[1].split() == ["held", "out,", "of", "1", "list", "before", "after"]
        assert lines[-2].startswith("whether it continues your lists better cannot be told (")
        assert lines[-1] == "nothing was changed; it takes 8 lists and 30 queries to tell"
        assert self.refused("similar", "--taste", "id:1").startswith("similar: --taste takes what ")

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("--ratings",), "train --ratings weighs what --from-playlists or --plays found; give one of them"),
            (("--plays",), "--plays: no track has a time in `last_played`; a plugin such as mpdstats notes it"),
            (
                ("--from-playlists", "a.m3u8", "b.m3u"),
                "train --from-playlists takes one pattern; put it into quotes, or repeat the option",
            ),
            (("--plays", "title:x"), "train from lists and plays takes seconds and makes no model; leave a query out"),
            (
                ("--plays", "--minutes", "5"),
                "train from lists and plays takes seconds and makes no model; leave --minutes out",
            ),
        ],
    )
    def test_what_makes_no_sense_is_a_sentence(self, arguments: tuple[str, ...], said: str) -> None:
        assert self.refused("resonance", "train", *arguments) == f"resonance: {said}"


class TestSearch(AnalysedLibrary):
    def test_tracks_come_in_the_order_of_the_taste(self) -> None:
        for item in self.lib.items():
            item.year = 1960 + 10 * (item.id or 0)
            item.store()
        material = keep_taste(self, rhythm=0.2, era=3.0)
        titles = [line.rpartition(" - ")[2] for line in self.beet("similar", "--taste", "--per-artist", "0", "id:1")]
        scores = material.features.to_all(0) @ np.array([0, 0.2, 3.0, *[0.0] * material.features.axes.shape[1]])
        assert titles == [f"song {place}" for place in np.argsort(-scores).tolist() if place != 0]
        assert titles == ["song 1", "song 2", "song 3", "song 4"], "by year"
        assert len(self.beet("playlist", "--taste", "-n", "3", "id:1")) == 3

    def test_it_excludes_other_weights_and_needs_a_track(self) -> None:
        keep_taste(self, rhythm=1.0)
        assert self.refused("similar", "--taste", "--like", "rhythm", "id:1") == (
            "similar: --taste and --like both weigh the facets; give one of them"
        )
        assert self.refused("similar", "--taste", "--weights", "rhythm=1", "id:1") == (
            "similar: --taste and --weights both weigh the facets; give one of them"
        )
        assert "--taste compares with a track; name one beside --text" in self.refused(
            "similar", "--taste", "--text", "x"
        )

    def test_it_survives_what_another_version_wrote(self) -> None:
        keep_taste(self, rhythm=1.0)
        with closing(Sidecar(self.lib)) as sidecar:
            sidecar.store.state.set(f"taste:{sidecar.id}", {"model": "fake"})
        assert self.refused("similar", "--taste", "id:1").startswith("similar: --taste takes what ")


class TestAnotherModel(ModelsLibrary):
    def test_the_taste_of_another_model_is_not_used(self) -> None:
        self.add_trained_model("own")
        keep_taste(self, rhythm=1.0)
        self.beet("resonance", "model", "use", "own")
        assert self.refused("similar", "--taste", "id:1") == (
            "similar: --taste was learned with another model; run `beet resonance teach` once more"
        )


class TestTeach(AnalysedLibrary):
    def material(self) -> tuple[Sidecar, teach.QuestionMaterial]:
        sidecar = Sidecar(self.lib)
        return sidecar, teach.load_questions(sidecar)

    def test_answers_are_listed_and_taken_back(self) -> None:
        sidecar, material = self.material()
        with closing(sidecar):
            teach.save_answers(
                sidecar,
                [
                    teach.KeyAnswer(material.keys[0], material.keys[1], material.keys[2], is_control=True),
                    teach.KeyAnswer(material.keys[3], material.keys[0], material.keys[4]),
                ],
            )
        assert self.beet("resonance", "teach", "--list") == [
            "artist 0 - Album - song 0: like artist 1 - Album - song 1, rather than artist 0 - Album - song 2",
            "artist 1 - Album - song 3: like artist 0 - Album - song 0, rather than artist 0 - Album - song 4",
        ]
        lines = self.beet("resonance", "teach", "--undo")
        assert lines[0].startswith("taken back: artist 1 - Album - song 3: like ")
        assert lines[1].startswith("1 answer: ")
        assert lines[2].startswith("of 1 control answer ")
        assert lines[2].endswith(" without them; whether that is better cannot be told yet")
        assert lines[-1].startswith("kept; ")
        with closing(Sidecar(self.lib)) as sidecar:
            assert sidecar.model is not None
            assert load_taste(sidecar, sidecar.model, "similar").facets == ("timbre", "rhythm")
        assert self.beet("resonance", "teach", "--undo")[-1].startswith("no question was answered yet")
        assert self.refused("similar", "--taste", "id:1").startswith("similar: --taste takes what ")
        assert self.refused("resonance", "teach", "--undo").startswith("resonance: no question was answered yet")

    def test_answers_of_two_processes_are_all_kept(self) -> None:
        sidecar, material = self.material()
        with closing(sidecar), closing(Sidecar(self.lib)) as other:
            one, two = (teach.KeyAnswer(*material.keys[place : place + 3]) for place in (0, 1))
            assert teach.add_answer(sidecar, one) == [one]
            assert teach.add_answer(other, two) == [one, two]
            assert teach.add_answer(sidecar, one) == [one, two, one]

    def test_answers_replace_what_lists_taught_only_where_that_is_better(self) -> None:
        sidecar, material = self.material()
        with closing(sidecar):
            weights = np.zeros(len(material.taste.features.names))
            weights[:2] = 1.0, 2.0
            save_taste(sidecar, material.model, material.taste, weights, is_of_lists=True)
            teach.save_answers(sidecar, [teach.KeyAnswer(*material.keys[:3])] * 2)
        before = self.beet("similar", "--taste", "id:1")
        lines = self.beet("resonance", "teach", "--undo")
        assert lines[-1] == "the answers are kept; the taste of your lists stays"
        assert self.beet("similar", "--taste", "id:1") == before
        lines = self.beet("resonance", "teach", "--undo")
        assert lines[-1].endswith("; the taste of your lists is back")
        assert self.beet("similar", "--taste", "id:1") == before

    def test_tracks_that_left_while_the_plugin_was_off_are_no_items(self) -> None:
        sidecar, material = self.material()
        with closing(sidecar):
            teach.save_answers(sidecar, [teach.KeyAnswer(*material.keys[:3])])
        with self.lib.transaction() as transaction:
            transaction.mutate("DELETE FROM items WHERE id = 2")
        assert self.beet("resonance", "teach", "--list") == ["1 about tracks that are not there now"]
        assert self.beet("resonance", "teach", "--undo")[0] == "the last answer was taken back"

    def test_no_question_is_about_a_track_that_left_while_the_plugin_was_off(self) -> None:
        with self.lib.transaction() as transaction:
            transaction.mutate("DELETE FROM items WHERE id = 2")
        sidecar, material = self.material()
        with closing(sidecar):
            assert [place for place, group in enumerate(material.groups) if group is None] == [1]
            question = next_question(material.taste.features, [], material.groups)
            assert question is None or material.items.keys() >= {*question[:3]}

    def test_answers_about_tracks_that_left_are_counted_and_kept(self) -> None:
        sidecar, material = self.material()
        with closing(sidecar):
            teach.save_answers(sidecar, [teach.KeyAnswer("00" * 16, *material.keys[1:3])])
        assert self.beet("resonance", "teach", "--list") == ["1 about tracks that are not there now"]

    def test_it_lists_or_takes_back(self) -> None:
        assert (
            self.refused("resonance", "teach", "--list", "--undo") == "resonance: teach takes either --list or --undo"
        )


class TestTooFew(CommandLibrary):
    def test_a_taste_takes_three_tracks(self) -> None:
        self.song("one")
        self.song("two")
        self.beet("resonance", "analyze")
        assert self.refused("resonance", "teach", "--list") == (
            "resonance: a taste takes at least three analysed tracks with facets, not 2"
        )


def test_shares_are_of_all_weights_and_axes_have_no_names() -> None:
    shares = shares_of(np.array([0.5, -0.25, 0.2, 0.05, 0.0]), ["rhythm", "era", "axis 1", "axis 2", "timbre"])
    assert shares == ["rhythm 50 %", "unlike in era 25 %", "other traits 25 %"]
