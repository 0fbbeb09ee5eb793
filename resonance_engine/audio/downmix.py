"""Downmix of channels to mono, of one frame or of many that were joined: a frame alone costs more than its samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from av.audio.fifo import AudioFifo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.frame import AudioFrame
    from numpy.typing import NDArray


INTEGERS64 = ("s64", "s64p")
JOINED = 1 << 17  # samples from which on joined frames are enough; many more no longer fit the processor's cache


def join_frames(frames: Iterator[tuple[int, AudioFrame]]) -> Iterator[tuple[int, AudioFrame]]:
    """Join frames that follow each other and are of one kind; with each comes the index of its first sample.

    Takes the timestamps off the frames.
    """
    fifo, kind, first, end = AudioFifo(), None, 0, 0
    for position, frame in frames:
        frame.pts = None  # it may be in doubt; the index decides
        own = frame.format.name, frame.layout.nb_channels, frame.sample_rate  # a FIFO compares no channels
        if position != end or own != kind:
            if joined := fifo.read():
                yield first, joined
            fifo, kind, first, end = AudioFifo(), own, position, position
        fifo.write(frame)
        end += frame.samples
        if end - first >= JOINED and (joined := fifo.read()):
            yield first, joined
            first = end
    if joined := fifo.read():
        yield first, joined


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
