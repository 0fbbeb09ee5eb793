"""beet resonance write: copy what was heard into fields of beets' own database, when the user asks for it.

Nothing else of this plugin writes there. The fields stay when the plugin goes; files and their tags are left alone.
"""

from __future__ import annotations

import difflib
import shlex
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from beets import ui
from beets.exceptions import UserError
from beets.library import Item

from beetsplug.resonance.commands.common import announce_coverage, coloured, confirmed, tracks
from beetsplug.resonance.fields.analysis_cache import AnalysisCache, load_attributes, load_tags
from beetsplug.resonance.fields.fields import FIELDS, OptionalNumber

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from beets.library import Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Sidecar


class Copy(NamedTuple):
    """A field of beets that takes the value of one of ours, as beets writes it."""

    source: str
    beets_value: Callable[[Any], Any]


def beets_key(key: str) -> str:
    """A key such as "C# minor" in beets' short form, "C#m"; beets itself would read the long one as "Cm"."""
    tonic, _, mode = key.partition(" ")
    return f"{tonic}m" if mode == "minor" else tonic


OWN = {"bpm": Copy("res_bpm", round), "initial_key": Copy("res_key", beets_key)}
NAMES = (*FIELDS, *OWN)


@dataclass(frozen=True)
class WriteOptions:
    """What the user asked for; with `overwrite`, fields of beets that hold something already are replaced too."""

    fields: tuple[str, ...]
    pretend: bool = False
    overwrite: bool = False
    yes: bool = False


class FieldChange(NamedTuple):
    """An item, its new values by field, and the fields of beets that hold something else and are spared."""

    item: Item
    values: Mapping[str, Any]
    spared: tuple[str, ...] = ()


def fields(text: str | None) -> tuple[str, ...]:
    """The fields of `--fields a,b`; UserError where there are none or one is not ours to write."""
    names = tuple(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))
    if not names:
        raise UserError(f"resonance: write takes --fields, one or more of {','.join(NAMES)}")
    for name in names:
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, 1)
            hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(NAMES)}"
            raise UserError(f"resonance: write knows no field {name!r}; {hint}")
    return names


def write(sidecar: Sidecar, query: list[str], wish: WriteOptions, log: BeetsLogger) -> None:
    """Show what would change, ask, and store it."""
    announce_coverage(sidecar, log)
    items = list(sidecar.library.items(query))
    if not items:
        words = shlex.join(query)
        raise UserError(f"resonance: no track matches {words}; try `beet ls {words}`")
    known = heard(sidecar.library, wish.fields)
    compared = [compare(item, known.get(item.id or 0, {}), wish.overwrite) for item in items]
    changes = [change for change in compared if change.values]
    show(changes)
    remark(compared, sum(item.id not in known for item in items))
    if not changes:
        ui.print_("nothing to write")
    elif wish.pretend:
        ui.print_(f"would write to {tracks(len(changes))}")
    elif wish.yes or confirmed(f"Write this to {tracks(len(changes))} in the library's database?"):
        store(sidecar.library, changes)
        ui.print_(f"written to {tracks(len(changes))}")


def heard(library: Library, names: Iterable[str]) -> dict[int, dict[str, Any]]:
    """The values of fields by item id and name, as beets keeps them; what is not known is left out."""
    found: dict[int, dict[str, Any]] = {}
    measured, tags = AnalysisCache(load_attributes), AnalysisCache(load_tags)
    for name in names:
        copy = OWN.get(name) or Copy(name, partial(rounded, name))
        cache: AnalysisCache[Any] = measured if FIELDS[copy.source].attribute else tags
        for item_id, analysis in cache.get_all(library).items():
            value = FIELDS[copy.source].pick(analysis)
            if value not in (None, ""):
                found.setdefault(item_id, {})[name] = copy.beets_value(value)
    return found


def rounded(name: str, value: Any) -> Any:
    """A value with the digits that its field shows, so that writing it twice changes nothing."""
    kind = FIELDS[name].kind
    return round(value, kind.digits) if isinstance(kind, OptionalNumber) else value


def compare(item: Item, values: Mapping[str, Any], overwrite: bool) -> FieldChange:
    different = {name: value for name, value in values.items() if held(item, name) != value}
    spared = tuple(name for name in different if name in OWN and held(item, name) and not overwrite)
    return FieldChange(item, {name: value for name, value in different.items() if name not in spared}, spared)


def held(item: Item, name: str) -> Any:
    """What the database has in a field; of ours, beets would tell the computed value."""
    return item[name] if name in OWN else item._values_flex.get(name)


def show(changes: Iterable[FieldChange]) -> None:
    """Print what would change, as `beet modify` does."""
    for change in changes:
        ui.print_(format(change.item))
        for name, value in change.values.items():
            kind, old = Item._type(name), held(change.item, name)
            before = f"{coloured('text_diff_removed', kind.format(old))} -> " if old else ""
            ui.print_(f"  {name}: {before}{coloured('text_diff_added', kind.format(value))}")


def remark(compared: Iterable[FieldChange], unknown: int) -> None:
    """Print what is left as it is, and why."""
    spared = Counter(name for change in compared for name in change.spared)
    for name, count in spared.items():
        have = "has" if count == 1 else "have"
        ui.print_(f"{name} stays as it is on {tracks(count)} that {have} another; --overwrite replaces it")
    if unknown:
        ui.print_(f"nothing of this is known of {tracks(unknown)}")


def store(library: Library, changes: Iterable[FieldChange]) -> None:
    with library.transaction():
        for change in changes:
            change.item.update(change.values)
            change.item.store()
