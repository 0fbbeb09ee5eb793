"""The options of `beet similar` and `beet playlist` as parameters of the API, from their one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_origin

from beetsplug.resonance.config.options import SAVED, split_option, split_query
from resonance_engine.server.collection import QueryOption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beetsplug.resonance.config.options import Option

# No client may name files of this machine, and a list that is sent has no paths.
LEFT_OUT = frozenset({"file", "absolute"})
QUERIES = frozenset({"among", "avoid"})
QUERY_HELP = "a query of beets that matches the tracks to start from"


def api_options(command: str) -> tuple[QueryOption, ...]:
    """Return the options of a command that the API takes."""
    return tuple(
        to_query_option(option) for name, option in SAVED.items() if command in option.commands and name not in LEFT_OUT
    )


def to_query_option(option: Option) -> QueryOption:
    """Return an option of the table as the API has it: named as its flag, a text for a query in words."""
    name = option.flag.lstrip("-").replace("-", "_")
    is_list = get_origin(option.type) is list
    kind = (list if option.repeatable else str) if is_list else option.type
    return QueryOption(name, option.name, kind, option.help or QUERY_HELP, option.default, option.range, option.choices)


def request_options(options: Mapping[str, Any], command: str) -> dict[str, Any]:
    """Return the values of the API's options as a request takes them: queries in words."""
    given = dict(options)
    if "query" in given:
        given["query"] = split_query(given["query"])
    for name in QUERIES & given.keys():
        given[name] = split_option(given[name], f"{command} {SAVED[name].flag}")
    return given
