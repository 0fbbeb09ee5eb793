"""Profiles: options of `beet playlist` and `beet radio` that the configuration keeps under a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from beets.exceptions import UserError

from beetsplug.resonance.config.options import SAVED, split_query
from resonance_engine.suggestions import suggest

if TYPE_CHECKING:
    from confuse import ConfigView, Subview

SETTING = "resonance.profiles"
QUERIES = ("query", "avoid", "among")  # each the words of one query
# Of each pair, the one on the command line puts the other out of a profile.
RIVALS = (("count", "minutes"), ("weights", "like"), ("to", "arc"))

Profile = Mapping[str, Any]


def parse_profiles(value: Any, view: ConfigView) -> dict[str, Profile | UserError]:
    """Parse the setting `profiles`: by name, options as a recipe has them, by their names in the table.

    `view` leads to the file that a path comes from. A profile with an unknown option, or a value that an option does
    not take, is the error that `find_profile` raises: what does without that profile must not fail.
    """
    if not isinstance(value, Mapping):
        raise UserError(
            f"{SETTING} in the configuration lists options by the name of a profile, as {{dinner: {{count: 30}}}}"
        )
    profiles: dict[str, Profile | UserError] = {}
    for name, options in value.items():
        try:
            profiles[str(name)] = parse_profile(f"{SETTING}.{name}", options, view[name])
        except UserError as error:
            profiles[str(name)] = error
    return profiles


def override_profile(
    profiles: Mapping[str, Profile | UserError], name: str | None, given: Profile, default: Profile
) -> dict[str, Any]:
    """Return the options of a profile, if one is named, between default ones and those given on a command line."""
    options = {**default, **(find_profile(profiles, name) if name is not None else {})}
    for pair in RIVALS:
        if any(each in given for each in pair):
            options = {each: value for each, value in options.items() if each not in pair}
    return {**options, **given}


def find_profile(profiles: Mapping[str, Profile | UserError], name: str) -> Profile:
    """Return the profile of a name; UserError where the configuration has none, or a mistake in it."""
    if name not in profiles:
        hint = suggest(name, profiles, f"there are {', '.join(profiles)}" if profiles else "it has none")
        raise UserError(f"{SETTING} in the configuration has no {name!r}; {hint}")
    profile = profiles[name]
    if isinstance(profile, UserError):
        raise profile
    return profile


def parse_profile(place: str, options: Any, view: Subview) -> Profile:
    if not isinstance(options, Mapping):
        raise UserError(f"{place} in the configuration has options such as count: 30, and {options!r} is none")
    profile: dict[str, Any] = {}
    for spelling, value in options.items():
        name = option_name(place, str(spelling))
        if name in profile:
            raise UserError(f"{place} in the configuration has the option {spelling} twice")
        profile[name] = parse_value(place, name, value)
    if "file" in profile:
        profile["file"] = file_paths(view["file"], profile["file"])
    return profile


def file_paths(view: Subview, paths: list[str]) -> list[str]:
    """Return the paths of a profile's files; relative ones are in the configuration's folder, as that of `model` is."""
    views = [view] if isinstance(view.get(), str) else [view[number] for number in range(len(paths))]
    return [
        place.as_filename() if path.strip() and not path.startswith(("~", "/")) else path
        for path, place in zip(paths, views, strict=True)
    ]


def option_name(place: str, spelling: str) -> str:
    """Return the name of an option that is written as on a command line, or with _ for -."""
    names = {name: name for name in SAVED} | {option.flag.strip("-"): name for name, option in SAVED.items()}
    wanted = spelling.replace("-", "_")
    if wanted not in names:
        hint = suggest(wanted, names, f"the options are {', '.join(names)}")
        raise UserError(f"{place} in the configuration: {spelling} is no option; {hint}")
    return names[wanted]


def parse_value(place: str, name: str, value: Any) -> Any:
    """Return a value of YAML as a recipe has it: one text where a list is taken, a number where a text is.

    Of a query, a text is split into its words as on a command line; weights may be given by name.
    """
    from resonance_engine.records import describe_type, has_type

    kind = SAVED[name].type
    if kind == list[str] and isinstance(value, str):
        value = split_query(value) if name in QUERIES else [value]
    elif kind is str and has_type(value, float):
        value = str(value)
    elif name == "weights" and isinstance(value, Mapping):
        value = ",".join(f"{facet}={weight}" for facet, weight in value.items())
    if not has_type(value, kind):
        raise UserError(f"{place}.{name} in the configuration should be {describe_type(kind)}, not {value!r}")
    return value
