"""What the documents say is what the program does."""

from __future__ import annotations

import math
import re

import pytest
import yaml

from beetsplug.resonance.config.options import SETTINGS, TABLE
from beetsplug.resonance.config.settings import Settings
from tests.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


SEARCHING = (ROOT / "docs" / "searching.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / "config" / "example-beets.yaml").read_text(encoding="utf-8")
CONFIGURATIONS = [EXAMPLE, *re.findall(r"```yaml\n(resonance:\n.*?)```", README, re.DOTALL)]


def option_table() -> list[str]:
    """The table of all options in Markdown, a line each, from the program's own table."""
    rows = ["| option | of | what it does | values |", "|---|---|---|---|"]
    for option in TABLE:
        if option.help:
            flags = ", ".join(f"`{flag}`" for flag in (option.flags or (option.flag,)))
            metavar = f" {option.metavar}" if option.metavar else ""
            places = ", ".join((*option.commands, *(("profiles",) if option.saved else ())))
            low, high = option.range or (0, math.inf)
            limits = f"{low:,} or more" if high == math.inf else f"{low:,} to {high:,}"
            values = ", ".join(option.choices) or ("" if option.range is None else limits.replace("5e-324", "above 0"))
            setting = f" (`{option.name}`, {option.default})" if option.comment else ""
            cells = (flags + metavar, places, option.help.replace("|", "\\|") + setting, values)
            rows.append(f"| {' | '.join(cells)} |".replace("  |", " |"))
    return rows


def test_all_options_are_in_the_documents() -> None:
    expected = "\n".join(option_table())
    assert expected in SEARCHING, f"docs/searching.md should have\n\n{expected}"


def test_the_documents_have_no_options_that_there_are_not() -> None:
    others = {"--album", "--and", "--fields", "--help", "--refresh"}
    flags = {flag for option in TABLE for flag in (option.flags or (option.flag,)) if option.help}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", SEARCHING)) - others <= flags


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=["example", "README"])
def test_a_documented_configuration_is_made_of_the_defaults_and_comments_of_the_table(configuration: str) -> None:
    assert yaml.safe_load(configuration)["resonance"] == Settings.defaults()
    comments = re.findall(r"^  (\w+): .*? +# (.*)$", configuration, re.MULTILINE)
    assert comments == [(name, option.comment) for name, option in SETTINGS.items()]


@pytest.mark.parametrize("target", re.findall(r"(?<=\$ make )[a-z-]+|(?<=`make )[a-z-]+", README))
def test_make_knows_the_readme_s_targets(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


def test_ci_runs_all_tests_that_are_not_slow() -> None:
    commands = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert commands[-2:] == ["make test", "make test-rest"]
