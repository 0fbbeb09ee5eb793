"""YAML files of settings: those at hand and those that come with Resonance, read with errors of one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from resonance_engine.errors import ConfigError, printable
from resonance_engine.training.config.paths import expanded

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = "config"
PACKAGE = Path(__file__).parents[2]


def shipped_folder() -> Path:
    """The folder of the files that come with Resonance: inside an installed package, or beside it in a checkout."""
    installed = PACKAGE / FOLDER
    return installed if installed.is_dir() else PACKAGE.parent / FOLDER


def located(path: Path) -> Path:
    """The file itself or, for `config/NAME` that is not there, the file of that name that comes with Resonance."""
    path = expanded(path)
    shipped = shipped_folder() / path.name
    return shipped if path.parts[:-1] == (FOLDER,) and not path.exists() and shipped.is_file() else path


def read_mapping(path: Path) -> dict[Any, Any]:
    """The keys and values of a YAML file, none for an empty one; raises ConfigError.

    A key that stands twice in one section is an error too, for the parser would drop the first.
    """
    import yaml

    path = located(path)
    name = printable(path)
    try:
        content = path.read_bytes()
        document = yaml.safe_load(content)
        twice = list(duplicates(yaml.compose(content, yaml.SafeLoader)))
    except FileNotFoundError as error:
        shipped = ", ".join(sorted(f"{FOLDER}/{each.name}" for each in shipped_folder().glob("*.yaml")))
        raise ConfigError(f"{name} is not there; the files that come with Resonance are {shipped}.") from error
    except OSError as error:
        raise ConfigError(f"{name} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{name} is not valid YAML: {explained(error)}.") from error
    except (ValueError, RecursionError) as error:  # a date or number that cannot be, a bottomless nesting
        raise ConfigError(f"{name} is not valid YAML: {error}.") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        kind = "a list" if isinstance(document, list) else "a single value"
        raise ConfigError(f"{name} must hold sections such as `train:`, not {kind}.")
    for key, line in twice:
        raise ConfigError(f"{name} has {key} twice, again in line {line}; keep one.")
    return document


def explained(error: Any) -> str:
    """What YAML stumbled over, and where."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed"
    return f"line {mark.line + 1}, {problem}" if mark else str(problem)


def duplicates(root: Any) -> Iterator[tuple[str, int]]:
    """Keys that a section of this tree of YAML nodes already has, with their lines."""
    open_nodes, seen = [root], set()
    while open_nodes:
        node = open_nodes.pop()
        if id(node) in seen or not isinstance(getattr(node, "value", None), list):
            continue
        seen.add(id(node))  # an alias may lead back to where it stands
        keys = set()
        for part in node.value:
            if not isinstance(part, tuple):
                open_nodes.append(part)
                continue
            key, value = part
            open_nodes.append(value)
            if key.value != "<<" and isinstance(key.value, str):
                if key.value in keys:
                    yield key.value, key.start_mark.line + 1
                keys.add(key.value)
