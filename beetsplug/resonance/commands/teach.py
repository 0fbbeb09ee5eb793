"""beet resonance teach: questions on which of two tracks is more like a third, and what the answers say of a taste."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import has_terminal, require_searchable
from beetsplug.resonance.commands.player import play
from beetsplug.resonance.commands.taste import describe_weights, places_by_item
from beetsplug.resonance.library.items import select_items, select_rows
from beetsplug.resonance.library.labels import describe_entry
from beetsplug.resonance.search.session import open_session
from beetsplug.resonance.search.taste import load_material, restore_taste, save_taste, weights_of_lists
from resonance_engine.errors import format_count
from resonance_engine.records import has_type

if TYPE_CHECKING:
    from collections.abc import Mapping
    from optparse import Values

    from beets.library import Item
    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.search.taste import TasteMaterial
    from resonance_engine.store import Model
    from resonance_engine.taste.questions import Answer

QUESTIONS = 10
STATE_KEY = "taste_answers"  # with the library's id behind it
CHOICES = ("Play", "Skip", "Quit")
SKIP, QUIT = 0, -1
NO_ANSWERS = "no question was answered yet; `beet resonance teach` has some"

CONTROL = "control"  # behind the keys of an answer to a control question


class KeyAnswer(NamedTuple):
    """An answer by content keys, hexadecimal: the track in question, the chosen one, the other."""

    anchor: str
    chosen: str
    other: str
    is_control: bool = False

    @property
    def keys(self) -> tuple[str, str, str]:
        return self[:3]


class QuestionMaterial(NamedTuple):
    """What questions are made from: features; by position items, content keys, albums as groups, None for no item."""

    taste: TasteMaterial
    model: Model
    items: Mapping[int, int]
    keys: list[str]
    groups: list[str | None]


def teach(sidecar: Sidecar, opts: Values, log: BeetsLogger) -> None:
    """Ask, list or take back; then learn from all answers, and keep the taste unless it foretells them worse."""
    if opts.list and opts.undo:
        raise UserError("resonance: teach takes either --list or --undo")
    if not (opts.list or opts.undo) and not has_terminal():
        raise UserError("resonance: teach asks questions on a terminal, and here is none")
    require_searchable(sidecar, log)
    material = load_questions(sidecar)
    answers = load_answers(sidecar)
    if opts.list:
        list_answers(sidecar, material, answers)
        return
    if opts.undo:
        undo(sidecar, material)
    else:
        put_questions(sidecar, material, answers)
    learn(sidecar, material, load_answers(sidecar))


def load_questions(sidecar: Sidecar) -> QuestionMaterial:
    """Load what questions are made from."""
    with open_session(sidecar) as session:
        known = {key for each in load_answers(sidecar) for key in each.keys}
        keys = session.store.vectors.content_keys(session.index.ids.tolist())
        taste = load_material(session, {each for each, key in keys.items() if key.hex() in known})
        content_keys = session.store.vectors.content_keys(taste.ids)
        places = places_by_item(session, taste)
        model = session.model
    items: dict[int, int] = {}
    for item_id in sorted(places):
        items.setdefault(places[item_id], item_id)
    rows = select_rows(sidecar.library, "SELECT id, album_id FROM items WHERE id IN", items.values())
    albums = {row["id"]: row["album_id"] for row in rows}
    groups = [
        f"album {albums.get(items[place]) or f'of track {place}'}" if place in items else None
        for place in range(len(taste.ids))
    ]
    return QuestionMaterial(taste, model, items, [content_keys[each].hex() for each in taste.ids], groups)


def load_answers(sidecar: Sidecar) -> list[KeyAnswer]:
    """Return the answers, the oldest first."""
    stored = sidecar.store.state.get(f"{STATE_KEY}:{sidecar.id}")
    if not has_type(stored, list[list[str]]):
        return []
    return [KeyAnswer(each[0], each[1], each[2], each[3:] == [CONTROL]) for each in stored if len(each) in (3, 4)]


def save_answers(sidecar: Sidecar, answers: list[KeyAnswer]) -> None:
    stored = [[*each.keys, *([CONTROL] if each.is_control else [])] for each in answers]
    sidecar.store.state.set(f"{STATE_KEY}:{sidecar.id}", stored)


def add_answer(sidecar: Sidecar, answer: KeyAnswer) -> list[KeyAnswer]:
    """Store an answer beside those that are there, some of which another process may just have stored; return all."""
    with sidecar.store.write():
        answers = [*load_answers(sidecar), answer]
        save_answers(sidecar, answers)
    return answers


def to_places(material: QuestionMaterial, answers: list[KeyAnswer]) -> list[Answer]:
    """Return the answers about tracks that are still there, by position."""
    from resonance_engine.taste.questions import Answer

    place_of = {key: place for place, key in enumerate(material.keys)}
    return [
        Answer(place_of[answer.anchor], place_of[answer.chosen], place_of[answer.other], answer.is_control)
        for answer in answers
        if all(key in place_of for key in answer.keys)
    ]


def put_questions(sidecar: Sidecar, material: QuestionMaterial, answers: list[KeyAnswer]) -> None:
    """Put ten questions; every answer is kept at once."""
    from resonance_engine.taste.questions import next_question

    features = material.taste.features
    base = weights_of_lists(sidecar, material.model, features)
    skipped: list[Answer] = []
    for number in range(1, QUESTIONS + 1):
        given = to_places(material, answers)
        question = next_question(features, given, material.groups, base, skipped)
        if question is None:
            ui.print_("there are no tracks of three albums that were not compared yet")
            return
        anchor, one, other = find_items(sidecar, material, question)
        ui.print_(
            f"\n{number} of {QUESTIONS}: what is more like {describe_entry(anchor)}?\n"
            f"1. {describe_entry(one)}\n2. {describe_entry(other)}"
        )
        choice = choose([anchor, one, other])
        if choice == QUIT:
            return
        if choice == SKIP:
            skipped.append(question)
            continue
        keys = [material.keys[place] for place in question[:3]]
        answers = add_answer(sidecar, KeyAnswer(keys[0], keys[choice], keys[3 - choice], question.is_control))


def choose(items: list[Item]) -> int:
    """Return 1 or 2, SKIP or QUIT; plays the tracks as often as requested."""
    while True:
        try:
            choice = ui.input_options(CHOICES, require=True, numrange=(1, 2))
        except UserError:  # the end of the input
            ui.print_()
            return QUIT
        if choice != "p":
            return choice if isinstance(choice, int) else {"s": SKIP, "q": QUIT}[choice]
        try:
            play([item.path for item in items])
        except UserError as error:
            ui.print_(str(error))


def find_items(sidecar: Sidecar, material: QuestionMaterial, question: Answer) -> list[Item]:
    """Return the items of a question, in its order."""
    ids = [material.items[place] for place in question[:3]]
    by_id = {item.id: item for item in select_items(sidecar.library, ids)}
    return [by_id[each] for each in ids]


def learn(sidecar: Sidecar, material: QuestionMaterial, answers: list[KeyAnswer]) -> None:
    """Learn from the answers, print what they say, and keep the taste."""
    from resonance_engine.taste.questions import learn_from_answers

    features = material.taste.features
    given = to_places(material, answers)
    base = weights_of_lists(sidecar, material.model, features)
    if not given:
        ui.print_(f"{NO_ANSWERS}; the taste of your lists is back" if restore_taste(sidecar) else NO_ANSWERS)
        return
    taste = learn_from_answers(features, given, base)
    count = "1 answer" if taste.answers == 1 else f"{taste.answers:,} answers"
    ui.print_(f"{count}: {describe_weights(taste.weights, material.taste)}")
    verdict = {
        "better": "that is better than without them, and than a coin",
        "worse": "that is worse than without them",
        "cannot be told": "whether that is better cannot be told yet",
    }[taste.verdict]
    if taste.controls:
        ui.print_(
            f"of {format_count(taste.controls, 'control answer')} {taste.after:,} foretold from the others, "
            f"{taste.before:,} without them; {verdict}"
        )
    else:
        ui.print_("control questions, which tell whether that is better than without them, come after the first few")
    if taste.verdict == "better" or (taste.verdict == "cannot be told" and base is None):
        save_taste(sidecar, material.model, material.taste, taste.weights)
        ui.print_("kept; `beet similar --taste` and `beet playlist --taste` search by it")
    else:
        restored = restore_taste(sidecar)
        ui.print_(
            "the answers are kept; the taste of your lists stays" if restored else "the answers are kept, no taste is"
        )


def list_answers(sidecar: Sidecar, material: QuestionMaterial, answers: list[KeyAnswer]) -> None:
    """Print an answer a line."""
    given = [each for each in to_places(material, answers) if material.items.keys() >= {*each[:3]}]
    for answer in given:
        ui.print_(describe(sidecar, material, answer))
    gone = len(answers) - len(given)
    if gone:
        ui.print_(f"{gone:,} about tracks that are not there now")
    elif not given:
        ui.print_(NO_ANSWERS)


def describe(sidecar: Sidecar, material: QuestionMaterial, answer: Answer) -> str:
    anchor, one, other = (describe_entry(item) for item in find_items(sidecar, material, answer))
    return f"{anchor}: like {one}, rather than {other}"


def undo(sidecar: Sidecar, material: QuestionMaterial) -> None:
    """Take the last answer back."""
    with sidecar.store.write():
        answers = load_answers(sidecar)
        if not answers:
            raise UserError(f"resonance: {NO_ANSWERS}")
        save_answers(sidecar, answers[:-1])
    last = [each for each in to_places(material, answers[-1:]) if material.items.keys() >= {*each[:3]}]
    ui.print_(f"taken back: {describe(sidecar, material, last[0])}" if last else "the last answer was taken back")
