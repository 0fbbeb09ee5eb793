"""What a track or an album is called in a line of output; tags are hostile, and may be missing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from beets.library import Item

from resonance_engine.errors import neutralise, printable

if TYPE_CHECKING:
    from beets.library import Album


def describe_entry(entry: Item | Album, template: str | None = None) -> str:
    """Return an item or album in beets' own format, or in that of a template, which is obeyed to the letter.

    Without a template, one without artist and title is called by its file or folder. A template may be "", as for
    beets, whose format may come from the command line.
    """
    is_named = entry.artist or entry.title if isinstance(entry, Item) else entry.albumartist or entry.album
    if template is None and not is_named:
        return file_name(entry.path if isinstance(entry, Item) else entry.item_dir())
    # What the user wrote, such as a tab, is meant, and reaches the terminal from tags, too.
    return neutralise(format(entry, template or ""), template or "")


def label_item(item: Item) -> str:
    """Return artist and title of an item, or what there is of them; its file's name where it has no title."""
    return " - ".join(filter(None, (neutralise(item.artist), label_title(item.title, item.path))))


def label_title(title: str, path: bytes) -> str:
    """Return a title, or the name of the file where there is none."""
    return neutralise(title) if title else file_name(path)


def file_name(path: bytes) -> str:
    """Return the last part of a path as text that any terminal takes."""
    return printable(os.path.basename(path))  # noqa: PTH119 - bytes
