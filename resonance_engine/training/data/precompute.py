"""Fill a feature cache from audio files, in parallel child processes that may crash or hang."""

from __future__ import annotations

import json
import sys
import threading
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from resonance_engine.errors import AudioError
from resonance_engine.training.config.settings import AudioAugmentSettings
from resonance_engine.training.data.extractor import view_array, view_key
from resonance_engine.worker.process import TIMEOUT, FileProcess, stopped_error
from resonance_engine.worker.worker import ProcessPool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from resonance_engine.features.spec import FeatureSpec
    from resonance_engine.training.data.cache import FeatureCache

AHEAD = 16  # files per process that may be done while an earlier one still takes its time
NO_VIEWS = AudioAugmentSettings(views=0)


@dataclass(frozen=True)
class Precomputed:
    """Result of one file: the content key of its features in the cache, or the error."""

    path: Path
    key: bytes
    error: AudioError | None = None


class Extractor(FileProcess):
    """A child process that computes the features of files and of augmented versions of their audio."""

    purpose = "measures features"

    def __init__(self, spec: FeatureSpec, audio: AudioAugmentSettings, timeout: float = TIMEOUT) -> None:
        super().__init__((1 + audio.views) * timeout)
        self.spec = spec
        self.audio = audio
        self.maker = ""

    def command(self) -> list[str]:
        module = "resonance_engine.training.data.extractor"
        return [sys.executable, "-P", "-m", module, self.spec.to_json(), json.dumps(asdict(self.audio))]

    def accept_description(self, header: dict[str, Any]) -> None:
        self.maker = header["maker"]

    def features(self, path: Path) -> list[dict[str, Any]]:
        """Return the features of the windows of a file, by modality, then those of its audio views."""
        arrays = self.request("features", path).arrays
        names = self.spec.modalities
        views = [{name: arrays[view_array(view + 1, name)] for name in names} for view in range(self.audio.views)]
        return [{name: arrays[name] for name in names}, *views]


class Recorder:
    """Stores the extractors' features in a cache, every recording once; its methods are called in many threads."""

    def __init__(self, cache: FeatureCache, audio_views: int) -> None:
        self.cache = cache
        self.audio_views = audio_views
        self.measured = cache.keys()
        self.views: dict[str, set[bytes]] = {}
        self.locks: dict[bytes, threading.Lock] = {}
        self.writing = threading.Lock()
        self.ended = False

    def record(self, extractor: Extractor, path: Path) -> bytes:
        """Compute and store a file's features where they are missing; returns its content key."""
        key = extractor.identify(path)
        # A second file with the same recording waits for the first, and is measured only if that one failed.
        with self.locks.setdefault(key, threading.Lock()):
            if not self.is_complete(key, extractor.maker):
                self.put(key, extractor.features(path), extractor.maker)
        return key

    def is_complete(self, key: bytes, maker: str) -> bool:
        """Return whether the cache holds a recording with all its audio views."""
        if key not in self.measured:
            return False
        with self.writing:
            keys = self.keys_by(maker)
            return all(view_key(key, view + 1) in keys for view in range(self.audio_views))

    def keys_by(self, maker: str) -> set[bytes]:
        """Return the keys of this maker's audio views in the cache; call while holding `writing`."""
        if maker not in self.views:
            self.views[maker] = self.cache.keys(maker)
        return self.views[maker]

    def put(self, key: bytes, features: list[dict[str, Any]], maker: str) -> None:
        with self.writing:
            if self.ended:
                raise stopped_error()
            for view, values in enumerate(features[1:], 1):
                self.cache.put(view_key(key, view), values, maker)
            self.cache.put(key, features[0])
            self.measured.add(key)
            self.keys_by(maker).update(view_key(key, view) for view in range(1, len(features)))

    def stop(self) -> None:
        """Refuse further writes to the cache."""
        with self.writing:
            self.ended = True


def precompute(
    paths: Iterable[Path],
    cache: FeatureCache,
    spec: FeatureSpec,
    processes: int = 1,
    *,
    audio: AudioAugmentSettings = NO_VIEWS,
    timeout: float = TIMEOUT,
) -> Iterator[Precomputed]:
    """Store the features of files and of augmented versions of their `audio` in the cache; yields every path, in order.

    What the cache has already is not computed again, nor the same recording twice. Features are stored as soon as they
    are computed, so that a killed run loses no more than the files in progress. `timeout` is in seconds for
    each version of a file. Raises CacheError when the cache cannot be written, ValueError for a cache of another
    spec.
    """
    if cache.spec != spec:
        raise ValueError("the cache is for features of another spec")
    recorder = Recorder(cache, audio.views)
    extractors = [Extractor(spec, audio, timeout) for _ in range(processes)]
    with closing(ProcessPool(extractors)) as pool:
        try:
            for path, result in filter(None, pool.map(paths, recorder.record, AHEAD, in_order=True)):
                if isinstance(result, AudioError):
                    yield Precomputed(path, b"", result)
                else:
                    yield Precomputed(path, result)
        finally:
            recorder.stop()
