"""The verbs of `beet resonance`: what each takes and does, for the parser, its errors and its help."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from beets.exceptions import UserError

from beetsplug.resonance.commands.common import join_words
from resonance_engine.suggestions import suggest

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = "beet resonance"
GROUPS = ("model", "sidecar", "vectors")  # the first of two words


class Verb(NamedTuple):
    """A verb: a line about it, what its usage names beside the options, more about it, an example, its options.

    One that `is_whole` is about the whole library and takes no query. `noun` is what a verb takes one of: its words in
    messages, and one that an example can have.
    """

    summary: str
    arguments: str = ""
    details: str = ""
    example: str = ""
    options: tuple[str, ...] = ()
    is_whole: bool = False
    noun: tuple[str, str] | None = None


VERBS = {
    "analyze": Verb(
        "analyse every track that is new or has changed",
        "[QUERY]",
        "It can be stopped at any time and goes on where it was. With a QUERY it keeps to the tracks that\n"
        "match, and tries those again that failed before. With --scheduler the workers of a Dask cluster do it.",
        "--threads 2 albumartist:bach",
        (
            "threads",
            "pretend",
            "background",
            "passages",
            "scheduler",
            "send_files",
            "scheduler_ca",
            "scheduler_cert",
            "scheduler_key",
            "insecure_scheduler",
        ),
    ),
    "pause": Verb("let the background rest, also after new imports", is_whole=True),
    "resume": Verb("let the background go on", is_whole=True),
    "stop": Verb("end the background analysis; what it has done is kept", is_whole=True),
    "status": Verb("say how many tracks are analysed, with which model, and what failed", is_whole=True),
    "failures": Verb(
        "list the files that could not be analysed, and why",
        "[QUERY]",
        "A file that failed is not tried again until it changes, or with --retry.",
        "--retry albumartist:bach",
        ("retry", "threads"),
    ),
    "check": Verb(
        "look for damage in the collected data",
        details="Your music and beets' own library are not touched.",
        example="--repair",
        options=("repair",),
        is_whole=True,
    ),
    "sidecar copy": Verb(
        "copy the collected data into another database, or back into a file",
        "ADDRESS | FILE",
        "An ADDRESS is one such as postgresql+psycopg://user@host/database. Every row is the same in the copy, which\n"
        "has to be empty before; a FILE must not be there. The data stay where they are, too, and are used until\n"
        "`sidecar` in the configuration names the copy.",
        "copy.db",
        noun=("place", "copy.db"),
    ),
    "sidecar index": Verb(
        "let the server of a shared sidecar search the vectors of the model in use, for other programs",
        details="Resonance itself searches a copy of the vectors on each machine, which is exact.",
        is_whole=True,
    ),
    "prune": Verb(
        "drop what is stored of tracks that are in no library any more, and files left over",
        example="--pretend",
        options=("pretend",),
        is_whole=True,
    ),
    "eval": Verb(
        "how well the model finds albums, artists and genres of your library",
        "[QUERY]",
        "Same album with the artist left out, same artist with the album left out, same genre with both left out,\n"
        "beside chance and with 95 % intervals; facets by themselves, ways to rank, hubs. --compare says whether\n"
        "another model that has analysed the library is better or worse, or that it cannot be told.",
        "--compare own -o report.html",
        ("compare", "output"),
    ),
    "map": Verb(
        "draw the library as a map: a page to explore, or a picture",
        "[QUERY]",
        "Near tracks sound alike. The map is of the whole library; with a QUERY it shows the tracks that match. New\n"
        "tracks are placed among the others, which stay where they are, until --anew. --clusters lists groups of\n"
        "tracks by name, for `beet playlist --cluster`.",
        "-o map.html",
        ("output", "playlist", "clusters", "anew"),
    ),
    "train": Verb(
        "fine-tune the shipped model on your music",
        "[QUERY]",
        "It learns from a part of the tracks, or of those that match, and says whether that made the model better\n"
        "for the rest; only then does it ask whether to use it. With --from-playlists or --plays it learns in seconds\n"
        "what you put together, from lists or from what was played one after another, and weighs the facets by it\n"
        "where --taste is given; the model stays.",
        "--from-playlists '~/Music/*.m3u8'",
        ("minutes", "name", "threads", "yes", "from_playlists", "plays", "ratings"),
    ),
    "teach": Verb(
        "answer questions on what is alike, for --taste",
        details="Ten short questions on a terminal, each where the answer tells most. Answers are kept, and added to\n"
        "by the next ten; --list shows them, --undo takes the last one back.",
        example="--list",
        options=("list", "undo"),
        is_whole=True,
    ),
    "model list": Verb("list the models, and how many tracks each has analysed", noun=("name", "")),
    "model add": Verb(
        "add an ONNX network, which a YAML file beside it describes",
        "FILE.onnx",
        example="network.onnx --name mine",
        options=("name",),
        noun=("file", "network.onnx"),
    ),
    "model use": Verb(
        "use another model once it has analysed the library",
        "NAME",
        "The one in use serves until then. `default` is the one that comes with Resonance.",
        "own",
        ("threads",),
        noun=("name", "own"),
    ),
    "model remove": Verb(
        "delete a model that you trained or added",
        "NAME",
        "Of one whose file is gone, its id will do.",
        "own",
        ("yes",),
        noun=("name", "own"),
    ),
    "vectors export": Verb(
        "write what is analysed to a file, for another machine or program",
        "FILE [QUERY]",
        "The file is a numpy archive, without pickle: embeddings, windows, facets, tags and attributes by content\n"
        "key. One of an earlier export is replaced, any other file is not.",
        "library.npz",
    ),
    "vectors import": Verb(
        "take what another machine has analysed, instead of analysing it here",
        "FILE",
        "The file comes from `vectors export`, or from `resonance embed`, with the same model. Your music is read for\n"
        "its content keys, not analysed; a file that is damaged is refused as a whole.",
        "library.npz",
        noun=("file", "library.npz"),
    ),
    "compare": Verb(
        "list the passages of two tracks or files that are similar",
        "A B",
        "Each of the two is a file, or a query that one track matches, as one argument. A line has the score, the\n"
        "times in both, and the mean similarity of the windows.",
        "song.mp3 'artist:bach title:air'",
        ("plot",),
    ),
    "passages": Verb(
        "list the passages of other tracks that are similar to some of one track",
        "QUERY",
        "It searches the tracks that `analyze --passages` was run for.",
        "title:air",
    ),
    "apart": Verb(
        "never put tracks of one QUERY and of another into one playlist",
        "[QUERY --and QUERY | --remove QUERY [--and QUERY] | --remove NUMBER]",
        "The queries count for what they match when a playlist is made. Without words it lists\n"
        "the rules, each with its number.",
        "artist:slayer --and 'genres:lullaby year:..1990'",
        ("other", "remove"),
    ),
    "duplicates": Verb(
        "list the tracks that are one recording, and which of them to keep",
        "[QUERY]",
        "With a QUERY it keeps to the groups with a track that matches. Nothing is deleted. In --format, $res_group\n"
        "is the number of the group, $res_keep 1 for the track to keep, else 0.",
        "--format '$res_keep $path' artist:bach",
        ("json", "format"),
    ),
    "serve": Verb(
        "serve the library as a page and an API, for browsers and players",
        details="It answers this machine alone, on port 8338, and changes nothing. With --host it answers others,\n"
        "too, which takes a token; with --recipes the page saves playlists in that folder. Players that speak\n"
        "OpenSubsonic find the library at the same address; from another machine each needs a password.",
        example="--recipes ~/Music/playlists",
        options=("host", "port", "recipes", "allow_host", "log_requests", "new_password", "revoke", "passwords"),
        is_whole=True,
    ),
    "write": Verb(
        "copy what was measured into fields of beets' database, after asking",
        "[QUERY] --fields NAME,...",
        "The fields are res_bpm, res_key, res_energy, res_brightness, res_tags, res_speech, res_vocals, and, if you\n"
        "name them, beets' own bpm and initial_key, which `beet write` then puts into the files. They stay without\n"
        "Resonance.",
        "--fields res_bpm,res_key added:2026-01..",
        ("fields", "pretend", "overwrite", "yes"),
    ),
    "tag": Verb(
        "suggest genres, by the vote of similar tracks, beside the model's own tags",
        "[QUERY]",
        "A track's own artist and album have no vote. It only shows what it would write, unless you say --write,\n"
        "which asks and sets the genres in beets' database; `beet write` then puts them into the files.",
        "--write added:2026-01..",
        ("write", "undo", "check", "field", "confidence", "overwrite", "yes", "json", "format"),
    ),
    "outliers": Verb(
        "list tracks whose tags disagree with how they sound, each with its evidence",
        "[QUERY]",
        "By genre, by album and by MusicBrainz recording, the strongest first. In --format, $strength, $kind and\n"
        "$evidence say what was noticed.",
        "genres:jazz",
        ("json", "format"),
    ),
}
NAMES = tuple(dict.fromkeys(verb.split()[0] for verb in VERBS))


def find_verb(words: Sequence[str]) -> str:
    """Return the verb that words begin with, some of two words; UserError where they begin with none."""
    verb = choose_word(words[:1], NAMES, "verb", "say", "status")
    if verb not in GROUPS:
        return verb
    seconds = tuple(each.split()[1] for each in VERBS if each.startswith(f"{verb} "))
    example = example_of(f"{verb} {seconds[0]}")
    return f"{verb} {choose_word(words[1:2], seconds, f'verb of {verb}', f'{verb} takes', example)}"


def example_of(verb: str) -> str:
    """Return a verb with what its example has behind it."""
    return f"{verb} {VERBS[verb].example}".rstrip()


def choose_word(words: Sequence[str], known: Sequence[str], kind: str, leading: str, example: str) -> str:
    """Return the one word, if it is known; UserError that lists those that are."""
    given = words[0] if words else ""
    if given in known:
        return given
    listed = f"{leading} {join_words(known, 'or')}"
    wrong = f"there is no {kind} {given!r}; {suggest(given, known, listed)}"
    raise UserError(f"resonance: {wrong if given else f'{listed}, for example `{PROGRAM} {example}`'}")
