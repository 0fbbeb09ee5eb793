"""What `pip install` brings, and what it does not."""

from __future__ import annotations

import email
import email.policy
import re
import subprocess
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.paths import ROOT, load_ci_script

if TYPE_CHECKING:
    from pathlib import Path

LICENCES = ("LICENSE", "NOTICE", "LICENSES/Apache-2.0.txt")
LARGEST = 30_000_000  # bytes of the wheel
CONFIGURATION = ("base.yaml", "example-beets.yaml", "quick.yaml", "search_space.yaml")

pytest.importorskip("hatchling")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


def test_the_wheel_holds_the_two_packages_with_model_and_configuration(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"beetsplug", "resonance_engine"}
    assert "beetsplug/__init__.py" not in names
    assert "resonance_engine/models/default/model.onnx" in names
    assert {f"resonance_engine/projection/page.{kind}" for kind in ("html", "css", "js")} <= set(names)
    page = ROOT / "resonance_engine" / "server" / "page"
    assert {f"resonance_engine/server/page/{path.name}" for path in page.iterdir()} <= set(names)
    assert {f"resonance_engine/config/{name}" for name in CONFIGURATION} <= set(names)


def test_wheel_holds_one_model_file_and_the_card(built: Path) -> None:
    """Weights are read out of the ONNX file; a second copy of them would double the download."""
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        models = [name for name in archive.namelist() if name.startswith("resonance_engine/models/")]
    assert sorted(name.removeprefix("resonance_engine/models/") for name in models) == [
        "default-int8/model.onnx",
        "default/CARD.md",
        "default/model.onnx",
    ]
    assert wheel.stat().st_size <= LARGEST


def test_the_metadata_name_the_licence_of_all_that_is_in_the_wheel(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (path for path in archive.namelist() if path.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(path))
    assert metadata["License-Expression"] == "MIT AND ISC AND Apache-2.0"
    assert sorted(metadata.get_all("License-File", [])) == sorted(LICENCES)


@pytest.mark.parametrize("name", LICENCES)
def test_both_packages_hold_the_licences(built: Path, name: str) -> None:
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    expected = (ROOT / name).read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (path for path in archive.namelist() if path.endswith(f".dist-info/licenses/{name}"))
        assert archive.read(path) == expected
    with tarfile.open(sdist) as packed:
        (member,) = (member for member in packed.getmembers() if member.name.partition("/")[2] == name)
        content = packed.extractfile(member)
        assert content is not None
        assert content.read() == expected


def test_what_of_others_is_shipped_is_noticed_with_its_licence() -> None:
    """The ISC licence asks that both of its notices appear in all copies, Apache's for a copy of itself."""
    notice = (ROOT / "NOTICE").read_text()
    assert "Copyright (c) Music Technology Group, Universitat Pompeu Fabra 2019." in notice
    assert "provided that the above copyright notice and this permission notice appear in all copies." in notice
    assert 'THE SOFTWARE IS PROVIDED "AS IS"' in notice
    assert "Copyright 2019 The TensorFlow Authors All Rights Reserved." in notice
    licence = (ROOT / "LICENSES" / "Apache-2.0.txt").read_text()
    assert all(f"\n   {number}. " in licence for number in range(1, 10)), "all nine sections"
    assert "END OF TERMS AND CONDITIONS" in licence


def test_the_description_on_pypi_has_no_links_to_files(built: Path) -> None:
    """They lead nowhere there, and the project has no address yet that they could be completed with."""
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (path for path in archive.namelist() if path.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(path), policy=email.policy.default)
    description = metadata.get_content()
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert set(re.findall(r"\]\(([^)]*)\)", description)) == set(
        re.findall(r"\]\((https?:[^)]*)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    )
    with tarfile.open(sdist) as packed:
        names = {member.name.partition("/")[2] for member in packed.getmembers()}
    assert set(re.findall(r" \(`([^`]*)`\)", description)) <= names, "the paths that stand in their place"
    assert "docs/searching.md" in description


def test_links_are_completed_once_there_is_an_address() -> None:
    hook = load_ci_script("pypi_readme")
    text = "![A](docs/a.svg)\n\n[B](docs/b.md#c), [D](https://d.example), [E](#e)\n"
    assert hook.absolute_links(text, "https://example.org/main") == (
        "![A](https://example.org/main/docs/a.svg)\n\n"
        "[B](https://example.org/main/docs/b.md#c), [D](https://d.example), [E](#e)\n"
    )
    assert hook.absolute_links(text, "") == "B (`docs/b.md`), [D](https://d.example), [E](#e)\n"


def test_the_wheel_offers_beets_libraries_to_training(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt"))
        assert b"[resonance.libraries]\nbeets = beetsplug.resonance.library.training_source:songs\n" in archive.read(
            name
        )


def test_the_sdist_can_build_the_same_wheel(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert {"pyproject.toml", "README.md", "LICENSE", "training/default_model/corpus.py"} <= names
    assert {f"config/{name}" for name in CONFIGURATION} <= names
    assert "resonance_engine/models/default/model.onnx" in names
