"""What a playlist is asked to be, as a command line, a profile or the recipe in its file gives it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from beetsplug.resonance.config.query_words import split_option
from beetsplug.resonance.search.request import LONGEST_MINUTES, SearchRequest, option
from resonance_engine.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonance_engine.playlist.arc import Arc
    from resonance_engine.playlist.length import Length
    from resonance_engine.playlist.recipe import PlaylistRecipe
    from resonance_engine.playlist.rules import SequenceRules

MOST_RECENT = 500
WIDEST_SPACING = 1_000
OWN = ("to", "via", "minutes", "arc", "seed", "works", "spacing", "recent", "absolute")
# A path is made of what lies between its ends; nothing is ranked by closeness to them.
RANKING = (
    *("file", "at", "avoid", "text", "combine", "weights", "like", "prefer", "prf", "rerank", "lambda_div", "hubness"),
    "min_score",
)


@dataclass(frozen=True)
class PlaylistRequest:
    """A wish, and what makes a playlist of what fulfils it.

    `to` and `via` are queries of tracks that a path ends at and leads through, `arc` an attribute and its course such
    as energy:rise. `minutes` counts instead of the wish's number of tracks where it is given. `seed` varies the list,
    `spacing` is the number of tracks between two of one artist or album, `works` says what becomes of movements. With
    `recent` the seeds are so many of the wish's tracks, those that were played last. None stands for a default.
    """

    wish: SearchRequest = field(default_factory=SearchRequest)
    to: str | None = None
    via: tuple[str, ...] = ()
    minutes: float | None = None
    arc: str | None = None
    seed: int | None = None
    works: str | None = None
    spacing: int | None = None
    recent: int | None = None
    absolute: bool | None = None

    def __post_init__(self) -> None:
        if self.minutes is not None and not 0 < self.minutes <= LONGEST_MINUTES:
            raise ConfigError(f"--minutes must be above 0 and at most {LONGEST_MINUTES:,.0f}, not {self.minutes:g}.")
        for name, least, most in (("spacing", 0, WIDEST_SPACING), ("recent", 1, MOST_RECENT)):
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ConfigError(f"--{name} must be {least} to {most:,}, not {value}.")
        if self.to is not None:
            self.must_be_a_path()
        elif self.via:
            raise ConfigError("--via leads somewhere; name the end of the path with --to.")
        # Mistakes are named before anything is read.
        self.course()
        self.rules(0, 0, 0)

    def must_be_a_path(self) -> None:
        """Raise ConfigError for options that a path has no use for."""
        if self.arc is not None:
            raise ConfigError("Give either --to or --arc: a path has its own course.")
        asked = [name for name in self.wish.recipe() if name in RANKING]
        if asked:
            raise ConfigError(
                f"{option(asked[0])} ranks what is close to the seeds, and a path with --to is made of what lies "
                "between its ends; leave one of them out."
            )
        if not self.wish.query and self.recent is None:
            raise ConfigError("A path with --to begins with a track of the library; name it by a QUERY.")

    @property
    def seedless(self) -> bool:
        """Whether nothing was named to start from."""
        return self.wish.seedless and self.recent is None

    def length(self) -> Length:
        """How long the list is to be."""
        from resonance_engine.playlist.length import Length

        return Length(self.wish.count, None if self.minutes is None else self.minutes * 60)

    def course(self) -> Arc | None:
        """The arc that is asked for; raises PlaylistError for a text that names none."""
        from resonance_engine.playlist.arc import Arc

        return None if self.arc is None else Arc.of(self.arc)

    def rules(self, per_artist: int, per_album: int, spacing: int) -> SequenceRules:
        """The rules of the list; the arguments are the defaults, 0 for any number of tracks. Raises PlaylistError."""
        from resonance_engine.playlist.rules import WORKS, SequenceRules

        between = spacing if self.spacing is None else self.spacing
        return SequenceRules(
            per_artist=(per_artist if self.wish.per_artist is None else self.wish.per_artist) or None,
            per_album=(per_album if self.wish.per_album is None else self.wish.per_album) or None,
            artist_spacing=between,
            album_spacing=between,
            works=self.works or WORKS[0],
        )

    def corners(self) -> list[list[str]]:
        """The queries of the tracks that a path leads through and ends at, each as words."""
        ends = [(each, "playlist --via") for each in self.via] + [(self.to or "", "playlist --to")]
        return [split_option(query, option) for query, option in ends]

    def recipe(self) -> PlaylistRecipe:
        """What the playlist's file remembers of this; what is None there, too, is for the next time to choose."""
        from resonance_engine.playlist.recipe import PlaylistRecipe

        return PlaylistRecipe.of(**self.wish.recipe(), **{name: getattr(self, name) for name in OWN})

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> PlaylistRequest:
        """The programme of options by their names in a recipe; raises ConfigError or PlaylistError for no sense."""
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in options.items()
        }
        own = {each.name for each in fields(cls)} - {"wish"}
        return cls(
            SearchRequest(**{name: value for name, value in given.items() if name not in own}),
            **{name: value for name, value in given.items() if name in own},
        )
