"""The table of options, for command lines, profiles, recipes, the configuration and the documents.

Beside it the grammar of query text, which is the same for `--from`, `--not`, `--to`, `--via`, `--and`, `similar:`,
profiles and `exclude`.
"""

from __future__ import annotations

import math
import re
import shlex
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from beets.dbcore.query import PathQuery
from beets.exceptions import UserError

from resonance_engine.files import expand_home
from resonance_engine.suggestions import suggest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from optparse import OptionGroup, OptionParser, Values

QUOTE = re.compile(r"[\"'\\]")
FIELD = re.compile(r"[^\s:]+:[^,]*$")  # and no comma at the end, which begins an alternative
NEW_TERM = re.compile(r"[\^-]\S|,$|[^\s:]+:\S")

LARGEST_COUNT = 100_000
SEEDS, CANDIDATES, RANKING = "Where to start", "What may come up", "How to rank"
ORDER, OUTPUT = "How the list goes", "Where it goes"
SIMILAR, PLAYLIST, RADIO = ("similar",), ("playlist",), ("radio",)
BOTH = SIMILAR + PLAYLIST
ALL = BOTH + RADIO
ANY_NUMBER = "is a number of tracks, 0 for any number"


class Option(NamedTuple):
    """One option, or one setting of the configuration, or both under one name.

    `type` is that of its value as `records.has_type` has it. `commands` take it, in a `group` of their help; where
    `saved`, profiles and recipes do, too. A value lies within `range`, both ends included, and among the `choices`;
    `rule` begins the sentence about one that does not. `example` is a value of an option that must not be empty. With
    a `comment`, which the documents show, it is a setting with this `default`.
    """

    name: str
    type: Any
    help: str = ""
    metavar: str | None = None
    group: str = ""
    commands: tuple[str, ...] = ALL
    flags: tuple[str, ...] = ()
    repeatable: bool = False
    saved: bool = True
    range: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    rule: str = ""
    example: str = ""
    default: Any = None
    comment: str = ""

    @property
    def flag(self) -> str:
        """The flag on a command line, such as --per-artist."""
        return self.flags[-1] if self.flags else f"--{self.name.replace('_', '-')}"

    def add_to(self, parser: OptionParser | OptionGroup) -> None:
        """Add the option to a command's."""
        setting = f" (resonance.{self.name}, {self.default})" if self.comment else ""
        how: dict[str, Any] = {"dest": self.name, "help": self.help + setting}
        if self.type is bool:
            how |= {"action": "store_true"}
        else:
            kind = {int: "int", float: "float"}.get(self.type, "string")
            how |= {"action": "append" if self.repeatable else "store", "type": kind, "metavar": self.metavar}
        parser.add_option(*(self.flags or (self.flag,)), **how)


setting = partial(Option, commands=(), saved=False)  # of the configuration alone

# In the order of `--help`.
TABLE = (
    setting("auto", str, choices=("yes", "import", "background", "no"), default="yes",
            comment="analyse during the import, but what a terminal would wait for longer than 10 s in the background; "
            "`import`: all during the import; `background`: all after it; `no`: only on `beet resonance analyze`"),
    setting("model", str, default="default", comment="what `beet resonance model use` chose, at first the shipped one; "
            "or a model's path, or default-int8, which then decides"),
    setting("threads", int, range=(0, 64), default=0,
            comment="files analysed side by side; 0: one per core, at most four"),
    setting("timeout", float, range=(1, 86_400), default=120, comment="seconds after which a file is given up"),
    setting("nice", int, range=(0, 19), default=10,
            comment="how much the background gives way to other programs, 0 to 19"),
    setting("pace", int, range=(10, 100), default=100,
            comment="percent of the time in which the background works, 10 to 100"),
    setting("hours", str, default="",
            comment='when the background may work, such as "22:00-07:00", several with commas; empty: always'),
    setting("sidecar", str, default="", comment="where the data are: empty, in resonance.db beside the library; or a "
            "PostgreSQL database that several machines share, postgresql+psycopg://user@host/database"),
    setting("index", str, choices=("auto", "int8", "float16", "float32", "ivf"), default="auto",
            comment="how the nearest tracks are searched: `auto` by int8, from 200,000 tracks on by ivf; all but `ivf` "
            "are exact"),
    Option("query", list[str]),
    Option("count", int, "how many tracks", "N", commands=BOTH, flags=("-n", "--count"), range=(1, LARGEST_COUNT),
           rule=f"-n must be 1 to {LARGEST_COUNT:,} tracks", default=20,
           comment="tracks that `beet similar` and `beet playlist` list"),
    Option("file", list[str], "a file, in the library or not; can be repeated", "PATH", SEEDS, BOTH, repeatable=True,
           example="song.mp3"),
    Option("at", str, "only a passage of the one track named, such as 1:20-1:50", "FROM-TO", SEEDS, BOTH),
    Option("text", str, '"calm acoustic guitar, no vocals"; alone, or beside a QUERY', "WORDS", SEEDS,
           example="'quiet acoustic guitar'"),
    Option("avoid", list[str], "keep away from what sounds like this; can be repeated", "QUERY", SEEDS,
           flags=("--not",), repeatable=True),
    Option("combine", str, "several tracks: close to many of them by `agreement` (the default), or to their `centroid`",
           "HOW", SEEDS, BOTH, choices=("agreement", "centroid")),
    Option("among", list[str], "only tracks that match a beets query", "QUERY", CANDIDATES, flags=("--from",)),
    Option("cluster", str, "only tracks of a cluster of `beet resonance map`", "NAME", CANDIDATES,
           PLAYLIST + RADIO, example="'piano, jazz'"),
    Option("bpm", str, "tempo: 0.95-1.05 times the seed's, or 120-130; half and double count too", "RANGE", CANDIDATES,
           example="0.95-1.05"),
    Option("key", str, "only keys that mix with the seed's", "compatible", CANDIDATES, choices=("compatible",),
           rule="--key takes the word compatible"),
    Option("vocals", str, "only tracks with vocals `throughout`, `sung` anywhere, or `none`", "HOW", CANDIDATES,
           choices=("none", "sung", "throughout")),
    Option("per_artist", int, "most tracks of one artist, 0: any", "N", CANDIDATES, range=(0, math.inf),
           rule=f"--per-artist {ANY_NUMBER}", default=3,
           comment="at most so many tracks of one artist in a list; 0: any number"),
    Option("per_album", int, "most tracks of one album, 0: any", "N", CANDIDATES, range=(0, math.inf),
           rule=f"--per-album {ANY_NUMBER}", default=2,
           comment="at most so many tracks of one album in a list; 0: any number"),
    Option("max_length", float, "no longer tracks, 0: any", "MINUTES", CANDIDATES, range=(0, 10_000),
           rule="--max-length must be 0 (any) to 10,000 minutes", default=20,
           comment="longer tracks never come up, in minutes; 0: any length"),
    Option("versions", bool, "do not leave out other versions of the same song", group=CANDIDATES),
    Option("min_score", float, "only tracks with at least this score, -1 to 1", "S", CANDIDATES, range=(-1, 1),
           rule="--min-score must lie between -1 and 1"),
    Option("like", str, "above all the same rhythm, timbre, harmony, semantic (the kind of music) or instrumentation "
           "(instruments and voices)", "FACET", RANKING, example="rhythm"),
    Option("weights", str, "weigh the facets: timbre=1,harmony=0.5,rhythm=2; the others weigh 1", "LIST", RANKING,
           example="timbre=1,harmony=0.5,rhythm=2"),
    Option("taste", bool, "weigh the facets as your lists or your answers taught, see `beet resonance teach`",
           group=RANKING),
    Option("prefer", str, "favour large numbers: rating, play_count=2; S below 0 favours small ones", "FIELD[=S]",
           RANKING, example="play_count"),
    Option("rerank", str, "`mmr` trades likeness for variety; `none` is the default", "HOW", RANKING,
           choices=("none", "mmr")),
    Option("lambda_div", float, "for mmr: 0 is similarity alone, 1 is diversity alone (0.3)", "X", RANKING,
           range=(0, 1), rule="--lambda-div must lie between 0 (similarity alone) and 1 (diversity alone)"),
    Option("prf", int, "let the first N hits sharpen what is looked for (0)", "N", RANKING, range=(0, math.inf),
           rule="--prf is a number of hits, 0 or more"),
    Option("hubness", str, "`mutual_proximity` (the default) corrects for tracks close to all; `none`", "HOW", RANKING,
           choices=("mutual_proximity", "none")),
    Option("minutes", float, "how long it plays, instead of -n", "M", ORDER, PLAYLIST, ("-m", "--minutes"),
           range=(math.ulp(0.0), 10_000), rule="--minutes must be above 0 and at most 10,000"),
    Option("to", str, "lead in even steps to the track of this query; exact ends, no repeats", "QUERY", ORDER,
           PLAYLIST),
    Option("via", list[str], "on the way, lead through this; can be repeated, in order", "QUERY", ORDER, PLAYLIST,
           repeatable=True),
    Option("arc", str, "energy, tempo or brightness, then rise, fall, peak or valley: energy:rise; it decides what "
           "opens the list", "COURSE", ORDER, PLAYLIST),
    Option("works", str, "movements of a work `together` (the default), `avoid` several, or `ignore`", "HOW", ORDER,
           PLAYLIST, choices=("together", "avoid", "ignore"), rule="Works can be together, avoid or ignore"),
    Option("spacing", int, "tracks between two of one artist or album", "N", ORDER, PLAYLIST + RADIO, range=(0, 1_000),
           default=2, comment="tracks between two of one artist in a playlist"),
    Option("seed", int, "vary the list; the same number gives the same list", "N", ORDER, PLAYLIST + RADIO),
    Option("recent", int, "start from the N tracks played last (that match QUERY, if given)", "N", ORDER, PLAYLIST,
           range=(1, 500)),
    Option("profile", str, "options from resonance.profiles; those on the command line go before", "NAME", ORDER,
           PLAYLIST + RADIO, saved=False),
    Option("output", str, "write an .m3u8 or .m3u file, with the recipe, instead of printing", "FILE", OUTPUT,
           PLAYLIST, ("-o", "--output"), saved=False),
    Option("absolute", bool, "absolute paths in the file, not relative to it", group=OUTPUT, commands=PLAYLIST),
    Option("paths", bool, "print absolute paths byte for byte and nothing else, for `| mpc add`", group=OUTPUT,
           commands=PLAYLIST, saved=False),
    Option("json", bool, "print one JSON list", group=OUTPUT, commands=PLAYLIST, saved=False),
    Option("mpd", bool, "append the tracks to the queue of MPD, too", group=OUTPUT, commands=PLAYLIST, saved=False),
    Option("refresh", bool, "make the lists in FILEs again: keep what still holds, fill up", group=OUTPUT,
           commands=PLAYLIST, saved=False),
    Option("pretend", bool, "with --refresh, only say what would change", group=OUTPUT, commands=PLAYLIST, saved=False),
    Option("artists", bool, "list artists who sound like those of the tracks that match", commands=SIMILAR,
           saved=False),
    Option("explain", bool, "say of each track what makes it alike", commands=SIMILAR, saved=False),
    Option("interactive", bool, "number the list and ask: play, add to a file, go on from a track", commands=SIMILAR,
           flags=("-i", "--interactive"), saved=False),
    Option("json", bool, "print JSON, for programs", commands=SIMILAR, saved=False),
    Option("mpd", bool, "append the tracks to the queue of MPD, too", commands=SIMILAR, saved=False),
    setting("exclude", list[Any], default=[], comment='beets queries whose matches never come up, as '
            '["genres:audiobook", {query: christmas, except: 12-01..12-31}]'),
    setting("profiles", dict[str, Any], default={}, comment="options of `beet playlist --profile NAME`, as "
            '{dinner: {query: "genres:jazz", minutes: 90, arc: "energy:rise"}}'),
)  # fmt: skip

SETTINGS = {option.name: option for option in TABLE if option.comment}
SAVED = {option.name: option for option in TABLE if option.saved}
PLAYLIST_NAMES = tuple(name for name, option in SAVED.items() if "similar" not in option.commands)
RADIO_NAMES = tuple(name for name, option in SAVED.items() if "radio" in option.commands)


def flag_of(name: str) -> str:
    """Return the flag of an option, such as --per-artist."""
    return next(option.flag for option in TABLE if option.name == name)


def command_options(command: str) -> list[Option]:
    """Return the options that a command takes, in the order of its help."""
    return [option for option in TABLE if command in option.commands and option.help]


def add_options(parser: OptionParser, options: Iterable[Option]) -> None:
    """Add options to a command's parser, in the groups of its help."""
    groups: dict[str, OptionGroup] = {}
    for option in options:
        if option.group and option.group not in groups:
            groups[option.group] = parser.add_option_group(option.group)
        option.add_to(groups[option.group] if option.group else parser)


def check_options(options: Mapping[str, Any]) -> None:
    """Raise ConfigError for a value outside the range of its option, not among the choices, or empty but needed."""
    from resonance_engine.errors import ConfigError

    for option, value in ((SAVED[name], value) for name, value in options.items()):
        if option.example and not all(text.strip() for text in ((value,) if isinstance(value, str) else value)):
            raise ConfigError(f"{option.flag} has nothing after it; write for example {option.flag} {option.example}.")
        low, high = option.range or (-math.inf, math.inf)
        if option.range and not low <= value <= high:
            rule = option.rule or f"{option.flag} must be {low} to {high:,}"
            raise ConfigError(f"{rule}, not {str(value).removesuffix('.0')}.")
        if option.choices and value not in option.choices:
            rule = option.rule or f"{option.flag} must be one of {', '.join(option.choices)}"
            hint = suggest(str(value), option.choices, "")
            raise ConfigError(f"{rule}, not {value!r}{f'; {hint}' if hint else '.'}")


def given_options(opts: Values, args: list[str], command: str) -> dict[str, Any]:
    """Return the options that a command line gives, queries as words; raises UserError for what makes no sense."""
    given = {name: value for name in SAVED if (value := getattr(opts, name, None)) is not None}
    for name, flag in (("among", "--from"), ("avoid", "--not")):
        if name in given:
            given[name] = split_option(given[name], f"{command} {flag}")
    if "file" in given and (extra := [word for word in args if expand_home(word).is_file()]):
        raise UserError(f"{command}: --file takes one file; repeat it: --file {given['file'][0]} --file {extra[0]}")
    return {**given, "query": args} if args else given


def split_query(text: str) -> list[str]:
    """Split a query into words.

    Where quotes are in pairs, as a shell does; without, a value goes on to the next field: "title:don't stop".
    """
    if PathQuery.is_path_query(text):
        return [text]
    if QUOTE.search(text):
        try:
            return [word for word in shlex.split(text) if word]
        except ValueError:  # an apostrophe
            pass
    words: list[str] = []
    for word in text.split():
        if words and FIELD.match(words[-1]) and not NEW_TERM.match(word):
            words[-1] += f" {word}"
        else:
            words.append(word)
    return words


def split_option(texts: str | Iterable[str], option: str) -> list[str]:
    """Split the query that an option such as "similar --from" was given; of several, the matches are those of any.

    Raises UserError for one that has no words.
    """
    words: list[str] = []
    for text in [texts] if isinstance(texts, str) else texts:
        query = split_query(text)
        if not query:
            raise UserError(f"{option}: a query is missing, for example `{option.split()[-1]} genres:jazz`")
        words += [",", *query] if words else query
    return words
