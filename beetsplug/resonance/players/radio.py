"""Follow what MPD plays, and keep ten tracks ahead of it in the queue."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from beets.exceptions import UserError

from beetsplug.resonance.errors import describe_error
from beetsplug.resonance.players.mpd_queue import ConnectionLostError, RefusedError, describe_left_out
from beetsplug.resonance.search.session import open_session
from resonance_engine.errors import ResonanceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from beets.library import Item
    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.players.mpd_queue import MpdQueue, PlayerState
    from beetsplug.resonance.playlist.radio import RadioSession
    from beetsplug.resonance.search.session import SearchSession

AHEAD = 10  # tracks after the current one
ATTEMPTS = 5  # to choose others for those that MPD does not know
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds until MPD is looked for again
NOTHING_PLAYS = "radio: nothing plays; the radio goes on with the next song"


class Radio:
    """Keeps the queue of a connected MPD filled by a session; `show` prints a line about what it does.

    What hinders it is logged in a sentence, once, and it waits for another song.
    """

    def __init__(
        self,
        queue: MpdQueue,
        sidecar: Sidecar,
        session: RadioSession,
        show: Callable[[str, Item], None],
        log: BeetsLogger,
    ) -> None:
        self.queue, self.sidecar, self.session, self.show, self.log = queue, sidecar, session, show, log
        self.search: SearchSession | None = None
        self.last: PlayerState | None = None
        self.last_id: int | None = None
        self.complaints: set[str] = set()

    def run(self) -> None:
        """Play from the seed of the session, if it has one, then follow until interrupted."""
        if self.session.has_seed:
            self.start()
        while True:
            try:
                self.follow()
                self.queue.wait()
            except ConnectionLostError as error:
                self.reconnect(error)

    def start(self) -> None:
        """Append the first tracks and play the first of them; raises UserError where there is none."""
        songs = self.append((), AHEAD + 1, is_start=True)
        if not songs:
            raise UserError("radio: there is no track to play")
        self.queue.play(songs[0])

    def follow(self) -> None:
        """Note what plays now and what became of the song before, and append what is missing."""
        state = self.queue.state()
        current = self.queue.item_ids([state.uri])[0] if state.uri else None
        if self.last is None or (state.song_id, state.uri) != (self.last.song_id, self.last.uri):
            self.note_change(state, current)
        self.last, self.last_id = state, current
        if not state.uri:
            self.complain(NOTHING_PLAYS)
        elif current is None:
            self.complain(f"radio: {state.uri} is no track of the library; the radio goes on with the next song")
        else:
            self.fill(state)

    def note_change(self, state: PlayerState, current: int | None) -> None:
        """Note that another song plays, or none."""
        last, last_id = self.last, self.last_id
        if last is not None and last_id is not None:
            seconds = last.elapsed + (state.moment - last.moment if last.is_playing else 0.0)
            if self.session.end(last_id, seconds, last.duration, current):
                self.show_item("skipped", last_id)
        self.complaints.clear()
        if current is not None:
            self.session.begin(current)
            self.show_item("playing", current)

    def fill(self, state: PlayerState) -> None:
        """Append as many tracks as are missing."""
        if not state.is_random and state.length - state.position - 1 >= AHEAD:
            return
        try:
            ids = self.queue.item_ids(self.queue.uris(0 if state.is_random else state.position + 1))
        except RefusedError as error:
            if error.is_outdated:  # the queue is another one by now, of which MPD tells next
                return
            raise
        # In random order, what was not played yet is ahead, wherever it is.
        ahead = [each for each in ids if not (state.is_random and each in self.session.played)]
        if len(ahead) >= AHEAD:
            return
        try:
            added = self.append([each for each in ahead if each is not None], AHEAD - len(ahead))
        except ConnectionLostError:
            raise
        except (UserError, ResonanceError) as error:
            self.complain(describe_error(error))
            return
        if len(ahead) + len(added) < AHEAD and self.queue.state().uri:
            self.complain("radio: no other track fits, or all were played; what is queued plays on")

    def append(self, ahead: Sequence[int], count: int, is_start: bool = False) -> list[str]:
        """Choose and append tracks after those `ahead`, and return the ids of their songs; raises UserError.

        A queue that was cleared meanwhile stays empty, unless the radio starts.
        """
        songs: list[str] = []
        following = list(ahead)
        for _ in range(ATTEMPTS):
            with open_session(self.sidecar, self.search) as self.search:
                items = self.session.choose(self.search, following, count - len(songs))
            if not (is_start or self.queue.state().uri):
                break
            appended = self.queue.append(items)
            for item, song in appended.songs:
                assert item.id is not None, "an item of a library has an id"
                self.session.queued.add(item.id)
                following.append(item.id)
                songs.append(song)
                self.show("queued", item)
            left_out = [*appended.outside, *appended.unknown]
            self.session.unplayable |= {item.id for item in left_out if item.id is not None}
            for sentence in describe_left_out(self.queue, appended):
                self.complain(f"radio: {sentence}")
            if len(songs) >= count or not left_out:
                break
        return songs

    def reconnect(self, error: ConnectionLostError) -> None:
        """Wait until MPD answers again, with pauses that grow; what plays then is not compared with what did before."""
        self.log.warning(
            "radio: {}; trying again, after {:.0f} s at first, then at most every {:.0f} s",
            error,
            FIRST_PAUSE,
            LONGEST_PAUSE,
        )
        self.last = None
        pause = FIRST_PAUSE
        while True:
            time.sleep(pause)
            try:
                self.queue.connect()
            except ConnectionLostError:
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                self.log.warning("radio: MPD is back")
                return

    def complain(self, sentence: str) -> None:
        """Log a sentence, the same one only once for a song."""
        if sentence not in self.complaints:
            self.complaints.add(sentence)
            self.log.warning("{}", sentence)

    def show_item(self, event: str, item_id: int) -> None:
        item = self.sidecar.library.get_item(item_id)
        if item is not None:
            self.show(event, item)
