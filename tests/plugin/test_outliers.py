"""What `beet resonance outliers` lists, with its evidence, and that it changes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.plugin.circle_library import CircleLibrary


class TestOutliers(CircleLibrary):
    """Albums of folk around 0 degrees and of metal around 120, with one track each that is on the wrong one."""

    OWN_SHARE = 0.2

    @pytest.fixture(autouse=True)
    def _tracks(self, setup: None, _nothing_heard: None) -> None:  # noqa: ARG002 - after beets is set up
        for number in range(8):
            self.add_track(f"folk {number}", number, artist=f"singer {number}", genres=["Folk"])
            self.add_track(f"metal {number}", 120 + number, artist=f"band {number}", genres=["Metal"])
        for name, degrees in (("Meadow", 0), ("Forge", 120)):
            sounds = [degrees + number for number in range(5)] + [120 - degrees]
            items = [
                self.add_track(f"{name} {number}", sound, artist=name, mb_trackid="one" if number in (0, 1) else "")
                for number, sound in enumerate(sounds)
            ]
            self.lib.add_album(items)
        self.add_track("mistaken", 3.5, artist="somebody", genres=["Metal"])

    def findings(self, *query: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads("\n".join(self.beet("resonance", "outliers", "--json", *query)))
        return rows

    def test_outliers_are_sorted_by_strength_with_evidence(self) -> None:
        rows = self.findings()
        assert {(row["kind"], row["title"]) for row in rows} == {
            ("genre", "mistaken"),
            ("album", "Meadow 5"),
            ("album", "Forge 5"),
            ("recording", "Forge 0"),
            ("recording", "Forge 1"),
        }
        strengths = [row["strength"] for row in rows]
        assert strengths == sorted(strengths, reverse=True)
        evidence = {row["title"]: row["evidence"] for row in rows}
        assert evidence["mistaken"] == "tagged Metal, as 2 of its 10 neighbours by other artists; 8 are Folk"
        assert evidence["Forge 0"].startswith("the MusicBrainz recording of 'Meadow 1', but ")
        assert "where 'Forge" in evidence["Meadow 5"]

    def test_either_track_of_a_recording_is_enough_for_a_query(self) -> None:
        for title in ("Meadow 1", "Forge 0"):
            assert "recording" in {row["kind"] for row in self.findings(f"title:{title}")}

    def test_an_album_s_title_is_whole(self) -> None:
        with self.lib.transaction():
            for item in self.lib.items("title:Forge"):
                item["album"] = "Love / Hate"
                item.store()
        (evidence,) = [row["evidence"] for row in self.findings("title:Meadow 5") if row["kind"] == "album"]
        assert "to those of 'Love / Hate', where 'Forge" in evidence
        assert "to the nearest three of its album" in evidence

    def test_lines(self) -> None:
        lines = self.beet("resonance", "outliers", "Meadow 5")
        assert len(lines) == 2
        assert lines[0].split()[1] == "album"
        assert lines[1].startswith("      similarity ")

    def test_a_format_of_the_user_s(self) -> None:
        lines = self.beet("resonance", "outliers", "--format", "$strength/$kind/$title", "mistaken")
        assert [line.split("/")[1:] for line in lines] == [["genre", "mistaken"]]
        item = self.lib.items("title:mistaken").get()
        assert item is not None
        assert "strength" not in item

    def test_nothing_to_say(self) -> None:
        assert self.beet("resonance", "outliers", "title:folk") == ["no track's tags disagree with how it sounds"]

    def test_a_query_without_matches(self) -> None:
        assert self.refused("resonance", "outliers", "nowhere").startswith("resonance: no track matches nowhere")
