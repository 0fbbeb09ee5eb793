"""The manifest of a network that was trained elsewhere: what it takes, which output counts, and how that is pooled."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from resonance_engine.encoder.manifest import METADATA_KEY, WIDEST
from resonance_engine.errors import ModelError
from resonance_engine.features.network_input import (
    INPUT_VERSION,
    PATCH,
    TIME,
    LogMelInput,
    WaveformInput,
    require,
    verify_axes,
)
from resonance_engine.features.spec import FeatureSpec
from resonance_engine.records import parse_record, parse_value, show_value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resonance_engine.features.spec import Decoding

FORMAT = "network 1"  # programs that know no networks refuse it as another format than theirs
FEATURE = "feature"
INPUTS: dict[str, type[WaveformInput | LogMelInput]] = {"waveform": WaveformInput, "log-mel": LogMelInput}
POOLINGS = {"mean": 1, "mean+std": 2, "max+mean": 2}
"""How vectors of patches become one of a window, and by how much that is wider."""
WHOLE, SEMANTIC = "whole", "semantic"
PARTS = (WHOLE, SEMANTIC)
USUAL_RATE = 44100  # Hz
LONGEST_TEXT = 200  # characters of a name, a version, a licence


@dataclass(frozen=True)
class NetworkOutput:
    """The output that counts, and its axes: "feature", "patch" and "time" where it has them, and ones.

    Without "patch" where the input has it, the network has pooled the patches of a window itself.
    """

    name: str
    axes: tuple[Any, ...] = (PATCH, FEATURE)

    def __post_init__(self) -> None:
        verify_axes(self.axes, (FEATURE,), (PATCH, TIME))

    @property
    def is_batched(self) -> bool:
        """Whether it has a vector for each patch."""
        return PATCH in self.axes


@dataclass(frozen=True)
class Network:
    """The YAML of a network: its name and rights, input, output, pooling, and the part of a model that it is."""

    name: str
    version: str
    licence: str
    input: WaveformInput | LogMelInput
    output: NetworkOutput
    pooling: str
    part: str = WHOLE

    def __post_init__(self) -> None:
        for name in ("name", "version", "licence"):
            value = getattr(self, name)
            require(
                0 < len(value) <= LONGEST_TEXT and value.isprintable(),
                f"{name} should be one line of up to {LONGEST_TEXT} characters, not {show_value(value)}",
            )
        require(self.pooling in POOLINGS, f"pooling should be one of {', '.join(POOLINGS)}, not {self.pooling!r}")
        require(self.part in PARTS, f"part should be one of {', '.join(PARTS)}, not {self.part!r}")
        require(
            self.input.is_batched or not self.output.is_batched,
            "output.axes should name time instead of patch where input.axes has no patch: the vectors are of one patch",
        )

    @classmethod
    def parse(cls, document: object) -> Network:
        """Read the document of a YAML or of a manifest; ValueError names the key, what it should be, and what came."""
        given: dict[str, Any] = dict(parse_value(dict[str, Any], document, "it"))
        source = dict(parse_value(dict[str, Any], given.get("input"), "input"))
        kind = source.pop("kind", None)
        if kind not in list(INPUTS):
            raise ValueError(f"input.kind should be one of {', '.join(INPUTS)}, not {show_value(kind)}")
        if type(given.get("version")) in (int, float):
            given["version"] = str(given["version"])  # as YAML reads an unquoted one
        unknown = sorted(map(str, set(given) - set(cls.__dataclass_fields__)))
        require(
            not unknown, f"there is no key {', '.join(unknown)}; those known are {', '.join(cls.__dataclass_fields__)}"
        )
        missing = [name for name in ("name", "version", "licence", "output", "pooling") if name not in given]
        require(not missing, f"it lacks {', '.join(missing)}")
        texts = {
            name: parse_value(str, given[name], name)
            for name in ("name", "version", "licence", "pooling", "part")
            if name in given
        }
        return cls(
            input=parse_record(INPUTS[kind], source, "input"),
            output=parse_record(NetworkOutput, given["output"], "output"),
            **texts,
        )

    def to_document(self) -> dict[str, Any]:
        """Return what `parse` reads."""
        kind = next(name for name, each in INPUTS.items() if isinstance(self.input, each))
        return {**asdict(self), "input": {"kind": kind, **asdict(self.input)}}


@dataclass(frozen=True)
class NetworkManifest:
    """A network with the front end beside it or, where it is a part of a model, with that model's id.

    `spec` says which windows of a recording are decoded, and how its attributes are measured. `id` is a hash of the
    file and of all that changes what it computes; it is empty until the file is sealed.
    """

    network: Network
    spec: FeatureSpec | None = None
    base: str = ""
    id: str = ""

    def __post_init__(self) -> None:
        require(
            (self.spec is None) == bool(self.base) == (self.network.part == SEMANTIC),
            "a part of a model needs that model's id, a whole one a front end",
        )
        if self.spec is not None:
            self.network.input.count_patches(self.spec.decoding.seconds)

    def seal(self, parts: Iterable[bytes | memoryview]) -> NetworkManifest:
        """Return the manifest with the id of the model that is made of this ONNX file, given in parts."""
        digest = hashlib.blake2b(self.identity().encode(), digest_size=8)
        for part in parts:
            digest.update(part)
        return replace(self, id=digest.hexdigest())

    def identity(self) -> str:
        """Return all that changes what the file computes, as one text: not its name and rights."""
        document = self.network.to_document()
        computed = {name: document[name] for name in ("input", "output", "pooling", "part")}
        decoding = None if self.spec is None else asdict(self.spec.decoding)
        return json.dumps([computed, decoding, self.base, INPUT_VERSION], sort_keys=True)

    def to_json(self) -> str:
        spec = None if self.spec is None else json.loads(self.spec.to_json())
        document = {"network": self.network.to_document(), "spec": spec, "base": self.base, "id": self.id}
        return json.dumps({"format": FORMAT, "input_version": INPUT_VERSION, **document}, sort_keys=True)


def whole_spec(shipped: FeatureSpec, network: Network) -> FeatureSpec:
    """Return the front end of a whole model: that of the shipped one, by which attributes are measured, and no more."""
    decoding = widen_decoding(shipped.decoding, network)
    return replace(shipped, decoding=decoding, semantic=None, instrumentation=None)


def widen_decoding(decoding: Decoding, network: Network) -> Decoding:
    """Return a decoding at the rate of the network's input, up to that of most recordings, where it is higher."""
    return replace(decoding, rate=max(decoding.rate, min(network.input.sample_rate, USUAL_RATE)))


def is_network(metadata: Mapping[str, str]) -> bool:
    """Whether the metadata of a model file are those of a network that was trained elsewhere."""
    try:
        document = json.loads(metadata.get(METADATA_KEY, ""))
    except (ValueError, RecursionError):
        return False
    return isinstance(document, Mapping) and document.get("format") == FORMAT


def read_network_manifest(metadata: Mapping[str, str], source: str) -> NetworkManifest:
    """Read the manifest in the metadata of a model for which `is_network` holds; `source` names it in the errors.

    Raises ModelError where it is damaged or of another version of this program.
    """
    document = json.loads(metadata[METADATA_KEY])
    if document.get("input_version") != INPUT_VERSION:
        raise ModelError(
            f"{source} was added by another version of Resonance, whose input of networks is not that of this one; "
            "remove the model and add it again"
        )
    try:
        manifest = NetworkManifest(
            Network.parse(document.get("network")),
            None if document.get("spec") is None else FeatureSpec.from_json(json.dumps(document["spec"])),
            parse_value(str, document.get("base"), "its base"),
            parse_value(str, document.get("id"), "its id"),
        )
        require(bool(re.fullmatch("[0-9a-f]{16}", manifest.id)), f"its id is {show_value(manifest.id)}")
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{source} has a damaged manifest ({error}); remove the model and add it again") from error
    return manifest


def verify_width(name: str, width: int) -> None:
    """Raise ModelError for vectors that are wider than the store takes."""
    if not 1 <= width <= WIDEST:
        raise ModelError(
            f"The network {name} gives {width} numbers a window after pooling; at most {WIDEST} are taken. "
            "Take another output, or `pooling: mean`."
        )
