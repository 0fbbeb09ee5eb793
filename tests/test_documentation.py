"""What the documents say is what the program does."""

from __future__ import annotations

import ast
import math
import re
import subprocess
from dataclasses import fields
from importlib.util import find_spec
from shutil import which
from typing import TYPE_CHECKING

import pytest
import yaml
from beets.ui.commands import default_commands

from beetsplug.resonance.commands.verbs import NAMES as VERBS
from beetsplug.resonance.config.options import SETTINGS, TABLE
from beetsplug.resonance.config.settings import Settings
from beetsplug.resonance.library.networks import TEMPLATE, read_network
from demo.readme import MOST_WORDS, draw_pictures
from demo.transcript import count_words
from resonance_engine.cli import VERBS as ENGINE_VERBS
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

DOCUMENTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}
README = DOCUMENTS["README.md"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
SEARCHING = DOCUMENTS["docs/searching.md"]
EXAMPLE = (ROOT / "config" / "example-beets.yaml").read_text(encoding="utf-8")
ARCHITECTURE = DOCUMENTS["docs/architecture.md"]
MADE_WHEN_RUN = {"resonance-shared-ID/", "resonance-models/NAME/", "cache/", "runs/", "export/"}
CONFIGURATIONS = [EXAMPLE, *re.findall(r"```yaml\n(resonance:\n.*?)```", DOCUMENTS["docs/configuration.md"], re.DOTALL)]


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
    others = {"--album", "--and", "--fields", "--help", "--refresh", "--remove"}
    flags = {flag for option in TABLE for flag in (option.flags or (option.flag,)) if option.help}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", SEARCHING)) - others <= flags


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=["example", "documented"])
def test_a_documented_configuration_is_made_of_the_defaults_and_comments_of_the_table(configuration: str) -> None:
    assert yaml.safe_load(configuration)["resonance"] == Settings.defaults()
    comments = re.findall(r"^  (\w+): .*? +# (.*)$", configuration, re.MULTILINE)
    assert comments == [(name, option.comment) for name, option in SETTINGS.items()]


COMMAND = re.compile(r"(?:(?<=^\$ )|(?<=^    )|(?<=`))(?:beet|resonance|make|python -m) [a-z-][^`\n]*", re.MULTILINE)
COMMANDS = sorted({
    (document, match[0]) for document, text in DOCUMENTS.items() for match in COMMAND.finditer(text)
})  # fmt: skip


FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
MADE_UP = {"beet resonance whereis"}  # of the recipe for a new command
BEETS = {name for command in default_commands for name in (command.name, *command.aliases)}


def exists(program: str, words: list[str]) -> bool:
    """Whether a command that a document names is one, by its first words."""
    name = words[0]
    if program == "make":
        return re.search(rf"^{name}:", MAKEFILE, re.MULTILINE) is not None
    if program == "python -m":
        return find_spec(name) is not None
    if program == "resonance":
        return name.replace("_", "-") in ENGINE_VERBS or name.startswith("-")
    if name == "resonance":
        return words[1:2] == [] or words[1] in VERBS or not words[1].isalpha() or words[1].isupper()
    return name in {"similar", "playlist", "radio"} | BEETS or find_spec(f"beetsplug.{name}") is not None


@pytest.mark.parametrize(("document", "command"), COMMANDS)
def test_commands_that_documents_name_exist(document: str, command: str) -> None:
    program = "python -m" if command.startswith("python -m") else command.split()[0]
    words = command.removeprefix(program).replace("\\|", "|").split()
    assert command in MADE_UP or exists(program, words), f"{document}: {command}"


def test_a_command_that_does_not_exist_is_seen() -> None:
    assert not exists("resonance", ["search_proxy"])
    assert not exists("beet", ["resonance", "statsu"])
    assert not exists("beet", ["dance"])
    assert not exists("make", ["love"])


def test_options_that_documents_name_exist() -> None:
    text = "\n".join(DOCUMENTS[name] for name in ("README.md", "docs/configuration.md", "docs/troubleshooting.md"))
    table = {flag for option in TABLE for flag in (option.flags or (option.flag,)) if option.help}
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources("beetsplug", "resonance_engine").values())
    others = {"--index-url"}  # of pip
    assert set(FLAG.findall(text)) - table - set(re.findall(r'(?<=")--[a-z-]+(?=")', code)) == others


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_between_documents_lead_somewhere(document: str) -> None:
    folder = (ROOT / document).parent
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", DOCUMENTS[document]):
        target = (folder / path).resolve() if path else ROOT / document
        assert target.exists(), path
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_the_readme_has_no_more_words_than_promised() -> None:
    assert count_words(README) <= MOST_WORDS


def test_the_readme_repeats_the_model_card() -> None:
    card = (ROOT / "resonance_engine" / "models" / "default" / "CARD.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \**(resonance \d|bliss|random)\b[^|]*\| \**(0\.\d+)", card, re.MULTILINE)
    first = dict(reversed(rows))  # of several tables
    newest = max(name for name in first if name.startswith("resonance"))
    shown = [f"{100 * float(first[name]):.0f} %" for name in (newest, "bliss", "random")]
    introduction = README.partition("## ")[0]
    assert re.findall(r"\d+ %", introduction) == shown


def test_pictures_show_what_the_examples_print() -> None:
    for path, picture in draw_pictures(README).items():
        assert (ROOT / path).read_text(encoding="utf-8") == picture, f"run `make readme`, which draws {path}"
        assert f"]({path})" in README


def test_help_of_make_lists_every_target() -> None:
    targets = {target for line in re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE) for target in line.split()}
    done = subprocess.run(
        [which("make") or "make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {line.split()[0] for line in done.stdout.splitlines()} == targets
    assert all(len(line.split()) > 1 for line in done.stdout.splitlines())


def test_ci_runs_all_tests_that_are_not_slow() -> None:
    commands = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert commands[-2:] == ["make test", "make test-rest"]


NETWORKS = DOCUMENTS["docs/bring-your-own-network.md"]
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
