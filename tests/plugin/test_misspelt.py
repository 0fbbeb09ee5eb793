"""Names that are nearly right: every place that takes one of a list names the one that is meant."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

import pytest
from beets.exceptions import UserError
from hypothesis import given
from hypothesis import strategies as st

from beetsplug.resonance.commands.parser import CommandParser
from beetsplug.resonance.commands.verb_parser import VerbParser
from beetsplug.resonance.commands.verbs import VERBS, find_verb
from beetsplug.resonance.config.options import BOTH, PLAYLIST, SIMILAR, TABLE
from beetsplug.resonance.config.profiles import find_profile
from beetsplug.resonance.library.field_names import describe_misspelt_fields, describe_unknown_fields, unknown_fields
from resonance_engine.errors import ConfigError, PlaylistError
from resonance_engine.playlist.arc import Arc
from resonance_engine.search.facets import parse_weights
from resonance_engine.suggestions import nearest_names, suggest
from tests.plugin.command_library import AnalysedLibrary

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.plugin.synthetic_library import SyntheticLibrary

FACETS = ("timbre", "harmony", "rhythm", "semantic", "instrumentation")
FIELDS = ("title", "artist", "albumartist", "album", "genres", "composers", "added", "length")


def misspell(name: str, rng: random.Random) -> str:
    """Drop, double, replace or swap one letter that is not the first."""
    place = rng.randrange(4 if name.startswith("--") else 1, len(name))
    return rng.choice((
        name[:place] + name[place + 1 :],
        name[:place] + name[place] + name[place:],
        name[:place] + "x" + name[place + 1 :],
        name[: place - 1] + name[place] + name[place - 1] + name[place + 1 :],
    ))  # fmt: skip


def variants(names: tuple[str, ...], least: int = 4) -> list[tuple[str, str]]:
    """Misspelt names, each with the right one, for names of some length; what is a name itself is left out."""
    rng = random.Random(15)  # noqa: S311 - the same variants in every run
    pairs = [(misspell(name, rng), name) for name in names for _ in range(2) if len(name) >= least]
    return sorted({(wrong, name) for wrong, name in pairs if wrong not in names})


def nearest_of(wrong: str, names: tuple[str, ...]) -> str:
    return nearest_names(wrong, names)[0]


@given(st.text(), st.lists(st.text()))
def test_a_suggestion_is_one_of_the_known_names(name: str, known: list[str]) -> None:
    assert set(nearest_names(name, known, 3)) <= set(known)
    assert suggest(name, [name, *known], "") == f"did you mean {nearest_names(name, [name, *known])[0]}?"


def test_a_suggestion_ignores_case() -> None:
    assert suggest("RHYTM", ["timbre", "Rhythm"], "") == "did you mean Rhythm?"
    assert suggest("x", ["timbre"], "there is timbre") == "there is timbre"


VERB_NAMES = tuple(dict.fromkeys(verb.split()[0] for verb in VERBS))


@pytest.mark.parametrize(("wrong", "name"), [("statsu", "status"), *variants(VERB_NAMES)])
def test_verbs(wrong: str, name: str) -> None:
    assert nearest_of(wrong, VERB_NAMES) == name
    with pytest.raises(UserError, match=f"there is no verb '{wrong}'; did you mean {name}\\?"):
        find_verb([wrong])


@pytest.mark.parametrize(("wrong", "name"), [("lsit", "list"), ("rmeove", "remove")])
def test_verbs_of_models(wrong: str, name: str) -> None:
    with pytest.raises(UserError, match=f"there is no verb of model '{wrong}'; did you mean {name}\\?"):
        find_verb(["model", wrong])


FLAGS = tuple(dict.fromkeys(option.flag for option in TABLE if option.commands in (BOTH, SIMILAR, PLAYLIST)))


@pytest.mark.parametrize(("wrong", "name"), variants(FLAGS, 6))
def test_options_of_command_lines(wrong: str, name: str) -> None:
    parser = CommandParser(prog="beet similar")
    for flag in FLAGS:
        parser.add_option(flag)
    if any(flag.startswith(wrong) for flag in FLAGS):
        return  # optparse takes the beginning of an option for it
    with pytest.raises(UserError) as caught:
        parser.parse_args([wrong, "1"])
    meant = f"--{nearest_of(wrong[2:], tuple(flag[2:] for flag in FLAGS))}"
    assert str(caught.value) == (
        f"similar: there is no option {wrong}; did you mean {meant}? `beet similar --help` lists the options"
    )
    assert meant == name or wrong in (f"{name[:-1]}x", name[:-1])


def test_dashes_do_not_make_options_alike() -> None:
    parser = CommandParser(prog="beet similar")
    parser.add_option("--taste")
    with pytest.raises(UserError) as caught:
        parser.parse_args(["--cluster", "x"])
    assert str(caught.value) == "similar: there is no option --cluster; `beet similar --help` lists the options"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["status", "--nope"], ""),
        (["train", "--nane", "x"], "did you mean --name? "),
        (["analyze", "--nane", "x"], ""),
        (["analyze", "--pretned"], "did you mean --pretend? "),
        (["--pretned"], "did you mean --pretend? "),
    ],
)
def test_only_options_of_the_verb_are_meant(words: list[str], hint: str) -> None:
    parser = VerbParser()
    parser.prog = "beet resonance"
    with pytest.raises(UserError) as caught:
        parser.parse_args(words)
    assert re.search(rf"there is no option --\w+; {re.escape(hint)}`beet resonance", str(caught.value))


@pytest.mark.parametrize(("wrong", "name"), [("rythm", "rhythm"), *variants(FACETS)])
def test_facets(wrong: str, name: str) -> None:
    with pytest.raises(ConfigError, match=f"has no facet '{wrong}'; did you mean {name}\\?"):
        parse_weights(f"{wrong}=2", FACETS)


@pytest.mark.parametrize(
    ("option", "wrong"), [("--like", "rythm"), ("--weights", "rythm=2"), ("--like", "rhythm,Timber")]
)
def test_facets_on_a_command_line(library: SyntheticLibrary, option: str, wrong: str) -> None:
    name = "timbre" if "Timber" in wrong else "rhythm"
    assert library.refused("id:1", option, wrong).startswith(f"similar: {option}: The model has no facet ")
    assert library.refused("id:1", option, wrong).endswith(f"; did you mean {name}?")


@pytest.mark.parametrize("wrong", ["enrgy:rise", "energy:rize", "Energy:rise", "tempos:falls", "brightnes:vally"])
def test_arcs(wrong: str) -> None:
    attribute, shape = wrong.split(":")
    meant = (
        nearest_of(attribute, ("energy", "tempo", "brightness")),
        nearest_of(shape, ("rise", "fall", "peak", "valley")),
    )
    with pytest.raises(PlaylistError, match=f"did you mean {':'.join(meant)}\\?"):
        Arc.parse(wrong)


def test_profiles() -> None:
    with pytest.raises(UserError, match="has no 'diner'; did you mean dinner\\?"):
        find_profile({"party": {}, "dinner": {}}, "diner")


@pytest.mark.parametrize(("wrong", "name"), [("titel", "title"), ("genre_s", "genres"), *variants(FIELDS)])
def test_fields_of_a_query(library: SyntheticLibrary, wrong: str, name: str) -> None:
    for query in ([f"{wrong}:x"], [f"^{wrong}:x"], ["title:a", ",", f"{wrong}::x"], [f"{wrong}:1..2"], [f"{wrong}+"]):
        assert describe_unknown_fields(library.lib, query).startswith(f"no track has a field {wrong} (did you mean ")
    assert unknown_fields(library.lib, [f"{wrong}:x"])[wrong] in (name, f"{name}s", *FIELDS) or wrong[:3] == name[:3]


@pytest.mark.parametrize(
    "query",
    ["title:a", "play_count:1..", "artpath:x", "singleton:true", "data_source:x", "path:/x", "/x", "a b", "year-", "x"],
)
def test_fields_that_there_are(library: SyntheticLibrary, query: str) -> None:
    assert unknown_fields(library.lib, query.split()) == {}


@pytest.mark.parametrize(
    "name", ["rating", "energy", "season", "gender", "heard", "skip", "party", "part", "theme", "remix", "kids", "mood"]
)
def test_a_rule_on_an_attribute_that_no_track_has_yet(library: SyntheticLibrary, name: str) -> None:
    assert describe_misspelt_fields(library.lib, [[f"^{name}:1"]]) == ""


def test_a_field_like_no_other(library: SyntheticLibrary) -> None:
    """A rule on an attribute that no track has yet is no mistake, and a query that matches nothing is one."""
    assert describe_misspelt_fields(library.lib, [["^zqzq:1"], []]) == ""
    assert describe_unknown_fields(library.lib, ["zqzq:1"]) == (
        "no track has a field zqzq (`beet fields` lists those that there are)"
    )
    assert "titel (did you mean title?) or zqzq (" in describe_unknown_fields(library.lib, ["zqzq:1", "titel:x"])


class TestQueries(AnalysedLibrary):
    """The same sentence wherever a query is taken."""

    @pytest.mark.parametrize(
        ("words", "place"),
        [
            ("similar titel:x", "similar"),
            ("similar title:song --from titel:x", "similar --from"),
            ("similar title:song --not titel:x", "similar --not"),
            ("playlist titel:x", "playlist"),
            ("playlist title:song --to titel:x", "playlist"),
            ("playlist title:song --via titel:x --to title:song", "playlist"),
            ("resonance analyze titel:x", "resonance"),
            ("resonance failures titel:x", "resonance"),
            ("resonance write --fields res_bpm titel:x", "resonance"),
        ],
    )
    def test_a_query_without_matches(self, words: str, place: str) -> None:
        hint = "no track has a field titel (did you mean title?)"
        assert self.refused(*words.split()) == f"{place}: no track matches titel:x: {hint}"

    def test_a_rule_of_what_is_apart(self) -> None:
        lines = self.beet("resonance", "apart", "titel:x", "--and", "title:song")
        assert lines[-1] == "no track matches titel:x yet; no track has a field titel (did you mean title?)"

    def test_albums(self) -> None:
        assert self.refused("similar", "-a", "albun:x").startswith(
            "similar: no album matches albun:x: no track has a field albun (did you mean album?)"
        )

    @pytest.mark.parametrize(
        "words",
        [
            ("similar", "title:song 0", ",", "titel:x"),
            ("similar", "title:song 0", "--from", "^titel:x"),
            ("playlist", "title:song 0", ",", "titel:x"),
            ("ls", "similar:'title:song 0' --from ^titel:x"),
            ("ls", "similar:titel:x"),
        ],
    )
    def test_a_line_beside_the_list(self, words: tuple[str, ...], caplog: pytest.LogCaptureFixture) -> None:
        self.beet(*words)
        assert caplog.text.count("no track has a field titel (did you mean title?)") == 1

    def test_rules_of_the_configuration(self, caplog: pytest.LogCaptureFixture) -> None:
        self.config["resonance"]["exclude"].set(["titel:x"])
        self.unload_plugins()  # they have read it
        self.load_plugins()
        self.beet("similar", "title:song 0")
        assert "no track has a field titel (did you mean title?)" in caplog.text

    @pytest.mark.parametrize(
        ("words", "hint"),
        [
            ("similar title:song --combine centriod", "did you mean centroid?"),
            ("similar title:song --key compatibel", "did you mean compatible?"),
            ("playlist title:song --works togehter", "did you mean together?"),
            ("resonance model use defualt", "did you mean default?"),
            ("resonance write --fields initial_kee", "did you mean initial_key?"),
        ],
    )
    def test_values_of_options(self, words: str, hint: str) -> None:
        assert self.refused(*words.split()).endswith(f"; {hint}")

    def test_a_preferred_field(self, caplog: pytest.LogCaptureFixture) -> None:
        self.beet("similar", "title:song 0", "--prefer", "yaer")
        assert "in the field yaer, so --prefer changes nothing; did you mean year?" in caplog.text

    @pytest.mark.parametrize("query", ["similarity:0.6..", "res_rhythm:0.3..", "title:song similarity:..1"])
    def test_a_score_without_a_list(self, query: str, caplog: pytest.LogCaptureFixture) -> None:
        assert self.beet("ls", *query.split(), query.split()[-1]) == []
        said = caplog.text
        assert said.count("only what `similar:` lists has it") == 1
        assert f"`beet ls similar:title:yesterday {query.split()[-1]}`" in said

    def test_a_score_with_a_list(self, caplog: pytest.LogCaptureFixture) -> None:
        for query in (["similarity:-1..", "similar:title:song 0"], ["similar:title:song 0", "similarity:2.."]):
            self.beet("ls", *query)
        assert "only what" not in caplog.text


def raised(run: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        run()
    return str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-n", "many"], "option -n: invalid integer value: 'many'; `beet similar --help` lists the options"),
        (["-n"], "-n option requires 1 argument; `beet similar --help` lists the options"),
        (["-x"], "there is no option -x; `beet similar --help` lists the options"),
        (["--co", "3"], "--co may be --combine or --count; `beet similar --help` lists the options"),
    ],
)
def test_mistakes_on_a_command_line(arguments: list[str], expected: str) -> None:
    parser = CommandParser(prog="beet similar")
    parser.add_option("-n", "--count", type="int")
    parser.add_option_group("group").add_option("--combine")
    assert raised(lambda: parser.parse_args(arguments)).removeprefix("similar: ") == expected
