"""Console blocks of a Markdown document: its commands, what they print, and how many words the rest has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONSOLE = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.DOTALL | re.MULTILINE)
PROMPT = "$ "

# No words of a reader: blocks in fences, comments, pictures, the targets of links, rows of tables, signs.
NO_PROSE = re.compile(r"^```.*?^```$|<!--.*?-->|!\[[^]]*\]\([^)]*\)|(?<=\])\([^)]*\)|^\|.*?$", re.DOTALL | re.MULTILINE)
WORD = re.compile(r"\S*\w\S*")

# What another processor, or a model that was fitted anew there, may round differently, and by how much.
TOLERANCES = ((re.compile(r"-?\d+\.\d+"), 0.006), (re.compile(r"\d+(?= %)"), 2.0))
NUMBER = re.compile("|".join(f"({pattern.pattern})" for pattern, _ in TOLERANCES))


@dataclass(frozen=True)
class Example:
    """A command as it is typed, and the lines that it prints."""

    command: str
    output: tuple[str, ...]

    @property
    def is_beet(self) -> bool:
        """Whether it runs beets, so that its output can be made; others install and build."""
        return self.command.startswith("beet ")


def parse_examples(markdown: str) -> list[Example]:
    """Return the examples of all console blocks."""
    return [example for block in CONSOLE.finditer(markdown) for example in parse_block(block[0])]


def parse_block(text: str) -> list[Example]:
    """Return the examples of one block: a line with a prompt each, and the lines below it without empty ones."""
    _, *parts = re.split(r"^\$ ", text, flags=re.MULTILINE)
    commands = [part.splitlines() for part in parts]
    return [Example(command, tuple(line for line in output if line.strip())) for command, *output in commands]


def format_block(examples: list[Example]) -> str:
    """Return the text of a block, an empty line behind what was printed before another command."""
    lines: list[str] = []
    for example in examples:
        if lines and not lines[-1].startswith(PROMPT):
            lines.append("")
        lines += [PROMPT + example.command, *example.output]
    return "".join(f"{line}\n" for line in lines)


def update_examples(markdown: str, run: Callable[[str], list[str]]) -> str:
    """Return the document with the output that `run` gives for each command of beets, in order."""

    def updated(block: re.Match[str]) -> str:
        examples = parse_block(block[0])
        return format_block(
            [
                Example(example.command, tuple(run(example.command))) if example.is_beet else example
                for example in examples
            ]
        )

    return CONSOLE.sub(updated, markdown)


def differences(documented: str, actual: str) -> Iterator[str]:
    """Yield each example of a document whose output is another, beyond rounding, in the other."""
    for old, new in zip_longest(parse_examples(documented), parse_examples(actual)):
        if old is None or new is None or not agree(old, new):
            yield "\n".join(
                [PROMPT + (old or new).command]
                + [f"- {line}" for line in (old.output if old else ())]
                + [f"+ {line}" for line in (new.output if new else ())]
            )


def agree(first: Example, second: Example) -> bool:
    """Whether two examples differ in nothing but what rounding may change: decimals and percentages."""
    texts = ["\n".join((example.command, *example.output)) for example in (first, second)]
    if NUMBER.sub("#", texts[0]) != NUMBER.sub("#", texts[1]):
        return False
    pairs = zip(*(NUMBER.finditer(text) for text in texts), strict=True)
    return all(
        one.lastindex == two.lastindex and abs(float(one[0]) - float(two[0])) <= TOLERANCES[(one.lastindex or 1) - 1][1]
        for one, two in pairs
    )


def count_words(markdown: str) -> int:
    """Count the words of prose: headings and texts, with code that stands in a sentence."""
    return len(WORD.findall(NO_PROSE.sub("", markdown)))
