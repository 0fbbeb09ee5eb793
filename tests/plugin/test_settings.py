"""What may stand in the `resonance:` section, and what is said of anything else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import confuse
import pytest
from beets.exceptions import UserError

from beetsplug.resonance.config.options import SAVED
from beetsplug.resonance.config.profiles import find_profile
from beetsplug.resonance.config.settings import Exclusion, Season, Settings
from resonance_engine.playlist.recipe import read_recipe, write_recipe
from resonance_engine.search.constraints import Caps

if TYPE_CHECKING:
    from pathlib import Path

    from confuse import Configuration


def read(section: Any) -> Settings:
    configuration: Configuration = confuse.Configuration("beets", read=False)
    configuration.set({"resonance": section})
    configuration["resonance"].add(Settings.defaults())
    return Settings.from_config(configuration["resonance"])


def read_with_profiles(section: Any) -> None:
    """Read the settings, and find each profile, which is where its mistakes come to light."""
    settings = read(section)
    for name in settings.profiles:
        find_profile(settings.profiles, name)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({}, Settings()),
        (None, Settings()),
        ({"auto": True}, Settings(auto="yes")),
        ({"auto": False}, Settings(auto="no")),
        ({"auto": "no"}, Settings(auto="no")),
        ({"auto": "import", "threads": 3, "timeout": 7.5, "count": 5}, Settings("import", "default", 3, 7.5, count=5)),
        (
            {"auto": "background", "nice": 19, "pace": 50, "hours": "22:00-07:00"},
            Settings("background", nice=19, pace=50, hours="22:00-07:00"),
        ),
        ({"hours": None}, Settings()),
        ({"index": "float16"}, Settings(index="float16")),
        ({"model": "/models/mine.onnx"}, Settings(model="/models/mine.onnx")),
        (
            {"per_artist": 0, "per_album": 1, "spacing": 0, "max_length": 7.5},
            Settings(caps=Caps(0, 1), spacing=0, max_length=7.5),
        ),
        ({"exclude": None, "profiles": None}, Settings()),
        ({"exclude": "genres:skit"}, Settings(exclude=(Exclusion("genres:skit"),))),
        (
            {"exclude": ["genres:skit", {"query": "christmas", "except": "12-01..12-31"}]},
            Settings(exclude=(Exclusion("genres:skit"), Exclusion("christmas", Season((12, 1), (12, 31))))),
        ),
        ({"profiles": {"dinner": {"count": 30}, 90: {}}}, Settings(profiles={"dinner": {"count": 30}, "90": {}})),
    ],
)
def test_a_section_is_read(section: Any, expected: Settings) -> None:
    assert read(section) == expected


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"auto": "maybe"}, "resonance.auto: must be one of"),
        ({"auto": ["import"]}, "resonance.auto: must be one of"),
        ({"threads": "many"}, "resonance.threads: must be a number"),
        ({"threads": -1}, "resonance.threads in the configuration must be 0 to 64, not -1"),
        ({"timeout": 0}, "must be 1 to 86400, not 0"),
        ({"timeout": float("nan")}, "must be 1 to 86400, not nan"),
        ({"timeout": float("inf")}, "must be 1 to 86400, not inf"),
        ({"nice": 20}, "resonance.nice in the configuration must be 0 to 19, not 20"),
        ({"nice": "very"}, "resonance.nice: must be a number"),
        ({"pace": 9}, "resonance.pace in the configuration must be 10 to 100, not 9"),
        ({"hours": "22-7"}, "resonance.hours in the configuration must be like 22:00-07:00, several with commas betw"),
        ({"hours": 22}, "resonance.hours: must be a string"),
        (
            {"index": "hnsw"},
            "resonance.index: must be one of ['auto', 'int8', 'float16', 'float32', 'ivf'], not 'hnsw'",
        ),
        ({"count": 0}, "must be 1 to 100000, not 0"),
        ({"model": 3}, "resonance.model: must be a string"),
        ({"cuont": 3}, "resonance.cuont in the configuration is no setting; did you mean count?"),
        ({"colour": 3}, "the settings are auto, model, threads, timeout, nice"),
        ({"per_artist": -1}, "resonance.per_artist in the configuration must be 0 to 100000, not -1"),
        ({"per_album": "all"}, "resonance.per_album: must be a number"),
        ({"spacing": 1001}, "resonance.spacing in the configuration must be 0 to 1000, not 1001"),
        ({"max_length": -0.5}, "resonance.max_length in the configuration must be 0 to 10000, not -0.5"),
        ({"max_length": "20 min"}, "resonance.max_length: must be numeric"),
        ({"exclude": [{"qeury": "skit"}]}, "qeury is no part of a rule; did you mean query?"),
        ({"profiles": ["dinner"]}, "resonance.profiles in the configuration lists options by the name of a profile"),
        ({"profiles": {"dinner": 3}}, "resonance.profiles.dinner in the configuration has options such as count: 30"),
        (
            {"profiles": {"dinner": {"lenght": 3}}},
            "resonance.profiles.dinner in the configuration: lenght is no option; did you mean max_length?",
        ),
        (
            {"profiles": {"a b": {"colour": "red"}}},
            "resonance.profiles.a b in the configuration: colour is no option; ",
        ),
        (
            {"profiles": {"dinner": {"count": "many"}}},
            "resonance.profiles.dinner.count in the configuration should be a whole number, not 'many'",
        ),
        (
            {"profiles": {"x": {"arc": None}}},
            "resonance.profiles.x.arc in the configuration should be a text, not None",
        ),
        (
            {"profiles": {"x": {"key": True}}},
            "resonance.profiles.x.key in the configuration should be a text, not True",
        ),
        (
            {"profiles": {"x": {"query": [1]}}},
            "resonance.profiles.x.query in the configuration should be a list of texts",
        ),
        ({"profiles": {"x": {"from": "a", "among": "b"}}}, "has the option among twice"),
        ({"profiles": {"x": {"per-artist": 1, "per_artist": 2}}}, "has the option per_artist twice"),
        ("auto", "resonance must be a"),
        (["auto"], "resonance must be a"),
    ],
)
def test_a_mistake_is_named(section: Any, message: str) -> None:
    with pytest.raises((UserError, confuse.ConfigError)) as caught:
        read_with_profiles(section)
    assert message in str(caught.value)


def test_a_mistake_in_a_profile_is_no_matter_of_the_others() -> None:
    settings = read({"count": 7, "profiles": {"bad": {"minuts": 15}, "good": {"minutes": 15}}})
    assert settings.count == 7
    assert find_profile(settings.profiles, "good") == {"minutes": 15}
    with pytest.raises(UserError, match=r"resonance\.profiles\.bad .*minuts is no option; did you mean minutes\?"):
        find_profile(settings.profiles, "bad")


def test_a_profile_is_what_a_recipe_takes() -> None:
    dinner = {
        "query": "genres:jazz 'year:1950..1969'",
        "not": "mood:party",
        "from": "year:..1990 ^live",
        "via": ["title:so what", "title:naima"],
        "per-artist": 2,
        "lambda_div": 0.3,
        "weights": {"timbre": 1, "rhythm": 0.5},
        "bpm": 96,
        "absolute": True,
        "file": "~/song one.mp3",
    }
    profile = find_profile(read({"profiles": {"dinner": dinner}}).profiles, "dinner")
    assert profile == {
        "query": ["genres:jazz", "year:1950..1969"],
        "avoid": ["mood:party"],
        "among": ["year:..1990", "^live"],
        "via": ["title:so what", "title:naima"],
        "per_artist": 2,
        "lambda_div": 0.3,
        "weights": "timbre=1,rhythm=0.5",
        "bpm": "96",
        "absolute": True,
        "file": ["~/song one.mp3"],
    }
    types = {name: option.type for name, option in SAVED.items()}
    assert read_recipe(write_recipe(profile), types) == profile


@pytest.mark.parametrize("name", SAVED)
def test_each_option_of_a_list_may_stand_in_a_profile(name: str) -> None:
    values = ("text", 3, True, None)
    fitting = []
    for value in values:
        try:
            find_profile(read({"profiles": {"x": {name.replace("_", "-"): value}}}).profiles, "x")
        except UserError:
            continue
        fitting.append(value)
    assert 1 <= len(fitting) < len(values)


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({}, "resonance.profiles in the configuration has no 'diner'; it has none"),
        ({"run": {}, "sleep": {}}, "resonance.profiles in the configuration has no 'diner'; there are run, sleep"),
        ({"dinner": {}}, "resonance.profiles in the configuration has no 'diner'; did you mean dinner?"),
    ],
)
def test_a_profile_that_is_not_there_is_named(known: dict[str, dict[str, Any]], said: str) -> None:
    with pytest.raises(UserError) as caught:
        find_profile(known, "diner")
    assert said in str(caught.value)
    assert find_profile({"diner": {"count": 3}}, "diner") == {"count": 3}


def test_a_second_file_adds_profiles() -> None:
    configuration = confuse.Configuration("beets", read=False)
    configuration.set({"resonance": {"profiles": {"dinner": {"count": 30}}}})
    configuration.set({"resonance": {"profiles": {"run": {"bpm": "160-180"}}}})
    configuration["resonance"].add(Settings.defaults())
    settings = Settings.from_config(configuration["resonance"])
    assert settings.profiles == {"dinner": {"count": 30}, "run": {"bpm": "160-180"}}


def test_a_relative_model_lies_in_the_configuration_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEETSDIR", str(tmp_path))
    monkeypatch.chdir("/")
    (tmp_path / "config.yaml").write_text("resonance: {model: models/mine}")
    configuration = confuse.Configuration("beets", read=False)
    configuration.set_file(configuration.user_config_path())
    configuration["resonance"].add(Settings.defaults())
    assert Settings.from_config(configuration["resonance"]).model == str(tmp_path / "models" / "mine")


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("songs/one.mp3", ["songs/one.mp3"]),
        (["songs/one.mp3", "/music/two.mp3"], ["songs/one.mp3", "/music/two.mp3"]),
        ("~/one.mp3", ["~/one.mp3"]),
        (" ", [" "]),
    ],
)
def test_the_relative_files_of_a_profile_lie_in_the_configuration_folder(
    file: Any, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEETSDIR", str(tmp_path))
    monkeypatch.chdir("/")
    (tmp_path / "config.yaml").write_text(
        json.dumps({"resonance": {"profiles": {"like": {"file": file}, "90": {"file": file}}}})
    )
    configuration = confuse.Configuration("beets", read=False)
    configuration.set_file(configuration.user_config_path())
    configuration["resonance"].add(Settings.defaults())
    profiles = Settings.from_config(configuration["resonance"]).profiles
    absolute = [str(tmp_path / path) if path[0] == "s" else path for path in expected]
    assert profiles["like"]["file"] == profiles["90"]["file"] == absolute


def test_workers_are_what_was_asked_for_last() -> None:
    assert Settings(threads=3).workers() == 3
    assert Settings(threads=3).workers(2) == 2
    assert 1 <= Settings().workers() <= 4
