"""What a search may try, read from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

for name in ("optuna", "pydantic", "yaml"):
    pytest.importorskip(name)

from optuna.distributions import CategoricalDistribution, FloatDistribution

from resonance_engine.errors import ConfigError
from resonance_engine.training.tuning.study import read_space
from tests.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SHIPPED = ROOT / "config" / "search_space.yaml"

PROMISED = {
    "train.lr": FloatDistribution(1e-5, 1e-3, log=True),
    "train.batch_identities": CategoricalDistribution((64, 96, 128)),
    "train.temperature": FloatDistribution(0.03, 0.15),
    "train.weight_decay": FloatDistribution(1e-3, 5e-2, log=True),
    "fusion.mode": CategoricalDistribution(("gated_add", "gated_concat")),
}


def written(folder: Path, text: str) -> Path:
    path = folder / "space.yaml"
    path.write_text(text, "utf-8")
    return path


def test_the_shipped_space() -> None:
    assert read_space(None) == read_space(SHIPPED) == PROMISED


def test_it_may_be_written_short(tmp_path: Path) -> None:
    text = """
        lr: {loguniform: [1e-5, 1e-3]}
        batch_identities: {choice: [64, 96, 128]}
        temperature: {uniform: [0.03, 0.15]}
        weight_decay: {loguniform: [1e-3, 5e-2]}
        fusion_mode: [gated_add, gated_concat]
    """
    assert read_space(written(tmp_path, text)) == PROMISED


def test_whatever_differs_between_trials_may_be_searched(tmp_path: Path) -> None:
    text = "{model.timbre: [plain, residual], augment.mix: {uniform: [0, 0.3]}, train.gradient_checkpointing: [no, on]}"
    assert read_space(written(tmp_path, text)) == {
        "model.timbre": CategoricalDistribution(("plain", "residual")),
        "augment.mix": FloatDistribution(0.0, 0.3),
        "train.gradient_checkpointing": CategoricalDistribution((False, True)),
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "there is nothing to search for; name a setting, such as train.lr."),
        ("train: {lr: {uniform: [0.1, 0.2]}}", "train is a section; name one of its settings: use_amp,"),
        ("rate: [1]", "rate is no setting;"),
        ("train.lrr: [1]", "train.lrr is no setting; did you mean train.lr?"),
        ("features.mel.n_mels: [80, 160]", "features.mel.n_mels is the same for all trials; search among model,"),
        ("augment.audio.views: [0, 1]", "augment.audio.views is the same for all trials;"),
        ("{lr: [0.1], train.lr: [0.1]}", "train.lr stands twice, once as train.lr; keep one."),
        ("lr: 0.1", "train.lr needs {loguniform: [LOW, HIGH]}, {uniform: [LOW, HIGH]} or a list of values, not 0.1."),
        ("lr: {normal: [0, 1]}", "or a list of values, not a section."),
        ("lr: []", "train.lr needs at least one value, and each only once"),
        ("lr: [0.1, 0.1]", "train.lr needs at least one value, and each only once"),
        ("lr: {loguniform: [0.1]}", "train.lr needs two numbers, loguniform: [LOW, HIGH], not a list."),
        ("lr: {uniform: 3}", "train.lr needs two numbers, uniform: [LOW, HIGH], not 3."),
        ("lr: {uniform: [0.2, 0.1]}", "train.lr needs the lower number first"),
        ("lr: {uniform: [0.1, 7]}", "train.lr must be less than or equal to 1, not 7."),
        ("weight_decay: {loguniform: [0, 1]}", "train.weight_decay cannot be drawn loguniform from 0; start above 0"),
        ("train.epochs: {uniform: [1, 9]}", "train.epochs cannot be drawn uniform, for it takes no fractions;"),
        (
            "fusion_mode: [gated_sum]",
            "'gated_concat' or 'cross_attention', not 'gated_sum'",
        ),
        ("fusion_mode: [no]", "fusion.mode must be 'gated_add', 'gated_concat' or 'cross_attention', not false."),
    ],
)
def test_a_space_that_cannot_be(tmp_path: Path, text: str, sentence: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_space(path)
    assert str(caught.value).startswith(f"{path}: {sentence}") or sentence in str(caught.value)
