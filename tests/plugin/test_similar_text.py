"""`beet similar --text`: by words, alone or beside tracks."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from statistics import NormalDist
from typing import TYPE_CHECKING
from unittest.mock import Mock

import numpy as np
import pytest
from beets.exceptions import UserError

from beetsplug.resonance.commands.similar import command
from beetsplug.resonance.config.settings import Settings
from beetsplug.resonance.search.text import EXAMPLE
from resonance_engine.encoder.backends import OnnxBackend
from resonance_engine.encoder.model_files import SHIPPED
from resonance_engine.search.text.parser import parse_text
from tests.embeddings import key
from tests.plugin.synthetic_library import SyntheticLibrary
from tests.plugin.synthetic_tracks import EVERY, TAGS, rank

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.synthetic_tracks import Array

ALONE = {name: value for name, value in EVERY.items() if name != "hubness"}


def standard(values: Array) -> Array:
    """In deviations from the mean, 0 for what is not known."""
    known = values[np.isfinite(values)]
    return np.asarray(np.nan_to_num((values - known.mean()) / known.std()).clip(-4, 4))


def tag(library: SyntheticLibrary, name: str) -> Array:
    odds = library.plan.tags[:, TAGS.index(name)]
    return standard(np.log(odds / (1 - odds)))


def all_of(*parts: Array) -> Array:
    """As good as its worst part, softly."""
    return np.asarray(-np.log(np.mean([np.exp(-part) for part in parts], axis=0)))


def test_a_word_alone(library: SyntheticLibrary) -> None:
    found = library.find(text="some rock music please", **ALONE)
    fit = tag(library, "rock")
    order = rank(fit)[:59]
    assert [hit.item_id for hit in found.hits] == order
    assert [hit.score for hit in found.hits] == pytest.approx(
        [NormalDist().cdf(fit[each - 1]) for each in order], abs=1e-3
    )


def test_several_words_and_what_is_not_wanted(library: SyntheticLibrary) -> None:
    expected = all_of(tag(library, "rock"), -tag(library, "guitar"))
    assert library.ids(text="rock without guitar", **ALONE) == rank(expected)[:59]


def test_a_measure(library: SyntheticLibrary) -> None:
    tempo = np.array([np.nan if each is None else np.log2(each) for each in library.plan.tempo])
    found = library.ids(text="fast", **ALONE)
    known = [each for each in rank(np.nan_to_num(tempo, nan=-1)) if library.plan.tempo[each - 1]]
    assert [each for each in found if library.plan.tempo[each - 1]] == [each for each in known if each in found]


def test_words_beside_a_track_count_one_half(library: SyntheticLibrary) -> None:
    """Both on the scale of the similarities, over all that may come up; of one of these nothing is known."""
    with library.search() as search:
        [other] = search.index.vectors(search.index.ids[-1:]).astype(np.float64)
    similarity = np.append(library.near(36)[0], other @ library.plan.vectors[35])
    fit = np.append(tag(library, "jazz"), 0.0)
    may = np.arange(61) != 35
    spoken = similarity[may].mean() + similarity[may].std() * standard(fit[may])
    both = np.full(61, -9.0)
    both[may] = np.minimum((similarity[may] + spoken) / 2, 1.0)
    assert library.ids("id:36", text="jazz", **EVERY) == rank(both[:60], [36])
    assert library.ids("id:36", text="jazz", **EVERY) != library.ids("id:36", **EVERY)


def test_words_among_the_matches_of_a_query(library: SyntheticLibrary) -> None:
    order = rank(tag(library, "happy"))
    expected = [each for each in order if each % 4 == 0 and each != 32]
    assert library.ids(text="happy", among=("genres:jazz",), **{**ALONE, "count": 5}) == expected[:5]
    assert library.refused("--text", "happy", "--from", "title:none").startswith("similar --from: no track matches")


def test_words_and_what_to_keep_away_from(library: SyntheticLibrary) -> None:
    away, alone = library.find(text="rock", avoid=("id:36",), **ALONE), library.find(text="rock", **ALONE)
    scores = {hit.item_id: hit.score for hit in alone.hits}
    less = {hit.item_id: scores[hit.item_id] - hit.score for hit in away.hits if hit.item_id in scores}
    near = library.near(36)[0]
    nearest = rank(near, [36])
    assert 36 not in {hit.item_id for hit in away.hits}
    assert min(less.values()) == pytest.approx(0.0, abs=1e-6)
    assert less[nearest[0]] > 0.1
    assert all(value == pytest.approx(0.0, abs=1e-6) for each, value in less.items() if each in nearest[-20:])


def test_words_that_nothing_stands_for(library: SyntheticLibrary) -> None:
    assert library.refused("--text", "bagpipes and guitarr") == (
        "similar --text: the model has no word for 'bagpipes' and 'guitarr' (guitar or guitarist?); take them out. "
        "It knows genres, moods, eras, voices, guitars, and words for tempo, loudness, brightness and key"
    )
    assert "no word for 'piano' (instrumental?); take it out" in library.refused("--text", "piano", "id:1")
    assert library.refused("--text", "the music, please") == (
        f"similar --text: 'the music, please' says nothing of the music; try --text '{EXAMPLE}'"
    )
    assert library.refused("--text", " ") == (
        f"similar: --text has nothing after it; write for example --text '{EXAMPLE}'"
    )


def test_a_text_of_which_a_part_is_known_goes_by_that(library: SyntheticLibrary) -> None:
    found = library.find(text="rock with bagpipes and guitarr", **ALONE)
    assert [hit.item_id for hit in found.hits] == library.ids(text="rock", **ALONE)
    note = "--text goes by the rest: the model has no word for 'bagpipes' and 'guitarr' (guitar or guitarist?)"
    assert found.notes == (note,)
    assert library.find(text="rock", **ALONE).notes == ()


@pytest.mark.parametrize(
    "options",
    ["--like rhythm", "--weights rhythm=2", "--prf 3", "--combine centroid", "--hubness none", "--bpm 0.9-1.1",
     "--key compatible"],
)  # fmt: skip
def test_words_alone_are_no_track_to_compare_with(library: SyntheticLibrary, options: str) -> None:
    name, value = options.split()
    said = f"similar: {name} compares with a track; name one beside --text"
    assert library.refused("--text", "rock", name, value) == said
    assert len(library.beet("--text", "rock", "-n", "5", name, value, "id:37").notes) == 1


def test_words_go_with_what_needs_no_track(library: SyntheticLibrary) -> None:
    fits = [each for each, tempo in enumerate(library.plan.tempo, 1) if tempo and any(
        120 <= octave * tempo <= 130 for octave in (0.5, 1, 2)
    )]  # fmt: skip
    order = [each for each in rank(tag(library, "rock")) if each in fits]
    assert library.ids(text="rock", bpm="120-130", **ALONE) == order
    assert library.ids(text="rock", **{**ALONE, "count": 5}, lambda_div=0.8)[0] == rank(tag(library, "rock"))[0]


def test_what_the_help_gives_as_examples_is_understood(capsys: pytest.CaptureFixture[str]) -> None:
    """By the tags of the model that comes with Resonance."""
    tags = OnnxBackend(SHIPPED).manifest.tags
    command(Settings, Mock()).print_help()
    printed = " ".join(capsys.readouterr().out.split())
    texts = [EXAMPLE, *re.findall(r"--text '([^']+)'", printed), *re.findall(r'--text=WORDS "([^"]+)"', printed)]
    assert len(texts) == 3
    for text in texts:
        asked = parse_text(text, tags)
        assert asked.parts
        assert not asked.unknown


def test_tracks_that_nothing_was_said_of_are_counted(library: SyntheticLibrary, tmp_path: Path) -> None:
    for name in ("library.db", "resonance.db"):
        shutil.copy(library.folder / name, tmp_path / name)
    with closing(sqlite3.connect(tmp_path / "resonance.db")) as connection, connection:
        connection.execute("DELETE FROM tag WHERE content_key < ?", (key(11),))
    with closing(SyntheticLibrary(tmp_path)) as some:
        found = some.find(text="rock", **{**ALONE, "count": 60})
        assert {hit.item_id for hit in found.hits} == {*range(11, 61)}
        # One of these belongs to no item any more.
        assert found.notes == ("50 of 60 tracks found; turned down: not described in words yet (11)",)
        assert some.find(text="rock", **{**ALONE, "count": 5}).notes == ()


def test_a_library_analysed_before_words_were_kept(library: SyntheticLibrary, tmp_path: Path) -> None:
    for name in ("library.db", "resonance.db"):
        shutil.copy(library.folder / name, tmp_path / name)
    with closing(sqlite3.connect(tmp_path / "resonance.db")) as connection, connection:
        connection.execute("DELETE FROM tag")
    with closing(SyntheticLibrary(tmp_path)) as old:
        with pytest.raises(UserError, match=r"no track has been described in words yet; run `beet resonance analyze`"):
            old.find(text="rock")
        assert old.ids(text="fast", **ALONE) == library.ids(text="fast", **ALONE)
    assert parse_text("fast", TAGS).attributes == ("tempo",)
