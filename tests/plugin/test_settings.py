"""What may stand in the `resonance:` section, and what is said of anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import confuse
import pytest
from beets.exceptions import UserError

from beetsplug.resonance.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from confuse import Configuration


def read(section: Any) -> Settings:
    configuration: Configuration = confuse.Configuration("beets", read=False)
    configuration.set({"resonance": section})
    configuration["resonance"].add(Settings.defaults())
    return Settings.from_config(configuration["resonance"])


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({}, Settings()),
        (None, Settings()),
        ({"auto": True}, Settings(auto="import")),
        ({"auto": False}, Settings(auto="no")),
        ({"auto": "no"}, Settings(auto="no")),
        ({"auto": "import", "threads": 3, "timeout": 7.5, "count": 5}, Settings("import", "default", 3, 7.5, 5)),
        ({"model": "/models/mine.onnx"}, Settings(model="/models/mine.onnx")),
    ],
)
def test_a_section_is_read(section: Any, expected: Settings) -> None:
    assert read(section) == expected


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"auto": "maybe"}, "resonance.auto: must be one of"),
        ({"auto": ["import"]}, "resonance.auto: must be one of"),
        ({"threads": "many"}, "resonance.threads: must be a number"),
        ({"threads": -1}, "resonance.threads in the configuration must be 0 to 64, not -1"),
        ({"timeout": 0}, "must be 1 to 86400, not 0"),
        ({"timeout": float("nan")}, "must be 1 to 86400, not nan"),
        ({"timeout": float("inf")}, "must be 1 to 86400, not inf"),
        ({"count": 0}, "must be 1 to 100000, not 0"),
        ({"model": 3}, "resonance.model: must be a string"),
        ({"cuont": 3}, "resonance.cuont in the configuration is no setting; did you mean count?"),
        ({"colour": 3}, "the settings are auto, model, threads, timeout, count"),
        ("auto", "resonance must be a"),
        (["auto"], "resonance must be a"),
    ],
)
def test_a_mistake_is_named(section: Any, message: str) -> None:
    with pytest.raises((UserError, confuse.ConfigError)) as caught:
        read(section)
    assert message in str(caught.value)


def test_a_relative_model_lies_in_the_configuration_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEETSDIR", str(tmp_path))
    monkeypatch.chdir("/")
    (tmp_path / "config.yaml").write_text("resonance: {model: models/mine}")
    configuration = confuse.Configuration("beets", read=False)
    configuration.set_file(configuration.user_config_path())
    configuration["resonance"].add(Settings.defaults())
    assert Settings.from_config(configuration["resonance"]).model == str(tmp_path / "models" / "mine")


def test_workers_are_what_was_asked_for_last() -> None:
    assert Settings(threads=3).workers() == 3
    assert Settings(threads=3).workers(2) == 2
    assert 1 <= Settings().workers() <= 4
