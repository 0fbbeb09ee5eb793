"""What the documents say is what the program does."""

from __future__ import annotations

import re

import pytest
import yaml

from beetsplug.resonance.config.settings import Settings
from tests.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_example_configuration_is_made_of_the_defaults() -> None:
    example = yaml.safe_load((ROOT / "config" / "example-beets.yaml").read_text(encoding="utf-8"))
    assert example["resonance"] == Settings.defaults()


def test_the_readme_s_configuration_is_made_of_the_defaults() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    sections = [yaml.safe_load(block) for block in blocks]
    assert Settings.defaults() in [section.get("resonance") for section in sections]


@pytest.mark.parametrize("target", re.findall(r"(?<=\$ make )[a-z-]+|(?<=`make )[a-z-]+", README))
def test_make_knows_the_readme_s_targets(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


def test_ci_runs_all_tests_that_are_not_slow() -> None:
    commands = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert commands[-2:] == ["make test", "make test-rest"]
