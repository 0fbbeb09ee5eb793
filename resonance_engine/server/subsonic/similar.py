"""Methods of the OpenSubsonic API that list similar tracks, sonic paths and an artist's best known tracks.

A similarity lies between 0, nothing in common, and 1, the same recording: of similar tracks it is the score that they
are ranked by, on a path the cosine of two embeddings; what is below 0 counts as 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonance_engine.server.browsing import TrackQuery
from resonance_engine.server.collection import ListQuery
from resonance_engine.server.subsonic.elements import to_song
from resonance_engine.server.subsonic.errors import GENERIC, NO_DATA, SubsonicError
from resonance_engine.server.subsonic.ids import parse_as, parse_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from resonance_engine.server.subsonic.responses import Payload
    from resonance_engine.server.subsonic.service import Call

MOST_SIMILAR = 500
MOST_SEEDS = 200  # of an artist's tracks
LONGEST_PATH = 500
UNKNOWN = -1.0  # the similarity of a track that has none


def get_similar_songs(call: Call) -> Payload:
    return {"similarSongs": {"song": find_similar_songs(call)}}


def get_similar_songs2(call: Call) -> Payload:
    return {"similarSongs2": {"song": find_similar_songs(call)}}


def find_similar_songs(call: Call) -> list[Payload]:
    """Return the tracks that are most similar to a track, to those of an album, or to those of an artist."""
    reference = parse_id(call.parameters.require("id"))
    count = call.parameters.number("count", 50, 0, MOST_SIMILAR)
    if reference.kind == "playlist":
        raise SubsonicError(NO_DATA, "Tracks are similar to a track, an album or an artist.")
    if reference.kind == "track":
        seeds = [track.track.id for track in call.browser.listed([reference.number])]
    else:
        by_album = TrackQuery(album=reference.number, limit=MOST_SEEDS)
        query = by_album if reference.kind == "album" else TrackQuery(artist=reference.name, limit=MOST_SEEDS)
        seeds = [track.track.id for track in call.browser.find_tracks(query)]
    if not seeds:
        raise SubsonicError(NO_DATA, "There is nothing with this id.")
    return list_songs(call, [*match_scores(call, seeds, count)])


def get_sonic_similar_tracks(call: Call) -> Payload:
    """Return the tracks that are most similar to a track, with their similarities, the highest first."""
    seed = existing_track(call, "id")
    count = call.parameters.number("count", 10, 0, MOST_SIMILAR)
    scores = match_scores(call, [seed], count)
    return {"sonicMatch": list_matches(call, sorted(scores, key=lambda each: -scores[each]), scores)}


def find_sonic_path(call: Call) -> Payload:
    """Return a path from one track to another, with the similarities of its tracks to the first."""
    first, last = existing_track(call, "startSongId"), existing_track(call, "endSongId")
    count = call.parameters.number("count", 25, 2, LONGEST_PATH)
    if first == last:
        path = [first]
    else:
        path = [track.id for track in call.collection.path([first, last], count).tracks]
        if path[:1] != [first] or path[-1:] != [last]:
            raise SubsonicError(GENERIC, "No path leads from the one track to the other.")
    return {"sonicMatch": list_matches(call, path, call.browser.similarities(first, path))}


def get_top_songs(call: Call) -> Payload:
    """Return an artist's tracks, those first that were played most."""
    count = call.parameters.number("count", 50, 0, MOST_SIMILAR)
    identifier = call.parameters.find("id")
    name = parse_as(identifier, "artist").name if identifier else call.parameters.require("artist")
    return {"topSongs": {"song": [to_song(track) for track in call.browser.top_tracks(name, count)]}}


def match_scores(call: Call, seeds: Sequence[int], count: int) -> dict[int, float]:
    """Return the scores of the tracks that are most similar to seeds, by id, best first."""
    if not count:
        return {}
    matches = call.collection.similar(ListQuery(tuple(seeds), options={"count": count})).matches
    return {match.track.id: match.score for match in matches}


def existing_track(call: Call, name: str) -> int:
    """Return the number of the track whose id a parameter is; SubsonicError where there is none."""
    number = parse_as(call.parameters.require(name), "track").number
    if not call.collection.tracks([number]):
        raise SubsonicError(NO_DATA, f"There is no track {number}.")
    return number


def list_songs(call: Call, ids: Sequence[int]) -> list[Payload]:
    return [to_song(track) for track in call.browser.listed(ids)]


def list_matches(call: Call, ids: Sequence[int], scores: Mapping[int, float]) -> list[Payload]:
    """Return tracks as the extension has them: with similarities between 0 and 1."""
    return [
        {
            "entry": to_song(track),
            "similarity": round(min(max(scores[track.track.id], 0.0), 1.0), 4) if track.track.id in scores else UNKNOWN,
        }
        for track in call.browser.listed(ids)
    ]
