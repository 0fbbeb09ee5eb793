"""Downmix of channels to mono."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from numpy.typing import NDArray


INTEGERS64 = ("s64", "s64p")


def mix_to_mono(frame: AudioFrame) -> NDArray[np.float32]:
    """Return the plain mean of the frame's channels, full scale = 1, shape (n,); NaN and infinity pass.

    Not FFmpeg's own downmix, which is 0.707 (L + R): 3 dB above the mean.
    """
    # PyAV has no array for 64-bit integers.
    data = _integers64(frame) if frame.format.name in INTEGERS64 else frame.to_ndarray()
    if frame.format.is_packed:
        data = data.reshape(-1, len(frame.layout.channels)).T
    zero, full = 0.0, 1.0
    if data.dtype == np.uint8:
        zero, full = 128.0, 128.0
    elif data.dtype.kind == "i":
        full = 2.0 ** (8 * data.dtype.itemsize - 1)
    with np.errstate(invalid="ignore", over="ignore"):
        mean: NDArray[np.float32] = data[0].astype(np.float32)
        for channel in data[1:]:
            mean += channel.astype(np.float32)
        mean /= np.float32(len(data))
        mean -= np.float32(zero)
        mean /= np.float32(full)
    return mean


def _integers64(frame: AudioFrame) -> NDArray[np.int64]:
    """Return the samples of a frame of 64-bit integers as PyAV would: (channels, n), or packed (1, n * channels)."""
    packed = frame.format.is_packed
    count = frame.samples * (len(frame.layout.channels) if packed else 1)
    # Planes are longer than the samples in them.
    return np.stack([np.frombuffer(memoryview(plane), np.int64, count) for plane in frame.planes])
