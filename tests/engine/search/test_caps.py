"""Caps: one meaning of "any number", and how those that nobody set give way."""

from __future__ import annotations

import pytest

from resonance_engine.search.constraints import Caps
from resonance_engine.search.selection import SelectionRules, relax_caps


@pytest.mark.parametrize("name", ["per_artist", "per_album"])
def test_a_negative_cap_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} is a number of tracks, 0 for any number, not -1"):
        SelectionRules(Caps(**{name: -1}))


def test_caps_are_doubled_and_at_last_lifted():
    raised = [(each.per_artist, each.per_album) for each in relax_caps(Caps(3, 2), 20)]
    assert raised == [(6, 4), (12, 8), (24, 16), (48, 32), (96, 64), (0, 0)]


def test_what_was_set_stays():
    raised = [(each.per_artist, each.per_album) for each in relax_caps(Caps(3, 2, frozenset({"per_album"})), 2)]
    assert raised == [(6, 2), (0, 2)]


@pytest.mark.parametrize("caps", [Caps(), Caps(3, 0, frozenset({"per_artist"}))])
def test_nothing_to_raise(caps):
    assert list(relax_caps(caps, 20)) == []


def test_a_list_of_one_track_needs_no_doubling():
    assert list(relax_caps(Caps(3, 2), 1)) == [Caps()]
