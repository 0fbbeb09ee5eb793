"""The linear map evens out what varies within albums, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from resonance_engine.training.finetune import PRIOR_SONGS, fit_whitening

ALBUMS, WINDOWS, WIDTH = 30, 40, 8


@pytest.fixture
def cloud() -> tuple[np.ndarray, np.ndarray]:
    """Windows around their album's mean; the first direction varies ten times as much as the others."""
    rng = np.random.default_rng(0)
    album = np.repeat(np.arange(ALBUMS), WINDOWS)
    means = rng.standard_normal((ALBUMS, WIDTH))
    noise = rng.standard_normal((len(album), WIDTH)) * np.array([10.0, *[1.0] * (WIDTH - 1)])
    return (means[album] + noise).astype(np.float32), album


def within(vectors: np.ndarray, album: np.ndarray) -> np.ndarray:
    apart = np.concatenate([vectors[album == i] - vectors[album == i].mean(axis=0) for i in np.unique(album)])
    return apart.T @ apart / len(apart)


def test_many_songs_whiten(cloud: tuple[np.ndarray, np.ndarray]) -> None:
    """Without shrinkage to speak of, what varies within albums varies the same in all directions."""
    windows, album = cloud
    scatter = within(windows @ fit_whitening(windows, album, 10**9).T, album)
    np.testing.assert_allclose(scatter / scatter[0, 0], np.eye(WIDTH), atol=1e-3)


def test_few_songs_change_little(cloud: tuple[np.ndarray, np.ndarray]) -> None:
    windows, album = cloud
    np.testing.assert_allclose(fit_whitening(windows, album, 1), np.eye(WIDTH), atol=0.02)
    gains = [fit_whitening(windows, album, songs)[0, 0] for songs in (1, 40, 400, 4000)]
    assert gains == sorted(gains, reverse=True)


def test_by_hand() -> None:
    """Two directions, one album, as many songs as the prior has: variances 1.6 and 0.4 of the mean, λ = 1."""
    windows = np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]], np.float32)
    found = fit_whitening(windows, np.zeros(4, int), PRIOR_SONGS)
    expected = np.diag([np.sqrt(2 / 2.6), np.sqrt(2 / 1.4)])
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_album_means_do_not_count(cloud: tuple[np.ndarray, np.ndarray]) -> None:
    windows, album = cloud
    shift = np.random.default_rng(1).standard_normal((ALBUMS, WIDTH)).astype(np.float32)[album]
    np.testing.assert_allclose(
        fit_whitening(windows + 5 * shift, album, 100), fit_whitening(windows, album, 100), atol=1e-4
    )


def test_where_nothing_varies_nothing_changes() -> None:
    windows = np.ones((6, 4), np.float32)
    np.testing.assert_array_equal(fit_whitening(windows, np.arange(6), 6), np.eye(4))
    np.testing.assert_array_equal(fit_whitening(windows, np.zeros(6, int), 6), np.eye(4))
