"""The README as the package's description: PyPI shows the file alone, so its links to files need a place to lead to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

PICTURE = re.compile(r"^!\[[^]]*\]\((?!https?:)([^)]+)\)\n\n?", re.MULTILINE)
LINK = re.compile(r"(?<!!)\[([^]]+)\]\((?!https?:|#)([^)#]+)(#[^)]*)?\)")


class PypiReadme(MetadataHookInterface):
    """Replace relative links by absolute ones, below the setting `pages`; without it by the paths in the source."""

    def update(self, metadata: dict[str, Any]) -> None:
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": absolute_links(text, str(self.config.get("pages", ""))),
        }


def absolute_links(markdown: str, pages: str) -> str:
    """Return a text without relative links and pictures; `pages` is the address of the source's folder, or empty."""
    if pages:
        prefix = f"{pages.rstrip('/')}/"
        return re.sub(r"\]\((?!https?:|#)([^)]+)\)", rf"]({prefix}\1)", markdown)
    return LINK.sub(r"\1 (`\2`)", PICTURE.sub("", markdown))
