"""Which tracks count as one song, and which titles only look like it."""

from __future__ import annotations

import pytest

from resonance_engine.search.names import TrackMetadata, song_title, track_keys


@pytest.mark.parametrize(
    ("title", "song"),
    [
        ("No Surprises", "no surprises"),
        ("No Surprises (Live at Glastonbury)", "no surprises"),
        ("No Surprises - 2011 Remaster", "no surprises"),
        ("No Surprises [feat. Somebody] - Live", "no surprises"),
        ("No Surprises (Demo) (Remastered)", "no surprises"),
        ("No Surprises ft. Somebody", "no surprises"),
        ("Shake It Off (Taylor\u2019s Version)", "shake it off"),
        ("(I Can't Get No) Satisfaction", "i cant get no satisfaction"),
        ("(I Can\u2019t Get No) Satisfaction - Mono", "i cant get no satisfaction"),
        ("Time (Part 2)", "time part 2"),
        ("Time - Reprise", "time reprise"),
        ("Live", "live"),
        ("(Live)", "live"),
        ("Caf\u00e9 & Bar", "cafe and bar"),
        ("\u304c", "\u304c"),  # no accent, another letter than \u304b
        ("???", "???"),
        ("", ""),
    ],
)
def test_titles(title: str, song: str) -> None:
    assert song_title(title) == song


def is_version(track: TrackMetadata, song: TrackMetadata) -> bool:
    return not {*track_keys(track).matches}.isdisjoint(track_keys(song).songs)


SONG = TrackMetadata("The Beatles", "Help!", "Yesterday", recording="r1", work="w1", seconds=125)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (TrackMetadata("Beatles", "1", "Yesterday (Remastered)"), True),
        (TrackMetadata("Boyz II Men", "", "Something else", work="w1"), True),
        (TrackMetadata("Somebody", "", "Something else", recording="r1"), True),
        (TrackMetadata("The Beatles", "", "Yesterday", work="w1"), True),
        (TrackMetadata("The Beatles", "", "Yesterday", work="w2"), False),
        (TrackMetadata("Boyz II Men", "", "Yesterday"), False),
        (TrackMetadata("", "", "Yesterday"), False),
        (TrackMetadata("The Beatles", "Help!", "Help!"), False),
        (TrackMetadata(), False),
    ],
)
def test_versions(other: TrackMetadata, same: bool) -> None:
    assert is_version(other, SONG) is same


@pytest.mark.parametrize("title", ["Intro", "II. Adagio", "Track 7", "Main Theme", "Untitled", ""])
def test_titles_that_say_nothing(title: str) -> None:
    assert not is_version(TrackMetadata("Somebody", "Two", title), TrackMetadata("Somebody", "One", title))
