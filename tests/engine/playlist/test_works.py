"""Movements are told from titles, and put together as works."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.playlist.order import group_works
from resonance_engine.playlist.rules import Track
from resonance_engine.search.names import parse_movement, parse_roman


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ("Symphony no. 5 in C minor, op. 67: II. Andante con moto", ("Symphony no. 5 in C minor, op. 67", 2)),
        ("Das Lied von der Erde: VI. Der Abschied", ("Das Lied von der Erde", 6)),
        (
            "Le nozze di Figaro, K. 492: Act I, Scene I: No. 1. Cinque",
            ("Le nozze di Figaro, K. 492: Act I, Scene I", 1),
        ),
        ("Partita - 3. Corrente", ("Partita", 3)),
        ("Suite \u2013 IV. Sarabande", ("Suite", 4)),
        ("Sonata: XIV.", ("Sonata", 14)),
        ("Symphony no. 5", None),
        ("Part I. The Start", None),
        ("Live: at Wembley", None),
        ("Suite: IIII. Nothing", None),
        ("Suite: II.Nothing", None),
        (": II. Nothing", None),
        ("", None),
    ],
)
def test_movements_of_titles(title: str, found: tuple[str, int] | None) -> None:
    assert parse_movement(title) == found


@given(st.text())
def test_any_title_is_read(title: str) -> None:
    found = parse_movement(title)
    assert found is None or (title.startswith(found[0]) and found[1] > 0)


@pytest.mark.parametrize(("numeral", "value"), [("I", 1), ("IX", 9), ("XXXIX", 39), ("XL", 0), ("IIX", 0), ("", 0)])
def test_roman_numerals(numeral: str, value: int) -> None:
    assert parse_roman(numeral) == value


def test_a_work_is_what_shares_work_and_album() -> None:
    shelf = [
        Track(1, album="Casals", work="Suite", movement=2),
        Track(2, album="Casals"),
        Track(3, album="Bylsma", work="Suite", movement=1),
        Track(4, album="Casals", work="Suite", movement=1),
        Track(5, album="Casals"),
    ]
    assert group_works(shelf, is_together=True) == [(3, 0), (1,), (2,), (4,)]
    assert group_works(shelf, is_together=False) == [(0,), (1,), (2,), (3,), (4,)]
