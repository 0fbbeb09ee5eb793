"""Inputs of networks that were trained elsewhere: patches of a waveform, or of a log-mel spectrogram of any kind."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from resonance_engine.features.mel_framing import MelFraming  # noqa: TC001 - looked up when a spec is parsed

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Part of such a model's identity: rises whenever the same spec gives other numbers.
INPUT_VERSION = 1

PATCH, TIME, MEL = "patch", "time", "mel"
LOGARITHMS = ("none", "ln", "log10", "db")
LARGEST_PATCH = 4_000_000  # numbers: 90 s of samples at 44.1 kHz
LARGEST_INPUT = 20_000_000  # numbers for one window, 80 MB
MOST_PATCHES = 1000  # of one window


class NetworkInput:
    """Patches of `patch` steps, samples or frames, which begin `patch_hop` steps apart; each kind adds its numbers.

    `axes` are those of the network's input in order: "patch" (without it, patches enter one by one), each of `names`,
    and 1 for an axis of that length.
    """

    names: ClassVar[tuple[str, ...]]

    patch: int
    patch_hop: int
    axes: tuple[Any, ...]

    @property
    def sample_rate(self) -> int:
        """The rate in Hz of the samples that it is computed from."""
        raise NotImplementedError

    @property
    def patch_shape(self) -> tuple[int, ...]:
        """The shape of one patch, in the order of `names`."""
        raise NotImplementedError

    def count_steps(self, samples: int) -> int:
        """Count the steps that patches are cut from, of a window of so many samples."""
        raise NotImplementedError

    @property
    def is_batched(self) -> bool:
        """Whether the network takes several patches at once."""
        return PATCH in self.axes

    def verify(self) -> None:
        """Raise ValueError for patches and axes that cannot be."""
        for name in ("patch", "patch_hop"):
            value = getattr(self, name)
            require(1 <= value <= LARGEST_PATCH, f"{name} should be 1 to {LARGEST_PATCH}, not {value}")
        verify_axes(self.axes, self.names, (PATCH,))
        size = math.prod(self.patch_shape)
        require(size <= LARGEST_PATCH, f"a patch should have at most {LARGEST_PATCH} numbers, not {size}")

    def count_patches(self, seconds: float) -> int:
        """Count the patches of a window; ValueError for none, and for more than fit into memory."""
        steps = self.count_steps(round(seconds * self.sample_rate))
        require(
            self.patch <= steps, f"patch should be at most {steps}, as many as {seconds:g} s have, not {self.patch}"
        )
        count = 1 + (steps - self.patch) // self.patch_hop
        most = min(MOST_PATCHES, LARGEST_INPUT // math.prod(self.patch_shape))
        require(
            count <= most,
            f"patch_hop should be longer than {self.patch_hop}, which cuts {seconds:g} s into {count} patches, "
            f"more than {most}",
        )
        return count

    def axis_lengths(self) -> list[int | None]:
        """Return the length of each axis of the network's input; None for that of the patches, which is open."""
        known = dict(zip(self.names, self.patch_shape, strict=True))
        return [1 if axis == 1 else known.get(axis) for axis in self.axes]

    def arrange(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring patches (n, *patch_shape) into the axes of the network's input; n is 1 where it takes no more."""
        given = (PATCH, *self.names)
        named = [axis for axis in self.axes if axis != 1]
        source = patches if self.is_batched else patches[0]
        order = [given.index(axis) - (not self.is_batched) for axis in named]
        lengths = dict(zip(given, patches.shape, strict=True))
        shape = [1 if axis == 1 else lengths[axis] for axis in self.axes]
        return np.ascontiguousarray(source.transpose(order).reshape(shape))


@dataclass(frozen=True)
class WaveformInput(NetworkInput):
    """Patches of samples at `rate` Hz; with `standardise`, each has mean 0 and variance 1."""

    names: ClassVar[tuple[str, ...]] = (TIME,)

    rate: int
    patch: int
    patch_hop: int
    axes: tuple[Any, ...] = (PATCH, TIME)
    standardise: bool = False

    def __post_init__(self) -> None:
        require(8000 <= self.rate <= 192000, f"rate should be 8000 to 192000, not {self.rate}")
        self.verify()

    @property
    def sample_rate(self) -> int:
        return self.rate

    @property
    def patch_shape(self) -> tuple[int, ...]:
        return (self.patch,)

    def count_steps(self, samples: int) -> int:
        return samples


@dataclass(frozen=True)
class Logarithm:
    """Compression of mel bands x: log(max(scale x + offset, floor)), less `mean`, divided by `deviation`.

    `kind` is ln, log10, db (10 log10 of power, 20 log10 of magnitude) or none. `mean` and `deviation` are for networks
    whose own program standardises their input by constants.
    """

    kind: str
    scale: float = 1.0
    offset: float = 0.0
    floor: float = 0.0
    mean: float = 0.0
    deviation: float = 1.0

    def __post_init__(self) -> None:
        require(self.kind in LOGARITHMS, f"kind should be one of {', '.join(LOGARITHMS)}, not {self.kind!r}")
        for name in ("scale", "deviation"):
            require(getattr(self, name) > 0, f"{name} should be above 0, not {getattr(self, name):g}")
        for name in ("offset", "floor"):
            require(getattr(self, name) >= 0, f"{name} should be 0 or more, not {getattr(self, name):g}")
        require(
            self.kind == "none" or self.offset > 0 or self.floor > 0,
            f"offset or floor should be above 0 with {self.kind}, because silence has no logarithm",
        )


@dataclass(frozen=True)
class LogMelInput(NetworkInput):
    """Patches of frames of a mel spectrogram, compressed by `logarithm`."""

    names: ClassVar[tuple[str, ...]] = (TIME, MEL)

    mel: MelFraming
    logarithm: Logarithm
    patch: int
    patch_hop: int
    axes: tuple[Any, ...] = (PATCH, TIME, MEL)

    def __post_init__(self) -> None:
        self.verify()

    @property
    def sample_rate(self) -> int:
        return self.mel.rate

    @property
    def patch_shape(self) -> tuple[int, ...]:
        return self.patch, self.mel.n_mels

    def count_steps(self, samples: int) -> int:
        return self.mel.frames(samples)


def verify_axes(axes: tuple[Any, ...], names: tuple[str, ...], optional: tuple[str, ...]) -> None:
    """Raise ValueError unless `axes` are all of `names` and some of `optional`, each once, and ones."""
    named = [axis for axis in axes if type(axis) is not int or axis != 1]
    known = {*names, *optional}
    complete = all(name in named for name in names)
    require(
        complete and all(isinstance(axis, str) and axis in known for axis in named) and len(set(named)) == len(named),
        f"axes should be {' and '.join(names)}, with {' and '.join(optional)} where the network has such, each once, "
        f"and 1 for each axis of that length, not {list(axes)}",
    )


def require(possible: bool, sentence: str) -> None:
    if not possible:
        raise ValueError(sentence)
