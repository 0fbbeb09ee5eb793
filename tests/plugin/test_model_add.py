"""beet resonance model add: an ONNX file and its YAML become a model, or a sentence says why not."""

from __future__ import annotations

import json
import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from beetsplug.resonance.library.models import Models
from beetsplug.resonance.library.networks import LARGEST_NETWORK, TEMPLATE, read_network
from beetsplug.resonance.library.sidecar import Sidecar
from resonance_engine.encoder.network_manifest import Network, is_network, read_network_manifest
from resonance_engine.encoder.onnx_metadata import add_metadata
from resonance_engine.errors import ModelError
from tests.onnx_networks import LOG_MEL, changed, network, write_network
from tests.plugin.command_library import CommandLibrary

if TYPE_CHECKING:
    from pathlib import Path

onnx = pytest.importorskip("onnx")


class NetworksLibrary(CommandLibrary):
    """An empty library, and a folder for networks."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.files = tmp_path / "files"

    @property
    def folder(self) -> Path:
        return Sidecar(self.lib).path.with_name("resonance-models")

    def add(self, path: Path, *options: str) -> list[str]:
        return self.beet("resonance", "model", "add", str(path), *options)

    def refuses(self, path: Path, *options: str) -> str:
        """The sentence with which adding ends, having kept nothing."""
        before = sorted(self.folder.rglob("*"))
        sentence = self.refused("resonance", "model", "add", str(path), *options)
        assert sorted(self.folder.rglob("*")) == before
        return sentence

    def metadata(self, name: str) -> dict[str, str]:
        model = onnx.load(self.folder / name / "model.onnx")
        return {entry.key: entry.value for entry in model.metadata_props}


class TestAdd(NetworksLibrary):
    def test_what_is_printed(self) -> None:
        assert self.add(write_network(self.files)) == [
            "tiny-network 1 was added: a whole model, 8 numbers a track",
            "a test track takes 500 ms of CPU time without decoding, 2.5 times as long as with the shipped model "
            "(200 ms)",
            "licence, as its YAML states: CC BY-NC 4.0",
            "`beet resonance model use tiny-network` takes it into use, `beet resonance model remove tiny-network` "
            "deletes it",
        ]

    def test_what_is_kept(self) -> None:
        path = write_network(self.files)
        text = path.with_suffix(".yaml").read_text()
        self.add(path)
        kept = self.folder / "tiny-network"
        assert {file.name for file in kept.iterdir()} == {"model.onnx", "CARD.md"}
        assert (kept / "model.onnx").read_bytes().startswith(path.read_bytes())
        metadata = self.metadata("tiny-network")
        assert is_network(metadata)
        assert read_network_manifest(metadata, "m").network == Network.parse(LOG_MEL)
        card = (kept / "CARD.md").read_text()
        assert text.rstrip() in card
        assert "CC BY-NC 4.0" in card

    def test_a_part_has_the_shipped_model_beside_it(self) -> None:
        lines = self.add(write_network(self.files, document=changed(LOG_MEL, part="semantic")))
        assert lines[0] == (
            "tiny-network 1 was added: the semantic part, beside the shipped model's other facets, 8 numbers a track"
        )
        kept = self.folder / "tiny-network"
        assert (kept / "base.onnx").read_bytes() == self.runtime.shipped.read_bytes()
        assert read_network_manifest(self.metadata("tiny-network"), "m").base == "fake"
        self.beet("resonance", "model", "remove", "tiny-network", "--yes")
        assert not self.folder.exists()

    def test_another_name(self) -> None:
        assert self.add(write_network(self.files), "--name", "mine")[0].startswith("mine 1 was added")
        assert read_network_manifest(self.metadata("mine"), "m").network.name == "mine"

    def test_the_id_does_not_depend_on_where_the_file_was_before(self) -> None:
        """A file that was added elsewhere has a manifest, which gives way."""
        self.add(write_network(self.files))
        id_ = read_network_manifest(self.metadata("tiny-network"), "m").id
        content = (self.folder / "tiny-network" / "model.onnx").read_bytes()
        self.add(write_network(self.files / "again", content), "--name", "again")
        assert read_network_manifest(self.metadata("again"), "m").id == id_
        self.add(write_network(self.files / "other", add_metadata(network(), "resonance", "{}")), "--name", "other")
        assert read_network_manifest(self.metadata("other"), "m").id == id_

    def test_the_same_network_again(self) -> None:
        path = write_network(self.files)
        self.add(path)
        id_ = read_network_manifest(self.metadata("tiny-network"), "m").id
        with closing(Sidecar(self.lib)) as sidecar:
            Models(sidecar).note("tiny-network", id_, [])
        assert self.refuses(path, "--name", "other") == (
            f"resonance: {path} with this YAML is the model tiny-network already"
        )

    def test_it_is_a_model_like_any_other(self) -> None:
        self.song("one")
        self.add(write_network(self.files))
        assert self.beet("resonance", "model", "list")[2].split()[:2] == ["tiny-network", "tiny-network"]
        assert self.beet("resonance", "model", "use", "tiny-network")[-1] == "tiny-network 1 is in use"
        assert self.refused("resonance", "model", "remove", "tiny-network").startswith(
            "resonance: tiny-network is in use"
        )

    def test_a_path_in_the_home(self, monkeypatch: pytest.MonkeyPatch) -> None:
        write_network(self.files)
        monkeypatch.setenv("HOME", str(self.files))
        assert self.beet("resonance", "model", "add", "~/network.onnx")[0].startswith("tiny-network 1 was added")


class TestRefused(NetworksLibrary):
    def test_missing_yaml_prints_a_template(self) -> None:
        path = write_network(self.files)
        path.with_suffix(".yaml").unlink()
        sentence = self.refuses(path)
        assert sentence.startswith(f"resonance: {path.with_suffix('.yaml')} is missing, which says what the network ")
        assert TEMPLATE in sentence
        path.with_suffix(".yaml").write_text(TEMPLATE)
        assert read_network(path).name == "my-network"

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("", ": it should be an object, not null"),
            ("name: [", " is not valid YAML: line 1: expected the node content, but found '<stream end>'"),
            ("name: a\nname: b", " is not valid YAML: line 2: name stands twice"),
            ("name: &x [1]\nversion: *x", " is not valid YAML: line 2: aliases are not taken"),
            ("name: !!python/object:os.system x", " is not valid YAML: line 1: could not determine a constructor"),
            ("name: \x00", " is not valid YAML: "),
            ("- " * 2000, ": "),
            ("name: 2024-99-99", ": "),
            ("x" * 70000, " should have at most 64 kB; is it the right file?"),
            (yaml.safe_dump(changed(LOG_MEL, input__patch="x")), ': input.patch should be a whole number, not "x"'),
        ],
    )
    def test_a_yaml_that_is_none(self, text: str, sentence: str) -> None:
        path = write_network(self.files)
        path.with_suffix(".yaml").write_text(text)
        assert self.refuses(path).startswith(f"resonance: {path.with_suffix('.yaml')}{sentence}")

    def test_numbers_as_people_write_them(self) -> None:
        path = write_network(self.files)
        text = json.dumps(changed(LOG_MEL, input__logarithm={"kind": "db", "floor": 0}))
        path.with_suffix(".yaml").write_text(text.replace('"floor": 0', '"floor": 1e-10'))
        assert read_network(path).input.logarithm.floor == 1e-10  # type: ignore[union-attr]  # it is a log-mel input

    @pytest.mark.parametrize(
        ("document", "sentence"),
        [
            (
                changed(LOG_MEL, name="a/b"),
                "resonance: a model's name is 1 to 64 letters, digits, dots, dashes and und",
            ),
            (changed(LOG_MEL, name="default"), "resonance: there is a model default already; give another --name"),
            (changed(LOG_MEL, input__patch=2000), "input.patch should be at most 1126, as many as 18 s have, not 2000"),
        ],
    )
    def test_what_cannot_be(self, document: dict[str, Any], sentence: str) -> None:
        assert sentence in self.refuses(write_network(self.files, document=document))

    def test_a_name_that_exists(self) -> None:
        path = write_network(self.files)
        self.add(path)
        assert self.refuses(path) == "resonance: there is a model tiny-network already; give another --name"

    def test_a_file_that_is_too_large_is_not_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        path = write_network(self.files)
        os.truncate(path, LARGEST_NETWORK + 88_000_000)
        monkeypatch.setattr("pathlib.Path.read_bytes", lambda _: pytest.fail("it was read"))
        assert self.refuses(path).startswith(f"resonance: {path} has 600 MB; at most 512 MB are taken. Export ")

    def test_files_that_are_none(self) -> None:
        assert self.refuses(self.files / "none.onnx") == f"resonance: there is no file {self.files / 'none.onnx'}"
        path = write_network(self.files)
        other = path.rename(path.with_suffix(".pb"))
        assert self.refuses(other) == f"resonance: {other} should be an ONNX file, whose name ends in .onnx"
        (self.files / "network.onnx").mkdir()
        assert self.refuses(path) == f"resonance: there is no file {path}"
        for content in (b"\x0bno model", network()[:-5], b"\xff" * 30):
            broken = write_network(self.files / "broken", content)
            assert self.refuses(broken) == f"resonance: {broken} is no ONNX file, or only a part of one"

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everywhere")
    def test_files_that_cannot_be_read(self) -> None:
        path = write_network(self.files)
        path.chmod(0)
        assert self.refuses(path) == f"resonance: {path} cannot be read: Permission denied"
        path.with_suffix(".yaml").chmod(0)
        assert self.refuses(path) == f"resonance: {path.with_suffix('.yaml')} cannot be read: Permission denied"

    def test_a_network_that_fails_its_trial_is_named_by_its_own_path(self, monkeypatch: pytest.MonkeyPatch) -> None:
        path = write_network(self.files)
        tried = type(self.runtime).try_model

        def fail(runtime: Any, model: Path, timeout: float) -> object:
            if model == runtime.shipped:
                return tried(runtime, model, timeout)
            raise ModelError(f"{model}: its input has another shape.")

        monkeypatch.setattr(type(self.runtime), "try_model", fail)
        assert self.refuses(path) == f"resonance: {path}: its input has another shape"
