"""TempoRange within bounds, an octave being nothing, and keys that mix."""

from __future__ import annotations

from typing import Any

import pytest

from resonance_engine.errors import ConfigError
from resonance_engine.search.constraints import Constraints, TempoRange, is_compatible, key_of, keys_of, tempi_of

SEED = {"tempo": 120.0, "key": "A minor"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.95-1.05", TempoRange(0.95, 1.05, True)),
        ("120-130", TempoRange(120, 130, False)),
        (" 9 - 10 ", TempoRange(9, 10, True)),
    ],
)
def test_bounds(text: str, expected: TempoRange) -> None:
    assert TempoRange.parse(text) == expected


def test_a_single_tempo_is_met_nearly() -> None:
    tempo = TempoRange.parse("124")
    assert tempo.allows(126, ())
    assert not tempo.allows(130, ())


@pytest.mark.parametrize("text", ["", "fast", "1.05-0.95", "0-1", "0.9-120", "-5", "1-2-3", "1e9", "nan-nan"])
def test_other_bounds_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"not '"):
        TempoRange.parse(text)


@pytest.mark.parametrize(
    ("tempo", "reason"),
    [
        (120, ""),
        (125, ""),
        (60, ""),
        (240, ""),
        (127, "tempo"),
        (180, "tempo"),
        (30, "tempo"),
        (None, "no tempo known"),
    ],
)
def test_tempo_next_to_the_seed(tempo: float | None, reason: str) -> None:
    assert Constraints(TempoRange.parse("0.95-1.05"), tempi_of([SEED])).rejection({"tempo": tempo}) == reason


def test_any_seed_will_do() -> None:
    def rejection(*seeds: dict[str, Any]) -> str:
        constraints = Constraints(TempoRange.parse("0.95-1.05"), tempi_of(seeds), keys_of(seeds))
        return constraints.rejection({"tempo": 90, "key": "D# major"})

    assert rejection(SEED) == "tempo"
    assert rejection(SEED, {"tempo": 91.0, "key": None}) == "key"
    assert rejection(SEED, {"tempo": 91.0, "key": "Bb major"}) == ""


# The Camelot wheel: 8A is A minor, 8B C major, 9A E minor, 7A D minor.
MINOR = ("G#", "D#", "A#", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
MAJOR = ("B", "F#", "C#", "G#", "D#", "A#", "F", "C", "G", "D", "A", "E")
CAMELOT = {
    **{f"{number}A": f"{name} minor" for number, name in enumerate(MINOR, 1)},
    **{f"{number}B": f"{name} major" for number, name in enumerate(MAJOR, 1)},
}


@pytest.mark.parametrize("code", CAMELOT)
def test_keys_mix_with_their_neighbours_on_the_camelot_wheel(code: str) -> None:
    number, letter = int(code[:-1]), code[-1]
    neighbours = {code, f"{number % 12 + 1}{letter}", f"{(number - 2) % 12 + 1}{letter}"}
    neighbours.add(f"{number}{'B' if letter == 'A' else 'A'}")
    key = key_of({"key": CAMELOT[code]})
    assert key is not None
    mixing = {other for other, name in CAMELOT.items() if is_compatible(key, key_of({"key": name}) or (99, ""))}
    assert mixing == neighbours


def test_flats_are_sharps() -> None:
    assert key_of({"key": "Eb minor"}) == key_of({"key": "D# minor"})


@pytest.mark.parametrize("key", [None, "", "H minor", "A dorian", 5])
def test_odd_keys_are_not_known(key: Any) -> None:
    assert Constraints(keys=keys_of([SEED])).rejection({"key": key}) == "no key known"


def test_seeds_without_what_is_compared_are_a_sentence() -> None:
    with pytest.raises(ConfigError, match="has a tempo that was measured"):
        tempi_of([{"tempo": None}])
    with pytest.raises(ConfigError, match="has a key that was measured"):
        keys_of([{}])
    assert Constraints(TempoRange.parse("110-130")).rejection(SEED) == ""
    assert Constraints().rejection({}) == ""
