"""Networks that were trained elsewhere: an ONNX file with a YAML beside it becomes a folder among the models."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from beets.exceptions import UserError

from beetsplug.resonance.library.model_folder import CARD_FILE, write_folder
from beetsplug.resonance.library.models import MODEL_FILE
from resonance_engine.encoder.manifest import METADATA_KEY
from resonance_engine.encoder.model_files import BASE_FILE
from resonance_engine.encoder.network_manifest import SEMANTIC, Network, NetworkManifest, whole_spec
from resonance_engine.encoder.onnx_metadata import metadata_entry, strip_metadata
from resonance_engine.errors import ModelError, printable
from resonance_engine.features.spec import FeatureSpec

if TYPE_CHECKING:
    from pathlib import Path

    from beetsplug.resonance.library.models import Models

SUFFIX, YAML_SUFFIX = ".onnx", ".yaml"
LARGEST_NETWORK = 512_000_000  # bytes
LARGEST_YAML = 64_000
TEMPLATE = """\
name: my-network
version: "1"
licence: as its authors state it
input:
  kind: log-mel              # or: waveform, with rate, patch, patch_hop (in samples) and axes
  mel: {rate: 16000, n_fft: 512, window: 512, hop: 256, n_mels: 96, lowest: 0, highest: 8000}
  logarithm: {kind: log10, scale: 10000, offset: 1}
  patch: 128                 # frames
  patch_hop: 62
  axes: [patch, time, mel]   # of the network's input, in its order; 1 for an axis of that length
output:
  name: embeddings
  axes: [patch, feature]
pooling: mean                # or: mean+std, max+mean
part: whole                  # or: semantic, beside the other facets of the shipped model
"""


class PlainLoader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML publishes no types
    """A safe loader of plain values: no anchors, no key twice in a section, and 1e-10 is a number."""

    def compose_node(self, parent: yaml.Node, index: Any) -> yaml.Node:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases are not taken", self.peek_event().start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for place, (key, _) in enumerate(node.value):
            if key.value in keys[:place]:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} stands twice", key.start_mark)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+"), list("-+0123456789")
)


@dataclass(frozen=True)
class AddedNetwork:
    """A network that was added: the width of its embeddings, and the CPU seconds that a test track takes with it.

    `shipped_seconds` are those of the shipped model.
    """

    network: Network
    dimensions: int
    seconds: float
    shipped_seconds: float


def read_network(path: Path) -> Network:
    """Read the YAML beside an ONNX file; UserError says what is missing or wrong in it."""
    described = path.with_suffix(YAML_SUFFIX)
    shown = printable(described)
    try:
        with described.open("rb") as file:
            content = file.read(LARGEST_YAML + 1)
    except FileNotFoundError as error:
        raise UserError(
            f"resonance: {shown} is missing, which says what the network takes and gives; for example:\n\n{TEMPLATE}\n"
            "docs/bring-your-own-network.md explains each line"
        ) from error
    except OSError as error:
        raise UserError(f"resonance: {shown} cannot be read: {error.strerror}") from error
    if len(content) > LARGEST_YAML:
        raise UserError(f"resonance: {shown} should have at most {LARGEST_YAML // 1000} kB; is it the right file?")
    try:
        document = yaml.load(content, PlainLoader)  # noqa: S506, TID251 - a SafeLoader
        network = Network.parse(document)
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        place = f"line {mark.line + 1}: " if mark else ""
        raise UserError(f"resonance: {shown} is not valid YAML: {place}{problem or 'it cannot be parsed'}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"resonance: {shown}: {error}") from error
    return network


def read_file(path: Path) -> bytes:
    """Read an ONNX file of any origin; UserError for what is none, too large, or unreadable."""
    shown = printable(path)
    if path.suffix.lower() != SUFFIX:
        raise UserError(f"resonance: {shown} should be an ONNX file, whose name ends in {SUFFIX}")
    try:
        if not path.is_file():
            raise UserError(f"resonance: there is no file {shown}")
        size = path.stat().st_size
        if size > LARGEST_NETWORK:
            raise UserError(
                f"resonance: {shown} has {size / 1e6:,.0f} MB; at most {LARGEST_NETWORK // 1_000_000} MB are taken. "
                "Export the audio part alone, or in float32 without what only training needs"
            )
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"resonance: {shown} cannot be read: {error.strerror}") from error


def add_network(models: Models, path: Path, network: Network, content: bytes) -> AddedNetwork:
    """Make a model of a network, from its file's content, once it has run on test signals in a worker.

    Raises UserError and ModelError, and keeps nothing, where the name, the file or what it computes cannot be.
    """
    runtime, timeout, shown = models.sidecar.runtime, models.sidecar.settings.timeout, printable(path)
    models.verify_new(network.name)
    models.verify_writable()
    try:
        parts = strip_metadata(content, METADATA_KEY)
    except ValueError as error:
        raise UserError(f"resonance: {shown} is no ONNX file, or only a part of one") from error
    base, shipped_seconds = runtime.try_model(runtime.shipped, timeout)
    try:
        shipped = FeatureSpec.from_json(base.spec) if base.spec else FeatureSpec()
        beside = {"base": base.id} if network.part == SEMANTIC else {"spec": whole_spec(shipped, network)}
        manifest = NetworkManifest(network, **beside)
    except ValueError as error:
        raise UserError(f"resonance: {printable(path.with_suffix(YAML_SUFFIX))}: input.{error}") from error
    manifest = manifest.seal(parts)
    twin = models.name_of(manifest.id)
    if twin in models.names():
        raise UserError(f"resonance: {shown} with this YAML is the model {twin} already")
    added: list[AddedNetwork] = []

    def write(unfinished: Path) -> None:
        file = unfinished / MODEL_FILE
        with file.open("xb") as opened:
            opened.writelines([*parts, metadata_entry(METADATA_KEY, manifest.to_json())])
        if network.part == SEMANTIC:
            shutil.copyfile(runtime.shipped, unfinished / BASE_FILE)
        try:
            described, seconds = runtime.try_model(file, timeout)
        except ModelError as error:
            raise ModelError(str(error).replace(printable(file), shown)) from error
        added.append(AddedNetwork(network, described.dimensions, seconds, shipped_seconds))
        card = network_card(manifest, path, path.with_suffix(YAML_SUFFIX).read_text("utf-8", "replace"))
        (unfinished / CARD_FILE).write_text(card, encoding="utf-8")

    write_folder(models.folder / network.name, write)
    return added[0]


def network_card(manifest: NetworkManifest, path: Path, text: str) -> str:
    """Return the card of an added network in Markdown: id, file, licence, and the YAML as it was."""
    network = manifest.network
    return f"""# Model card: {network.name} {network.version}

A network from {printable(path.name)}. Model id `{manifest.id}`. Licence, as its YAML states: {network.licence}

```yaml
{text.rstrip()}
```
"""
