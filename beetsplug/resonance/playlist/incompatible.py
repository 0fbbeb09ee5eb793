"""Tracks that are never in one list: the rules of `beet resonance apart`, evaluated, and pairs of recordings."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import numpy as np
from beets.dbcore.query import ParsingError
from beets.exceptions import UserError

from beetsplug.resonance.library.items import matching_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.search.session import SearchSession
    from resonance_engine.playlist.rules import Groups, SequenceRules

    Choose = Callable[[int, Sequence[int]], list[int]]


class IncompatibleTracks:
    """The rules and pairs of a library, by vector id: `groups` are the matches of the two queries of each rule."""

    def __init__(self, session: SearchSession) -> None:
        self._session = session
        self.groups = [
            (vectors_of(session, one), vectors_of(session, other)) for one, other in rules_apart(session.sidecar)
        ]

    def restrict(self, rules: SequenceRules, vector_ids: Iterable[int]) -> SequenceRules:
        """Return the rules of a list made of some tracks, with those of these that are never in one list."""
        from dataclasses import replace

        among = frozenset(vector_ids)
        pairs = incompatible_pairs(self._session.sidecar, among)
        groups: tuple[Groups, ...] = tuple((one & among, other & among) for one, other in self.groups)
        return replace(rules, apart=pairs, groups_apart=tuple(group for group in groups if all(group)))

    def compatible(self, matches: Sequence[Sequence[int]], rules: SequenceRules) -> Choose:
        """Return a function that chooses among the matches of queries of which each gives one track of a list.

        From the number of a query and the tracks chosen for those before, it returns the matches that may be in one
        list with these, and with at least one match of each later query.
        """
        from resonance_engine.playlist.rules import Clashes, Track

        ids = sorted({each for same in matches for each in same})
        places = {vector_id: place for place, vector_id in enumerate(ids)}
        clashes = Clashes([Track(vector_id) for vector_id in ids], self.restrict(rules, ids))

        def choose(number: int, chosen: Sequence[int]) -> list[int]:
            if not clashes:
                return list(matches[number])
            others = (*([each] for each in chosen), *matches[number + 1 :])
            groups = [np.array([places[each] for each in same], np.intp) for same in others]
            apart = ((each, clashes.of(places[each])) for each in matches[number])
            return [each for each, clashing in apart if not any(clashing[group].all() for group in groups)]

        return choose


def rules_apart(sidecar: Sidecar) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return the rules of what is kept apart, two queries each."""
    return sidecar.store.incompatible_queries.all() if sidecar.exists else []


def vectors_of(session: SearchSession, query: tuple[str, ...]) -> frozenset[int]:
    """Return the vector ids of the items that a query of a rule matches now; raises UserError for one of no sense."""
    sidecar = session.sidecar
    try:
        ids = matching_ids(sidecar.library, query)
    except ParsingError as error:
        words = shlex.join(query)
        raise UserError(
            f"the rule of `beet resonance apart` with {words} is not understood ({error}); "
            f"`beet resonance apart --remove {words}` removes it"
        ) from error
    return frozenset(sidecar.store.tracks.vector_ids(sidecar.id, ids, session.model.id).values())


def incompatible_pairs(sidecar: Sidecar, vector_ids: Iterable[int]) -> frozenset[tuple[int, int]]:
    """Return the incompatible pairs among these vectors, by vector id, the smaller one first."""
    pairs = sidecar.store.incompatible_pairs.all() if sidecar.exists else frozenset()
    if not pairs:
        return frozenset()
    ids = {key: vector_id for vector_id, key in sidecar.store.vectors.content_keys(vector_ids).items()}
    present = ((ids[one], ids[other]) for one, other in pairs if one in ids and other in ids)
    return frozenset((min(pair), max(pair)) for pair in present)
