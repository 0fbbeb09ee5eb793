"""Where thousands of files have one trouble, the lines of a few tell what it is."""

from __future__ import annotations

from beetsplug.resonance.commands.check import shorten
from beetsplug.resonance.commands.status import format_failures
from resonance_engine.store import Failure


def test_of_many_problems_of_one_kind_some_are_shown() -> None:
    odd = [f"The timbre of recording {number:032x} should have length 1 and has {number}.5000." for number in range(25)]
    few = [f"The windows of recording {number:032x} are gone." for number in range(20)]
    mixed = [line for pair in zip(odd, few, strict=False) for line in pair] + odd[20:]
    assert list(shorten(mixed)) == [*odd[:20], "and 5 more of that kind", *few]


def test_status_tells_the_first_of_many() -> None:
    failed = [Failure(b"%d.mp3" % number, 1, 1, "it is broken", 1, 0.0) for number in range(25)]
    assert list(format_failures(failed[:20])) == [f"not analysed: {number}.mp3: it is broken" for number in range(20)]
    assert list(format_failures(failed))[19:] == [
        "not analysed: 19.mp3: it is broken",
        "and 5 more; `beet resonance failures` lists them",
    ]
