"""The options of a command line, by their names in the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beetsplug.resonance.config.options import SAVED
from beetsplug.resonance.config.query_words import split_alternatives, split_option

if TYPE_CHECKING:
    from optparse import Values

    from beetsplug.resonance.config.settings import Settings
    from beetsplug.resonance.search.request import SearchRequest


def given_options(opts: Values, args: list[str], command: str) -> dict[str, Any]:
    """Return the options that a command line gives, queries as words; raises UserError for an empty query."""
    given = {name: value for name in SAVED if (value := getattr(opts, name, None)) is not None}
    if "among" in given:
        given["among"] = split_option(given["among"], f"{command} --from")
    if "avoid" in given:
        given["avoid"] = split_alternatives(given["avoid"], f"{command} --not")
    return {**given, "query": args} if args else given


def parse_request(opts: Values, args: list[str], settings: Settings, command: str) -> SearchRequest:
    """Parse a command line to a search request; raises UserError or ConfigError."""
    from beetsplug.resonance.search.request import SearchRequest

    return SearchRequest(**{"count": settings.count, **given_options(opts, args, command)})
