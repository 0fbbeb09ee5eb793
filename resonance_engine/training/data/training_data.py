"""Load the training data that settings name: songs, their features in the cache, and the split."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from resonance_engine.errors import TrainingError
from resonance_engine.evaluation.tasks import album_label, artist_label
from resonance_engine.files import write_bytes
from resonance_engine.training.data.cache import RamCache, SqliteCache
from resonance_engine.training.data.dataset import WindowSet
from resonance_engine.training.data.extractor import view_key, views_maker
from resonance_engine.training.data.precompute import Precomputed, precompute
from resonance_engine.training.data.songs import label_songs, list_songs
from resonance_engine.training.data.splits import split_songs
from resonance_engine.training.results.validation import make_validation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from resonance_engine.network.model import ResonanceNetwork
    from resonance_engine.training.config.settings import AudioAugmentSettings, Config
    from resonance_engine.training.data.cache import FeatureCache
    from resonance_engine.training.data.songs import Song, Source

    Progress = Callable[[Precomputed, int], None]
    Validate = Callable[[ResonanceNetwork], dict[str, float]]

KNOWN_FILES, FORMAT = "files.json", 1
SPLIT_SEED = 0  # not the training's: a search may vary that one, and the split must stay the same


class KnownFiles:
    """Content keys by path, for files that have kept their size and time of change; in a folder, or in memory.

    A table that cannot be read or written costs time and nothing else.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.path = folder / KNOWN_FILES if folder else None
        self.entries: dict[str, tuple[int, int, bytes]] = {}  # size, time of change in ns, and content key, by path
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            document = json.loads(self.path.read_bytes() if self.path else b"{}")
            files = document["files"] if document["format"] == FORMAT else {}
            self.entries = {
                str(name): (int(size), int(time), bytes.fromhex(key)) for name, (size, time, key) in files.items()
            }

    def keys(self, paths: Iterable[Path]) -> dict[Path, bytes]:
        """Return the keys of those files that have not changed."""
        known = {}
        for path in paths:
            entry = self.entries.get(str(path))
            if entry is not None and entry[:2] == file_state(path):
                known[path] = entry[2]
        return known

    def add(self, keys: Mapping[Path, bytes]) -> None:
        """Add the keys of files and write the table."""
        added = {str(path): (*now, key) for path, key in keys.items() if (now := file_state(path))}
        if added.items() <= self.entries.items():
            return
        self.entries |= added
        if self.path is None:
            return
        files = {path: [size, time, key.hex()] for path, (size, time, key) in self.entries.items()}
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(self.path, json.dumps({"format": FORMAT, "files": files}).encode())


def file_state(path: Path) -> tuple[int, int] | None:
    """Return size in bytes and time of change in nanoseconds; None where there is no such file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


@dataclass
class TrainingData:
    """Songs whose features are in the cache: `training` and `held_out` are positions in `songs` and `keys`.

    Window sets are read on demand; with `cache.reuse_ram_across_trials` only once.
    """

    config: Config
    cache: FeatureCache
    songs: list[Song]
    keys: list[bytes]
    training: list[int]
    held_out: list[int]
    window_sets: dict[tuple[int, ...], WindowSet] = field(default_factory=dict, repr=False)

    @property
    def digest(self) -> str:
        """A hash of the music, independent of the files' names.

        Changes with every song, with the split, and with which songs share an identity, an artist or an album.
        """
        parts: list[object] = [
            sorted(self.keys[song].hex() for song in side) for side in (self.training, self.held_out)
        ]
        albums, artists = (list(map(label, self.songs)) for label in (album_label, artist_label))
        parts += [group_by_name(names, self.keys) for names in (*label_songs(self.songs), albums, artists)]
        return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()

    def validation(self) -> Validate:
        """Return a function that measures a network on the held-out songs."""
        return make_validation(self.windows(self.held_out), [self.songs[song] for song in self.held_out])

    def windows(self, songs: Sequence[int]) -> WindowSet:
        """Open the windows of these songs."""
        chosen = tuple(songs)
        if chosen in self.window_sets:
            return self.window_sets[chosen]
        identities, groups = label_songs([self.songs[song] for song in chosen])
        keys = [self.keys[song] for song in chosen]
        windows = WindowSet(self.cache, keys, identities, groups, preload=self.config.cache.preload_ram)
        if self.config.cache.reuse_ram_across_trials:
            self.window_sets[chosen] = windows
        return windows

    def close(self) -> None:
        self.window_sets.clear()
        self.cache.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def group_by_name(names: Sequence[str], keys: Sequence[bytes]) -> list[list[str]]:
    """Group keys that share a name, in an order that does not depend on the names."""
    groups: dict[str, list[str]] = {}
    for name, key in zip(names, keys, strict=True):
        if name:
            groups.setdefault(name, []).append(key.hex())
    return sorted(sorted(group) for group in groups.values() if len(group) > 1)


def load_training_data(
    config: Config,
    cache_folder: Path,
    library: Source | None = None,
    processes: int = 1,
    progress: Progress = lambda *_: None,
) -> TrainingData:
    """Load the music that the settings name, computing the features that the cache lacks.

    `progress` is called for every file, with the number of all. Files that cannot be decoded are left out, and of
    files that hold the same recording all but the first. Raises ConfigError where nothing can be held out, and
    TrainingError where no file can be decoded.
    """
    songs = list_songs(config.data, library)
    cache = open_cache(config, cache_folder)
    known = KnownFiles(None if config.cache.backend == "ram" else cache_folder)
    try:
        keys = compute_features(songs, cache, known, config, processes, progress)
        chosen = [song for song in songs if song.path in keys]
        training, apart = split_songs(chosen, config.data.held_out, SPLIT_SEED)
        return TrainingData(config, cache, chosen, [keys[song.path] for song in chosen], training, apart)
    except BaseException:
        cache.close()
        raise


def open_cache(config: Config, folder: Path) -> FeatureCache:
    """Open the cache that the settings name."""
    return RamCache(config.spec) if config.cache.backend == "ram" else SqliteCache(folder, config.spec)


def compute_features(
    songs: Sequence[Song], cache: FeatureCache, known: KnownFiles, config: Config, processes: int, progress: Progress
) -> dict[Path, bytes]:
    """Compute the features that the cache lacks; returns keys by path, every recording once."""
    paths = [song.path for song in songs]
    audio = config.augment.audio
    before = known.keys(paths)
    complete = select_complete(cache, set(before.values()), audio)
    keys = {path: key for path, key in before.items() if key in complete}
    for path, key in keys.items():
        progress(Precomputed(path, key), len(paths))
    unknown = [path for path in paths if path not in keys]
    try:
        for result in precompute(unknown, cache, config.spec, processes, audio=audio):
            progress(result, len(paths))
            if result.error is None:
                keys[result.path] = result.key
    finally:
        known.add(keys)
    if not keys:
        raise TrainingError(f"None of the {len(songs)} songs can be analysed, so there is nothing to learn from.")
    # Of files that hold the same recording, the first stays.
    first = {keys[path]: path for path in reversed(paths) if path in keys}
    return {path: keys[path] for path in paths if path in keys and first[keys[path]] == path}


def select_complete(cache: FeatureCache, keys: set[bytes], audio: AudioAugmentSettings) -> set[bytes]:
    """Return the keys that the cache holds, with all their audio views."""
    cached = keys & cache.keys()
    if not audio.views:
        return cached
    views = cache.keys(views_maker(audio))
    return {key for key in cached if all(view_key(key, view + 1) in views for view in range(audio.views))}
