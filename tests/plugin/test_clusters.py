"""`beet resonance map --clusters` and `beet playlist --cluster`: groups with names that stay."""

from __future__ import annotations

import numpy as np
import pytest
from beets.exceptions import UserError

from beetsplug.resonance.search.library_map import find_cluster
from tests.plugin.test_map import MapLibrary


class TestClusters(MapLibrary):
    def two_groups(self) -> None:
        for number in range(12):
            group = number % 3 == 0
            self.add_track(str(number), 90.0 * group + number, genres=["jazz" if group else "rock"], artist=str(number))

    def test_they_are_listed_with_their_counts_and_named_by_genres_without_tags(self) -> None:
        self.two_groups()
        lines = self.beet("resonance", "map", "--clusters")
        assert [line.split() for line in lines] == [["rock", "8"], ["jazz", "4"]]
        assert self.beet("resonance", "map", "--clusters", "genres:jazz") == ["jazz       4"]
        assert self.arrays().keys() == {"centroids", "centroids-size", "names"}, "no layout is needed for that"

    def test_new_tracks_fall_into_the_nearest_and_names_stay(self) -> None:
        self.two_groups()
        self.beet("resonance", "map", "--clusters")
        before = self.arrays()
        self.add_track("new", 93.0, genres=["polka"])
        assert self.beet("resonance", "map", "--clusters")[1].split() == ["jazz", "5"]
        assert all(np.array_equal(before[name], each) for name, each in self.arrays().items())

    def test_without_tags_and_genres_they_have_numbers(self) -> None:
        self.circle(12)
        lines = self.beet("resonance", "map", "--clusters")
        assert {line.rsplit(maxsplit=1)[0] for line in lines} == {"cluster 1", "cluster 2"}

    def test_a_playlist_keeps_to_a_cluster(self) -> None:
        self.two_groups()
        self.beet("resonance", "map", "--clusters")
        titles = self.playlist_titles("title:0", "--cluster", "JAZZ", "-n", "10")
        assert set(titles) <= {"0", "3", "6", "9"}
        assert len(titles) >= 3
        both = self.playlist_titles("title::^0$", "--cluster", "jazz", "--from", "title:9 , title:1", "-n", "10")
        assert set(both) <= {"0", "9"}

    @pytest.mark.parametrize(
        ("name", "place"), [("piano, jazz", 0), (" Piano, JAZZ", 0), ("organ", 1), ("jazz", None), ("pianos", None)]
    )
    def test_find_cluster_takes_a_name_or_a_unique_word(self, name: str, place: int | None) -> None:
        names = ["piano, jazz", "organ, jazz", "rock"]
        if place is None:
            with pytest.raises(UserError, match="there is no cluster"):
                find_cluster(name, names, "playlist")
        else:
            assert find_cluster(name, names, "playlist") == place

    def test_a_word_of_several_names_is_answered_with_these(self) -> None:
        with pytest.raises(UserError, match="did you mean 'piano, jazz' or 'organ, jazz'\\?"):
            find_cluster("jazz", ["piano, jazz", "organ, jazz", "rock"], "playlist")

    def test_a_playlist_of_an_unknown_cluster(self) -> None:
        self.two_groups()
        assert self.refused("playlist", "title:0", "--cluster", "jazz") == (
            "playlist: --cluster needs the clusters of the library; "
            "`beet resonance map --clusters` makes and lists them"
        )
        self.beet("resonance", "map", "--clusters")
        said = self.refused("playlist", "title:0", "--cluster", "jaz")
        assert said == "playlist: there is no cluster 'jaz'; did you mean jazz?"
