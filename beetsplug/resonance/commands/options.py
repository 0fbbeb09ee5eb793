"""The options that `beet similar` and `beet playlist` share, and the wish that they come to."""

from __future__ import annotations

from optparse import OptionGroup
from typing import TYPE_CHECKING, Any, Protocol

from beetsplug.resonance.config.query_words import split_alternatives, split_option

if TYPE_CHECKING:
    from optparse import OptionParser

    from beetsplug.resonance.config.settings import Settings
    from beetsplug.resonance.search.request import SearchRequest


class SearchOptions(Protocol):
    """What optparse makes of the shared options; None where one was not given."""

    count: int | None
    file: list[str] | None
    at: str | None
    avoid: list[str] | None
    among: str | None
    text: str | None


def add_search_options(parser: OptionParser) -> None:
    """Add the options of seeds, candidates and ranking."""
    parser.add_option("-n", "--count", type="int", metavar="N", help="how many tracks (resonance.count, 20)")
    seeds = OptionGroup(parser, "Where to start")
    seeds.add_option("--file", action="append", metavar="PATH", help="a file, in the library or not; can be repeated")
    seeds.add_option("--at", metavar="FROM-TO", help="only a passage of the one track named, such as 1:20-1:50")
    seeds.add_option("--text", metavar="WORDS", help='"calm acoustic guitar, no vocals"; alone, or beside a QUERY')
    away = "keep away from what sounds like this; can be repeated"
    seeds.add_option("--not", dest="avoid", action="append", metavar="QUERY", help=away)
    how = "several tracks: close to many of them by `agreement` (the default), or to their `centroid`"
    seeds.add_option("--combine", metavar="HOW", help=how)
    parser.add_option_group(seeds)
    candidates = OptionGroup(parser, "What may come up")
    add = candidates.add_option
    add("--from", dest="among", metavar="QUERY", help="only tracks that match a beets query")
    add("--bpm", metavar="RANGE", help="tempo: 0.95-1.05 times the seed's, or 120-130; half and double count too")
    add("--key", metavar="compatible", help="only keys that mix with the seed's")
    add("--per-artist", type="int", metavar="N", help="most tracks of one artist, 0: any (resonance.per_artist, 3)")
    add("--per-album", type="int", metavar="N", help="most tracks of one album, 0: any (resonance.per_album, 2)")
    add("--max-length", type="float", metavar="MINUTES", help="no longer tracks, 0: any (resonance.max_length, 20)")
    add("--versions", action="store_true", default=None, help="do not leave out other versions of the same song")
    add("--min-score", type="float", metavar="S", help="only tracks with at least this score, -1 to 1")
    parser.add_option_group(candidates)
    ranking = OptionGroup(parser, "How to rank")
    add = ranking.add_option
    add("--like", metavar="FACET", help="above all the same rhythm, timbre, harmony or semantic (the kind of music)")
    add("--weights", metavar="LIST", help="weigh the facets: timbre=1,harmony=0.5,rhythm=2; the others weigh 1")
    add(
        "--prefer", metavar="FIELD[=S]", help="favour large numbers: rating, play_count=2; S below 0 favours small ones"
    )
    add("--rerank", metavar="HOW", help="`mmr` trades likeness for variety; `none` is the default")
    add("--lambda-div", type="float", metavar="X", help="for mmr: 0 is similarity alone, 1 is diversity alone (0.3)")
    add("--prf", type="int", metavar="N", help="let the first N hits sharpen what is looked for (0)")
    add("--hubness", metavar="HOW", help="`mutual_proximity` (the default) corrects for tracks close to all; `none`")
    parser.add_option_group(ranking)


def wish_from(opts: SearchOptions, args: list[str], settings: Settings, command: str) -> SearchRequest:
    """The wish that a command line comes to; raises UserError or ConfigError for what makes no sense."""
    from beetsplug.resonance.search.request import SearchRequest

    given: dict[str, Any] = {
        name: value for name in SearchRequest.names() if (value := getattr(opts, name, None)) is not None
    }
    given["query"], given["file"] = tuple(args), tuple(opts.file or ())
    given["among"] = () if opts.among is None else tuple(split_option(opts.among, f"{command} --from"))
    given["avoid"] = tuple(split_alternatives(opts.avoid or (), f"{command} --not"))
    return SearchRequest(**{"count": settings.count, **given})
