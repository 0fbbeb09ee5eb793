"""beet resonance train --from-playlists, --plays: learn what the listener puts together, and whether that helps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import align_columns, confirm, is_interactive, require_searchable
from beetsplug.resonance.playlist.history import drop_low_rated, read_playlists, read_sessions, sample_lists, to_places
from beetsplug.resonance.search.groups import all_vector_ids
from beetsplug.resonance.search.session import open_session
from beetsplug.resonance.search.taste import load_material, save_taste
from resonance_engine.playlist import m3u

if TYPE_CHECKING:
    from collections.abc import Sequence
    from optparse import Values

    import numpy as np
    from beets.logging import BeetsLogger
    from numpy.typing import NDArray

    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.playlist.history import PlayHistory
    from beetsplug.resonance.search.session import SearchSession
    from beetsplug.resonance.search.taste import TasteMaterial
    from resonance_engine.evaluation.statistics import Estimate
    from resonance_engine.taste.lists import LearnedTaste

    Weights = NDArray[np.float64]

MOST_LISTS = 300  # of a source that are learned from: more tell no more, and take longer
SHOWN = 6  # similarities


def train_taste(sidecar: Sidecar, query: list[str], opts: Values, log: BeetsLogger) -> None:
    """Learn from lists and plays, print how held-out ones are continued, and keep the taste where that is better."""
    from resonance_engine.console import progress_bar
    from resonance_engine.evaluation.comparison import FEWEST_QUERIES
    from resonance_engine.taste.lists import FEWEST_LISTS, FOLDS, TrackList, learn_from_lists

    check_arguments(query, opts)
    require_searchable(sidecar, log)
    history = [
        (sample_lists(source.lists, MOST_LISTS), source.sessions > 0) for source in read_history(sidecar, opts, log)
    ]
    if opts.ratings:
        history = [(drop_low_rated(sidecar.library, lists), is_played) for lists, is_played in history]
    with open_session(sidecar) as session:
        model = session.model
        vector_ids = all_vector_ids(session)
        listed = {vector_ids[each] for lists, _ in history for ids in lists for each in ids if each in vector_ids}
        material = load_material(session, listed)
        places = places_by_item(session, material)
    learned_from = [
        TrackList(tracks, adjacent=is_played) for lists, is_played in history for tracks in to_places(lists, places)
    ]
    if not learned_from:
        raise UserError("resonance: no list has two analysed tracks of the library")
    with progress_bar(FOLDS + 1, unit="part") as bar:
        taste = learn_from_lists(material.features, learned_from, bar.update)
        bar.update(1)
    for line in report(taste, material):
        ui.print_(line)
    if taste.verdict != "better":
        few = f"; it takes {FEWEST_LISTS} lists and {FEWEST_QUERIES} queries to tell" if taste.is_of_few else ""
        ui.print_(f"nothing was changed{few}")
    elif opts.yes or not is_interactive() or confirm("Keep it as your taste?"):
        save_taste(sidecar, model, material, taste.weights, is_of_lists=True)
        ui.print_("kept; `beet similar --taste` and `beet playlist --taste` search by it")


def check_arguments(query: list[str], opts: Values) -> None:
    """Raise UserError for what is about models, or where there is nothing to learn from."""
    if query and opts.from_playlists and all(Path(word).suffix.lower() in m3u.SUFFIXES for word in query):
        raise UserError("resonance: train --from-playlists takes one pattern; put it into quotes, or repeat the option")
    for given, name in ((query, "a query"), (opts.minutes, "--minutes"), (opts.name, "--name")):
        if given:
            raise UserError(f"resonance: train from lists and plays takes seconds and makes no model; leave {name} out")
    if not (opts.from_playlists or opts.plays):
        raise UserError("resonance: train --ratings weighs what --from-playlists or --plays found; give one of them")


def read_history(sidecar: Sidecar, opts: Values, log: BeetsLogger) -> list[PlayHistory]:
    """Read lists and plays, and log how many entries of lists are no files of the library."""
    history = [read_playlists(sidecar, opts.from_playlists, log)] if opts.from_playlists else []
    if opts.plays:
        history.append(read_sessions(sidecar.library))
    if unknown := sum(source.unknown for source in history):
        log.warning("{:,} entries of the playlists are no files of the library, and were left out", unknown)
    return history


def places_by_item(session: SearchSession, material: TasteMaterial) -> dict[int, int]:
    """Return the position of the recording of each analysed item."""
    places = {vector_id: place for place, vector_id in enumerate(material.ids)}
    return {item_id: places[each] for item_id, each in all_vector_ids(session).items() if each in places}


def report(taste: LearnedTaste, material: TasteMaterial) -> list[str]:
    """Return what was learned and what it is worth, in lines."""
    lists = "1 list" if taste.lists == 1 else f"{taste.lists:,} lists"
    rows = [
        (f"held out, of {lists}", "before", "after"),
        ("the rest among the first ten (recall@10)", *map(format_estimate, taste.recall)),
        ("the rest of the list (mAP)", *map(format_estimate, taste.precision)),
    ]
    gain = taste.difference
    numbers = f"{gain.value:+.3f}, 95 % interval {gain.low:+.3f} to {gain.high:+.3f}, {taste.queries:,} queries"
    sentences = {
        "better": f"it continues your lists better ({numbers})",
        "worse": f"it continues your lists worse ({numbers})",
        "cannot be told": f"whether it continues your lists better cannot be told ({numbers})",
    }
    return [describe_weights(taste.weights, material), *align_columns(rows), sentences[taste.verdict]]


def format_estimate(estimate: Estimate) -> str:
    return f"{estimate.value:.3f}"


def describe_weights(weights: Weights, material: TasteMaterial) -> str:
    """Return the similarities that weigh most, such as "rhythm 59 %, era 12 %": shares of all weights."""
    return ", ".join(shares_of(weights, material.features.names))


def shares_of(weights: Weights, names: Sequence[str]) -> list[str]:
    """Return names with the shares of their weights, the largest first; axes, which have no name, as one."""
    sizes: dict[str, float] = {}
    for name, weight in zip(names, weights, strict=True):
        kind = "other traits" if name.startswith("axis ") else name if weight >= 0 else f"unlike in {name}"
        sizes[kind] = sizes.get(kind, 0.0) + abs(float(weight))
    total = sum(sizes.values()) or 1.0
    ranked = sorted(sizes.items(), key=lambda each: -each[1])[:SHOWN]
    return [f"{name} {100 * size / total:.0f} %" for name, size in ranked if size / total >= 0.005]
