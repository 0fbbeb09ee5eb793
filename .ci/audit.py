"""What is known to be wrong with the packages installed here: vulnerabilities, missing parts, licences.

    python .ci/audit.py

Exits with 1 for any of these. Where the database of vulnerabilities cannot be reached, it says so and goes on.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

PATIENCE = 300  # seconds for a network that takes requests and never answers


def main() -> int:
    checks = ([sys.executable, "-m", "pip", "check"], [sys.executable, "-m", "piplicenses"])  # see pyproject.toml
    broken = [command for command in checks if not passes(command)]
    bad, sentence = verdict(vulnerabilities())
    print(sentence)
    return 1 if broken or bad else 0


def passes(command: list[str]) -> bool:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        print((done.stdout + done.stderr).strip())
    return done.returncode == 0


def vulnerabilities() -> str:
    """What pip-audit found, as JSON; empty where it could not ask."""
    command = [sys.executable, "-m", "pip_audit", "--local", "--format", "json", "--progress-spinner", "off"]
    try:
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE).stdout
    except subprocess.TimeoutExpired:
        return ""


def verdict(found: str) -> tuple[bool, str]:
    """Whether pip-audit's answer is bad news, and what to say of it.

    A mirror of the package index may answer without knowing of any package; that is no audit either.
    """
    try:
        packages: list[dict[str, Any]] = json.loads(found)["dependencies"]
    except (ValueError, KeyError, TypeError):
        packages = []
    asked = [each for each in packages if "vulns" in each]
    if not asked:
        return False, "The database of vulnerabilities cannot be reached: nothing was audited."
    bad = [each for each in asked if each["vulns"]]
    lines = [f"{len(asked)} packages audited, {len(bad)} with known vulnerabilities."]
    for each in bad:
        for known in each["vulns"]:
            mended = ", ".join(known["fix_versions"]) or "no release"
            lines.append(f"{each['name']} {each['version']}: {known['id']}, mended in {mended}")
    unknown = ", ".join(each["name"] for each in packages if "vulns" not in each)
    return bool(bad), "\n".join(lines + ([f"Unknown to the database: {unknown}."] if unknown else []))


if __name__ == "__main__":
    sys.exit(main())
