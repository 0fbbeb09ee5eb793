"""Console blocks are read, written, compared and counted around as a reader sees them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.transcript import (
    Example,
    agree,
    count_words,
    differences,
    format_block,
    parse_block,
    parse_examples,
    update_examples,
)

DOCUMENT = """# Two words

Text with `beet ls` and a [link](docs/long-target.md).

![not counted](picture.svg)

```console
$ pip install .
$ beet similar x -n 2
0.900  A - B - C
0.800  D - E - F

$ beet ls 'similar:y'
G
```

| not | counted |
|---|---|

```yaml
plugins: [not counted]
```
"""
LINES = st.text(st.characters(blacklist_categories=["C", "Z"], blacklist_characters="$`"), min_size=1)


def test_examples_are_commands_with_their_output() -> None:
    assert parse_examples(DOCUMENT) == [
        Example("pip install .", ()),
        Example("beet similar x -n 2", ("0.900  A - B - C", "0.800  D - E - F")),
        Example("beet ls 'similar:y'", ("G",)),
    ]


def test_update_replaces_outputs_of_beets_alone() -> None:
    commands: list[str] = []
    updated = update_examples(DOCUMENT, lambda command: commands.append(command) or ["one", "  two"])  # type: ignore[func-returns-value]
    assert commands == ["beet similar x -n 2", "beet ls 'similar:y'"]
    assert "$ pip install .\n$ beet similar x -n 2\none\n  two\n\n$ beet ls 'similar:y'\none\n  two\n```\n" in updated
    outputs = {example.command: list(example.output) for example in parse_examples(DOCUMENT)}
    assert update_examples(updated, outputs.__getitem__) == DOCUMENT


@given(st.lists(st.tuples(LINES, st.lists(LINES)), min_size=1))
def test_blocks_survive_a_round_trip(pairs: list[tuple[str, list[str]]]) -> None:
    examples = [Example(command, tuple(output)) for command, output in pairs]
    assert parse_block(format_block(examples)) == examples


@pytest.mark.parametrize(
    ("documented", "actual", "same"),
    [
        ("0.872  A", "0.872  A", True),
        ("0.872  A", "0.874  A", True),
        ("0.872  A", "0.882  A", False),
        ("-0.001  A", "0.001  A", True),
        ("timbre 51 %, rhythm 9 %", "timbre 50 %, rhythm 10 %", True),
        ("timbre 51 %", "timbre 54 %", False),
        ("Solo Piano 04", "Solo Piano 05", False),
        ("Track 1", "Track 2", False),
        ("51 %", "0.510", False),
        ("A", "A\nB", False),
    ],
)
def test_outputs_agree_up_to_rounding(documented: str, actual: str, same: bool) -> None:
    first, second = (Example("beet x", tuple(text.splitlines())) for text in (documented, actual))
    assert agree(first, second) is agree(second, first) is same


def test_differences_name_the_command_and_both_outputs() -> None:
    other = DOCUMENT.replace("D - E", "D - X")
    assert list(differences(DOCUMENT, DOCUMENT)) == []
    assert list(differences(DOCUMENT, other)) == [
        "$ beet similar x -n 2\n- 0.900  A - B - C\n- 0.800  D - E - F\n+ 0.900  A - B - C\n+ 0.800  D - X - F"
    ]
    assert list(differences(DOCUMENT, "")) != []


def test_words_are_those_of_headings_and_text() -> None:
    assert count_words(DOCUMENT) == len(["Two", "words", "Text", "with", "beet", "ls", "and", "a", "link"])
    assert count_words("") == 0
