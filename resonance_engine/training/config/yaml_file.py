"""Read YAML files of settings: the user's, or those that come with Resonance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from resonance_engine.errors import ConfigError, printable
from resonance_engine.files import expand_home

FOLDER = "config"
PACKAGE = Path(__file__).parents[2]


class UniqueKeyLoader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML publishes no types
    """A safe loader that refuses a key which stands twice in one section, of which YAML would drop the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = set()
        for key, _ in node.value:
            if key.value != "<<" and isinstance(key.value, str):
                if key.value in keys:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"{key.value} stands twice; keep one", key.start_mark
                    )
                keys.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def shipped_folder() -> Path:
    """Return the folder of the files that come with Resonance: in an installed package, or beside it in a checkout."""
    installed = PACKAGE / FOLDER
    return installed if installed.is_dir() else PACKAGE.parent / FOLDER


def locate(path: Path) -> Path:
    """Return the file itself or, for a `config/NAME` that is absent, the shipped file of that name."""
    path = expand_home(path)
    shipped = shipped_folder() / path.name
    return shipped if path.parts[:-1] == (FOLDER,) and not path.exists() and shipped.is_file() else path


def read_mapping(path: Path) -> dict[Any, Any]:
    """Return the keys and values of a YAML file, none for an empty one; raises ConfigError."""
    path = locate(path)
    name = printable(path)
    try:
        document = yaml.load(path.read_bytes(), UniqueKeyLoader)  # noqa: S506, TID251 - a SafeLoader
    except FileNotFoundError as error:
        shipped = ", ".join(sorted(f"{FOLDER}/{file.name}" for file in shipped_folder().glob("*.yaml")))
        raise ConfigError(f"{name} is not there; the files that come with Resonance are {shipped}.") from error
    except OSError as error:
        raise ConfigError(f"{name} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{name} is not valid YAML: {explain(error)}.") from error
    except (ValueError, RecursionError) as error:  # an impossible date or number, a bottomless nesting
        raise ConfigError(f"{name} is not valid YAML: {error}.") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        kind = "a list" if isinstance(document, list) else "a single value"
        raise ConfigError(f"{name} must hold sections such as `train:`, not {kind}.")
    return document


def explain(error: Any) -> str:
    """Return the line and the problem of a YAML error."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed"
    return f"line {mark.line + 1}, {problem}" if mark else str(problem)
