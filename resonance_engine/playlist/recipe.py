"""Recipes: the options of a playlist as one line of text in its file, and how the list built again differs."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from resonance_engine.errors import PlaylistError
from resonance_engine.records import describe_type, has_type

if TYPE_CHECKING:
    from collections.abc import Mapping

Key = TypeVar("Key", bound=Hashable)

VERSION = 1
LONGEST = 100_000  # characters; anything longer is not a recipe of ours
SHOWN_LENGTH = 60  # characters of a wrong value that an error repeats
TWICE = "is in the list twice"
GAVE_WAY = "gave way to others"


def write_recipe(options: Mapping[str, Any]) -> str:
    """Return options, which are JSON values by name, as one line of ASCII."""
    return json.dumps({"version": VERSION, **options}, allow_nan=False, separators=(",", ":"))


def read_recipe(text: str, types: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a recipe, each of the type that `types` gives for its name.

    Raises PlaylistError for a text that is no recipe of this version, and for unknown and mistyped options.
    """
    if len(text) > LONGEST:
        raise PlaylistError(f"The recipe is longer than {LONGEST:,} characters; it is not one of Resonance's.")
    try:
        options = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PlaylistError(f"The recipe {show_json(text)} is not JSON; make the playlist anew.") from error
    if not isinstance(options, dict) or not has_type(options.get("version"), int):
        raise PlaylistError(f"The recipe {show_json(text)} says no version; make the playlist anew.")
    version = options.pop("version")
    if version != VERSION:
        raise PlaylistError(
            f"The recipe is of version {show_json(version)}; this version of Resonance understands {VERSION}."
        )
    for name, value in options.items():
        if name not in types:
            raise PlaylistError(
                f"The recipe has the option {show_json(name)}, which this version of Resonance does not know; "
                "a newer version may have written it."
            )
        if not has_type(value, types[name]):
            kind = describe_type(types[name])
            raise PlaylistError(f"The recipe's option {name} should be {kind}, not {show_json(value)}.")
    return options


def show_json(value: object) -> str:
    """Return the beginning of a value as JSON writes it, or the kind of a list or object."""
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    text = json.dumps(value)
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}..."


@dataclass(frozen=True)
class Difference(Generic[Key]):
    """The difference of two lists: `kept` in the old order, `dropped` with reasons, `added` in the new order."""

    kept: tuple[Key, ...]
    dropped: tuple[tuple[Key, str], ...]
    added: tuple[Key, ...]

    def __str__(self) -> str:
        return f"{len(self.kept):,} kept, {len(self.dropped):,} dropped, {len(self.added):,} added"

    def lines(self, name_of: Callable[[Key], str]) -> list[str]:
        """Return a line for each entry that was dropped ("- ...: why") or added ("+ ...")."""
        dropped = [f"- {name_of(key)}: {reason}" for key, reason in self.dropped]
        return [*dropped, *(f"+ {name_of(key)}" for key in self.added)]


def drop_invalid(old: Sequence[Key], reason: Callable[[Key], str | None]) -> tuple[list[Key], list[tuple[Key, str]]]:
    """Split a list into the entries that still hold, in their order, and the others with the reason.

    `reason` returns why an entry no longer holds ("is no longer in the library"), or None. Of an entry that comes
    twice, the first holds.
    """
    kept: dict[Key, None] = {}
    dropped = []
    for key in old:
        why = TWICE if key in kept else reason(key)
        if why is None:
            kept[key] = None
        else:
            dropped.append((key, why))
    return list(kept), dropped


def compare_lists(old: Sequence[Key], new: Sequence[Key], dropped: Sequence[tuple[Key, str]]) -> Difference[Key]:
    """Compare the old list with the new one; `dropped` are the entries and reasons of `drop_invalid`."""
    present, before, reasons = set(new), set(old), dict(dropped)
    stayed = dict.fromkeys(key for key in old if key in present)
    gone = [(key, reasons.get(key, GAVE_WAY)) for key in dict.fromkeys(old) if key not in present]
    repeated = [(key, why) for key, why in dropped if key in present]
    return Difference(tuple(stayed), (*gone, *repeated), tuple(key for key in new if key not in before))
