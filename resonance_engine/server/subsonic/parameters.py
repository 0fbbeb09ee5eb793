"""Parameters of a request of the OpenSubsonic API, from its address and from a form in its body."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException

from resonance_engine.server.subsonic.errors import GENERIC, PARAMETER_MISSING, SubsonicError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import Request

FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 10_000
MOST_DIGITS = 12


class Parameters:
    """Parameters by name, each with one value or several; one that is empty counts as given."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self.pairs = pairs

    def find(self, name: str) -> str | None:
        """Return the first value of a parameter, None where it is missing."""
        return next((value for key, value in self.pairs if key == name), None)

    def require(self, name: str) -> str:
        """Return the first value of a parameter; SubsonicError where it is missing or empty."""
        value = self.find(name)
        if not value:
            raise SubsonicError(PARAMETER_MISSING, f"The parameter {name} is missing.")
        return value

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """Return a whole number, no less than `low` and no more than `high`; SubsonicError for what is none."""
        value = self.find(name)
        if not value:
            return default
        digits = value.strip().removeprefix("-")
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= MOST_DIGITS):
            raise SubsonicError(GENERIC, f"The parameter {name} must be a whole number.")
        return min(max(int(value), low), high)

    def years(self) -> tuple[int, int] | None:
        """Return the years of `fromYear` and `toYear`, None where both are missing."""
        if self.find("fromYear") is None and self.find("toYear") is None:
            return None
        return self.number("fromYear", 0, 0, 9999), self.number("toYear", 9999, 0, 9999)


async def read_parameters(request: Request) -> Parameters:
    """Return the parameters of a request; HTTPException for a form that is none."""
    pairs = parse_pairs(request.url.query)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "POST" and kind == FORM:
        pairs += parse_pairs((await request.body()).decode("utf-8", "replace"))
    return Parameters(pairs)


def parse_pairs(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="replace")
    except ValueError:
        raise HTTPException(400, f"A request has at most {MOST_FIELDS:,} parameters.") from None
