"""Settings from files and from the command line: what is understood, and what is said of the rest."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

for name in ("pydantic", "yaml"):
    pytest.importorskip(name)

import yaml

from resonance_engine.errors import ConfigError
from resonance_engine.features.spec import FeatureSpec, InstrumentationSpec, SemanticSpec
from resonance_engine.training.config.config_file import change, flatten, read_config
from resonance_engine.training.config.settings import Config
from tests.paths import ROOT

SHIPPED = ROOT / "config"


def leaves(document: object, prefix: str = "") -> dict[str, object]:
    assert isinstance(document, dict)
    found: dict[str, object] = {}
    for name, value in document.items():
        found |= leaves(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, "utf-8")
    return path


def refused(path: Path | None, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_config(path, overrides)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith((".", "?"))
    return sentence


def test_base_yaml_shows_every_setting_with_its_default() -> None:
    shown = leaves(yaml.safe_load((SHIPPED / "base.yaml").read_text("utf-8")))
    assert list(shown) == list(flatten(Config()))
    assert read_config(SHIPPED / "base.yaml") == Config() == read_config(None)


def test_the_defaults_are_those_that_were_promised() -> None:
    values = flatten(read_config(None))
    promised = {
        "data.scan_root": True, "data.use_unlabeled": True, "data.segment.seconds": 18, "data.segment.hop_seconds": 4,
        "data.segment.segments_per_song": 4, "data.segment.hpss": True, "cache.backend": "sqlite",
        "cache.preload_ram": True, "cache.reuse_ram_across_trials": False, "features.mel.sr": 44100,
        "features.mel.n_mels": 160, "features.mel.hop_ms": 20, "features.chroma.bins": 24, "features.tempo.win": 320,
        "fusion.embed_dim": 512, "train.lr": 1.6e-4, "train.weight_decay": 2e-2, "train.epochs": 140,
        "train.warmup_epochs": 10, "train.batch_identities": 96, "train.views_per_song": 4,
        "train.temperature": 0.05, "train.margin": 0.2, "train.early_stopping.monitor": "recall@5",
        "train.early_stopping.mode": "max", "train.early_stopping.patience": 10,
        "train.early_stopping.min_delta": 0.0005, "train.early_stopping.restore_best": True,
    }  # fmt: skip
    assert {key: values[key] for key in promised} == promised


def test_a_file_changes_what_it_names_and_the_command_line_has_the_last_word(tmp_path: Path) -> None:
    path = written(tmp_path, "train:\n  epochs: 30\n  lr: 1e-4\n  early_stopping:\n    patience: 3\nmodel:\n")
    config = read_config(path, ["train.lr=2e-5", "fusion.mode = gated_concat", "data.root=2024", "train.use_amp=off"])
    expected = {"train.epochs": 30, "train.early_stopping.patience": 3, "train.lr": 2e-5, "fusion.mode": "gated_concat"}
    expected |= {"data.root": "2024", "train.use_amp": False}
    assert flatten(config) == flatten(Config()) | expected


def test_semantic_is_heard_where_it_is_switched_on() -> None:
    assert Config().spec == FeatureSpec()
    assert read_config(None, ["features.semantic=yes"]).spec == FeatureSpec(semantic=SemanticSpec())
    both = read_config(None, ["features.semantic=yes", "features.instrumentation=yes"]).spec
    assert both == FeatureSpec(semantic=SemanticSpec(), instrumentation=InstrumentationSpec())


def test_quick_yaml_and_an_empty_file_are_understood(tmp_path: Path) -> None:
    assert read_config(SHIPPED / "quick.yaml").train.epochs < Config().train.epochs
    assert read_config(written(tmp_path, "# nothing\n")) == Config()


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-4", 1e-4), ("1.0e-4", 1e-4), ("'0.001'", 0.001), ("1", 1.0), ("0.1_0", 0.1)],
)
def test_numbers_however_yaml_reads_them(tmp_path: Path, text: str, value: float) -> None:
    assert read_config(written(tmp_path, f"train: {{lr: {text}}}")).train.lr == value


@pytest.mark.parametrize("text", ["no", "off", "false", "'no'", "Off"])
def test_every_no_of_yaml_is_false(tmp_path: Path, text: str) -> None:
    assert not read_config(written(tmp_path, f"train: {{use_amp: {text}}}")).train.use_amp


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("train: {lr: -1}", "train.lr must be greater than 0, not -1."),
        ("train: {lr: 0}", "train.lr must be greater than 0, not 0."),
        ("train: {lr: .nan}", "train.lr must be a finite number, not nan."),
        ("train: {lr: fast}", "train.lr must be a valid number, not 'fast'."),
        ("train: {lr: true}", "train.lr must be a valid number, not true."),
        ("train: {lr: }", "train.lr must be a valid number, not nothing."),
        ("train: {lr: [1]}", "train.lr must be a valid number, not a list."),
        ("train: {lr: {a: 1}}", "train.lr must be a valid number, not a section."),
        ("train: {epochs: 1.5}", "train.epochs must be a valid integer, not 1.5."),
        ("train: {epochs: yes}", "train.epochs must be a valid integer, not true."),
        ("train: {use_amp: 1}", "train.use_amp must be a valid boolean, not 1."),
        ("train: {use_amp: maybe}", "train.use_amp must be a valid boolean, not 'maybe'."),
        ("data: {held_out: 0.9}", "data.held_out must be less than or equal to 0.5, not 0.9."),
        ("data: {root: no}", "data.root must be a valid string, not false; put it in quotes."),
        ("data: {root: 2024}", "data.root must be a valid string, not 2024; put it in quotes."),
        ("fusion: {mode: gated_ad}", "must be 'gated_add', 'gated_concat' or 'cross_attention', not 'gated_ad'."),
        ("cache: {backend: on}", "cache.backend must be 'sqlite' or 'ram', not true."),
        ("features: {chroma: {bins: 13}}", "features.chroma.bins must be a multiple of 12, not 13."),
        ("features: {chroma: {bins: 24.0}}", "features.chroma.bins must be a valid integer, not 24.0."),
        ("train: {epochz: 3}", "train.epochz is no setting; did you mean train.epochs?"),
        ("train: {warmup: 3}", "train.warmup is no setting; did you mean train.warmup_epochs?"),
        ("lr: 3", "lr is no setting; did you mean train.lr?"),
        ("train: {early_stop: {patience: 3}}", "train.early_stop is no setting; did you mean train.early_stopping?"),
        ("train: {patience: 3}", "train.patience is no setting; did you mean train.early_stopping.patience?"),
        ("trian: {lr: 3}", "trian is no setting; did you mean train?"),
        ("cache: {zzz: 3}", "cache.zzz is no setting; cache has backend, preload_ram, reuse_ram_across_trials."),
        ("zzz: 3", "zzz is no setting; there are data, cache, features, model, fusion, augment, train."),
        ("no: 3", "False is no setting; there are data,"),
        ("train: 3", "train is a section; give one of its settings (use_amp, optimizer,"),
        ("train: [lr]", "train is a section; give one of its settings (use_amp, optimizer,"),
        ("model: {timbre: resnet}", "model.timbre must be 'plain' or 'residual', not 'resnet'."),
    ],
)
def test_one_setting_that_cannot_be(tmp_path: Path, text: str, sentence: str) -> None:
    said = refused(written(tmp_path, text))
    assert said.startswith(f"{tmp_path / 'mine.yaml'}: ")
    assert sentence in said


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("train.lr", "--set train.lr: a setting is given as KEY=VALUE, such as train.lr=1e-4."),
        ("train.lr=x", "--set train.lr=x: train.lr must be a valid number, not 'x'."),
        ("train=1", "--set train=1: train is a section; give one of its settings (use_amp, optimizer,"),
        ("lr=1", "--set lr=1: lr is no setting; did you mean train.lr?"),
        ("=1", "--set =1: '' is no setting; there are data,"),
        ("train.epochs=\udcff", "train.epochs must be a valid integer, not '\\udcff'."),
    ],
)
def test_an_override_that_cannot_be(override: str, sentence: str) -> None:
    assert sentence in refused(None, override)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["train.epochs=5"], "train.warmup_epochs must be at most train.epochs, 5, not 10."),
        (["data.segment.seconds=5"], "train.crop_seconds must be at most data.segment.seconds, 5, not 6."),
        (["train.early_stopping.monitor=loss"], "train.early_stopping.mode must be min where"),
        (["train.early_stopping.mode=min"], "must be max where train.early_stopping.monitor is recall@5, not min."),
        (
            ["features.mel.sr=31000", "features.mel.n_mels=500"],
            "features.mel.n_mels must be less than 500 where features.mel.sr is 31000, or some bands",
        ),
        (
            ["features.mel.sr=12000", "features.semantic=on"],
            "features.mel.sr must be at least 16000 where features.semantic is true, not 12000.",
        ),
        (
            ["features.mel.sr=12000", "features.instrumentation=on"],
            "features.mel.sr must be at least 16000 where features.instrumentation is true, not 12000.",
        ),
    ],
)
def test_settings_that_contradict_each_other(overrides: list[str], sentence: str) -> None:
    assert sentence in refused(None, *overrides)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"train: [1\n", "is not valid YAML: line 2, expected ',' or ']'"),
        (b"train:\n\tlr: 1\n", "is not valid YAML: line 2, found character '\\t' that cannot start any token"),
        (b"train: \xff", "is not valid YAML: "),
        (b"a: &a [*a]\n", "a is no setting;"),
        (b"train: 2024-13-45", "is not valid YAML: month must be in 1..12"),
        (b"train: !!python/object:os.system {}", "is not valid YAML: line 1, could not determine a constructor"),
        (b"- train\n", "must hold sections such as `train:`, not a list."),
        (b"train\n", "must hold sections such as `train:`, not a single value."),
        (b"train: {lr: 1}\nfusion:\ntrain: {epochs: 20}\n", "is not valid YAML: line 3, train stands twice; keep one."),
        (b"train:\n  lr: 1\n  lr: 1\n", "is not valid YAML: line 3, lr stands twice; keep one."),
        (b"[" * 1000, "is not valid YAML: "),
    ],
)
def test_a_file_that_is_not_one_of_settings(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    assert f"{path} {sentence}" in refused(path) or f"{path}: {sentence}" in refused(path)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    sentence = refused(tmp_path / "none.yaml")
    assert f"{tmp_path}/none.yaml is not there; the files that come with Resonance are config/base.yaml," in sentence
    assert refused(tmp_path) == f"{tmp_path} cannot be read: Is a directory."


def test_shipped_files_are_found_from_anywhere_but_never_instead_of_the_user_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    named = Path("config/quick.yaml")
    assert read_config(named) == read_config(SHIPPED / "quick.yaml")
    assert "is not there" in refused(Path("quick.yaml"))
    assert "is not there" in refused(tmp_path / "config/quick.yaml")
    Path("config").mkdir()
    named.write_text("train: {epochs: 77}", "utf-8")
    assert read_config(named).train.epochs == 77


def test_an_installed_package_carries_them(tmp_path: Path) -> None:
    ignore = shutil.ignore_patterns("models", "__pycache__")
    shutil.copytree(ROOT / "resonance_engine", tmp_path / "site/resonance_engine", ignore=ignore)
    shutil.copytree(SHIPPED, tmp_path / "site/resonance_engine/config")
    script = (
        "from pathlib import Path\n"
        "from resonance_engine.training.config.config_file import read_config\n"
        "from resonance_engine.training.tuning.study import read_space\n"
        "assert read_config(None) == read_config(Path('config/base.yaml'))\n"
        "print(len(read_space(None)), read_config(Path('config/quick.yaml')).train.epochs)"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["5", str(read_config(SHIPPED / "quick.yaml").train.epochs)], done.stderr


def test_sections_may_be_merged_and_keys_written_with_dots(tmp_path: Path) -> None:
    text = "train: &a {lr: 0.1}\nfusion.embed_dim: 64\ntrain.early_stopping: {patience: 3}\nmodel:\n"
    found = flatten(read_config(written(tmp_path, text)))
    assert found == flatten(Config()) | {
        "train.lr": 0.1, "fusion.embed_dim": 64, "train.early_stopping.patience": 3,
    }  # fmt: skip
    text = "train: {early_stopping: &a {patience: 3}}\ndata: {segment: {<<: *a}}"
    assert "data.segment.patience is no setting; did you mean train.early_stopping.patience?" in refused(
        written(tmp_path, text)
    )


def test_the_source_of_a_mistake_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "train: {lr: 7}")
    assert read_config(path, ["train.lr=0.5"]).train.lr == 0.5
    assert refused(path, "train.epochs=20").startswith(f"{path}: train.lr must be")
    assert refused(path, "train.lr=0.5", "train.epochs=x").startswith("--set train.epochs=x: train.epochs must be")


def test_settings_for_a_trial() -> None:
    base = read_config(None, ["data.root=music"])
    tried = change(base, {"train.lr": 1e-3, "fusion.mode": "gated_concat"})
    assert flatten(tried) == flatten(base) | {"train.lr": 1e-3, "fusion.mode": "gated_concat"}
    with pytest.raises(ConfigError, match=r"train\.lr must be less than or equal to 1, not 7"):
        change(base, {"train.lr": 7.0})
    with pytest.raises(ConfigError, match=r"train\.rate is no setting"):
        change(base, {"train.rate": 7.0})
