"""Which of known files a line of a playlist names, whatever program wrote the line.

A line is read in every way that programs write paths: as a `file:` URL, with percent escapes, backslashes, a drive
letter or a network share in front, in another encoding. Each reading is compared as it is, then as the same file on the
disk (through links), then without case, Unicode form and characters that file names cannot have everywhere, and at last
by the end of the path that all copies of a library share.
"""

from __future__ import annotations

import os
import re
import unicodedata
from contextlib import suppress
from html import unescape
from itertools import chain
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from resonance_engine.playlist.m3u import FILE_SCHEMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    IsEnough = Callable[[int, Sequence[str], Sequence[str]], bool]

READINGS = 200  # of a line; what has more was not written by a program
ADDRESS = re.compile(rf"({'|'.join(FILE_SCHEMES)}):(//[^/\\]*)?", re.IGNORECASE)
DRIVE = re.compile(r"/*[a-z][:|](?=[/\\]|$)", re.IGNORECASE)
QUOTES = ('""', "''", "<>", "\u201c\u201d")
DROPPED = " ._"  # at the end of a name by Windows, or by a rule of beets' `replace` made to another of them
WESTERN = ("cp1252", "latin-1")
ROOT = ""  # no name of a folder


def readings(line: bytes) -> list[str]:
    """Return the paths that a line may mean, the most literal first; bytes that are no text are surrogates."""
    known = dict.fromkeys([os.fsdecode(line), *(decode(line, encoding) for encoding in WESTERN)])
    pending = list(known)
    while pending and len(known) < READINGS:
        new = [text for text in rewrite(pending.pop(0)) if text and text not in known]
        known |= dict.fromkeys(new)
        pending += new
    return list(known)


def rewrite(text: str) -> Iterator[str]:
    """Yield what a path may be that a program wrote as this text, one change at a time."""
    address = ADDRESS.match(text)
    if address is not None:
        yield text[address.end() :]
    if "%" in text:
        yield os.fsdecode(unquote_to_bytes(os.fsencode(text)))
    drive = DRIVE.match(text)
    if drive is not None:
        yield text[drive.end() :]
    if "\\" in text:
        yield text.replace("\\", "/")
    elif "/" not in text and text.count(":") > 1:  # of classic Mac OS
        yield text.replace(":", "/")
    if text[:1] + text[-1:] in QUOTES and len(text) > 2:
        yield text[1:-1]
    for other in (text.strip(), unescape(text), *recode(text)):
        if other != text:
            yield other


def recode(text: str) -> Iterator[str]:
    """Yield a text as read in the encoding that its bytes have, or had before they were taken for another."""
    try:
        text.encode()
    except UnicodeEncodeError:
        yield decode(os.fsencode(text))
        return
    for encoding in () if text.isascii() else WESTERN:
        with suppress(UnicodeError):
            yield text.encode(encoding).decode()


def decode(path: bytes, encoding: str = "utf-8") -> str:
    """Return a path as text in an encoding or, where it is none in it, in Latin-1."""
    try:
        return path.decode(encoding)
    except UnicodeDecodeError:
        return path.decode("latin-1")


class FileMatcher:
    """The known files by all that lines may call them.

    `paths` are absolute, `roots` folders that another computer may have under another name. `sanitize` returns a name
    as it would be stored; `resolve` returns the real path of a file, None where there is none.
    """

    def __init__(
        self,
        paths: Iterable[bytes],
        roots: Sequence[bytes],
        sanitize: Callable[[str], str],
        resolve: Callable[[bytes], bytes | None],
    ) -> None:
        self._paths = set(paths)
        self._sanitize, self._resolve = sanitize, resolve
        self._folded: dict[str, str] = {}
        self._folders = {folder_name(path) for path in self._paths}
        self._roots = [split_path(decode(root)) for root in roots]
        # By the last name, by the last two and, of the files of a root itself, by none and the last.
        self._by_end: dict[tuple[str, ...], list[bytes]] = {}
        for path in sorted(self._paths):
            own = split_path(decode(path))
            names = [self._fold(name) for name in own[-2:]]
            ends = {(names[-1],), tuple(names), *([(ROOT, names[-1])] if self._names_below_root(own) == 1 else [])}
            for end in ends:
                self._by_end.setdefault(end, []).append(path)

    def find(self, line: bytes, folder: bytes) -> bytes | None:
        """Return the file that a line of a playlist in `folder` names; None for none, and for several equally good."""
        texts = [text for text in readings(line) if "\0" not in text]
        literal = dict.fromkeys(absolute_path(folder, os.fsencode(text)) for text in texts)
        for path in literal:
            if path in self._paths:
                return path
        present = {path: real for path in literal if (real := self._resolve(path)) is not None}
        for path, real in present.items():
            if (same := self._same_file(path, real)) is not None:
                return same
        whole = self._best([split_path(decode(path)) for path in literal], is_whole)
        # A file that is there, and not a known one, is not one of the same name elsewhere; nor is a name alone, beside
        # known files, that of a file which is gone.
        spellings = [split_path(text) for text in texts]
        is_beside = folder in self._folders and all(len(parts) < 2 for parts in spellings)
        return whole if whole or present or is_beside else self._best(spellings, self._is_enough)

    def _same_file(self, path: bytes, real: bytes) -> bytes | None:
        """Return the known path of a file that is there."""
        if real in self._paths:
            return real
        names = dict.fromkeys(self._fold(decode(base_name(each))) for each in (path, real))
        known = (each for name in names for each in self._by_end.get((name,), ()))
        return next((each for each in known if self._resolve(each) == real), None)

    def _best(self, spellings: Iterable[Sequence[str]], is_enough: IsEnough) -> bytes | None:
        """Return the file whose path has the longest end in common with one of the spellings, if that is enough."""
        scores: dict[bytes, tuple[int, int]] = {}
        for parts in spellings:
            folded = [self._fold(part) for part in parts]
            ends = [tuple(folded[-2:]), *([(ROOT, folded[-1])] if len(folded) > 1 else [])] if folded else []
            for path in chain.from_iterable(self._by_end.get(end, ()) for end in ends):
                own = split_path(decode(path))
                common = count_common(folded, [self._fold(part) for part in own])
                if is_enough(common, parts, own):
                    scores[path] = max(scores.get(path, (0, 0)), (common, count_common(parts, own)))
        best = max(scores.values(), default=None)
        winners = [path for path, score in scores.items() if score == best]
        return winners[0] if len(winners) == 1 else None

    def _is_enough(self, common: int, spelling: Sequence[str], own: Sequence[str]) -> bool:
        """Whether so many names from the end on tell a file: all that was written, or all below a root."""
        return common == len(spelling) or common >= self._names_below_root(own)

    def _names_below_root(self, own: Sequence[str]) -> int:
        """Return how many names a path has below the nearest root, or in all."""
        below = [len(own) - len(root) for root in self._roots if own[: len(root)] == root]
        return min(below, default=len(own))

    def _fold(self, name: str) -> str:
        """Return a name so that all spellings of it are equal."""
        if name not in self._folded:
            stored = self._sanitize(unicodedata.normalize("NFC", name)).casefold()
            self._folded[name] = unicodedata.normalize("NFC", stored.strip(DROPPED) or stored)
        return self._folded[name]


def is_whole(common: int, spelling: Sequence[str], own: Sequence[str]) -> bool:
    return common == len(own) == len(spelling)


def absolute_path(folder: bytes, path: bytes) -> bytes:
    """Return a path from a folder on, without detours; of several slashes in front one is left."""
    return re.sub(rb"^/+", b"/", os.path.normpath(os.path.join(folder, path)))  # noqa: PTH118 # paths are bytes


def base_name(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]


def folder_name(path: bytes) -> bytes:
    return path.rpartition(b"/")[0] or b"/"


def split_path(text: str) -> list[str]:
    """Return the names along a path, without those that lead nowhere or up."""
    return [name for name in text.split("/") if name not in ("", ".", "..")]


def count_common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many names two paths have in common, from the end on."""
    count = 0
    while count < min(len(one), len(other)) and one[-1 - count] == other[-1 - count]:
        count += 1
    return count
