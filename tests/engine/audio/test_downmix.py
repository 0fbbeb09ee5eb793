"""Frames that are joined before they are mixed give the samples of each by itself."""

from __future__ import annotations

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.audio import downmix
from resonance_engine.audio.downmix import join_frames, mix_to_mono

KINDS = ("fltp", "flt", "s16", "s16p", "s32")


def make_frame(samples: int, kind: str = "fltp", layout: str = "stereo", seed: int = 0) -> av.AudioFrame:
    rng = np.random.default_rng(seed)
    channels = 2 if layout == "stereo" else 1
    planar = kind.endswith("p")
    shape = (channels, samples) if planar else (1, channels * samples)
    kinds = {"f": np.float32, "1": np.int16, "3": np.int32}
    dtype = kinds["f" if kind.startswith("f") else kind[1]]
    values = rng.uniform(-1, 1, shape) if dtype is np.float32 else rng.integers(-30_000, 30_000, shape)
    frame = av.AudioFrame.from_ndarray(values.astype(dtype), kind, layout)
    frame.sample_rate, frame.pts = 44_100, seed
    return frame


FRAMES = st.lists(
    st.tuples(st.integers(1, 50), st.sampled_from(KINDS), st.sampled_from(["stereo", "mono"]), st.integers(0, 2)),
    max_size=12,
)


@given(FRAMES, st.sampled_from([1, 40, 10_000]))
def test_joined_frames_have_the_samples_of_single_ones(frames: list[tuple[int, str, str, int]], joined: int) -> None:
    apart: dict[int, np.float32] = {}
    placed, position = [], 7
    for seed, (samples, kind, layout, gap) in enumerate(frames):
        position += gap
        frame = make_frame(samples, kind, layout, seed)
        apart |= dict(zip(range(position, position + samples), mix_to_mono(frame), strict=True))
        placed.append((position, frame))
        position += samples
    together: dict[int, np.float32] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(downmix, "JOINED", joined)
        for first, frame in join_frames(iter(placed)):
            together |= dict(zip(range(first, first + frame.samples), mix_to_mono(frame), strict=True))
    assert together == apart


def test_frames_of_one_kind_become_one() -> None:
    frames = [(100 * place, make_frame(100, seed=place)) for place in range(5)]
    ((first, joined),) = join_frames(iter(frames))
    assert (first, joined.samples) == (0, 500)
