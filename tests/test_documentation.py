"""What the documents say is what the program does."""

from __future__ import annotations

import ast
import math
import re
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest
import yaml

from beetsplug.resonance.config.options import SETTINGS, TABLE
from beetsplug.resonance.config.settings import Settings
from beetsplug.resonance.library.networks import TEMPLATE, read_network
from resonance_engine.encoder.network_manifest import (
    INPUTS,
    PARTS,
    POOLINGS,
    Network,
    NetworkManifest,
    NetworkOutput,
)
from resonance_engine.features.mel_framing import NORMALISATIONS, PADDINGS, SLOPES, SPECTRA, TAPERS, MelFraming
from resonance_engine.features.mel_scale import SCALES
from resonance_engine.features.network_input import LOGARITHMS, Logarithm, LogMelInput, WaveformInput
from resonance_engine.features.spec import FeatureSpec
from tests.import_graph import FOLDERS, parse, sources
from tests.paths import ROOT
from tests.test_layers import ENGINE

if TYPE_CHECKING:
    from pathlib import Path

README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


SEARCHING = (ROOT / "docs" / "searching.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / "config" / "example-beets.yaml").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
MADE_WHEN_RUN = {"resonance-models/NAME/", "cache/", "runs/", "export/"}
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


NETWORKS = (ROOT / "docs" / "bring-your-own-network.md").read_text(encoding="utf-8")
DESCRIPTIONS = re.findall(r"```yaml\n(.*?)```", NETWORKS, re.DOTALL)


@pytest.mark.parametrize("text", [*DESCRIPTIONS, TEMPLATE])
def test_the_documented_networks_can_be_added(text: str, tmp_path: Path) -> None:
    (tmp_path / "network.yaml").write_text(text, encoding="utf-8")
    network = read_network(tmp_path / "network.onnx")
    assert NetworkManifest(network, FeatureSpec()).network == network
    assert len(DESCRIPTIONS) == 4


def test_every_key_of_a_network_is_documented() -> None:
    rows = "\n".join(line for line in NETWORKS.splitlines() if line.startswith("|"))
    kinds = (Network, WaveformInput, LogMelInput, MelFraming, Logarithm, NetworkOutput)
    names = {field.name for kind in kinds for field in fields(kind)} - {"input", "output", "mel"}
    assert all(re.search(rf"`([\w.]+\.)?{name}`", rows) for name in names), names
    for choices in (SCALES, SLOPES, NORMALISATIONS, SPECTRA, TAPERS, PADDINGS, LOGARITHMS, POOLINGS, PARTS, INPUTS):
        assert all(f"`{choice}`" in rows for choice in choices)


def quoted(pattern: str) -> list[str]:
    """The words of the architecture in backticks, or parts of them, that are written as in the pattern."""
    spans = re.findall(r"`([^`\n]+)`", ARCHITECTURE)
    return sorted({word for span in spans for word in span.split() if re.fullmatch(pattern, word)} - MADE_WHEN_RUN)


@pytest.mark.parametrize("path", quoted(r"[\w.-]+/[\w./-]*|[\w-]+\.(?:py|md)"))
def test_the_paths_of_the_architecture_exist(path: str) -> None:
    folders = (ROOT, ROOT / "resonance_engine", ROOT / "beetsplug" / "resonance")
    assert any((folder / path).exists() for folder in folders)


@pytest.mark.parametrize("module", quoted(rf"(?:{'|'.join(FOLDERS)})(?:\.\w+)+"))
def test_the_modules_of_the_architecture_exist(module: str) -> None:
    assert module in sources(*FOLDERS)


@pytest.mark.parametrize("name", quoted(r"[A-Z]\w+(?:\.(?!md)[a-z]\w*)?"))
def test_the_names_of_the_architecture_are_those_of_the_code(name: str) -> None:
    text = "\n".join(path.read_text("utf-8") for path in sources(*FOLDERS).values())
    assert all(re.search(rf"\b{part}\b", text) for part in name.split("."))


def test_the_architecture_describes_every_room_as_its_docstring_does() -> None:
    modules = sources("beetsplug", "resonance_engine")
    for name, path in modules.items():
        room = name.removeprefix("beetsplug.").partition(".")[2]
        if path.name == "__init__.py" and room and "." not in room:
            [line, *_] = (ast.get_docstring(parse(path)) or "").splitlines()
            assert f"| `{room}/` | {line} |" in ARCHITECTURE, name


def test_the_architecture_has_the_layers_of_the_engine() -> None:
    layers = "; ".join(", ".join(rooms) for rooms in ENGINE[2:])
    assert f"from the ground: {layers}." in " ".join(ARCHITECTURE.split())
