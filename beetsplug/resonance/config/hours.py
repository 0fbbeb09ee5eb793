"""The hours in which the background may work: spans of the local day."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from beets.exceptions import UserError

if TYPE_CHECKING:
    from datetime import time

SPAN = re.compile(r"\s*(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\s*")
DAY = 24 * 60


@dataclass(frozen=True)
class Hours:
    """Spans of minutes of the day, whose ends are no part of them; one that ends before it begins goes over midnight.

    No spans at all stand for the whole day.
    """

    spans: tuple[tuple[int, int], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a setting such as "22:00-07:00" or "12:00-13:30, 22:00-07:00"; raises UserError."""
        return cls(tuple(parse_span(part, text) for part in text.split(",")) if text.strip() else ())

    def __contains__(self, moment: time) -> bool:
        """Whether a time of day lies in one of them."""
        minute = minute_of(moment)
        return not self.spans or any(
            first <= minute < end if first < end else minute >= first or minute < end for first, end in self.spans
        )

    def next_start(self, moment: time) -> str:
        """Return when the next span begins after a time of day outside all of them, such as "22:00"."""
        minute = minute_of(moment)
        first = min((first for first, _ in self.spans), key=lambda first: (first - minute) % DAY)
        return f"{first // 60:02d}:{first % 60:02d}"


def minute_of(moment: time) -> int:
    return moment.hour * 60 + moment.minute


def parse_span(part: str, text: str) -> tuple[int, int]:
    match = SPAN.fullmatch(part)
    numbers = [int(number) for number in match.groups()] if match else []
    if numbers and numbers[1] < 60 and numbers[3] < 60:
        first, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
        if first < DAY and end <= DAY and first != end:
            return first, end
    raise UserError(
        f"resonance.hours in the configuration must be like 22:00-07:00, several with commas between, not {text!r}"
    )
