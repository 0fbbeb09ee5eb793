"""beet resonance model add FILE.onnx: a network that was trained elsewhere becomes a model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from beets import ui

from beetsplug.resonance.library.models import Models
from beetsplug.resonance.library.networks import add_network, read_file, read_network
from resonance_engine.encoder.network_manifest import SEMANTIC
from resonance_engine.files import expand_home

if TYPE_CHECKING:
    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.networks import AddedNetwork
    from beetsplug.resonance.library.sidecar import Sidecar


def add_model(sidecar: Sidecar, file: str, name: str | None, log: BeetsLogger) -> None:
    """Add a network, and print what it is, what it costs, its licence, and how it is taken into use."""
    path = expand_home(file)
    content = read_file(path)
    network = read_network(path)
    network = replace(network, name=name or network.name)
    log.info("trying {} on test signals", path.name)
    for line in describe_added(add_network(Models(sidecar), path, network, content)):
        ui.print_(line)


def describe_added(added: AddedNetwork) -> list[str]:
    network = added.network
    part = "the semantic part, beside the shipped model's other facets" if network.part == SEMANTIC else "a whole model"
    ratio = added.seconds / added.shipped_seconds
    return [
        f"{network.name} {network.version} was added: {part}, {added.dimensions:,} numbers a track",
        f"a test track takes {1000 * added.seconds:,.0f} ms of CPU time without decoding, {ratio:.1f} times as long as "
        f"with the shipped model ({1000 * added.shipped_seconds:,.0f} ms)",
        f"licence, as its YAML states: {network.licence}",
        f"`beet resonance model use {network.name}` takes it into use, `beet resonance model remove {network.name}` "
        "deletes it",
    ]
