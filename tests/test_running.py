"""The files that keep a server running: the container's steps, as far as they go without an engine, and the unit."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

CONTAINERFILE = ROOT / "config" / "Containerfile"
UNIT = ROOT / "config" / "resonance.service"
ANALYZE = shutil.which("systemd-analyze")


def instructions(name: str) -> list[str]:
    """What follows an instruction of the Containerfile, each time that it occurs."""
    lines = CONTAINERFILE.read_text().splitlines()
    return [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]


def test_what_the_container_copies_is_enough_to_install(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    for words in map(str.split, instructions("COPY")):
        target = tmp_path / words[-1].lstrip("/")
        for source in (ROOT / word for word in words[:-1]):
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=tmp_path / "source", check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "resonance_engine/server/page/index.html" in names
    assert "beetsplug/resonance/server/library_collection.py" in names
    assert "resonance_engine/models/default/model.onnx" in names


def test_the_container_runs_a_command_that_there_is() -> None:
    from beetsplug.resonance.commands.resonance import parse_verb
    from beetsplug.resonance.commands.verb_parser import VerbParser

    program, command, *words = json.loads(instructions("CMD")[0])
    assert (program, command) == ("beet", "resonance")
    options, rest = VerbParser().parse_args(words)
    assert parse_verb(options, rest) == ("serve", [])
    assert options.host == "0.0.0.0"  # noqa: S104 - within the container


def test_the_unit_starts_the_server() -> None:
    assert re.search(r"^ExecStart=\S+/beet resonance serve$", UNIT.read_text(), re.MULTILINE)


@pytest.mark.skipif(ANALYZE is None, reason="needs Debian's package systemd")
def test_the_unit_is_understood(tmp_path: Path) -> None:
    unit = tmp_path / "resonance.service"
    unit.write_text(UNIT.read_text().replace("%h/.local/bin/beet", sys.executable))
    command = [str(ANALYZE), "verify", "--user", str(unit)]
    ended = subprocess.run(command, env={"XDG_RUNTIME_DIR": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
