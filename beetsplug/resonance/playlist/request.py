"""A playlist request: a similarity request and the options of the list's order, validated and parsed once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beetsplug.resonance.config.options import PLAYLIST_NAMES, check_options, flag_of, split_option
from beetsplug.resonance.search.request import SearchRequest, recipe_values
from resonance_engine.errors import ConfigError

if TYPE_CHECKING:
    from resonance_engine.playlist.rules import SequenceRules
    from resonance_engine.search.constraints import Caps

# A path is made of what lies between its ends; nothing is ranked by closeness to them.
RANKING = (
    *(
        "file",
        "at",
        "avoid",
        "text",
        "combine",
        "weights",
        "like",
        "taste",
        "prefer",
        "prf",
        "rerank",
        "lambda_div",
        "hubness",
    ),
    "min_score",
)


class PlaylistRequest:
    """A search request plus ordering options: length, arc or path, spacing.

    `waypoints` are the queries, as words, of the tracks that a path leads through and ends at; none without a path.
    `seed` varies the list. With `recent` the seeds are so many of the matches of the query, those that were played
    last; without any seed the request `is_seedless`. `cluster` names that of the tracks which may come up. Raises
    ConfigError, PlaylistError or UserError for options that make no sense.
    """

    def __init__(self, **options: Any) -> None:
        from resonance_engine.playlist.arc import Arc
        from resonance_engine.playlist.rules import Length

        self.search = SearchRequest(**{name: value for name, value in options.items() if name not in PLAYLIST_NAMES})
        self.own_options = {name: value for name in PLAYLIST_NAMES if (value := options.get(name)) is not None}
        check_options(self.own_options)
        given = self.own_options.get
        self.seed: int | None = given("seed")
        self.recent: int | None = given("recent")
        self.is_seedless = self.search.is_seedless and self.recent is None
        self.cluster: str | None = given("cluster")
        self.is_absolute = bool(given("absolute"))
        self._check_combinations()
        self.waypoints = [split_option(query, "playlist --via") for query in given("via", ())]
        if "to" in self.own_options:
            self.waypoints.append(split_option(given("to", ""), "playlist --to"))
        self.arc = Arc.parse(given("arc", "")) if "arc" in self.own_options else None
        self.length = Length(self.search.count, given("minutes") and given("minutes", 0) * 60)

    def _check_combinations(self) -> None:
        """Raise ConfigError for options that a path has no use for."""
        own = self.own_options
        if "to" not in own:
            if own.get("via"):
                raise ConfigError("--via leads somewhere; name the end of the path with --to.")
            return
        if "arc" in own:
            raise ConfigError("Give either --to or --arc: a path has its own course.")
        ranking = [name for name in self.search.recipe() if name in RANKING]
        if ranking:
            raise ConfigError(
                f"{flag_of(ranking[0])} ranks what is close to the seeds, and a path with --to is made of what lies "
                "between its ends; leave one of them out."
            )
        if not self.search.query and self.recent is None:
            raise ConfigError("A path with --to begins with a track of the library; name it by a QUERY.")

    def rules(self, caps: Caps, spacing: int) -> SequenceRules:
        """Return the rules of the list; the arguments are the defaults. Raises PlaylistError."""
        from resonance_engine.playlist.rules import WORKS, SequenceRules

        between = self.own_options.get("spacing", spacing)
        return SequenceRules(
            caps=self.search.caps(caps),
            artist_spacing=between,
            album_spacing=between,
            works=self.own_options.get("works") or WORKS[0],
        )

    def recipe(self) -> dict[str, Any]:
        """Return the options that a playlist's file keeps; the others are chosen anew when the list is built again."""
        return {**self.search.recipe(), **recipe_values(self.own_options)}
