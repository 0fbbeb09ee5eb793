"""Similar artists: sets of tracks, compared as such."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from beets.exceptions import UserError

from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.search.groups import nearest_groups, tracks_by_album, tracks_by_artist
from beetsplug.resonance.search.session import SearchSession
from tests.plugin.command_library import CommandLibrary
from tests.plugin.fake_runtime import embed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

ARTISTS: tuple[dict[str, Any], ...] = (
    {"artist": "The Band", "albumartist": "The Band"},
    {"artist": "The Band feat. A Guest", "albumartist": "The Band"},
    {"artist": "BAND", "albumartist": ""},
    {"artist": "Sigur Rós", "albumartist": "Sigur Rós"},
    {"artist": "Sigur Ros", "albumartist": ""},
    {"artist": "Zz", "albumartist": "Various Artists", "comp": True},
    {"artist": "Various Artists", "albumartist": "Various Artists"},
    {"artist": "Zz", "albumartist": "Zz"},
    {"artist": "Solo", "albumartist": "Solo"},
)


class TestArtists(CommandLibrary):
    """Of nine tracks, the last of which is not analysed."""

    @pytest.fixture
    def search(self, setup: None) -> Iterator[SearchSession]:  # noqa: ARG002 - after beets is set up
        for number, names in enumerate(ARTISTS):
            item = self.song(f"song {number}", artist=names["artist"])
            item.update(names)
            item.store()
        self.run_command("resonance", "analyze", "^artist:Solo")
        sidecar = Sidecar(self.lib)
        model = sidecar.model
        assert model is not None
        yield SearchSession(sidecar, model)
        sidecar.close()

    def vectors(self, search: SearchSession, tracks: list[int]) -> NDArray[np.float32]:
        known = search.sidecar.store.tracks.all(search.sidecar.id)
        return np.stack([embed(known[each].content_key).vector for each in tracks])

    def test_a_track_counts_for_its_albums_artist_and_spellings_are_one(self, search: SearchSession) -> None:  # noqa: ARG002
        assert tracks_by_artist(self.lib, []) == {
            "The Band": [1, 2, 3],
            "Sigur Ros": [4, 5],
            "Zz": [6, 8],
            "Solo": [9],
        }
        assert tracks_by_artist(self.lib, ["title:song 1"]) == {"The Band": [2]}
        assert tracks_by_artist(self.lib, ["title:nothing"]) == {}

    def test_sets_are_compared_track_by_track(self, search: SearchSession) -> None:
        """The smaller of two means of nearest cosines, computed apart."""
        seeds = tracks_by_artist(self.lib, ["albumartist:the band"])
        mine = self.vectors(search, [1, 2])
        expected = {}
        for name, tracks in (("Sigur Ros", [4, 5]), ("Zz", [6, 8])):
            cosines = mine @ self.vectors(search, tracks).T
            expected[name] = min(cosines.max(axis=0).mean(), cosines.max(axis=1).mean())

        found = nearest_groups(search, seeds, tracks_by_artist(self.lib, []), 10)

        assert found == pytest.approx(expected, abs=2e-3)
        assert list(found) == sorted(expected, key=lambda name: -expected[name])

    def test_a_seed_does_not_come_up_however_it_is_spelt(self, search: SearchSession) -> None:
        seeds = tracks_by_artist(self.lib, ["title:song 2"])
        assert list(seeds) == ["BAND"]
        assert nearest_groups(search, seeds, tracks_by_artist(self.lib, []), 10).keys() == {"Sigur Ros", "Zz"}

    def test_candidates_and_count(self, search: SearchSession) -> None:
        seeds = tracks_by_artist(self.lib, ["albumartist:the band"])
        everything = nearest_groups(search, seeds, tracks_by_artist(self.lib, []), 10)
        best = next(iter(everything))
        assert nearest_groups(search, seeds, tracks_by_artist(self.lib, []), 1) == {best: everything[best]}
        assert nearest_groups(search, seeds, tracks_by_artist(self.lib, ["artist:zz"]), 10).keys() == {"Zz"}
        assert nearest_groups(search, seeds, {}, 10) == {}

    def test_the_same_tracks_under_another_name_are_as_close_as_can_be(self, search: SearchSession) -> None:
        seeds = tracks_by_artist(self.lib, ["albumartist:the band"])
        [twin] = nearest_groups(search, seeds, {"Twin": list(seeds["The Band"])}, 10).values()
        assert twin == pytest.approx(1.0, abs=1e-3)
        assert twin <= 1.0

    def test_an_id_that_beets_gave_again_is_out_and_a_date_that_changed_hides_nothing(
        self, search: SearchSession
    ) -> None:
        seeds = tracks_by_artist(self.lib, ["albumartist:the band"])
        everybody = tracks_by_artist(self.lib, [])
        before = nearest_groups(search, seeds, everybody, 10)
        items = {item.id: item for item in self.lib.items()}
        for number in (4, 5, 6):
            items[number].added += 1000.0
            items[number].store()
        assert nearest_groups(search, seeds, everybody, 10) == pytest.approx(before, abs=1e-6)
        items[4].path = items[9].path
        items[4].store()
        alone = nearest_groups(search, seeds, {"Sigur Ros": [5]}, 10)
        assert alone["Sigur Ros"] != pytest.approx(before["Sigur Ros"], abs=1e-3)
        assert nearest_groups(search, seeds, everybody, 10) == pytest.approx(before | alone, abs=1e-6)

    def test_a_seed_that_is_not_analysed(self, search: SearchSession) -> None:
        everybody = tracks_by_artist(self.lib, [])
        with pytest.raises(UserError, match="none of the tracks to start from is analysed yet"):
            nearest_groups(search, tracks_by_artist(self.lib, ["artist:Solo"]), everybody, 10)
        with pytest.raises(UserError, match="is analysed yet"):
            nearest_groups(search, {}, everybody, 10)

    def test_however_many_are_compared_at_a_time(self, search: SearchSession, monkeypatch: pytest.MonkeyPatch) -> None:
        arguments: tuple[Any, ...] = ({"Zz": [6, 8]}, {f"artist {track}": [track] for track in range(1, 6)}, 10)
        expected = nearest_groups(search, *arguments)
        assert len(expected) == 5
        for at_a_time in (1, 3):
            monkeypatch.setattr("beetsplug.resonance.search.groups.TRACKS_AT_A_TIME", at_a_time)
            assert nearest_groups(search, *arguments) == pytest.approx(expected, abs=1e-6)

    def test_albums_are_compared_in_the_same_way(self, search: SearchSession) -> None:
        for tracks in ("1,2", "4,5", "6,8"):
            self.lib.add_album([item for item in self.lib.items() if str(item.id) in tracks.split(",")])
        [one, *others] = tracks_by_album(self.lib, [])
        found = nearest_groups(search, tracks_by_album(self.lib, [f"id:{one}"]), tracks_by_album(self.lib, []), 10)
        assert found.keys() == set(others)
        seeds = tracks_by_artist(self.lib, ["albumartist:the band"])
        by_name = nearest_groups(search, seeds, {"Sigur Ros": [4, 5], "Zz": [6, 8]}, 10)
        assert list(found.values()) == pytest.approx(list(by_name.values()), abs=1e-6)
