"""The models that a library can be searched with, by name, and the choice between them.

`default` is the shipped one, `default-int8` the same in eight bits; those that were trained or added bear the names of
their folders beside the library; one that the configuration names goes by its path, and is the only choice then. The
wanted model becomes the one in use when it has embedded the library; until then, the vectors of the old one serve.
"""

from __future__ import annotations

import os
import re
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beets.exceptions import UserError

from beetsplug.resonance.config.settings import SHIPPED
from resonance_engine.encoder.model_files import SHIPPED_NAMES, find_model_file
from resonance_engine.errors import ModelError, printable
from resonance_engine.suggestions import suggest

if TYPE_CHECKING:
    from beetsplug.resonance.library.sidecar import Sidecar
    from resonance_engine.ingest import AnalysisPool
    from resonance_engine.store import Model
    from resonance_engine.worker.worker import ModelDescription

FOLDER = "resonance-models"
MODEL_FILE = "model.onnx"
CHOICE_KEY = "model"
IDS_KEY = "model_ids"
FINGERPRINTS_KEY = "model_stamps"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class Models:
    """The models of one library, as the store has them now; it is made only when something is chosen or noted.

    `wanted` is the name of the model that the library is to be searched with, `ids` are those of the models that were
    loaded so far, by name, as they were then.
    """

    def __init__(self, sidecar: Sidecar) -> None:
        self.sidecar = sidecar
        # The path in the configuration goes before the choice.
        self.configured = None if sidecar.settings.model == SHIPPED else sidecar.settings.model
        get = sidecar.store.state.get if sidecar.exists else (lambda *_: None)
        self.wanted: str = self.configured or get(CHOICE_KEY, str) or SHIPPED
        self.ids: dict[str, str] = get(IDS_KEY, dict) or {}
        self.fingerprints: dict[str, list[int]] = get(FINGERPRINTS_KEY, dict) or {}

    @property
    def folder(self) -> Path:
        """The folder of the models that were trained or added, each in a folder of its own."""
        return self.sidecar.folder / FOLDER

    @property
    def preparing(self) -> Model | None:
        """The wanted model while another one is still in use, if the store has it already."""
        active = self.sidecar.model
        wanted = self.ids.get(self.wanted) if active else None
        if active is None or wanted is None or wanted == active.id:
            return None
        return next((model for model in self.sidecar.store.models.all() if model.id == wanted), None)

    @property
    def required(self) -> list[str]:
        """The names of the models that embed new tracks: the one in use, if it has a name, and the wanted one."""
        active, wanted = self.sidecar.model, self.wanted
        return list(dict.fromkeys([(active and self.name_of(active.id)) or wanted, wanted]))

    def names(self) -> list[str]:
        """Return all names that can be chosen: the configured model, the shipped ones, then the others."""
        trained = [path.name for path in sorted(self.folder.glob("*")) if (path / MODEL_FILE).is_file()]
        own = [name for name in trained if NAME.fullmatch(name) and name not in SHIPPED_NAMES]
        shipped = [name for name in SHIPPED_NAMES if name == SHIPPED or self.path(name).is_file()]
        return list(dict.fromkeys([*([self.configured] if self.configured else []), *shipped, *own]))

    def path(self, name: str) -> Path:
        """Return the model file, or its directory, of a name; raises ModelError for one that is missing."""
        shipped = self.sidecar.runtime.shipped
        if name in SHIPPED_NAMES:
            return shipped if name == SHIPPED else shipped.parents[1] / name / shipped.name
        if name == self.configured or not NAME.fullmatch(name):
            return Path(name)
        path = self.folder / name / MODEL_FILE
        if not path.is_file():
            raise ModelError(
                f"The model {name} is not in {printable(self.folder)}; "
                "choose one of `beet resonance model list` with `beet resonance model use`."
            )
        return path

    def open_pool(self, name: str) -> AnalysisPool:
        """Return one worker that runs the model of a name; the caller closes it."""
        return self.sidecar.runtime.open_pool(self.path(name), 1, self.sidecar.settings.timeout)

    def name_of(self, model_id: str) -> str | None:
        """Return the name under which a model was last loaded; None when the name now means another model."""
        return next((name for name, known in self.ids.items() if known == model_id), None)

    def label(self, model: Model | ModelDescription) -> str:
        """Return what to call a model in messages: its own name and version, and the name to choose it by if another.

        So that two files of one network can be told apart.
        """
        name = self.name_of(model.id) or ""
        chosen = f" ({name})" if NAME.fullmatch(name) and name not in (SHIPPED, model.name) else ""
        return f"{model.name} {model.version}{chosen}"

    def known_id(self, name: str) -> str | None:
        """Return the id of the model of a name, None where its file is not the one that was loaded last."""
        if name not in self.fingerprints or self.fingerprints[name] != fingerprint_model(self.path(name)):
            return None
        return self.ids.get(name)

    def identify(self, name: str) -> str:
        """Return the id of the model of a name, which is loaded for that where its file is not the one loaded last."""
        known = self.known_id(name)
        if known is not None:
            return known
        with closing(self.open_pool(name)) as pool:
            return pool.description().id

    def find_name(self, model_id: str) -> str | None:
        """Return the name of the model with an id among those that can be chosen; each is loaded that is not known."""
        for name in self.names():
            with suppress(ModelError):
                if self.identify(name) == model_id:
                    return name
        return None

    def note(self, name: str, model_id: str, fingerprint: list[int]) -> None:
        """Note which model a name means, and the fingerprint of its file before it was loaded."""
        if self.ids.get(name) != model_id:
            self.ids = self._change(IDS_KEY, name, model_id)
        if self.fingerprints.get(name) != fingerprint:
            self.fingerprints = self._change(FINGERPRINTS_KEY, name, fingerprint)

    def choose(self, name: str) -> None:
        """Make another model the wanted one."""
        if self.wanted != name:
            self.wanted = name
            self.sidecar.store.state.set(CHOICE_KEY, name)

    def forget(self, name: str) -> None:
        """Drop what was noted of a name."""
        self.ids = self._change(IDS_KEY, name, None)

    def _change(self, key: str, name: str, value: Any) -> dict[str, Any]:
        """Set, or drop for None, what is noted of a name; other processes may have noted other names meanwhile."""
        store = self.sidecar.store
        with store.write():
            noted = {**(store.state.get(key, dict) or {}), name: value}
            noted = {known: each for known, each in noted.items() if each is not None}
            store.state.set(key, noted)
        return noted

    def verify_free(self) -> None:
        """Raise UserError where the configuration leaves no choice."""
        if self.configured:
            raise UserError(
                f"resonance: `model: {printable(self.configured)}` in the configuration decides; "
                "take it out to choose a model here"
            )

    def verify_new(self, name: str) -> None:
        """Raise UserError for a name that a new model cannot have."""
        if not NAME.fullmatch(name):
            raise UserError(
                "resonance: a model's name is 1 to 64 letters, digits, dots, dashes and underscores, "
                f"and begins with a letter or digit, not {name!r}"
            )
        if name in SHIPPED_NAMES or (self.folder / name).exists():
            raise UserError(f"resonance: there is a model {name} already; give another --name")

    def verify_writable(self) -> None:
        """Raise UserError where a new model could not be kept; to be called before the long work."""
        place = self.folder if self.folder.exists() else self.folder.parent
        if not (place.is_dir() and os.access(place, os.W_OK)):
            raise UserError(
                f"resonance: a new model would be kept in {printable(self.folder)}, but "
                f"{printable(place)} is not a folder that can be written to"
            )

    def free_name(self, base: str = "own") -> str:
        """Return the first of own, own-2, own-3 that no model has."""
        name, number = base, 1
        while (self.folder / name).exists():
            number += 1
            name = f"{base}-{number}"
        return name


def describe_missing_model(sidecar: Sidecar) -> str:
    """Return a clause where the wanted model has no file, and on the one that is searched with; nothing where it has.

    No model is loaded for that.
    """
    models, active = Models(sidecar), sidecar.model
    try:
        find_model_file(models.path(models.wanted))
    except ModelError as error:
        name = Path(models.wanted).name
        hint = suggest(name, SHIPPED_NAMES, "") if models.configured and name not in SHIPPED_NAMES else ""
        if models.configured and name in models.names():
            hint = f"for the model {name}, take `model:` out and run `beet resonance model use {name}`"
        serves = f"{active.name} {active.version} ({active.id}) is searched with meanwhile" if active else ""
        return "; ".join(filter(None, (str(error).removesuffix("."), hint.removesuffix("?"), serves)))
    return ""


def fingerprint_model(path: Path) -> list[int]:
    """Return what tells a model's file from another in its place: size, times in ns and inode."""
    try:
        stat = (path if path.is_file() else find_model_file(path)).stat()
    except OSError:
        return []
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
