"""All that a store has of a library, whoever analysed it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resonance_engine.store import Store

if TYPE_CHECKING:
    from pathlib import Path


def store_contents(path: Path, name: str) -> dict[str, Any]:
    """What a store holds of the library of a name: numbers as bytes, and how many recordings the model embedded."""
    with Store(path) as store:
        library, model = store.libraries.get_or_create(name), store.models.active()
        if model is None:
            return {"count": 0}
        tracks = store.tracks.all(library)
        keys = {track.content_key for track in tracks.values()}
        contents: dict[str, Any] = {"tracks": tracks, "gates": store.vectors.gates(keys, model.id)}
        for kind in model.widths():
            contents[kind] = {key: each.tobytes() for key, each in store.vectors.get(keys, model.id, kind).items()}
        windows = store.vectors.windows(keys, model.id)
        contents["windows"] = {key: (each.starts, each.vectors.tobytes()) for key, each in windows.items()}
        contents["tags"], contents["analyses"] = store.tags.get(keys, model.id), store.analyses.get(keys)
        contents["failures"] = {path: each.reason for path, each in store.failures.all(library).items()}
        contents["count"] = store.vectors.count(model.id)
        return contents
