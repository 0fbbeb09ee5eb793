"""Effects do what their names say, in numbers."""

from __future__ import annotations

import numpy as np
import pytest

from demo.effects import chain, echo, limit, pump, reverberation
from demo.instruments import RATE, Signal, samples


def rms(sound: Signal) -> float:
    return float(np.sqrt(np.mean(sound**2)))


def test_an_echo_comes_back_softer_on_the_other_side() -> None:
    click = np.zeros((2, samples(1.0)), dtype=np.float32)
    click[0, 100] = 1.0
    echoed = echo(0.25, 0.5)(click)
    assert echoed[1, 100 + samples(0.25)] == pytest.approx(0.5)
    assert echoed[0, 100 + samples(0.5)] == pytest.approx(0.25)
    assert np.count_nonzero(echoed) == 4


def test_a_pump_ducks_on_the_beat() -> None:
    ones = np.ones((2, RATE), dtype=np.float32)
    ducked = pump(0.5, 0.6)(ones)
    assert ducked[0, 0] == pytest.approx(0.4)
    assert ducked[0, samples(0.5)] == pytest.approx(0.4, abs=0.01)
    assert ducked[0, samples(0.49)] > 0.99


def test_a_room_answers_after_the_sound_and_dies_by_sixty_decibels() -> None:
    click = np.zeros(samples(2.0), dtype=np.float32)
    click[1000] = 1.0
    answer = reverberation(click, 1.0, 0.5, np.random.default_rng(1))
    assert np.abs(answer[:, :1000]).max() < 1e-5
    early, late = (rms(answer[:, 1000 + samples(at) : 1000 + samples(at + 0.1)]) for at in (0.05, 0.85))
    assert 20 * np.log10(late / early) == pytest.approx(-48.0, abs=4.0)
    assert abs(np.corrcoef(answer[0], answer[1]).flat[1]) < 0.3


def test_the_limiter_holds_its_ceiling_and_leaves_quiet_music_alone() -> None:
    rng = np.random.default_rng(2)
    noise = rng.standard_normal((2, RATE), dtype=np.float32) * np.linspace(0.01, 2.0, RATE, dtype=np.float32)
    held = limit(noise)
    assert np.abs(held).max() <= 0.89 * (1 + 1e-5)
    np.testing.assert_array_equal(held[:, : RATE // 20], noise[:, : RATE // 20])


def test_a_chain_applies_effects_in_order() -> None:
    doubled_then_cut = chain(lambda sound: 2 * sound, lambda sound: np.minimum(sound, 0.5))
    assert doubled_then_cut(np.full((2, 3), 0.4, dtype=np.float32)).max() == 0.5
