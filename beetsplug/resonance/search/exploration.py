"""The course of an interactive search: what each step starts from, and the way back; values alone, no input or output.

A step is a request of its own: the options of the first one, with other seeds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from beets.exceptions import UserError

from beetsplug.resonance.library.items import ALTERNATIVE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# What a search from a single track of the list has no use for.
SEED_OPTIONS = ("query", "file", "at", "text", "avoid", "combine")
SPAN = re.compile(r"(\d+)(?:-(\d+))?")
ALL = "all"


@dataclass(frozen=True)
class Step:
    """The seeds of a step, as ids of items: those `liked` beside the first request's own seeds, and those `disliked`.

    After a dive, `origin` takes the place of the request's seeds.
    """

    origin: int | None = None
    liked: tuple[int, ...] = ()
    disliked: tuple[int, ...] = ()

    def like(self, ids: Sequence[int]) -> Step:
        """Return the step with further seeds."""
        return replace(self, liked=add(self.liked, ids), disliked=remove(self.disliked, ids))

    def dislike(self, ids: Sequence[int]) -> Step:
        """Return the step with further negative seeds."""
        return replace(self, liked=remove(self.liked, ids), disliked=add(self.disliked, ids))

    def apply(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of a request with the seeds of this step."""
        if self.origin is not None:
            options = {name: value for name, value in options.items() if name not in SEED_OPTIONS}
        start = () if self.origin is None else (self.origin,)
        changed = {
            "query": alternatives(options.get("query", ()), (*start, *self.liked)),
            "avoid": alternatives(options.get("avoid", ()), self.disliked),
        }
        return {**options, **{name: words for name, words in changed.items() if words}}


@dataclass(frozen=True)
class Exploration:
    """The steps of an interactive search, the current one last; there is always one."""

    steps: tuple[Step, ...] = (Step(),)

    @property
    def step(self) -> Step:
        return self.steps[-1]

    @property
    def is_at_start(self) -> bool:
        return len(self.steps) == 1

    def dive(self, item_id: int) -> Exploration:
        """Start anew from one track."""
        return self.advance(Step(item_id))

    def like(self, ids: Sequence[int]) -> Exploration:
        """Go on with further seeds."""
        return self.advance(self.step.like(ids))

    def dislike(self, ids: Sequence[int]) -> Exploration:
        """Go on with further negative seeds."""
        return self.advance(self.step.dislike(ids))

    def advance(self, step: Step) -> Exploration:
        """Go on to a step; one that changes nothing is none."""
        return self if step == self.step else Exploration((*self.steps, step))

    def back(self) -> Exploration:
        """Return to the step before, if there is one."""
        return self if self.is_at_start else Exploration(self.steps[:-1])


def parse_places(text: str, count: int) -> list[int]:
    """Parse places in a list of `count` entries, such as "1 3-5, 8" or "all", to indexes in the order given.

    Raises UserError for anything else.
    """
    if text.strip().lower() == ALL:
        return list(range(count))
    places: list[int] = []
    for word in re.split(r"[\s,]+", text.strip()):
        match = SPAN.fullmatch(word)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= count:
            raise UserError(f"write numbers from 1 to {count}, such as 1 3-5, or {ALL}, not {text.strip()!r}")
        places += range(first - 1, last)
    return list(dict.fromkeys(places))


def alternatives(query: Sequence[str], ids: Sequence[int]) -> tuple[str, ...]:
    """Return the words of a query for the matches of another one, if it has words, and for items."""
    words = list(query)
    for item_id in ids:
        words += [*([ALTERNATIVE] if words else []), f"id:{item_id}"]
    return tuple(words)


def add(ids: tuple[int, ...], others: Sequence[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys((*ids, *others)))


def remove(ids: tuple[int, ...], others: Sequence[int]) -> tuple[int, ...]:
    return tuple(each for each in ids if each not in others)
