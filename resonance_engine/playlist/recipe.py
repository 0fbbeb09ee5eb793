"""Recipes: the options of a playlist as one line of text in its file, from which it can be built again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from resonance_engine.errors import PlaylistError
from resonance_engine.records import describe_type, has_type

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1
LONGEST = 100_000  # characters; anything longer is not a recipe of ours
SHOWN_LENGTH = 60  # characters of a wrong value that an error repeats


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
