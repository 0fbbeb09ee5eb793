"""Settings -> the music to learn from: songs, their features in the cache, and which of them are never trained on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from resonance_engine.errors import TrainingError
from resonance_engine.evaluation.tasks import album_label, artist_label
from resonance_engine.training.data.cache import RamCache, SqliteCache
from resonance_engine.training.data.dataset import WindowSet
from resonance_engine.training.data.extractor import view_key, views_maker
from resonance_engine.training.data.known_files import KnownFiles
from resonance_engine.training.data.precompute import Precomputed, precompute
from resonance_engine.training.data.songs import label_songs, list_songs
from resonance_engine.training.data.splits import split_songs
from resonance_engine.training.results.validation import make_validation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from resonance_engine.network.model import ResonanceNetwork
    from resonance_engine.training.config.settings import AudioAugmentSettings, Config
    from resonance_engine.training.data.cache import FeatureCache
    from resonance_engine.training.data.songs import Song, Source

    Progress = Callable[[Precomputed, int], None]
    Validate = Callable[[ResonanceNetwork], dict[str, float]]

SPLIT_SEED = 0  # not the training's: a search may vary that one, and what is held out must stay so


@dataclass
class TrainingData:
    """Songs whose features are in the cache: `training` and `held_out` are positions in `songs` and `keys`.

    The window sets are read when they are asked for; with `cache.reuse_ram_across_trials` only once.
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
        """What the music is, whatever the files are called.

        Changes with every song, with what is held out, and with which songs share an identity, an artist or an album.
        """
        parts: list[object] = [
            sorted(self.keys[song].hex() for song in side) for side in (self.training, self.held_out)
        ]
        albums, artists = (list(map(label, self.songs)) for label in (album_label, artist_label))
        parts += [group_by_name(names, self.keys) for names in (*label_songs(self.songs), albums, artists)]
        return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()

    def training_windows(self) -> WindowSet:
        return self.windows(self.training)

    def held_out_windows(self) -> WindowSet:
        return self.windows(self.held_out)

    def validation(self) -> Validate:
        """What tells how good a network is on the held-out songs."""
        return make_validation(self.held_out_windows(), [self.songs[song] for song in self.held_out])

    def windows(self, songs: Sequence[int]) -> WindowSet:
        """The windows of these songs."""
        chosen = tuple(songs)
        if chosen in self.window_sets:
            return self.window_sets[chosen]
        identities, groups = label_songs([self.songs[song] for song in chosen])
        keys = [self.keys[song] for song in chosen]
        made = WindowSet(self.cache, keys, identities, groups, preload=self.config.cache.preload_ram)
        if self.config.cache.reuse_ram_across_trials:
            self.window_sets[chosen] = made
        return made

    def close(self) -> None:
        self.window_sets.clear()
        self.cache.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def group_by_name(names: Sequence[str], keys: Sequence[bytes]) -> list[list[str]]:
    """Which keys share a name, in a stable order that does not hang on what the names are."""
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
    """The music that these settings name, its features computed where the cache has none yet.

    `progress` is told of every file, with the number of all. Files that cannot be listened to are left out, and of
    files that hold the same recording all but the first. Raises ConfigError where nothing can be held out, and
    TrainingError where no file can be listened to.
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
    """The cache that the settings name."""
    return RamCache(config.spec) if config.cache.backend == "ram" else SqliteCache(folder, config.spec)


def compute_features(
    songs: Sequence[Song], cache: FeatureCache, known: KnownFiles, config: Config, processes: int, progress: Progress
) -> dict[Path, bytes]:
    """The keys under which songs are in the cache, each recording once, by path; what was missing is computed."""
    paths = [song.path for song in songs]
    audio = config.augment.audio
    remembered = known.keys(paths)
    there = select_complete(cache, set(remembered.values()), audio)
    keys = {path: key for path, key in remembered.items() if key in there}
    for path, key in keys.items():
        progress(Precomputed(path, key), len(paths))
    unknown = [path for path in paths if path not in keys]
    try:
        for made in precompute(unknown, cache, config.spec, processes, audio=audio):
            progress(made, len(paths))
            if made.error is None:
                keys[made.path] = made.key
    finally:
        known.keep(keys)
    if not keys:
        raise TrainingError(f"None of the {len(songs)} songs can be listened to, so there is nothing to learn from.")
    return drop_duplicates(paths, keys)


def drop_duplicates(paths: Sequence[Path], keys: Mapping[Path, bytes]) -> dict[Path, bytes]:
    """The keys without those of files whose recording an earlier one holds."""
    first = {keys[path]: path for path in reversed(paths) if path in keys}
    return {path: keys[path] for path in paths if path in keys and first[keys[path]] == path}


def select_complete(cache: FeatureCache, keys: set[bytes], audio: AudioAugmentSettings) -> set[bytes]:
    """Those of the keys that the cache holds, with all their audio views."""
    there = keys & cache.keys()
    if not audio.views:
        return there
    views = cache.keys(views_maker(audio))
    return {key for key in there if all(view_key(key, view + 1) in views for view in range(audio.views))}
