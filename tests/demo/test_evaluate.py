"""The numbers of the last table, against numbers worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from demo.baselines import mfcc, mfcc_statistics, standardised
from demo.comparison import Row, compared, labelled, table
from demo.evaluate import Vectors, chance_share, described, style_share
from demo.instruments import RATE
from demo.recording import Tags, write_recording
from demo.workplace import Track
from resonance_engine.audio.windows import content_key
from resonance_engine.features.spec import Decoding, FeatureSpec
from resonance_engine.store import Embedding, Model, Store


def circle(*degrees: float) -> Vectors:
    angles = np.radians(degrees)
    return np.stack((np.cos(angles), np.sin(angles)), axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ("degrees", "labels", "k", "share"),
    [
        # Nearest first: 0 -> 10 (a), 10 -> 0 (a), 90 -> 100 (b), 100 -> 90 (b).
        ((0, 10, 90, 100), "aabb", 1, 1.0),
        ((0, 10, 90, 100), "abab", 1, 0.0),
        # 0 -> 10 (a), 10 -> 0 (a), 25 -> 10 (a, wanted b), 60 -> 25 (b).
        ((0, 10, 25, 60), "aabb", 1, 0.75),
        # First two of 0: 10, 25; of 10: 0, 25; of 25: 10, 0; of 60: 25, 10.
        ((0, 10, 25, 60), "aabb", 2, (1 + 1 + 0 + 1) / 8),
    ],
)
def test_style_share_on_a_circle(degrees: tuple[float, ...], labels: str, k: int, share: float) -> None:
    assert style_share(circle(*degrees), list(labels), k) == pytest.approx(share)


def test_style_share_looks_at_directions_alone() -> None:
    vectors = circle(0, 10, 90, 100) * np.array([[1], [100], [0.01], [5]], dtype=np.float32)
    assert style_share(vectors, list("aabb"), 1) == 1.0


@pytest.mark.parametrize(("labels", "k"), [("aab", 1), ("aabb", 4), ("aabb", 0)])
def test_style_share_refuses_what_has_no_answer(labels: str, k: int) -> None:
    with pytest.raises(ValueError, match="expected one label per vector"):
        style_share(circle(0, 10, 90, 100), list(labels), k)


def test_chance_is_the_share_of_random_neighbours() -> None:
    labels = [style for style, count in (("a", 30), ("b", 20), ("c", 10)) for _ in range(count)]
    expected = (30 * 29 + 20 * 19 + 10 * 9) / (60 * 59)
    assert chance_share(labels) == pytest.approx(expected)
    rng = np.random.default_rng(0)
    drawn = [style_share(rng.standard_normal((60, 64), dtype=np.float32), labels) for _ in range(40)]
    assert np.mean(drawn) == pytest.approx(expected, abs=0.03)


def test_mfcc_is_the_cosine_transform_of_decibels_below_the_loudest() -> None:
    log_mel = np.random.default_rng(1).uniform(-70, 0, (2, 40, 5)).astype(np.float32)
    log_mel[0, 0, 0], log_mel[1, 1, 1] = 3.0, -100.0
    decibels = np.maximum(log_mel - 3.0, -80.0)
    band, order = np.arange(40), np.arange(20)[:, None]
    cosines = np.cos(np.pi * order * (2 * band + 1) / 80) * np.sqrt(np.where(order == 0, 1, 2) / 40)
    np.testing.assert_allclose(mfcc(log_mel), np.einsum("kb,nbt->nkt", cosines, decibels), atol=1e-3)


def test_mfcc_statistics_do_not_hear_the_volume() -> None:
    log_mel = np.random.default_rng(2).uniform(-60, -10, (2, 160, 30)).astype(np.float32)
    statistics = mfcc_statistics({"timbre": log_mel})
    assert statistics.shape == (60,)
    np.testing.assert_allclose(mfcc_statistics({"timbre": log_mel + 6}), statistics, atol=1e-3)
    assert (statistics[20:] > 0).all()


def test_standardised_columns_have_deviation_one_and_constant_ones_none() -> None:
    vectors = np.random.default_rng(3).normal(5, 3, (50, 4)).astype(np.float32)
    vectors[:, 3] = 7
    np.testing.assert_allclose(standardised(vectors).mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(standardised(vectors).std(axis=0), [1, 1, 1, 0], atol=1e-5)


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> list[Track]:
    """Eight short noises, four of each of two genres, and a file that is no music."""
    root = tmp_path_factory.mktemp("noises")
    rng = np.random.default_rng(4)
    made = []
    for number in range(8):
        genre = "ab"[number % 2]
        path = root / f"{number}.flac"
        sound = 0.1 * rng.standard_normal((2, round(3.2 * RATE)), dtype=np.float32)
        write_recording(path, sound, Tags(str(number), "x", "y", genre, 2000, number, 8))
        made.append(Track(str(number), "x", genre, path))
    (root / "text.flac").write_text("no music")
    return [*made, Track("text", "x", "a", root / "text.flac")]


def test_describing_leaves_out_what_cannot_be_read(tracks: list[Track]) -> None:
    spec = FeatureSpec(decoding=Decoding(seconds=3.0, windows=1), hpss=False, harmony=None, rhythm=None)
    paths = [tracks[8].path, tracks[0].path, tracks[1].path]
    readable, vectors = described(paths, {"level": lambda f: f["timbre"].mean(axis=(0, 2))}, spec, processes=1)
    assert readable == [1, 2]
    assert vectors["level"].shape == (2, 160)


def test_the_table_compares_the_sidecar_with_the_baselines_on_the_same_tracks(
    tracks: list[Track], tmp_path: Path
) -> None:
    """Embeddings that are equal within a genre: three of the first five neighbours can be right, and are."""
    sidecar = tmp_path / "resonance.db"
    with Store(sidecar) as store:
        store.models.register(Model("m", "model", "1", 2))
        store.models.activate("m")
        for track in tracks[:8]:
            vector = np.eye(2, dtype=np.float32)["ab".index(track.genre)]
            store.vectors.put(content_key(track.path), "m", Embedding(vector))
    rows = compared(tracks, sidecar, processes=1)
    shares = {row.name: row.share for row in rows}
    assert shares["Resonance"] == pytest.approx(3 / 5)
    assert shares["By lot, on average"] == pytest.approx(3 / 7)
    assert shares["MFCC statistics"] < 3 / 5
    assert len(table(rows).splitlines()) == len(rows) == 5


def test_too_few_analysed_tracks_make_no_table(tracks: list[Track], tmp_path: Path) -> None:
    assert compared(tracks[:2], tmp_path / "empty.db", processes=1) == []


def test_bars_are_as_long_as_the_shares() -> None:
    assert table([Row("One", 0.5), Row("Another", 1.0)]).splitlines() == [
        "  One      0.50  " + 20 * "#",
        "  Another  1.00  " + 40 * "#",
    ]


@pytest.mark.parametrize(
    ("with_genre", "without", "judged"), [(10, 4, 10), (7, 7, 7), (6, 8, 0), (5, 0, 0), (900, 0, 400)]
)
def test_tracks_are_judged_by_genre_where_most_have_one(with_genre: int, without: int, judged: int) -> None:
    library = [Track(str(n), "x", "g" if n < with_genre else "", Path(str(n))) for n in range(with_genre + without)]
    chosen = labelled(library)
    assert len(chosen) == judged
    assert all(track.genre for track in chosen)
