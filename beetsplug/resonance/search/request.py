"""A similarity request: the options of `beet similar`, validated and parsed once."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from beetsplug.resonance.config.options import SETTINGS, check_options, flag_of
from resonance_engine.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from beetsplug.resonance.search.file_seeds import FileSeed
    from resonance_engine.audio.passage import Passage
    from resonance_engine.search.constraints import Caps, TempoRange

STRONGEST = 10.0
COMPARING = ("at", "combine", "weights", "like", "taste", "prf", "hubness")  # without effect unless a track is named


@contextmanager
def option_errors(name: str) -> Iterator[None]:
    """Let the message of a ConfigError begin with the option that it is about."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{flag_of(name)}: {error}") from error


class Preference(NamedTuple):
    """A numeric field of items, and how much its large values are favoured; below 0, small ones are."""

    field: str
    strength: float

    @classmethod
    def parse(cls, text: str) -> Preference:
        """Parse `rating` or `play_count=-0.5`; raises ConfigError."""
        name, equals, number = text.partition("=")
        try:
            strength = float(number) if equals else 1.0
        except ValueError:
            strength = math.nan
        if not name.strip() or math.isnan(strength):
            raise ConfigError(f"--prefer takes a numeric field, as in rating or play_count=-0.5, not {text!r}.")
        if abs(strength) > STRONGEST:
            raise ConfigError(
                f"--prefer counts a field up to {STRONGEST:.0f} times, or -{STRONGEST:.0f} times, not {strength:g}."
            )
        return cls(name.strip(), strength)


class SearchRequest:
    """A validated similarity request: seeds, candidate filters, ranking options and list limits.

    `options` are those that were given, by their names in the table of options; ConfigError is raised for values that
    they do not take. `query`, `avoid` and `among` are words of beets queries: of the seeds, of negative seeds, of the
    candidates. `files` are paths of seeds outside the library, `analysed` such that were analysed before, `passage` is
    the part of a seed that counts, `text` describes music in words. `weights` and `like` are parsed against a model's
    facets, see `facets.parse_weights`.
    """

    def __init__(self, *, analysed: Sequence[FileSeed] = (), **options: Any) -> None:
        from resonance_engine.audio.passage import parse_passage
        from resonance_engine.search.constraints import TempoRange
        from resonance_engine.search.ranking import Ranking

        self.options = {name: value for name, value in options.items() if value is not None}
        check_options(self.options)
        given = self.options.get
        self.query: tuple[str, ...] = tuple(given("query", ()))
        self.files: tuple[str, ...] = tuple(given("file", ()))
        self.analysed = tuple(analysed)
        self.avoid: tuple[str, ...] = tuple(given("avoid", ()))
        self.among: tuple[str, ...] = tuple(given("among", ()))
        self.text: str | None = given("text")
        self.count: int = given("count", SETTINGS["count"].default)
        self.is_seedless = not (self.query or self.files or self.analysed or self.text)
        self.weights: str | None = given("weights")
        self.like: str | None = given("like")
        self.taste = bool(given("taste"))
        self.compatible_key = "key" in self.options
        self.vocals: str | None = given("vocals")
        self.max_length: float | None = given("max_length")
        self.versions = bool(given("versions"))
        if self.weights and self.like:
            raise ConfigError("--weights and --like both weigh the facets; give one of them.")
        if self.taste and (self.weights or self.like):
            other = "--weights" if self.weights else "--like"
            raise ConfigError(f"--taste and {other} both weigh the facets; give one of them.")
        if "at" in self.options and len(self.files) > 1:
            raise ConfigError("--at is a passage of one file; give one --file with it.")
        if "lambda_div" in self.options and self.options.get("rerank") == "none":
            raise ConfigError(
                "--lambda-div is the weight of diversity for --rerank mmr; --rerank none has no use for it."
            )
        self.passage: Passage | None = self._parsed("at", parse_passage) if "at" in self.options else None
        self.tempo: TempoRange | None = self._parsed("bpm", TempoRange.parse) if "bpm" in self.options else None
        self.preference = Preference.parse(self.options["prefer"]) if "prefer" in self.options else None
        ranking = {field.name: self.options[field.name] for field in fields(Ranking) if field.name in self.options}
        if "lambda_div" in ranking:
            ranking["rerank"] = "mmr"
        self.ranking = Ranking(**{**ranking, "count": self.count})

    def _parsed(self, name: str, parse: Any) -> Any:
        """Return the value of an option, parsed."""
        with option_errors(name):
            return parse(self.options[name])

    @property
    def comparing(self) -> list[str]:
        """The options that compare with a track, and need one."""
        names = [name for name in COMPARING if name in self.options]
        names += ["bpm"] if self.tempo is not None and self.tempo.relative else []
        return [*names, "key"] if self.compatible_key else names

    def caps(self, default: Caps) -> Caps:
        """Return the caps of the list: those of the request, which hold, and the default ones, which may give way."""
        given = {cap.name: self.options[cap.name] for cap in fields(default) if cap.name in self.options}
        return replace(default, **given, fixed=frozenset(given))

    def recipe(self) -> dict[str, Any]:
        """Return the options that differ from the defaults, as a playlist's recipe has them."""
        return recipe_values(self.options)


def recipe_values(options: dict[str, Any]) -> dict[str, Any]:
    """Options as JSON has them, without empty ones and the usual count."""
    lists = {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
    usual = SETTINGS["count"].default
    return {name: value for name, value in lists.items() if value != [] and (name, value) != ("count", usual)}
