"""Windows of songs, and batches of augmented views of them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from resonance_engine.errors import CacheError
from resonance_engine.features.spec import LogMelSpec
from resonance_engine.training.augmentation.augment import augment_features
from resonance_engine.training.data.cache import RamCache, require_memory, shapes_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from resonance_engine.features.mel_framing import MelFraming
    from resonance_engine.features.spec import FeatureSpec, Framing
    from resonance_engine.training.config.settings import AudioAugmentSettings, AugmentSettings
    from resonance_engine.training.data.cache import FeatureCache, Features


class WindowRows:
    """The windows of songs, one song after another; song i has the rows `first[i]` to `first[i + 1]` - 1.

    With `preload` they are read into memory at once, unless the cache is in memory; CacheError if they do not fit.
    """

    def __init__(self, cache: FeatureCache, keys: Sequence[bytes], preload: bool) -> None:
        self.cache = cache
        self.keys = list(keys)
        counts = [cache.windows(key) for key in keys]
        self.first: NDArray[np.intp] = np.cumsum([0, *counts], dtype=np.intp)
        self.song: NDArray[np.intp] = np.repeat(np.arange(len(counts)), counts)
        self.shapes = shapes_of(cache.spec)
        self.kept = self.preload() if preload and not isinstance(cache, RamCache) else None

    def __len__(self) -> int:
        return len(self.song)

    def preload(self) -> Features:
        size = 2 * len(self) * sum(int(np.prod(shape)) for shape in self.shapes.values())
        require_memory(size, "set cache.preload_ram to false")
        kept = {name: np.empty((len(self), *shape), np.float16) for name, shape in self.shapes.items()}
        for song, key in enumerate(self.keys):
            for name, values in self.cache.read(key).items():
                kept[name][self.first[song] : self.first[song + 1]] = values
        return kept

    def window(self, row: int) -> Features:
        """Return the features of one window, by modality."""
        if self.kept is not None:
            return {name: values[row] for name, values in self.kept.items()}
        song = self.song[row]
        read = self.cache.read(self.keys[song], [int(row - self.first[song])])
        return {name: values[0] for name, values in read.items()}


@dataclass(frozen=True)
class Batch:
    """`features` by modality, (views, ...) float32; `songs` and `groups` (views,) are the labels.

    `songs` are the identities: two recordings of one piece share it.
    """

    features: dict[str, Tensor]
    songs: Tensor
    groups: Tensor


class WindowSet:
    """The cached windows of songs; `song` is the row's song, whose rows are `first[song]` to `first[song + 1]` - 1.

    `identity` and `group` number, for each song, the piece that it is and its weaker group (album and artist).
    Windows of augmented audio are used by `epoch` alone, which draws from them as from the windows of the song itself.
    """

    def __init__(
        self,
        cache: FeatureCache,
        keys: Sequence[bytes],
        identities: Sequence[str],
        groups: Sequence[str],
        preload: bool = True,
    ) -> None:
        if not keys:
            raise ValueError("a training set needs at least one song")
        self.source = WindowRows(cache, keys, preload)
        self.preload = preload
        self.select(np.arange(len(keys)), number_labels(identities), number_labels(groups))

    def select(self, songs: NDArray[np.intp], identity: NDArray[np.intp], group: NDArray[np.intp]) -> None:
        """Restrict the set to these songs of the source."""
        self.songs, self.identity, self.group = songs, identity, group
        spans = [np.arange(self.source.first[song], self.source.first[song + 1]) for song in songs]
        counts = [len(span) for span in spans]
        self.places: NDArray[np.intp] = np.concatenate(spans)  # of the rows within the source
        self.song: NDArray[np.intp] = np.repeat(np.arange(len(songs)), counts)
        self.first: NDArray[np.intp] = np.cumsum([0, *counts], dtype=np.intp)
        self.audio_views: dict[tuple[AudioAugmentSettings, int], WindowRows] = {}

    def __len__(self) -> int:
        return len(self.songs)

    def subset(self, songs: Sequence[int] | NDArray[np.intp]) -> WindowSet:
        """Return the set of some of the songs, which shares their features."""
        part = object.__new__(WindowSet)
        part.source, part.preload = self.source, self.preload
        chosen = np.asarray(songs, np.intp)
        part.select(self.songs[chosen], self.identity[chosen], self.group[chosen])
        return part

    def rows(self, indices: Sequence[int] | NDArray[np.intp]) -> dict[str, NDArray[np.float32]]:
        """Return the features of these windows, (n, ...) by modality."""
        features = self.allocate(len(indices), None)
        for at, row in enumerate(indices):
            for name, values in self.source.window(self.places[row]).items():
                features[name][at] = values
        return features

    def epoch(
        self,
        songs: int,
        views: int,
        frames: int,
        augment: AugmentSettings,
        seed: int,
        epoch: int,
        part: tuple[int, int] = (0, 1),
    ) -> Iterator[Batch]:
        """Yield the identities in random order, in batches of `songs` with `views` augmented cuts of `frames` each.

        Frames are those of the first modality; other framings have as many of theirs as the same time holds.
        Where an identity has several songs, its views go round them. What is left over at the end becomes a batch if
        it is at least half of one, or all there is. Nothing but `seed` and the number of the epoch, which both may be
        any whole number from 0, decides what is drawn, so that a run can go on in another process. `part` (rank, world)
        gives every process its share of each batch: those of all ranks, one after another, are the batch.
        """
        order = np.random.default_rng((seed, epoch)).permutation(np.unique(self.identity))
        members = {identity: np.flatnonzero(self.identity == identity) for identity in order}
        rank, world = part
        for at in range(0, max(1, len(order) - (songs - 1) // 2), songs):
            batch = order[at : at + songs]
            share = batch[rank * len(batch) // world : (rank + 1) * len(batch) // world]
            drawn_songs: list[int] = []
            rngs: list[np.random.Generator] = []
            for identity in share:
                ring = np.random.default_rng((seed, epoch, identity)).permutation(members[identity])
                drawn_songs += [int(ring[view % len(ring)]) for view in range(views)]
                rngs += [np.random.default_rng((seed, epoch, identity, view)) for view in range(views)]
            yield Batch(
                {name: torch.from_numpy(x) for name, x in self.views(drawn_songs, frames, augment, rngs).items()},
                torch.from_numpy(self.identity[drawn_songs]),
                torch.from_numpy(self.group[drawn_songs]),
            )

    def views(
        self, songs: Sequence[int], frames: int, augment: AugmentSettings, rngs: Sequence[np.random.Generator]
    ) -> dict[str, NDArray[np.float32]]:
        """Draw an augmented cut of each of these songs, at most a window, at the same time in all modalities."""
        length = self.length
        frames = frames if length is None else min(frames, length)
        spare = 0 if length is None else length - frames
        features = self.read_cuts(songs, spare, frames, augment.audio, rngs)
        others = None
        if augment.mix > 0:
            other_songs = [self.draw_other(song, rng) for song, rng in zip(songs, rngs, strict=True)]
            others = self.read_cuts(other_songs, spare, frames, augment.audio, rngs)
        return augment_features(features, augment, rngs, others, self.mel_scales)

    def draw_other(self, song: int, rng: np.random.Generator) -> int:
        """Draw another song, or the same one of a set of one."""
        return (song + int(rng.integers(1, max(2, len(self))))) % len(self)

    def read_cuts(
        self,
        songs: Sequence[int],
        spare: int,
        frames: int,
        audio: AudioAugmentSettings,
        rngs: Sequence[np.random.Generator],
    ) -> dict[str, NDArray[np.float32]]:
        """Draw a cut of `frames` of each song, which leaves `spare` frames of a window out; (n, ...) by modality.

        Drawn are the window, its audio view (0: the audio as it is) and its first frame, by the first modality's
        framing.
        """
        features = self.allocate(len(songs), frames)
        for at, (song, rng) in enumerate(zip(songs, rngs, strict=True)):
            row = int(rng.integers(self.first[song], self.first[song + 1]))
            view = int(rng.integers(audio.views + 1)) if audio.views else 0
            start = int(rng.integers(spare + 1))
            for name, values in self.window(row, view, audio).items():
                features[name][at] = values[..., self.span(name, start, frames)]
        return features

    def span(self, name: str, start: int, frames: int) -> slice:
        """Return the frames of a modality in the same time as those of `framing`; all where it is not timed."""
        modality = self.spec.modalities[name]
        if not modality.timed:
            return slice(None)
        framing, own = self.framing, modality.framing
        ratio = Fraction(framing.hop * own.rate, framing.rate * own.hop)
        length = modality.frames(self.spec.decoding)
        count = min(max(1, round(frames * ratio)), length)
        first = min(round(start * ratio), length - count)
        return slice(first, first + count)

    def window(self, row: int, view: int, audio: AudioAugmentSettings) -> dict[str, NDArray[np.float16]]:
        """Return a window of the audio, or of an augmented version; CacheError when that is not in the cache."""
        if view == 0:
            return self.source.window(self.places[row])
        if (audio, view) not in self.audio_views:
            self.audio_views[audio, view] = self.load_audio_view(view, audio)
        return self.audio_views[audio, view].window(row)

    def load_audio_view(self, view: int, audio: AudioAugmentSettings) -> WindowRows:
        """Open the same windows in an augmented version of the audio."""
        from resonance_engine.training.data.extractor import view_key, views_maker

        keys = [view_key(self.source.keys[song], view) for song in self.songs]
        missing = set(keys) - self.source.cache.keys(views_maker(audio))
        if missing:
            raise CacheError(
                f"The feature cache lacks audio view {view} of {len(missing)} songs; run precompute with this "
                "augment.audio, or set augment.audio.views to 0."
            )
        changed = WindowRows(self.source.cache, keys, self.preload)
        if not np.array_equal(changed.first, self.first):
            raise CacheError(
                f"The feature cache holds other windows in audio view {view} than in the songs; delete it and run "
                "precompute again."
            )
        return changed

    @property
    def spec(self) -> FeatureSpec:
        """The spec of the features."""
        return self.source.cache.spec

    @property
    def framing(self) -> Framing | MelFraming:
        """The framing that frames are counted by: the first modality's."""
        return next(iter(self.spec.modalities.values())).framing

    @property
    def length(self) -> int | None:
        """Frames of a window; None where no modality has any."""
        timed = any(modality.timed for modality in self.spec.modalities.values())
        return next(iter(self.spec.modalities.values())).frames(self.spec.decoding) if timed else None

    @property
    def mel_scales(self) -> dict[str, Framing | MelFraming]:
        """The bands of each log-mel modality."""
        return {name: each.framing for name, each in self.spec.modalities.items() if isinstance(each, LogMelSpec)}

    def allocate(self, count: int, frames: int | None) -> dict[str, NDArray[np.float32]]:
        """Allocate arrays for the features of `count` windows, or of cuts of `frames`."""
        shapes = dict(self.source.shapes)
        if frames is not None:
            for name, shape in shapes.items():
                kept = range(shape[-1])[self.span(name, 0, frames)]
                shapes[name] = (*shape[:-1], len(kept))
        return {name: np.empty((count, *shape), np.float32) for name, shape in shapes.items()}


def number_labels(labels: Sequence[str]) -> NDArray[np.intp]:
    """Number labels from 0 in the order in which they first appear."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(label, len(numbers)) for label in labels], np.intp)
