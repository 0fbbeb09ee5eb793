"""Windows of many recordings in memory, and batches of views of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from resonance_engine.training.augment import Augmentation, augmented

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from resonance_engine.training.features import CachedFeatures

TIMED = ("timbre", "harmony")  # modalities whose last axis is time, cut together


@dataclass(frozen=True)
class Batch:
    """`features` by modality, (views, ...) float32; `songs` and `groups` (views,) say what belongs together."""

    features: dict[str, Tensor]
    songs: Tensor
    groups: Tensor


class WindowSet:
    """The cached windows of recordings: `features` by modality as (windows, ...) float16, `song` the row's recording.

    `groups` names what each recording belongs to (album, soundtrack).
    """

    def __init__(self, recordings: Sequence[CachedFeatures], groups: Sequence[str]) -> None:
        if not recordings:
            raise ValueError("a training set needs at least one recording")
        contents = [recording.read() for recording in recordings]
        self.features = {name: np.concatenate([each[name] for each in contents]) for name in contents[0]}
        counts = [len(next(iter(each.values()))) for each in contents]
        self.song = np.repeat(np.arange(len(contents)), counts)
        self.first = np.cumsum([0, *counts])
        self.group = np.unique(np.array(groups), return_inverse=True)[1]

    def __len__(self) -> int:
        return len(self.group)

    def subset(self, songs: NDArray[np.intp]) -> WindowSet:
        """The same for some of the recordings."""
        part = object.__new__(WindowSet)
        rows = [np.arange(self.first[song], self.first[song + 1]) for song in songs]
        keep = np.concatenate(rows)
        part.features = {name: values[keep] for name, values in self.features.items()}
        counts = [len(each) for each in rows]
        part.song = np.repeat(np.arange(len(songs)), counts)
        part.first = np.cumsum([0, *counts])
        part.group = self.group[songs]
        return part

    def epoch(
        self, songs: int, views: int, frames: int, augmentation: Augmentation, rng: np.random.Generator
    ) -> Iterator[Batch]:
        """The recordings in random order, in batches of `songs` with `views` augmented cuts of `frames` each.

        What is left over at the end becomes a batch if it is at least half of one, or all there is.
        """
        order = rng.permutation(len(self))
        for at in range(0, max(1, len(order) - (songs - 1) // 2), songs):
            chosen = np.repeat(order[at : at + songs], views)
            rows = rng.integers(self.first[chosen], self.first[chosen + 1])
            yield Batch(
                {name: torch.from_numpy(x) for name, x in self.views(rows, frames, augmentation, rng).items()},
                torch.from_numpy(chosen),
                torch.from_numpy(self.group[chosen]),
            )

    def views(
        self, rows: NDArray[np.intp], frames: int, augmentation: Augmentation, rng: np.random.Generator
    ) -> dict[str, NDArray[np.float32]]:
        """Augmented cuts of these windows, at most as long as they are; modalities are cut at the same time."""
        lengths = {values.shape[-1] for name, values in self.features.items() if name in TIMED}
        if len(lengths) > 1:
            raise ValueError(f"{' and '.join(TIMED)} have different framings, so they cannot be cut at the same time")
        length = lengths.pop() if lengths else frames
        frames = min(frames, length)
        starts = rng.integers(0, length - frames + 1, len(rows))
        cut: dict[str, NDArray[np.float32]] = {}
        for name, values in self.features.items():
            parts = [
                values[row, ..., start : start + frames] if name in TIMED else values[row]
                for row, start in zip(rows, starts, strict=True)
            ]
            cut[name] = np.stack(parts).astype(np.float32)
        return augmented(cut, augmentation, rng)
