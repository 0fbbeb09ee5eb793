"""Imports go one way: down the steps from audio to playlist, down the plugin's rooms, and nowhere in a circle."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import pytest

from tests.import_graph import FOLDERS, import_graph

PLUGIN = {
    "errors": (),
    "config": (),
    "library": ("errors", "config"),
    "background": ("errors", "config", "library"),
    "search": ("errors", "config", "library"),
    "fields": ("errors", "config", "library", "search"),
    "playlist": ("errors", "config", "library", "search", "fields"),
    "server": ("errors", "config", "library", "search", "fields", "playlist"),
    "players": ("errors", "config", "library", "search", "fields", "playlist"),
    "commands": ("errors", "config", "library", "search", "fields", "playlist", "background", "server", "players"),
    "": ("errors", "config", "library", "search", "fields", "playlist", "background", "server", "players", "commands"),
}
"""The rooms of `beetsplug.resonance`, "" being its `__init__`, with the rooms that each may import."""

ENGINE = (
    ("", "errors", "records", "suggestions"),
    ("files", "console"),
    ("store", "features", "npz_files"),
    ("index", "audio", "encoder"),
    ("search", "worker", "network", "catalog_files", "exchange"),
    ("playlist", "ingest", "evaluation", "projection", "ondevice", "cluster"),
    ("taste", "tagging"),
    ("catalog",),
    ("server",),
    ("commands",),
    ("training",),
    ("cli",),
)
"""The rooms of `resonance_engine` from the ground up; each may import those of the lines above its own."""

FOLDERS_UP = (("resonance_engine",), ("beetsplug",), ("training",), ("demo", "benchmarks"))
"""Likewise for whole folders."""

# PyTorch's backend is loaded where a checkpoint is named in the place of an ONNX file, and only then.
ALLOWED_UP = {("resonance_engine.encoder.encoder", "resonance_engine.network.files")}

# Modules that import nothing themselves but others of these.
CONFIG_MAY_IMPORT = {
    "resonance_engine.encoder.model_files",
    "resonance_engine.errors",
    "resonance_engine.files",
    "resonance_engine.records",
    "resonance_engine.suggestions",
    "resonance_engine.search.constraints",
}


def room_of(module: str, folder: str) -> str:
    depth = {"beetsplug": 2, "resonance_engine": 1}[folder]
    return ".".join(module.split(".")[depth : depth + 1])


def goes_up(importer: str, imported: str) -> bool:
    folders = (importer.split(".")[0], imported.split(".")[0])
    if importer.startswith("beetsplug.resonance.config.") and folders[1] != "beetsplug":
        return imported not in CONFIG_MAY_IMPORT
    if folders[0] != folders[1]:
        return goes_up_levels(FOLDERS_UP, *folders)
    if folders[0] not in ("beetsplug", "resonance_engine"):
        return False
    rooms = (room_of(importer, folders[0]), room_of(imported, folders[0]))
    if rooms[0] == rooms[1]:
        return False
    return rooms[1] not in PLUGIN[rooms[0]] if folders[0] == "beetsplug" else goes_up_levels(ENGINE, *rooms)


def goes_up_levels(levels: tuple[tuple[str, ...], ...], importer: str, imported: str) -> bool:
    level = {name: number for number, names in enumerate(levels) for name in names}
    return level[imported] >= level[importer]


def has_circle(graph: dict[str, set[str]]) -> bool:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError:
        return True
    return False


def test_every_room_has_its_place() -> None:
    modules = import_graph("beetsplug", "resonance_engine")
    rooms = {
        folder: {room_of(each, folder) for each in modules if each.split(".")[0] == folder} for folder in FOLDERS[:2]
    }
    assert rooms["beetsplug"] == PLUGIN.keys()
    assert rooms["resonance_engine"] <= {name for names in ENGINE for name in names}


def test_imports_go_down() -> None:
    graph = import_graph(*FOLDERS)
    upward = {(name, each) for name, imported in graph.items() for each in imported if goes_up(name, each)}
    assert upward == ALLOWED_UP


@pytest.mark.parametrize("typing_too", [False, True], ids=["when run", "for the type checker, too"])
def test_no_modules_import_each_other_in_a_circle(typing_too: bool) -> None:
    TopologicalSorter(import_graph(*FOLDERS, typing_too=typing_too)).prepare()


@pytest.mark.parametrize(
    ("importer", "imported", "up"),
    [
        ("resonance_engine.search.ranking", "resonance_engine.index.files", False),
        ("resonance_engine.index.files", "resonance_engine.search.ranking", True),
        ("resonance_engine.store.store", "resonance_engine.features.spec", True),
        ("resonance_engine.errors", "beetsplug.resonance", True),
        ("beetsplug.resonance.background.monitor", "beetsplug.resonance.search.finder", True),
        ("beetsplug.resonance.commands.similar", "beetsplug.resonance.search.finder", False),
        ("beetsplug.resonance.library.sync", "beetsplug.resonance", True),
        ("beetsplug.resonance.config.profiles", "resonance_engine.playlist.recipe", True),
        ("beetsplug.resonance.config.profiles", "resonance_engine.records", False),
        ("demo.run", "benchmarks.similar", True),
    ],
)
def test_the_check_tells_up_from_down(importer: str, imported: str, up: bool) -> None:
    assert goes_up(importer, imported) is up


def test_the_check_sees_circles() -> None:
    assert has_circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})
    assert not has_circle({"a": {"b", "c"}, "b": {"c"}, "c": set()})
