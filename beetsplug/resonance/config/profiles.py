"""Lists that a user asks for by name: the options of `beet playlist --profile NAME`, from the configuration."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from beets.exceptions import UserError

from beetsplug.resonance.config.query_words import split_query

SETTING = "resonance.profiles"
QUERIES = ("query", "avoid", "among")  # each the words of one query

Profile = Mapping[str, Any]


def profiles(value: Any) -> dict[str, Profile]:
    """The profiles of the setting: by name, options as a recipe has them, by the names of `recipe.OPTIONS`.

    Raises UserError for options that are not known and for values that an option does not take.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise UserError(
            f"{SETTING} in the configuration lists options by the name of a profile, as {{dinner: {{count: 30}}}}"
        )
    return {str(name): profile(f"{SETTING}.{name}", options) for name, options in value.items()}


def chosen(known: Mapping[str, Profile], name: str) -> Profile:
    """The profile of a name; UserError where the configuration has none."""
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        there = f"did you mean {near[0]}?" if near else f"the configuration has {', '.join(known) or 'none'}"
        raise UserError(f"there is no profile {name!r} under {SETTING}; {there}")
    return known[name]


def profile(place: str, options: Any) -> Profile:
    if not isinstance(options, Mapping):
        raise UserError(f"{place} in the configuration has options such as count: 30, and {options!r} is none")
    made: dict[str, Any] = {}
    for spelt, value in options.items():
        name = option(place, str(spelt))
        if name in made:
            raise UserError(f"{place} in the configuration has the option {spelt} twice")
        made[name] = converted(place, name, value)
    return made


def option(place: str, spelt: str) -> str:
    """The recipe's name of an option that is written as on a command line, or with _ for -."""
    from beetsplug.resonance.search.request import OPTION_NAMES
    from resonance_engine.playlist.recipe import OPTIONS

    names = {name: name for name in OPTIONS} | {spelling: name for name, spelling in OPTION_NAMES.items()}
    wanted = spelt.replace("-", "_")
    if wanted not in names:
        near = difflib.get_close_matches(wanted, names, 1)
        hint = f"did you mean {near[0]}?" if near else f"the options are {', '.join(names)}"
        raise UserError(f"{place} in the configuration: {spelt} is no option; {hint}")
    return names[wanted]


def converted(place: str, name: str, value: Any) -> Any:
    """A value as YAML has it, as a recipe has it: one text where a list is taken, a number where a text is.

    Of a query, a text is split into its words as in a smart playlist; weights may be given by name.
    """
    from resonance_engine.playlist.recipe import OPTIONS, TEXT, TEXTS, is_number

    if OPTIONS[name] == TEXTS and isinstance(value, str):
        value = split_query(value) if name in QUERIES else [value]
    elif OPTIONS[name] == TEXT and is_number(value):
        value = str(value)
    elif name == "weights" and isinstance(value, Mapping):
        value = ",".join(f"{facet}={weight}" for facet, weight in value.items())
    fits, kind = OPTIONS[name]
    if not fits(value):
        raise UserError(f"{place}.{name} in the configuration should be {kind}, not {value!r}")
    return value
