"""The manifest of a model file, by which the file is used, or refused, without guessing."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping  # noqa: TC003 - the type of a field is looked up when a manifest is parsed
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, get_type_hints

from resonance_engine.errors import ModelError
from resonance_engine.features.spec import FeatureSpec
from resonance_engine.records import parse_value

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMAT = 1
METADATA_KEY = "resonance"  # of the ONNX metadata and of the safetensors header
FUSION_MODES = ("gated_add", "gated_concat", "cross_attention")
BACKBONE_KINDS = ("plain", "residual", "envelope", "levelled", "sparse")
TAGGING = ("semantic", "instrumentation")  # modalities whose networks give tags, in the order of the tags
WIDEST = 4096


@dataclass(frozen=True)
class Manifest:
    """The name, rights, input and output of a model.

    `spec` is the front end that the network was trained behind, `front_end` the version of its code, `precision` the
    number format of the file. `tags` name the numbers of the tags' output, in order; without any, the model has
    no such output. `backbones` names the modalities whose network is not the plain one, with its kind, `metric` says
    whether a linear map follows the fusion. `id` is a hash of the weights and of all that, so two models share an id
    only if they give the same numbers; it is empty until the weights are sealed.
    """

    name: str
    version: str
    licence: str
    spec: FeatureSpec
    front_end: int
    fusion: str = "gated_add"
    dimensions: int = 512
    tags: tuple[str, ...] = ()
    precision: str = "float32"
    id: str = ""
    backbones: Mapping[str, str] = field(default_factory=dict)
    metric: bool = False

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the network's facets, in order."""
        return tuple(self.spec.modalities)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the features that the network takes, in order."""
        return self.modalities

    def seal(self, weights: Iterable[bytes]) -> Manifest:
        """Return the manifest with the id of a model made of these weights (in a stable order)."""
        digest = hashlib.blake2b(digest_size=8)
        digest.update(self.identity().encode())
        for block in weights:
            digest.update(block)
        return replace(self, id=digest.hexdigest())

    def identity(self) -> str:
        """Return all of the manifest that changes what the weights compute, as one text."""
        parts = [self.spec.to_json(), self.front_end, self.fusion, self.dimensions, list(self.tags), self.precision]
        return json.dumps([*parts, self.later_fields()] if self.later_fields() else parts)

    def later_fields(self) -> dict[str, Any]:
        """Return the fields that the first models lack, where set; ids and files of those must stay as they are."""
        # In the modalities' order, which networks are made in: a file's JSON has another, and the id is a hash of this.
        backbones = {name: self.backbones[name] for name in self.modalities if name in self.backbones}
        values = {"backbones": backbones | dict(self.backbones), "metric": self.metric}
        return {name: value for name, value in values.items() if value}

    def to_json(self) -> str:
        document = {"format": FORMAT, **asdict(self), "spec": json.loads(self.spec.to_json())}
        for name in {"backbones", "metric"} - self.later_fields().keys():
            del document[name]
        return json.dumps(document, sort_keys=True)


def read_manifest(metadata: Mapping[str, str], source: str, front_end: int) -> Manifest:
    """Read the manifest in a model file's metadata; `source` names the file in the errors.

    Raises ModelError when there is none, when it is of a newer format, or when it was made for another version of the
    front end than `front_end`, the one at hand.
    """
    if METADATA_KEY not in metadata:
        raise ModelError(
            f"{source} carries no Resonance manifest, so its input is unknown; "
            "use a model that Resonance exported, or remove the model option to use the shipped one"
        )
    try:
        document = json.loads(metadata[METADATA_KEY])
        if not isinstance(document, dict):
            raise ValueError("it is no JSON object")
        if document.get("format") != FORMAT:
            raise ModelError(
                f"its model format is {document.get('format')}, this version of Resonance reads format {FORMAT}; "
                "update Resonance, or export the model again with this version"
            )
        manifest = parse_manifest(document)
    except ModelError as error:
        raise ModelError(f"{source}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{source} has a damaged manifest ({error}); export or install the model again") from error
    if manifest.fusion not in FUSION_MODES:
        raise ModelError(
            f"{source} uses the fusion {manifest.fusion!r}, this version of Resonance knows {', '.join(FUSION_MODES)}; "
            "update Resonance"
        )
    odd = sorted({*manifest.backbones.values()} - {*BACKBONE_KINDS})
    if odd:
        raise ModelError(
            f"{source} has a backbone of the kind {odd[0]!r}, this version of Resonance knows "
            f"{', '.join(BACKBONE_KINDS)}; update Resonance"
        )
    if manifest.tags and not set(TAGGING) & set(manifest.modalities):
        raise ModelError(
            f"{source} has tags and lacks a modality that gives them ({' or '.join(TAGGING)}); "
            "export or install the model again"
        )
    if manifest.front_end != front_end:
        raise ModelError(
            f"{source} was made for version {manifest.front_end} of the feature front end, this program has version "
            f"{front_end}; install the matching version of Resonance or export the model again"
        )
    return manifest


def parse_manifest(document: Mapping[str, Any]) -> Manifest:
    """Parse the manifest that `to_json` wrote; unknown keys are ignored.

    ValueError says what is damaged, ModelError what is beyond this program.
    """
    hints = {name: hint for name, hint in get_type_hints(Manifest).items() if name != "spec"}
    optional = {"backbones": {}, "metric": False}  # the first models have none
    given = {**optional, **document}
    values = {name: parse_value(hint, given.get(name), f"its {name}") for name, hint in hints.items()}
    if len(set(values["tags"])) < len(values["tags"]):
        raise ValueError("its tags should differ from each other")
    if not re.fullmatch("[0-9a-f]{16}", values["id"]):
        raise ValueError(f"its id should be 16 hexadecimal digits, not {values['id'][:40]!r}")
    if not 1 <= values["dimensions"] <= WIDEST:
        raise ValueError(f"its dimensions should be 1 to {WIDEST}, not {values['dimensions']}")
    return Manifest(spec=FeatureSpec.from_json(json.dumps(document.get("spec"))), **values)
