"""What `beet resonance tag` suggests, writes to the library alone, and restores."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from typing import Any

import pytest
from beets.exceptions import UserError
from beets.library import Item

from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.library.tag_changes import write_tags
from tests.audio_files import tune, write_audio
from tests.plugin.circle_library import CircleLibrary
from tests.raw_sql import change_rows

UNTAGGED = ("calm", "loud")
TAKES = "tag --field takes genres or a field of your own, such as genre_guess"


class TagLibrary(CircleLibrary):
    """Twelve tracks of folk around 0 degrees, twelve of metal around 90, and one without a genre in each."""

    OWN_SHARE = 0.2

    @pytest.fixture(autouse=True)
    def _tracks(self, setup: None, _nothing_heard: None) -> None:  # noqa: ARG002 - after beets is set up
        with self.lib.transaction():
            for number in range(12):
                self.add_track(f"folk {number}", number, genres=["Folk"])
                self.add_track(f"metal {number}", 90 + number, genres=["Metal", "Rock"])
            self.add_track("calm", 5.5)
            self.add_track("loud", 95.5)

    def tag(self, *args: str) -> list[str]:
        return self.beet("resonance", "tag", *args)

    def values(self, name: str = "genres") -> dict[str, Any]:
        """A field of the tracks without a genre, as the library has it."""
        items = [self.item(title) for title in UNTAGGED]
        return {item.title: item[name] if name == "genres" else item._values_flex.get(name) for item in items}

    def scatter_genres(self) -> None:
        """Give neighbours different genres."""
        with self.lib.transaction():
            for number, item in enumerate(self.lib.items("genres::.")):
                item["genres"] = ["Odd", "Even"][number // 2 % 2 : number // 2 % 2 + 1]
                item.store()

    def item(self, title: str) -> Item:
        item = self.lib.items([f"title:={title}"]).get()
        assert item is not None
        return item


class TestPreview(TagLibrary):
    def test_a_table_and_the_precision_on_the_tagged_part(self) -> None:
        head, calm, loud, *rest = self.tag()
        assert head.split() == ["track", "neighbours", "model"]
        assert "Folk 1.00 (10)" in calm
        assert "Metal 1.00 (10), Rock 1.00 (10)" in loud
        assert {calm.index("Folk 1"), loud.index("Metal 1")} == {head.index("neighbours")}
        assert rest == [
            "2 tracks with a suggestion; on 0 the neighbours abstain (below 0.6)",
            "24 tracks have genres already; --overwrite suggests for them, too",
            "on 24 tagged tracks, artists left out: precision 1.00 [0.86, 1.00], coverage 1.00; "
            "'Folk' for all of these would be right on 0.50",
        ]
        assert self.values() == {"calm": [], "loud": []}

    def test_only_what_matches_and_in_the_user_s_format(self) -> None:
        lines = self.tag("--format", "$title!", "title:calm")
        assert [line.split()[0] for line in lines[:2]] == ["track", "calm!"]
        assert lines[2].startswith("1 track with a suggestion")

    def test_json(self) -> None:
        calm, loud = json.loads("\n".join(self.tag("--json")))
        assert (calm["title"], calm["suggestions"]) == (
            "calm",
            [{"genre": "Folk", "confidence": 1.0, "neighbours": 10}],
        )
        assert [each["genre"] for each in loud["suggestions"]] == ["Metal", "Rock"]

    def test_check_alone(self) -> None:
        (line,) = self.tag("--check")
        assert line.startswith("on 24 tagged tracks, artists left out: precision 1.00")

    def test_the_help_on_overwrite_is_true_of_genres(self) -> None:
        with pytest.raises(SystemExit):
            self.run_command("resonance", "tag", "--help")
        shown = self.io.getoutput()
        assert "replace values that are there already, too" in " ".join(shown.split())

    def test_tracks_that_are_not_analysed_are_no_abstentions(self) -> None:
        self.analyse()
        self.add_item(title="unheard")
        assert "2 tracks with a suggestion; on 0 the neighbours abstain (below 0.6); 1 is not analysed" in self.tag()

    def test_genres_that_were_suggested_are_no_evidence(self) -> None:
        """They count neither as what suggestions are compared with nor as votes, whichever write they are of."""
        self.tag("--write", "--yes", "title:calm")
        self.tag("--write", "--yes", "title:loud")
        assert self.tag("--check")[0].startswith("on 24 tagged tracks")
        item = self.item("loud")
        item["genres"] = ["Metal"]
        item.store()
        assert self.tag("--check")[0].startswith("on 25 tagged tracks")

    def test_genres_that_were_taken_back_and_then_tagged_by_hand_are_the_user_s(self) -> None:
        self.tag("--write", "--yes", "title:calm")
        self.tag("--undo")
        item = self.item("calm")
        item["genres"] = ["Folk"]
        item.store()
        assert self.tag("--check")[0].startswith("on 25 tagged tracks")

    def test_genres_that_do_not_follow_the_sound_are_called_so(self) -> None:
        self.scatter_genres()
        assert self.tag("--check", "--confidence", "0.1")[0].endswith("cannot be told by their neighbours")


class TestWriting(TagLibrary):
    def test_written_and_restored_without_touching_a_file(self) -> None:
        for number, title in enumerate(UNTAGGED):
            write_audio(self.item(title).filepath, tune(1.0, 8000, channels=1, seed=number), 8000, kind="flac")
        before = self.hashes()
        lines = self.tag("--write", "--yes")
        assert lines[-1] == "genres written to 2 tracks; `beet resonance tag --undo` restores what was there"
        assert self.values() == {"calm": ["Folk"], "loud": ["Metal", "Rock"]}
        assert self.tag()[0] == "0 tracks with a suggestion; on 0 the neighbours abstain (below 0.6)"
        assert self.tag("--undo") == ["genres restored on 2 tracks"]
        assert self.values() == {"calm": [], "loud": []}
        assert self.hashes() == before

    def hashes(self) -> list[str]:
        return [hashlib.sha256(self.item(title).filepath.read_bytes()).hexdigest() for title in UNTAGGED]

    @pytest.mark.parametrize(("answer", "written"), [("y", True), ("n", False), ("", False)])
    def test_only_what_is_confirmed(self, answer: str, written: bool) -> None:
        self.io.addinput(answer)
        assert "Write genres to 2 tracks in the library's database?" in "\n".join(self.tag("--write"))
        assert bool(self.values()["calm"]) is written

    def test_what_the_user_s_own_genres_do_not_confirm_is_written_by_hand_alone(self) -> None:
        self.scatter_genres()
        with pytest.raises(UserError, match="tag --write --yes: your own genres do not confirm the suggestions"):
            self.run_command("resonance", "tag", "--write", "--yes", "--confidence", "0.1")
        assert self.io.getoutput().endswith("cannot be told by their neighbours\n")
        assert self.values() == {"calm": [], "loud": []}
        self.io.addinput("y")
        assert "genres written to 2 tracks" in self.tag("--write", "--confidence", "0.1")[-1]

    def test_what_was_changed_since_is_left_alone(self) -> None:
        self.tag("--write", "--yes")
        item = self.item("loud")
        item["genres"] = ["Doom"]
        item.store()
        assert self.tag("--undo") == [
            "genres restored on 1 track",
            "1 track changed since, and left as they are",
        ]
        assert self.values() == {"calm": [], "loud": ["Doom"]}

    def test_tracks_that_are_gone_are_counted(self) -> None:
        self.tag("--write", "--yes")
        self.item("loud").remove()
        assert self.tag("--undo") == ["genres restored on 1 track", "1 track gone from the library"]

    def test_the_last_write_can_be_undone_once(self) -> None:
        self.tag("--write", "--yes")
        self.tag("--undo")
        assert self.refused("resonance", "tag", "--undo").startswith("resonance: tag has written nothing")

    def test_a_write_that_reached_nothing_leaves_the_one_before_to_be_undone(self) -> None:
        self.tag("--write", "--yes", "title:calm")
        with pytest.raises(OSError, match="locked"):
            self.write_broken(after=0)
        assert self.tag("--undo") == ["genres restored on 1 track"]
        assert self.values() == {"calm": [], "loud": []}

    def test_a_write_that_reached_a_part_is_the_one_to_be_undone(self) -> None:
        self.tag("--write", "--yes", "title:calm")
        with pytest.raises(OSError, match="locked"):
            self.write_broken(after=1)
        assert self.values() == {"calm": ["Polka"], "loud": []}
        assert self.tag("--undo") == ["genres restored on 2 tracks"]
        assert self.values() == {"calm": ["Folk"], "loud": []}

    def write_broken(self, after: int) -> None:
        """Write to both tracks, and fail after some; the process ends then."""
        stores = iter([Item.store] * after)

        def store(item: Item) -> None:
            if (method := next(stores, None)) is None:
                raise OSError("locked")
            method(item)

        with closing(Sidecar(self.lib)) as sidecar, pytest.MonkeyPatch.context() as patch:
            patch.setattr(Item, "store", store)
            write_tags(sidecar, "genres", {self.item(title).id or 0: ["Polka"] for title in UNTAGGED})

    def test_a_field_of_the_user_s_own(self) -> None:
        assert "genre_guess written to 26 tracks" in self.tag("--write", "-y", "--field", "genre_guess")[-1]
        assert self.values("genre_guess") == {"calm": "Folk", "loud": "Metal; Rock"}
        assert self.values() == {"calm": [], "loud": []}
        self.tag("--undo")
        assert self.values("genre_guess") == {"calm": None, "loud": None}

    def test_other_values_are_replaced_with_overwrite_alone_and_come_back(self) -> None:
        item = self.item("folk 3")
        item["genres"] = ["Metal"]
        item.store()
        self.tag("--write", "-y", "title:folk")
        assert self.item("folk 3").genres == ["Metal"]
        assert "genres written to 1 track" in self.tag("--write", "-y", "--overwrite", "title:folk")[-1]
        assert self.item("folk 3").genres == ["Folk"]
        self.tag("--undo")
        assert self.item("folk 3").genres == ["Metal"]

    def test_nothing_sure_enough(self) -> None:
        self.add_track("between", 50.5)
        assert self.tag("--write", "--confidence", "0.95", "title:between")[-1] == "nothing to write"


class TestBadInput(TagLibrary):
    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            ("title:nowhere", "no track matches title:nowhere; try `beet ls title:nowhere`"),
            ("--write --undo", "tag takes one of --write and --undo, not both"),
            ("--undo x", "tag --undo restores all of the last write and takes no query, not 'x'"),
            ("--check x", "tag --check measures the whole library and takes no query, not 'x'"),
            ("--json --write", "tag --json takes no --write"),
            ("--json --format x", "tag takes one of --json and --format, not both"),
            ("--confidence 0", "tag --confidence must be above 0 and at most 1, not 0"),
            ("--confidence nan", "tag --confidence must be above 0 and at most 1, not nan"),
            ("--yes", "tag --yes goes with --write, which asks"),
            ("--field title", f"{TAKES}; title has another use"),
            ("--field res_bpm", f"{TAKES}; res_bpm has another use"),
            ("--field A-b", "tag --field takes a name of small letters, digits and underscores, such as genre_guess, "
             "not 'A-b'"),
            ("--undo", "tag has written nothing that could be undone; `beet resonance tag --write` writes"),
        ],
    )  # fmt: skip
    def test_a_sentence_says_what_is_wrong(self, words: str, sentence: str) -> None:
        assert self.refused("resonance", "tag", *words.split()) == f"resonance: {sentence}"

    def test_damaged_vectors(self) -> None:
        self.analyse()
        change_rows(Sidecar(self.lib).path, "UPDATE vector SET data = ? WHERE id = 3", b"\x00\x7e" * 8)
        for verb in ("tag", "outliers"):
            assert "damaged" in self.refused("resonance", verb)


class TestPoorLibraries(CircleLibrary):
    def test_no_tracks(self) -> None:
        for verb in ("tag", "outliers"):
            assert self.refused("resonance", verb).startswith("resonance: the library has no tracks")

    @pytest.mark.parametrize(
        ("tracks", "reason"),
        [
            ([("", [])], "no analysed track has a genre"),
            ([("Ann", ["Rock"])], "the only genre in the library is 'Rock'"),
            ([("Ann", ["Rock"]), ("Bob", ["Rock"]), ("Cid", [])], "the only genre in the library is 'Rock'"),
            ([("Ann", ["Rock"]), ("Ann", ["Pop"]), ("Cid", [])], "all tracks with a genre are of one artist"),
        ],
        ids=["no genres", "one track", "one genre", "one artist"],
    )
    def test_neighbours_that_cannot_vote(self, tracks: list[tuple[str, list[str]]], reason: str) -> None:
        for number, (artist, genres) in enumerate(tracks):
            self.add_track(str(number), 4.0 * number, artist=artist, genres=genres)
        assert reason in self.beet("resonance", "tag")[-1]
        assert self.refused("resonance", "tag", "--check").startswith(f"resonance: tag --check: {reason}")
        assert self.beet("resonance", "outliers") == ["no track's tags disagree with how it sounds"]
