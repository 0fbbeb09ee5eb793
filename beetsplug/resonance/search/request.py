"""What a list is asked to be, as a command line, a profile or a recipe gives it."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from resonance_engine.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from resonance_engine.audio.passage import Passage
    from resonance_engine.search.constraints import Tempo
    from resonance_engine.search.ranking import Ranking
    from resonance_engine.search.selection import Rules

T = TypeVar("T")

LARGEST_COUNT = 100_000
LONGEST_MINUTES = 10_000.0
STRONGEST = 10.0  # as selection.Rules has it
RANKING = ("prf", "rerank", "lambda_div", "combine", "hubness", "min_score")
OPTION_NAMES = {"among": "from", "avoid": "not"}  # where the option's name is a word of Python
COMPARING = ("at", "combine", "weights", "like", "prf", "hubness")  # what has no sense without a track to start from
EXAMPLES = {
    "text": "'quiet acoustic guitar'",
    "like": "rhythm",
    "weights": "timbre=1,harmony=0.5,rhythm=2",
    "bpm": "0.95-1.05",
    "prefer": "play_count",
    "file": "song.mp3",
}


def option(name: str) -> str:
    """The option that a part of a wish is given by."""
    return f"--{OPTION_NAMES.get(name, name).replace('_', '-')}"


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Let a complaint begin with the option that it is about."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{option(name)}: {error}") from error


@dataclass(frozen=True)
class SearchRequest:
    """Seeds, candidates, ranking and rules of a list.

    `query`, `avoid` and `among` are words of beets queries: of the seeds, of what the list must not sound like, of what
    may come up. `file` are paths of seeds outside the library, `at` a passage of the seeds, `text` says in words what
    is wanted. None stands for the default of an option; of `per_artist`, `per_album` and `max_length` that is the
    configuration's.
    """

    query: tuple[str, ...] = ()
    file: tuple[str, ...] = ()
    at: str | None = None
    avoid: tuple[str, ...] = ()
    among: tuple[str, ...] = ()
    text: str | None = None
    count: int = 20
    combine: str | None = None
    weights: str | None = None
    like: str | None = None
    bpm: str | None = None
    key: str | None = None
    prefer: str | None = None
    prf: int | None = None
    rerank: str | None = None
    lambda_div: float | None = None
    hubness: str | None = None
    min_score: float | None = None
    max_length: float | None = None
    per_artist: int | None = None
    per_album: int | None = None
    versions: bool | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.count <= LARGEST_COUNT:
            raise ConfigError(f"-n must be 1 to {LARGEST_COUNT:,} tracks, not {self.count}.")
        if self.key not in (None, "compatible"):
            raise ConfigError(f"--key takes the word compatible, not {self.key!r}.")
        if self.weights and self.like:
            raise ConfigError("--weights and --like both weigh the facets; give one of them.")
        if self.max_length is not None and not 0 <= self.max_length <= LONGEST_MINUTES:
            raise ConfigError(
                f"--max-length must be 0 (any) to {LONGEST_MINUTES:,.0f} minutes, not {self.max_length:g}."
            )
        if self.at is not None and len(self.file) > 1:
            raise ConfigError("--at is a passage of one file; give one --file with it.")
        if self.lambda_div is not None and self.rerank == "none":
            raise ConfigError(
                "--lambda-div is the weight of diversity for --rerank mmr; --rerank none has no use for it."
            )
        self.must_say_something()
        # Mistakes are named before anything is read.
        self.passage()
        self.tempo()
        self.ranking()
        self.rules(0, 0)

    def must_say_something(self) -> None:
        """Raise ConfigError for an option whose text is empty, as a script's may be."""
        for name, example in EXAMPLES.items():
            value = getattr(self, name)
            texts = value if isinstance(value, tuple) else () if value is None else (value,)
            if not all(text.strip() for text in texts):
                raise ConfigError(f"{option(name)} has nothing after it; write for example {option(name)} {example}.")

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of all that can be asked."""
        return tuple(field.name for field in fields(cls))

    @property
    def seedless(self) -> bool:
        """Whether nothing was named to start from."""
        return not (self.query or self.file or self.text)

    def passage(self) -> Passage | None:
        """The passage that the seed is; raises ConfigError."""
        from resonance_engine.audio.passage import parse_passage

        if self.at is None:
            return None
        with naming("at"):
            return parse_passage(self.at)

    def tempo(self) -> Tempo | None:
        """The tempo that tracks must have; raises ConfigError."""
        from resonance_engine.search.constraints import Tempo

        if self.bpm is None:
            return None
        with naming("bpm"):
            return Tempo.parse(self.bpm)

    def ranking(self) -> Ranking:
        """How to rank; raises ConfigError."""
        from resonance_engine.search.ranking import Ranking

        given = {name: value for name in RANKING if (value := getattr(self, name)) is not None}
        if self.lambda_div is not None and self.rerank is None:
            given["rerank"] = "mmr"
        return self.stated(Ranking, count=self.count, **given)

    def rules(self, per_artist: int, per_album: int) -> Rules:
        """What the list may hold; the arguments are the caps where none were asked for. Raises ConfigError."""
        from resonance_engine.search.selection import Rules

        return self.stated(
            Rules,
            per_artist=per_artist if self.per_artist is None else self.per_artist,
            per_album=per_album if self.per_album is None else self.per_album,
            versions=bool(self.versions),
            favour=self.preference()[1],
        )

    def preference(self) -> tuple[str, float]:
        """The numeric field that is favoured, empty for none, and how much: from `rating` or `play_count=-0.5`."""
        if self.prefer is None:
            return "", 0.0
        name, given, number = self.prefer.partition("=")
        try:
            strength = float(number) if given else 1.0
        except ValueError:
            strength = math.nan
        if not name.strip() or math.isnan(strength):
            raise ConfigError(f"--prefer takes a numeric field, as in rating or play_count=-0.5, not {self.prefer!r}.")
        if abs(strength) > STRONGEST:
            raise ConfigError(
                f"--prefer counts a field up to {STRONGEST:.0f} times, or -{STRONGEST:.0f} times, not {strength:g}."
            )
        return name.strip(), strength

    @staticmethod
    def stated(kind: Callable[..., T], **values: Any) -> T:
        """A value of this kind, its complaints in the words of the options."""
        try:
            return kind(**values)
        except ValueError as error:
            said = str(error)
            for name in values:
                said = said.replace(name, option(name))
            raise ConfigError(f"{said}.") from error

    def recipe(self) -> Mapping[str, Any]:
        """What differs from the defaults, by the names of a playlist's recipe."""
        usual = type(self)()
        given = {name: getattr(self, name) for name in self.names() if getattr(self, name) != getattr(usual, name)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
