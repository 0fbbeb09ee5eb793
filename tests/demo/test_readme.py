"""The README shows what a newcomer gets: its examples are run in the demo's library, made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from demo import readme
from demo.home import claim_folder
from demo.transcript import differences, parse_examples, update_examples

if TYPE_CHECKING:
    from pathlib import Path

README = (readme.ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.timeout(1200)
def test_outputs_of_the_readme_are_what_its_commands_print(tmp_path: Path) -> None:
    outputs = readme.run_examples(README, claim_folder(tmp_path / ".demo"))
    actual = update_examples(README, outputs.__getitem__)
    assert "\n".join(differences(README, actual)) == "", "run `make readme`"


def test_every_command_of_beets_has_an_output() -> None:
    examples = [example for example in parse_examples(README) if example.is_beet]
    assert len(examples) == 10
    assert all(example.output for example in examples)
    assert not any("Traceback" in line or line.startswith("error") for each in examples for line in each.output)
