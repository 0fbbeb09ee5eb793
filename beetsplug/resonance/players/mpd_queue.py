"""MPD's queue: what plays, what comes after it, and tracks of the library that are appended.

MPD names a song by its path relative to its music folder; whoever connects to its Unix socket may name any file.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from beets.exceptions import UserError
from mpd import CommandError, FailureResponseCode, MPDClient, MPDError, ProtocolError

from beetsplug.resonance.library.items import items_at
from resonance_engine.errors import ResonanceError, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from beets.library import Item, Library

    from beetsplug.resonance.players.mpd_settings import MpdAddress, MpdSettings

PATIENCE = 30.0  # seconds for an answer; that something changes may take any time
LOCAL_FILE = "file://"
NO_SUCH_FILE = (FailureResponseCode.NO_EXIST, FailureResponseCode.SYSTEM)
EVENTS = ("player", "playlist", "options")


class ConnectionLostError(ResonanceError):
    """MPD does not answer, or not any more."""


class Client(MPDClient):  # type: ignore[misc] # python-mpd2 publishes no types
    """A connection, whose `config` returns all that MPD says of itself: since 0.24, that is more than one value."""


Client.add_command("config", MPDClient._parse_object)


class PlayerState(NamedTuple):
    """What MPD plays at a `moment`, in seconds of a clock that is never set.

    `uri` and `song_id` name the current song, which may have been stopped, and are empty where there is none;
    `position` is its place in the queue of `length` songs. `elapsed` and `duration` are in seconds, 0 if unknown.
    """

    uri: str
    song_id: str
    position: int
    length: int
    elapsed: float
    duration: float
    is_playing: bool
    is_random: bool
    moment: float


class AppendedTracks(NamedTuple):
    """Tracks that were appended, with the ids of their songs, those outside MPD's folder, and those unknown to it."""

    songs: list[tuple[Item, str]]
    outside: list[Item]
    unknown: list[Item]


class MpdQueue:
    """A connection to MPD; raises ConnectionLostError where it ends, and UserError for what MPD refuses."""

    def __init__(self, settings: MpdSettings, library: Library) -> None:
        self.settings, self.library = settings, library
        self.address: MpdAddress = settings.addresses[-1]
        self.folder = ""
        self.is_local = False
        self._client: Any = None

    def connect(self) -> None:
        """Connect to the first address that answers, and learn where MPD's music is."""
        self.close()
        for address in self.settings.addresses:
            self.address, self._client = address, Client()
            self._client.timeout = PATIENCE
            try:
                with self._talking():
                    self._client.connect(address.host, address.port)
                break
            except ConnectionLostError:
                if address == self.settings.addresses[-1]:
                    raise
        if self.settings.password:
            self._call("password", self.settings.password)
        self.is_local = self.address.is_socket
        self.folder = self._music_folder()

    def close(self) -> None:
        if self._client is not None:
            with suppress(OSError, MPDError):
                self._client.disconnect()

    def state(self) -> PlayerState:
        """Return what MPD plays now."""
        moment = time.monotonic()
        with self._talking():
            self._client.command_list_ok_begin()
            self._client.status()
            self._client.currentsong()
            status, song = self._client.command_list_end()
        return PlayerState(
            uri=song.get("file", ""),
            song_id=song.get("id", ""),
            position=int(song.get("pos", 0)),
            length=int(status["playlistlength"]),
            elapsed=float(status.get("elapsed", 0)),
            duration=float(status.get("duration", song.get("duration", 0))),
            is_playing=status["state"] == "play",
            is_random=status["random"] == "1",
            moment=moment,
        )

    def wait(self) -> None:
        """Wait until something else plays, or the queue or the way it is played changes."""
        self._call("idle", *EVENTS)

    def uris(self, first: int) -> list[str]:
        """Return the songs of the queue from a position on."""
        return [song["file"] for song in self._call("playlistinfo", (first,))]

    def play(self, song_id: str) -> None:
        self._call("playid", song_id)

    def append(self, items: Iterable[Item]) -> AppendedTracks:
        """Append tracks to the queue, in their order, those that MPD can play."""
        appended = AppendedTracks([], [], [])
        for item in items:
            names = self.names_of(item.path)
            song_id = next(filter(None, map(self._append_file, names)), None)
            if song_id:
                appended.songs.append((item, song_id))
            else:
                (appended.unknown if names else appended.outside).append(item)
        return appended

    def _append_file(self, name: str) -> str | None:
        """Append a file, and return the id of its song; None where MPD does not know it."""
        try:
            return str(self._call("addid", name))
        except RefusedError as error:
            is_denied = error.code == FailureResponseCode.PERMISSION and name.startswith(LOCAL_FILE)
            if error.code in NO_SUCH_FILE or is_denied:
                return None
            raise

    def names_of(self, path: bytes) -> list[str]:
        """Return the names that MPD may know a file by, the likeliest first; none where it is outside its folder."""
        try:
            text = path.decode("utf-8")
        except UnicodeDecodeError:  # MPD leaves such files out
            return []
        if "\n" in text:  # ends a command of the protocol
            return []
        pairs = ((self.folder, text), (os.path.realpath(self.folder), os.path.realpath(text)))
        names = [f"{self.settings.prefix}{inner}" for folder, file in pairs if (inner := inside(folder, file))]
        return [*dict.fromkeys(names), *([f"{LOCAL_FILE}{text}"] if self.is_local else [])]

    def item_ids(self, uris: Sequence[str]) -> list[int | None]:
        """Return the ids of the library's items that songs of the queue are, None for others, in the same order."""
        files = [self._files_of(uri) for uri in uris]
        known = items_at(self.library, [path for paths in files for path in paths])
        return [next((known[path] for path in paths if path in known), None) for paths in files]

    def _files_of(self, uri: str) -> list[bytes]:
        """Return the paths that beets may know a song by."""
        name = uri.removeprefix(LOCAL_FILE)
        if "://" in name:
            return []
        own = os.fsdecode(self.library.directory)
        path = os.path.join(self.folder, name.removeprefix(self.settings.prefix))  # noqa: PTH118 - as text
        real = os.path.realpath(path)
        inner = inside(os.path.realpath(own), real)
        paths = [path, real, *([os.path.join(own, inner)] if inner else [])]  # noqa: PTH118 - as text
        return [os.fsencode(each) for each in dict.fromkeys(paths)]

    def _music_folder(self) -> str:
        """Return MPD's music folder: the setting, what MPD says where it may be asked, else that of beets.

        A setting that is beets' own folder is the default of the plugin mpdstats, and says nothing.
        """
        own = os.fsdecode(self.library.directory)
        if self.settings.folder and self.settings.folder != own:
            return self.settings.folder
        if self.is_local:
            with suppress(RefusedError):
                return str(self._call("config").get("music_directory") or own)
        return own

    def _call(self, command: str, *arguments: object) -> Any:
        with self._talking():
            return getattr(self._client, command)(*arguments)

    @contextmanager
    def _talking(self) -> Iterator[None]:
        """Raise ConnectionLostError or UserError for what goes wrong between MPD and the program."""
        try:
            yield
        except CommandError as error:
            raise RefusedError(self.address, error) from error
        except (ProtocolError, UnicodeDecodeError) as error:
            raise UserError(f"what answers at {self.address} is not MPD") from error
        except (OSError, MPDError) as error:
            reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
            raise ConnectionLostError(f"MPD at {self.address} does not answer ({reason})") from error


class RefusedError(UserError):
    """MPD refuses a command, for the reason with this `code`.

    `is_outdated` where the command names what is not in the queue any more.
    """

    def __init__(self, address: MpdAddress, error: CommandError) -> None:
        self.code = error.errno
        self.is_outdated = self.code == FailureResponseCode.ARG
        if self.code == FailureResponseCode.PASSWORD:
            sentence = f"MPD at {address} takes another password; set `password` under `mpd:` in beets' configuration"
        elif self.code == FailureResponseCode.PERMISSION:
            sentence = f"MPD at {address} wants a password; set `password` under `mpd:` in beets' configuration"
        elif self.code == FailureResponseCode.PLAYLIST_MAX:
            sentence = f"the queue of MPD at {address} is full; `mpc crop` keeps the current song alone"
        else:
            sentence = f"MPD at {address} refuses {error.command}: {error.msg or error}"
        super().__init__(sentence)


def inside(folder: str, path: str) -> str | None:
    """Return a path relative to a folder, None where it is not below it."""
    root = f"{folder.rstrip('/')}/"
    return path[len(root) :] if folder and path.startswith(root) and len(path) > len(root) else None


def describe_left_out(queue: MpdQueue, appended: AppendedTracks) -> list[str]:
    """Return a sentence about the tracks outside MPD's music folder, and one about those that it does not know."""
    sentences = []
    if outside := appended.outside:
        sentences.append(
            f"{name_tracks(outside)} not queued: outside MPD's music folder {queue.folder}; "
            "`music_directory` under `mpd:` says where that is"
        )
    if unknown := appended.unknown:
        sentences.append(f"{name_tracks(unknown)} not queued: MPD does not know the file; `mpc update` reads new ones")
    return sentences


def name_tracks(items: Sequence[Item]) -> str:
    """Return how many tracks, with the path of the first: "2 tracks, such as /music/song.flac,"."""
    path = printable(items[0].path)
    return f"1 track, {path}," if len(items) == 1 else f"{len(items):,} tracks, such as {path},"
