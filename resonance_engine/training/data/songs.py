"""Songs to train on, from a folder, a beets library or a file of pairs, and their labels."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.errors import AudioError, ConfigError, printable
from resonance_engine.files import expand_home
from resonance_engine.search.names import is_album, is_artist, normalise_artist, normalise_name

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from resonance_engine.training.config.settings import DataSettings

ENTRY_POINTS = "resonance.libraries"
LARGEST_ALBUM = 100  # songs without an album's name in one folder that are taken for one
FORM = '[["a.mp3", "live/a.mp3"], ["b.mp3", "c.mp3"]]'


@dataclass(frozen=True)
class Song:
    """A file with its metadata, empty where unknown.

    Songs that share an `identity` belong together like windows of one song: pairs, and recordings that a library
    knows to be the same.
    """

    path: Path
    title: str
    artist: str
    album: str
    albumartist: str = ""
    genre: str = ""
    identity: str = ""

    @property
    def artists(self) -> set[str]:
        """The normalised names of its artists; empty for "Various Artists" and the like."""
        return {normalise_artist(name) for name in (self.artist, self.albumartist) if is_artist(name)}

    @property
    def record(self) -> str:
        """The normalised name of its album, or empty."""
        return normalise_name(self.album) if is_album(self.album) else ""


Source = Callable[[], list[Song]]
"""Returns the songs of a library when called."""


def open_library(kind: str, file: Path, query: Sequence[str]) -> Source:
    """Return a source of the songs in a library that match a query; `kind` is "beets" or what a package offers.

    A package offers one as an entry point of the group `resonance.libraries`: a function of the library's file and
    the words of the query that gives a list of Song. Raises ConfigError where there is none, or it doesn't load.
    """
    offered = {each.name: each for each in entry_points(group=ENTRY_POINTS)}
    if kind not in offered:
        raise ConfigError(f"Songs of a {kind} library need a package that reads it; install beets-resonance again.")
    try:
        songs = offered[kind].load()
    except ImportError as error:
        raise ConfigError(f"A {kind} library cannot be read, for {kind} is not installed ({error}).") from error
    return lambda: list(songs(Path(file), list(query)))


def list_songs(data: DataSettings, library: Source | None = None) -> list[Song]:
    """List the songs that the settings name, in order of path, every file once.

    A library takes the place of the folder `data.root`, which is scanned with `data.scan_root`; the songs of
    `data.pairs_json` come on top, or get their identities from it. Without `data.use_unlabeled` only songs with
    an identity that another song shares stay. Raises ConfigError or CatalogError where there is nothing to learn from.
    """
    songs = read_library(data, library)
    pairs = read_pairs(expand_home(data.pairs_json), data.root) if data.pairs_json else []
    songs = assign_identities(songs, pairs)
    return songs if data.use_unlabeled else select_labelled(songs)


def read_library(data: DataSettings, library: Source | None) -> list[Song]:
    """List the songs of the library or the folder."""
    if library is not None:
        return library()
    if data.root and data.scan_root:
        return list(scan_folder(expand_home(data.root)))
    if data.pairs_json:
        return []
    missing = "data.scan_root is false and data.pairs_json names no file" if data.root else "no music is named"
    raise ConfigError(
        f"There is nothing to learn from: {missing}; set data.root to a folder of music and data.scan_root to "
        "true, set data.pairs_json, or give --beets LIBRARY."
    )


def select_labelled(songs: Sequence[Song]) -> list[Song]:
    """Select the songs with an identity that another one shares."""
    sharing = Counter(song.identity for song in songs if song.identity)
    labelled = [song for song in songs if sharing[song.identity] > 1]
    if not labelled:
        raise ConfigError(
            "There is nothing to learn from: data.use_unlabeled is false, and no songs are said to belong "
            "together; set it to true or data.pairs_json to a file of pairs."
        )
    return labelled


def scan_folder(folder: Path) -> Iterator[Song]:
    """Yield every audio file below a folder, with the names in its tags.

    Where they name no album, the file's folder is one, unless it is the top folder, or too large for an album.
    """
    from resonance_engine.audio.music_files import find_music

    paths = find_music(folder).paths
    if not paths:
        raise ConfigError(f"There is no music in {printable(folder)}; set data.root to the folder that holds yours.")
    songs = [read_song(path) for path in paths]
    top = folder.absolute()  # as paths of files are
    unnamed = Counter(song.path.parent for song in songs if not song.record and song.path.parent != top)
    albums = {parent for parent, count in unnamed.items() if count <= LARGEST_ALBUM}
    for song in songs:
        unnamed_album = not song.record and song.path.parent in albums
        yield replace(song, album=song.path.parent.name) if unnamed_album else song


def read_song(path: Path) -> Song:
    from resonance_engine.audio.windows import read_tags

    try:
        tags = read_tags(path)
    except AudioError:  # reported when the file is decoded
        return Song(path, "", "", "")
    return Song(path, tags.title, tags.artist, tags.album, tags.albumartist, tags.genre)


def assign_identities(songs: Sequence[Song], pairs: Sequence[Sequence[Path]]) -> list[Song]:
    """Add the songs of the pairs, and give one identity to all that belong together; in order of path.

    Whatever is linked by pairs or by identities that the songs already have, directly or through others, belongs
    together.
    """
    by_file = {os.path.realpath(song.path): song for song in songs}
    keys: dict[str, list[Hashable]] = {
        file: [("identity", song.identity)] if song.identity else [] for file, song in by_file.items()
    }
    for number, pair in enumerate(pairs):
        for path in pair:
            file = os.path.realpath(path)
            if file not in by_file:
                by_file[file] = read_song(path)
            keys.setdefault(file, []).append(number)
    entries = sorted(by_file.items(), key=lambda item: item[1].path)
    songs = [song for _, song in entries]
    for group in connected_components([keys[file] for file, _ in entries]):
        if len(group) > 1:
            for place in group:
                songs[place] = replace(songs[place], identity=str(songs[group[0]].path))
    return songs


def label_songs(songs: Sequence[Song]) -> tuple[list[str], list[str]]:
    """Return the identity of every song and its weaker group: songs of one album and artist.

    The artist is the album's where it has one; songs without any that lie in one folder have the same. A song without
    identity, or without album, has a label of its own.
    """
    identities = [song.identity or str(song.path) for song in songs]
    groups = []
    for song in songs:
        artist = next((normalise_artist(name) for name in (song.albumartist, song.artist) if is_artist(name)), "")
        groups.append(f"{song.record}\n{artist or song.path.parent}" if song.record else str(song.path))
    return identities, groups


def connected_components(keys: Sequence[Iterable[Hashable]]) -> list[list[int]]:
    """Group items, by position, that share a key or are linked through others that do (union-find).

    Every item is in one group; groups are in the order of their first items.
    """
    parent = list(range(len(keys)))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    first: dict[Hashable, int] = {}
    for item, item_keys in enumerate(keys):
        for key in item_keys:
            one, other = root(first.setdefault(key, item)), root(item)
            parent[max(one, other)] = min(one, other)
    groups: dict[int, list[int]] = {}
    for item in range(len(keys)):
        groups.setdefault(root(item), []).append(item)
    return list(groups.values())


def read_pairs(file: Path, root: str = "") -> list[list[Path]]:
    """Read `pairs.json`, which files belong together, as absolute paths; raises ConfigError with the place in the file.

    A list of lists of at least two paths each, such as FORM; files of one list are the same piece of music to the
    training, such as two takes, a remaster or a cover. Relative paths start at `root` or, where that is empty, at the
    folder of the file itself; all files must exist. A path in several lists joins them.
    """
    name = printable(file)
    try:
        document = json.loads(file.read_bytes())
    except FileNotFoundError as error:
        raise ConfigError(f"{name} is not there; set data.pairs_json to a file like {FORM}.") from error
    except OSError as error:
        raise ConfigError(f"{name} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{name} is not valid JSON: {error}.") from error
    if not isinstance(document, list) or not document:
        raise ConfigError(f"{name} must be a list of lists of paths, such as {FORM}.")
    folder = expand_home(root) if root else file.parent
    pairs = [parse_pair(entry, folder, f"{name}, list {number}") for number, entry in enumerate(document, 1)]
    missing = [
        (number, path)
        for number, pair in enumerate(pairs, 1)
        for path in pair
        if not os.path.isfile(path)  # noqa: PTH113 - false, too, for a name that is too long
    ]
    if missing:
        number, path = missing[0]
        others = f", and {len(missing) - 1} more are missing" if len(missing) > 1 else ""
        raise ConfigError(
            f"{name}, list {number}: {printable(path)} is not there{others}; correct the path, or set data.root to the "
            "folder that paths start from."
        )
    return pairs


def parse_pair(entry: object, folder: Path, where: str) -> list[Path]:
    """Parse the paths of one list; `where` names it in the errors."""
    if not isinstance(entry, list):
        raise ConfigError(f"{where} must be a list of paths, not {json.dumps(entry)[:60]}; the form is {FORM}.")
    for number, path in enumerate(entry, 1):
        if not isinstance(path, str) or not path or "\0" in path:
            raise ConfigError(f"{where}: its path {number} must be a path, not {json.dumps(path)[:60]}.")
    paths = [Path(folder, expand_home(path)).absolute() for path in entry]
    files = {os.path.realpath(path): path for path in paths}
    if len(files) < 2:
        raise ConfigError(f"{where} must have at least two different files, not {len(files)}; the form is {FORM}.")
    return list(files.values())
