"""beet similar -i: a numbered list and a prompt, in a circle until the user quits.

The state is `search.exploration`; here is what is printed and read. Each step searches the library as it is then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import choose_colours, has_terminal
from beetsplug.resonance.commands.player import play
from beetsplug.resonance.errors import describe_error
from beetsplug.resonance.library.labels import describe_entry
from beetsplug.resonance.library.sidecar import format_tracks
from beetsplug.resonance.search.exploration import ALL, Exploration, parse_places
from beetsplug.resonance.search.request import SearchRequest
from beetsplug.resonance.search.session import open_session
from resonance_engine.errors import ResonanceError, printable
from resonance_engine.files import expand_home, verify_target
from resonance_engine.playlist import m3u

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from beets.library import Item

    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.search.explanations import Reason
    from beetsplug.resonance.search.finder import SearchResult
    from beetsplug.resonance.search.session import SearchSession

    Search = Callable[[SearchSession, SearchRequest], tuple[SearchResult, Mapping[int, Reason]]]

NAME = "similar"  # begins messages
CHOICES = ("Play", "Add to a file", "Dive", "More like these", "Less like these", "Back", "Quit")
QUIT = "q"
QUESTIONS = {
    "d": "Dive from which track?",
    "m": "More like which tracks?",
    "l": "Less like which tracks?",
    "p": "Play which tracks?",
    "a": "Add which tracks?",
}


def require_terminal() -> None:
    """Raise UserError where nobody can answer."""
    if not has_terminal():
        raise UserError(
            f"{NAME}: -i asks questions on a terminal, and here is none; leave it out to get the list alone"
        )


class Explorer:
    """Asks for the next step of a search, and takes it; `search` runs a request and explains its hits."""

    def __init__(self, sidecar: Sidecar, request: SearchRequest, search: Search) -> None:
        self.sidecar, self.options, self.search = sidecar, request.options, search
        self.exploration = Exploration()
        self.session: SearchSession | None = None
        self.items: list[Item] = []
        self.file = ""

    def run(self) -> None:
        """List and ask, until the user quits."""
        self.show(self.exploration)
        while (choice := self.prompt_choice()) != QUIT:
            try:
                self.take(choice)
            except (UserError, ResonanceError, OSError) as error:  # the list that is shown stays
                ui.print_(describe_error(error))

    def show(self, exploration: Exploration) -> None:
        """Search and list; raises UserError, and stays where it was, where there is nothing to list."""
        from beetsplug.resonance.search.finder import load_items

        request = SearchRequest(**exploration.step.apply(self.options))
        with open_session(self.sidecar, self.session) as self.session:
            result, reasons = self.search(self.session, request)
        tracks = load_items(self.sidecar.library, result.hits)
        self.exploration, self.items = exploration, [item for _, item in tracks]
        colour = choose_colours()
        origin = exploration.step.origin
        if origin is not None and (start := self.sidecar.library.get_item(origin)) is not None:
            ui.print_(f"like {describe_entry(start)}")
        width = len(str(len(self.items)))
        for place, (hit, item) in enumerate(tracks, 1):
            score = colour("text_highlight_minor", f"{hit.score:>6.3f}")
            ui.print_(f"{colour('action', f'{place:>{width}}.')} {score}  {describe_entry(item)}")
            if hit.id in reasons:
                ui.print_(f"{' ' * (width + 10)}{colour('text_faint', reasons[hit.id].line)}")

    def prompt_choice(self) -> str | int:
        """Return the letter of a choice or a place in the list; the end of the input is to quit."""
        choices = [choice for choice in CHOICES if choice != "Back" or not self.exploration.is_at_start]
        try:
            return ui.input_options(choices, require=True, numrange=(1, len(self.items)))
        except UserError:
            ui.print_()
            return QUIT

    def take(self, choice: str | int) -> None:
        """Do what was chosen; raises UserError for what cannot be done."""
        if isinstance(choice, int):
            self.show(self.exploration.dive(self.ids([choice - 1])[0]))
        elif choice == "b":
            self.show(self.exploration.back())
        elif places := self.prompt_places(QUESTIONS[choice], is_one=choice == "d"):
            if choice == "d":
                self.show(self.exploration.dive(self.ids(places)[0]))
            elif choice == "m":
                self.show(self.exploration.like(self.ids(places)))
            elif choice == "l":
                self.show(self.exploration.dislike(self.ids(places)))
            elif choice == "p":
                play([self.items[place].path for place in places])
            elif choice == "a":
                self.add_to_file([self.items[place] for place in places])

    def ids(self, places: Sequence[int]) -> list[int]:
        return [item_id for place in places if (item_id := self.items[place].id) is not None]

    def prompt_places(self, question: str, is_one: bool = False) -> list[int]:
        """Return the places in the list, or the one, that the user names, or none; raises UserError."""
        count = len(self.items)
        answer = ui.input_(f"{question} (1-{count}{'' if is_one else f', such as 1 3-5, or {ALL}'}; Enter for none)")
        places = parse_places(answer, count) if answer.strip() else []
        if is_one and len(places) > 1:
            raise UserError(f"name one track, not {len(places):,}")
        return places

    def add_to_file(self, items: Sequence[Item]) -> None:
        """Add tracks at the end of a playlist file, which is made where there is none; the last one is the default."""
        usual = self.file or "Enter for none"
        name = ui.input_(f"Playlist file ({usual}):").strip() or self.file
        if not name:
            return
        path = expand_home(name)
        verify_target(path, f"{NAME} -i", m3u.SUFFIXES)
        entries = [m3u.M3uEntry(item.path, item.length or 0.0, item.artist, item.title) for item in items]
        try:
            added = m3u.append_entries(path, entries)
        except OSError as error:  # whose file name is a temporary one
            raise UserError(f"{NAME}: {printable(path)} cannot be written: {error.strerror}") from error
        self.file = name
        known = f", {format_tracks(len(entries) - added)} not: in it already" if added < len(entries) else ""
        ui.print_(f"{format_tracks(added)} added to {printable(path)}{known}")
