"""The audit of installed packages fails on a known vulnerability, and on nothing that it could not ask about."""

from __future__ import annotations

import json

import pytest

from tests.paths import load_ci_script

CLEAN = {"name": "numpy", "version": "2.1.0", "vulns": []}
BAD = {
    "name": "jinja2",
    "version": "2.4.1",
    "vulns": [{"id": "PYSEC-2019-217", "fix_versions": ["2.10.1"], "aliases": ["CVE-2016-10745"], "description": "x"}],
}
OPEN = {**BAD, "name": "other", "vulns": [{"id": "PYSEC-1", "fix_versions": []}]}
UNKNOWN = {"name": "torch", "skip_reason": "Dependency not found on PyPI and could not be audited: torch (2.13.0+cpu)"}


@pytest.mark.parametrize(
    ("packages", "bad", "lines"),
    [
        ([CLEAN], False, ["1 packages audited, 0 with known vulnerabilities."]),
        (
            [CLEAN, UNKNOWN],
            False,
            ["1 packages audited, 0 with known vulnerabilities.", "Unknown to the database: torch."],
        ),
        (
            [CLEAN, BAD, OPEN],
            True,
            [
                "3 packages audited, 2 with known vulnerabilities.",
                "jinja2 2.4.1: PYSEC-2019-217, mended in 2.10.1",
                "other 2.4.1: PYSEC-1, mended in no release",
            ],
        ),
        ([UNKNOWN, UNKNOWN], False, ["The database of vulnerabilities cannot be reached: nothing was audited."]),
    ],
)
def test_what_is_made_of_the_answer(packages: list[object], bad: bool, lines: list[str]) -> None:
    found = load_ci_script("audit").verdict(json.dumps({"dependencies": packages, "fixes": []}))
    assert found == (bad, "\n".join(lines))


@pytest.mark.parametrize("answer", ["", "Traceback", "[]", "{}"])
def test_no_answer_is_said(answer: str) -> None:
    assert load_ci_script("audit").verdict(answer) == (
        False,
        "The database of vulnerabilities cannot be reached: nothing was audited.",
    )


def test_a_check_that_fails_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    passes = load_ci_script("audit").passes
    assert passes(["true"])
    assert not passes(["sh", "-c", "echo numpy has requirement x; exit 1"])
    assert capsys.readouterr().out == "numpy has requirement x\n"
