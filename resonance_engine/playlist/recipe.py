"""How a list was asked for, as one line of text that goes into its file, so that it can be made again."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resonance_engine.errors import PlaylistError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VERSION = 1
LONGEST = 100_000  # characters; anything longer is not a recipe of ours
LARGEST = 2**63  # whole numbers are smaller
SHOWN = 60  # characters of a wrong value that an error repeats


def is_text(value: object) -> bool:
    return isinstance(value, str)


def is_switch(value: object) -> bool:
    return isinstance(value, bool)


def is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST


def is_number(value: object) -> bool:
    return is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def is_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(is_text, value))


TEXT = is_text, "a text"
TEXTS = is_texts, "a list of texts"
WHOLE = is_whole, "a whole number"
NUMBER = is_number, "a number"
SWITCH = is_switch, "true or false"

# Every option of a list that makes it another list, with the values that it takes.
OPTIONS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "query": TEXTS,
    "file": TEXTS,
    "at": TEXT,
    "to": TEXT,
    "via": TEXTS,
    "avoid": TEXTS,
    "among": TEXTS,
    "text": TEXT,
    "recent": WHOLE,
    "count": WHOLE,
    "minutes": NUMBER,
    "arc": TEXT,
    "seed": WHOLE,
    "works": TEXT,
    "per_artist": WHOLE,
    "per_album": WHOLE,
    "spacing": WHOLE,
    "combine": TEXT,
    "weights": TEXT,
    "like": TEXT,
    "bpm": TEXT,
    "key": TEXT,
    "prefer": TEXT,
    "prf": WHOLE,
    "rerank": TEXT,
    "lambda_div": NUMBER,
    "hubness": TEXT,
    "min_score": NUMBER,
    "max_length": NUMBER,
    "versions": SWITCH,
    "absolute": SWITCH,
}


@dataclass(frozen=True)
class PlaylistRecipe:
    """Options by name, as JSON values: those in `OPTIONS`, each only where it was given.

    Raises PlaylistError for an option that is not known and for a value of another kind than its option takes.
    """

    options: Mapping[str, Any]

    def __post_init__(self) -> None:
        for name, value in self.options.items():
            if name not in OPTIONS:
                raise PlaylistError(
                    f"The recipe has the option {shown(name)}, which this version of Resonance does not know; "
                    "a newer version may have written it."
                )
            fits, kind = OPTIONS[name]
            if not fits(value):
                raise PlaylistError(f"The recipe's option {name} should be {kind}, not {shown(value)}.")

    @classmethod
    def of(cls, **options: Any) -> PlaylistRecipe:
        """The recipe of these options; None, an empty list and a tuple instead of a list are understood."""
        given = {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
        return cls({name: value for name, value in given.items() if value is not None and value != []})

    @classmethod
    def read(cls, text: str) -> PlaylistRecipe:
        """The recipe that a text holds; PlaylistError where it holds none that this version understands."""
        if len(text) > LONGEST:
            raise PlaylistError(f"The recipe is longer than {LONGEST:,} characters; it is not one of Resonance's.")
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise PlaylistError(f"The recipe {shown(text)} is not JSON; make the playlist anew.") from error
        if not isinstance(found, dict) or not is_whole(found.get("version")):
            raise PlaylistError(f"The recipe {shown(text)} says no version; make the playlist anew.")
        version = found.pop("version")
        if version != VERSION:
            raise PlaylistError(
                f"The recipe is of version {shown(version)}; this version of Resonance understands {VERSION}."
            )
        return cls(found)

    def text(self) -> str:
        """The recipe as one line of ASCII."""
        return json.dumps({"version": VERSION, **self.options}, allow_nan=False, separators=(",", ":"))


def shown(value: object) -> str:
    """A value as JSON writes it, or the beginning of it, or what it is."""
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    text = json.dumps(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
