"""Passages of recordings, written as 1:20-1:50."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from resonance_engine.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

SHORTEST = 3.0
"""Seconds of sound that an embedding needs."""

_TIME = r"(?:(?:([0-9]{1,3}):)?([0-9]{1,3}):)?([0-9]{1,6}(?:\.[0-9]{1,6})?)"
_PASSAGE = re.compile(rf"\s*{_TIME}\s*[-\u2013]\s*{_TIME}\s*")


class Passage(NamedTuple):
    """From second `start` to second `end` of a recording."""

    start: float
    end: float

    def __str__(self) -> str:
        return f"{format_time(self.start)}-{format_time(self.end)}"


def parse_passage(text: str) -> Passage:
    """Parse a passage such as `1:20-1:50`, `80-110`, `1:02:03-1:02:30` or `1:20.5-1:50`.

    Raises ConfigError for another spelling, and for what is no passage, as `make_passage` does.
    """
    match = _PASSAGE.fullmatch(text)
    if match is None:
        raise ConfigError(f"A passage is written as 1:20-1:50, or in seconds as 80-110, not as {text!r}.")
    return make_passage(_parse_time(match.group(1, 2, 3), text), _parse_time(match.group(4, 5, 6), text))


def make_passage(start: float, end: float) -> Passage:
    """Return the passage between two seconds; ConfigError unless 0 <= start and they are 3 s or more apart."""
    if not (0.0 <= start < float("inf") and 0.0 <= end < float("inf")):
        raise ConfigError(f"A passage is from one second of a recording to a later one, not from {start} to {end}.")
    passage = Passage(float(start), float(end))
    if end < start:
        raise ConfigError(f"The passage {passage} ends before it begins; write the earlier time first.")
    if end - start < SHORTEST - 1e-6:  # 4.1 - 1.1 is a little less than 3
        raise ConfigError(f"The passage {passage} lasts {end - start:.3g} s; at least {SHORTEST:.0f} s are needed.")
    return passage


def format_time(seconds: float) -> str:
    """Format a time as players show it: 1:20, 1:02:03, and 1:20.5 between two seconds."""
    milliseconds = round(1000 * seconds)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    second = f"{rest // 1000:02d}" + f".{rest % 1000:03d}".rstrip("0").rstrip(".")
    return f"{hours}:{minutes:02d}:{second}" if hours else f"{minutes}:{second}"


def _parse_time(time: Sequence[str | None], text: str) -> float:
    hours, minutes, seconds = (float(unit or 0) for unit in time)
    if (time[1] and seconds >= 60) or (time[0] and minutes >= 60):
        raise ConfigError(f"In the passage {text!r} a time has more than 59 minutes or seconds beside a larger unit.")
    return 3600 * hours + 60 * minutes + seconds
