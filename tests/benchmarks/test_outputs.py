"""What the scripts of benchmarks write, and what they tell before they install anything."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from benchmarks import performance
from tests.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_comes_without_make_and_says_what_is_installed(tmp_path: Path, flag: str) -> None:
    for name in ("bash", "dirname"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    (tmp_path / "python3").symlink_to(sys.executable)
    copy = tmp_path / "checkout"
    for folder in ("benchmarks", "resonance_engine"):
        ignored = shutil.ignore_patterns("__pycache__", "models")
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    script = copy / "benchmarks" / "run.sh"
    done = subprocess.run(
        [script, "--only", "index", flag],
        env={"PATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONNOUSERSITE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    shown = " ".join(done.stdout.split())
    assert shown.startswith("usage: benchmarks/run.sh ")
    assert "`make .venv/ready` makes it first: about 2.2 GB" in shown
    assert not (copy / ".venv").exists()


def test_the_page_is_a_markdown_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    song = tmp_path / "a.ogg"
    song.write_bytes(b"song")
    monkeypatch.setattr(sys, "argv", ["run.sh", "--out", str(song)])
    with pytest.raises(SystemExit):
        performance.main()
    assert f"--out takes the name of a file that ends in .md, not {str(song)!r}" in capsys.readouterr().err
    assert song.read_bytes() == b"song"


@pytest.mark.torch
def test_the_numbers_of_quality_are_a_json_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    quality = import_module("benchmarks.quality.__main__")
    song = tmp_path / "a.ogg"
    song.write_bytes(b"song")
    monkeypatch.setattr(sys, "argv", ["quality", str(tmp_path), "--json", str(song)])
    assert quality.main() == 1
    assert f"--json takes the name of a file that ends in .json, not {str(song)!r}" in capsys.readouterr().err
    assert song.read_bytes() == b"song"
