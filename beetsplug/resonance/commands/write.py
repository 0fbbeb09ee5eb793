"""beet resonance write: copy tempo, key and tags into fields of beets' own database, on the user's request.

Beside `tag --write`, nothing else of this plugin writes there. The fields stay when the plugin goes; files and their
tags are left alone.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from beets import ui
from beets.exceptions import UserError
from beets.library import Item

from beetsplug.resonance.background.process_lock import is_analysing
from beetsplug.resonance.commands.common import choose_colours, confirm
from beetsplug.resonance.fields.analysis_cache import AnalysisCache
from beetsplug.resonance.fields.fields import FIELDS, OptionalNumber
from beetsplug.resonance.library.items import no_match
from beetsplug.resonance.library.labels import describe_entry
from beetsplug.resonance.library.sidecar import format_tracks, require_coverage
from resonance_engine.suggestions import suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from optparse import Values

    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Sidecar


def beets_key(key: str) -> str:
    """Return a key such as "C# minor" in beets' short form, "C#m"; beets itself would read the long one as "Cm"."""
    tonic, _, mode = key.partition(" ")
    return f"{tonic}m" if mode == "minor" else tonic


# Fields of beets, each with that of this plugin whose value it takes, in beets' own form.
OWN: dict[str, tuple[str, Callable[[Any], Any]]] = {"bpm": ("res_bpm", round), "initial_key": ("res_key", beets_key)}
NAMES = (*FIELDS, *OWN)


class FieldChange(NamedTuple):
    """An item, its new values by field, and the fields of beets that hold another value and are kept."""

    item: Item
    values: Mapping[str, Any]
    kept: tuple[str, ...] = ()


def parse_fields(text: str | None) -> tuple[str, ...]:
    """Return the fields of `--fields a,b`; UserError where there are none or one cannot be written."""
    names = tuple(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))
    if not names:
        raise UserError(f"resonance: write takes --fields, one or more of {','.join(NAMES)}")
    for name in names:
        if name not in NAMES:
            hint = suggest(name, NAMES, f"choose from {', '.join(NAMES)}")
            raise UserError(f"resonance: write knows no field {name!r}; {hint}")
    return names


def write(sidecar: Sidecar, query: list[str], opts: Values, log: BeetsLogger) -> None:
    """Print the changes, ask, and store them; with `overwrite`, fields of beets with another value are replaced too."""
    fields = parse_fields(opts.fields)
    require_coverage(sidecar, log, is_analysing(sidecar))
    items = list(sidecar.library.items(query))
    if not items:
        raise no_match(sidecar.library, "resonance", query)
    known = load_values(sidecar, fields)
    compared = [compare(item, known.get(item.id or 0, {}), opts.overwrite) for item in items]
    changes = [change for change in compared if change.values]
    print_changes(changes)
    print_kept(compared, sum(item.id not in known for item in items))
    if not changes:
        ui.print_("nothing to write")
    elif opts.pretend:
        ui.print_(f"would write to {format_tracks(len(changes))}")
    elif opts.yes or confirm(f"Write this to {format_tracks(len(changes))} in the library's database?"):
        with sidecar.library.transaction():
            for change in changes:
                change.item.update(change.values)
                change.item.store()
        ui.print_(f"written to {format_tracks(len(changes))}")


def load_values(sidecar: Sidecar, names: Iterable[str]) -> dict[int, dict[str, Any]]:
    """Return the known values of fields by item id and name, in the form that beets has them in once stored."""
    values: dict[int, dict[str, Any]] = {}
    caches: dict[Callable[..., Any], AnalysisCache[Any]] = {}
    for name in names:
        source, beets_value = OWN.get(name) or (name, partial(round_value, name))
        load = FIELDS[source].load
        cache = caches.setdefault(load, AnalysisCache(load, sidecar.settings))
        for item_id, analysis in cache.get_all(sidecar.library).items():
            value = FIELDS[source].pick(analysis)
            if value not in (None, ""):
                # Of the key of A flat major, beets makes that of G sharp, which is the same.
                values.setdefault(item_id, {})[name] = Item._type(name).normalize(beets_value(value))
    return values


def round_value(name: str, value: Any) -> Any:
    """Return a value with the digits that its field shows, so that writing it twice changes nothing."""
    kind = FIELDS[name].kind
    return round(value, kind.digits) if isinstance(kind, OptionalNumber) else value


def compare(item: Item, values: Mapping[str, Any], overwrite: bool) -> FieldChange:
    different = {name: value for name, value in values.items() if stored_value(item, name) != value}
    kept = tuple(name for name in different if name in OWN and stored_value(item, name) and not overwrite)
    return FieldChange(item, {name: value for name, value in different.items() if name not in kept}, kept)


def stored_value(item: Item, name: str) -> Any:
    """Return the value of a field in the database; of this plugin's fields, beets would return the computed value."""
    return item[name] if name in OWN else item._values_flex.get(name)


def print_changes(changes: Iterable[FieldChange]) -> None:
    """Print the changes, as `beet modify` does."""
    colour = choose_colours()
    for change in changes:
        ui.print_(describe_entry(change.item))
        for name, value in change.values.items():
            kind, old = Item._type(name), stored_value(change.item, name)
            before = f"{colour('text_diff_removed', kind.format(old))} -> " if old else ""
            ui.print_(f"  {name}: {before}{colour('text_diff_added', kind.format(value))}")


def print_kept(compared: Iterable[FieldChange], unknown: int) -> None:
    """Print the fields that are kept, and the number of tracks without values."""
    kept = Counter(name for change in compared for name in change.kept)
    for name, count in kept.items():
        have = "has" if count == 1 else "have"
        ui.print_(f"{name} stays as it is on {format_tracks(count)} that {have} another; --overwrite replaces it")
    if unknown:
        ui.print_(f"nothing of this is known of {format_tracks(unknown)}")
