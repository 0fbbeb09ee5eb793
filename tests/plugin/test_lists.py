"""What `beet similar` and `beet playlist` print and write."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from beets.exceptions import UserError

from beetsplug.resonance.library.sidecar import Sidecar
from tests.plugin.command_library import AnalysedLibrary
from tests.plugin.fake_runtime import embed
from tests.raw_sql import change_rows


class TestLists(AnalysedLibrary):
    """Of five tracks, all analysed."""

    def cosines(self, seed: int) -> dict[str, float]:
        """How close every other track is to one, by title, computed apart from the index and the search."""
        sidecar = Sidecar(self.lib)
        with sidecar.store as store:
            keys = {item_id: track.content_key for item_id, track in store.tracks.all(sidecar.id).items()}
        vectors = {item_id: embed(key).vector for item_id, key in keys.items()}
        titles = {item.id: item.title for item in self.lib.items() if item.id is not None}
        return {titles[other]: float(np.dot(vectors[seed], vectors[other])) for other in keys if other != seed}

    def test_similar_is_in_order_of_the_cosine(self) -> None:
        expected = self.cosines(seed=1)
        lines = self.beet("similar", "title:song 0")
        titles = [line.rpartition(" - ")[2] for line in lines]
        assert titles == sorted(expected, key=lambda title: -expected[title])
        for line, title in zip(lines, titles, strict=True):
            assert re.fullmatch(rf" ?-?\d\.\d{{3}}  artist \d - Album - {title}", line)
            assert float(line.split()[0]) == pytest.approx(expected[title], abs=2e-3)

    def test_similar_prints_the_score_in_a_format_and_stores_it_nowhere(self) -> None:
        lines = self.beet("similar", "-f", "$title $similarity", "title:song 0")
        expected = self.cosines(seed=1)
        for line in lines:
            title, _, score = line.rpartition(" ")
            assert re.fullmatch(r"-?\d\.\d{4}", score)
            assert float(score) == pytest.approx(expected[title], abs=2e-3)
        assert self.beet("ls", "-f", "$similarity", "title:song 1") == [""]

    @pytest.mark.parametrize("command", ["similar", "playlist"])
    def test_paths_stand_alone(self, command: str) -> None:
        lines = self.beet(command, "-p", "-n", "3", "title:song 0")
        assert len(lines) == 3
        assert set(lines) <= {str(item.filepath) for item in self.lib.items()}

    def test_the_number_of_tracks(self) -> None:
        assert len(self.beet("similar", "-n", "3", "title:song 0")) == 3
        assert len(self.beet("playlist", "-n", "3", "title:song 0")) == 3

    def test_no_match(self) -> None:
        said = self.refused("similar", "title:nothing like it")
        assert said == "similar: no track matches 'title:nothing like it'; try `beet ls 'title:nothing like it'`"

    def test_all_match(self) -> None:
        assert self.refused("similar", "song") == (
            "similar: there is no other track to list; name fewer, or import more"
        )

    def test_the_match_is_not_analysed(self) -> None:
        self.song("new")
        assert self.refused("similar", "title:new") == (
            "similar: the track that matches is not analysed yet; run `beet resonance analyze title:new`"
        )

    def test_the_match_could_not_be_analysed(self) -> None:
        self.song("new", name="broken.flac")
        self.beet("resonance", "analyze", "song")
        with pytest.raises(UserError):
            self.run_command("resonance", "analyze")
        self.io.getoutput()
        assert self.refused("similar", "title:new") == (
            "similar: the track that matches could not be analysed: it is broken"
        )

    def test_what_is_not_analysed_is_said_beside_the_list(self, capteesys: pytest.CaptureFixture[str]) -> None:
        self.song("new")
        self.run_command("similar", "title:song 0")
        printed = capteesys.readouterr()
        assert len(printed.out.splitlines()) == 4
        said = "5 of 6 tracks analysed; run `beet resonance analyze` for 1 more (about 2 s)"
        assert said in printed.err

    def test_an_id_that_beets_gave_again_is_neither_seed_nor_hit(self) -> None:
        self.unload_plugins()
        self.run_command("remove", "-f", "title:song 4")
        self.load_plugins()
        self.song("other")
        assert [item.id for item in self.lib.items("title:other")] == [5]
        assert "is not analysed yet" in self.refused("similar", "title:other")
        assert "other" not in " ".join(self.beet("similar", "title:song 0"))

    def test_a_date_that_changed_does_not_hide_a_track(self) -> None:
        item = self.lib.items("title:song 3")[0]
        item.added -= 1e6
        item.store()
        assert len(self.beet("similar", "title:song 0")) == 4

    def test_a_copy_outside_of_the_library_is_the_track_that_it_is_a_copy_of(
        self, tmp_path: Path, capteesys: pytest.CaptureFixture[str]
    ) -> None:
        copy = shutil.copy(self.lib.items("title:song 2")[0].filepath, tmp_path / "unknown.flac")
        expected = self.beet("similar", "title:song 2")
        capteesys.readouterr()
        self.run_command("similar", "--file", str(copy))
        printed = capteesys.readouterr()
        assert printed.out.splitlines() == expected
        assert f"{copy} is in the library: artist 0 - song 2" in printed.err

    def test_of_two_copies_the_one_whose_file_is_there_is_listed(self) -> None:
        first = self.lib.items("title:song 2")[0].filepath
        copy = Path(shutil.copy(first, self.lib_path / "copy.flac"))
        self.add_item(title="song 2", artist="artist 0", album="Album", path=str(copy), length=3.0)
        self.beet("resonance", "analyze")
        listed = ["similar", "--versions", "-f", "$path", "title:song 0"]
        assert str(first) in self.beet(*listed)
        first.unlink()
        assert str(copy) in self.beet(*listed)
        copy.unlink()
        assert str(first) in self.beet(*listed), "where no file is there, the first stands for both"

    def test_a_file_of_another_model_than_the_library(self, tmp_path: Path) -> None:
        copy = shutil.copy(self.lib.items("title:song 2")[0].filepath, tmp_path / "unknown.flac")
        self.runtime.ship("newer")
        assert "run `beet resonance analyze` to switch" in self.refused("similar", "--file", str(copy))

    def test_damaged_vectors_are_named(self) -> None:
        path, nan = Sidecar(self.lib).path, np.full(8, np.nan, np.float16).tobytes()
        change_rows(path, "UPDATE vector SET data = ? WHERE kind = 'embedding'", nan)
        path.with_name("resonance-fake.index").unlink(missing_ok=True)
        assert "run `beet resonance check --repair`" in self.refused("similar", "title:song 0")

    def test_a_playlist_starts_from_a_file_that_is_not_in_it(self, tmp_path: Path) -> None:
        copy = shutil.copy(self.lib.items("title:song 2")[0].filepath, tmp_path / "unknown.flac")
        listed = self.beet("playlist", "--file", str(copy), "-n", "3", "-f", "$title")
        assert listed[0] == "song 2"
        assert len(set(listed)) == 3

    def test_a_playlist_opens_with_the_match_and_has_every_track_once(self) -> None:
        lines = self.beet("playlist", "-f", "$title", "title:song 3")
        assert lines[0] == "song 3"
        assert sorted(lines) == [f"song {number}" for number in range(5)]

    @pytest.mark.parametrize("seconds", [1, 6, 9, 12])
    def test_a_playlist_plays_about_as_long_as_asked(self, seconds: float) -> None:
        titles = self.beet("playlist", "-m", str(seconds / 60), "-f", "$title", "title:song 3")
        lengths = [1 + int(title.split()[1]) for title in titles]
        assert len(lengths) == 1 or abs(sum(lengths) - seconds) <= max(lengths) / 2
        assert lengths[0] == 4

    def test_a_playlist_of_all_there_is_may_be_shorter_than_asked(self) -> None:
        assert len(self.beet("playlist", "-m", "60", "-f", "$title", "title:song 3")) == 5

    def test_a_playlist_file_is_read_back(self, tmp_path: Path) -> None:
        target = tmp_path / "list.m3u8"
        [line] = self.beet("playlist", "-n", "4", "-o", str(target), "title:song 3")
        assert re.fullmatch(r"4 tracks, 0:1\d written to .*/list\.m3u8", line)
        listed = self.beet("playlist", "-n", "4", "-p", "title:song 3")
        entries = [line for line in target.read_text().splitlines() if not line.startswith("#")]
        assert [str((tmp_path / entry).resolve()) for entry in entries] == listed

    def test_a_playlist_that_cannot_be_written(self, tmp_path: Path) -> None:
        target = tmp_path / "nowhere" / "list.m3u8"
        assert self.refused("playlist", "-o", str(target), "song") == (
            f"playlist -o: there is no folder {target.parent}"
        )
        assert self.refused("playlist", "-o", "/proc/list.m3u8", "song").startswith(
            "playlist: /proc/list.m3u8 cannot be written: "
        )

    def test_a_playlist_is_written_through_a_link(self, tmp_path: Path) -> None:
        link, target = tmp_path / "list.m3u8", tmp_path / "shared" / "real.m3u8"
        link.symlink_to(target)
        assert self.refused("playlist", "-o", str(link), "song") == (
            f"playlist: {link} cannot be written: No such file or directory"
        )
        target.parent.mkdir()
        assert self.beet("playlist", "-n", "4", "-o", str(link), "title:song 3") == [
            f"4 tracks, 0:12 written to {link}"
        ]
        assert link.is_symlink()
        assert target.read_bytes().startswith(b"#EXTM3U")
