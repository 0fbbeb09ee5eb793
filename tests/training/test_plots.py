"""Pictures: what they show is read from the figure, and files are PNG."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("matplotlib")

from resonance_engine.errors import ResonanceError
from resonance_engine.training.results.plots import (
    PALETTE,
    draw_gates,
    draw_projection,
    draw_training,
    principal_components,
    read_log,
    save_figure,
)
from tests.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

LOG = """epoch,loss,lr,gate_entropy,gate_timbre,gate_harmony,seconds,recall@1,map
1,3.5,0.0001,0.9,0.6,0.4,2.1,0.2,0.3
2,2.5,0.0002,0.8,0.7,0.3,2.0,,0.4
"""


@pytest.fixture
def log(tmp_path: Path) -> dict[str, NDArray[np.float64]]:
    path = tmp_path / "log.csv"
    path.write_text(LOG)
    return dict(read_log(path))


def texts(figure: object) -> list[str]:
    from matplotlib.text import Text

    return [each.get_text() for each in figure.findobj(Text)]  # type: ignore[attr-defined]  # a Figure


def test_a_log_is_read_as_columns(log: dict[str, NDArray[np.float64]]) -> None:
    assert log["loss"].tolist() == [3.5, 2.5]
    assert np.isnan(log["recall@1"]).tolist() == [False, True]


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "epoch,loss,lr\n1,x,3\n", "epoch,loss,lr\n1,2\n"])
def test_what_is_no_log_is_a_sentence(tmp_path: Path, content: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(content)
    with pytest.raises(ResonanceError, match=r"log\.csv is no log of a training run.*remove it"):
        read_log(path)


def test_an_empty_log_has_no_columns(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("")
    assert read_log(tmp_path / "log.csv") == {}


def test_the_training_curve_shows_loss_validation_and_rate(log: dict[str, NDArray[np.float64]]) -> None:
    figure = draw_training(log)
    loss, validation, rate = figure.axes
    assert loss.lines[0].get_ydata().tolist() == [3.5, 2.5]
    assert [line.get_label() for line in validation.lines] == ["recall@1", "map"]
    assert rate.lines[0].get_ydata().tolist() == [0.0001, 0.0002]
    assert rate.get_xlabel() == "epoch"
    assert all(axes.get_ylabel() for axes in figure.axes)


def test_without_validation_there_are_loss_and_rate(log: dict[str, NDArray[np.float64]]) -> None:
    bare = {name: log[name][:1] for name in ("epoch", "loss", "lr")}
    assert [axes.get_ylabel() for axes in draw_training(bare).axes] == ["loss (mean of batches)", "learning rate"]


def test_gates_by_epoch_and_over_songs(log: dict[str, NDArray[np.float64]]) -> None:
    gates = np.array([[0.7, 0.3], [0.5, 0.5]], np.float32)
    assert len(draw_gates(gates, ["timbre", "harmony"]).axes) == 1
    figure = draw_gates(gates, ["timbre", "harmony"], log)
    by_epoch, _ = figure.axes
    assert by_epoch.lines[0].get_ydata().tolist() == [0.6, 0.7]
    assert "Of 2 held-out songs" in texts(figure)


class TestProjection:
    def test_components_are_eigenvectors_of_the_covariance(self) -> None:
        spread = np.array([3, 2, 1, 1, 1, 1], np.float32)
        vectors = np.random.default_rng(0).standard_normal((40, 6)).astype(np.float32) * spread
        places, shares = principal_components(vectors)
        values, directions = np.linalg.eigh(np.cov(vectors.T))
        expected = (vectors - vectors.mean(axis=0)) @ directions[:, [-1, -2]]
        np.testing.assert_allclose(np.abs(places), np.abs(expected), atol=1e-5)
        np.testing.assert_allclose(shares, values[[-1, -2]] / values.sum(), rtol=1e-5)

    @pytest.mark.parametrize("vectors", [np.ones((3, 4)), np.ones((1, 4)), np.arange(2.0)[:, None]])
    def test_what_has_no_spread_lies_in_one_place(self, vectors: NDArray[np.float64]) -> None:
        places, shares = principal_components(vectors.astype(np.float32))
        assert places.shape == (len(vectors), 2)
        assert np.isfinite(places).all()
        assert shares[1] == 0

    def test_the_ten_largest_groups_are_named(self) -> None:
        groups = [f"group {i}" for i in range(14) for _ in range(20 - i)] + ["", "alone"]
        vectors = np.random.default_rng(0).standard_normal((len(groups), 4)).astype(np.float32)
        (axes,) = draw_projection(vectors, groups, "songs").axes
        named = [text.get_text() for text in axes.get_legend().get_texts()]
        others = sum(20 - i for i in range(10, 14)) + 2
        assert named == [f"others ({others})", *(f"group {i} ({20 - i})" for i in range(10))]
        assert sum(len(each.get_offsets()) for each in axes.collections) == len(groups)

    def test_odd_names_are_shortened_and_no_mathematics(self, tmp_path: Path) -> None:
        groups = ["A$AP \\frac$ " + 40 * "x"] * 2 + ["ばか"] * 1
        figure = draw_projection(np.random.default_rng(0).random((3, 4), np.float32), groups, "songs")
        save_figure(figure, tmp_path / "out.png")
        assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG\r\n")

    def test_marks_and_colours_together_are_all_different(self) -> None:
        groups = [f"group {i}" for i in range(10) for _ in range(2)]
        (axes,) = draw_projection(np.random.default_rng(0).random((20, 4), np.float32), groups, "songs").axes
        looks = {(tuple(each.get_facecolor()[0]), each.get_paths()[0].vertices.tobytes()) for each in axes.collections}
        assert len(looks) == 10 > len(PALETTE)


def test_matplotlib_is_loaded_with_the_first_picture_alone() -> None:
    code = "import sys, resonance_engine.training.results.plots; sys.exit('matplotlib' in sys.modules)"
    root = ROOT
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
