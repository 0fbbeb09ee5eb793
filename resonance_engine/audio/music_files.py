"""The audio files of a folder, without what trash, file systems, NAS and synchronisation keep beside the music."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.errors import CatalogError, printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

SUFFIXES = {
    ".aac", ".aif", ".aiff", ".alac", ".ape", ".flac", ".m4a", ".m4b", ".mp3", ".mpc", ".oga", ".ogg", ".opus", ".tta",
    ".wav", ".wma", ".wv",
}  # fmt: skip

# In lower case. A dot in front alone says nothing: "...And Justice for All" and ".5: The Gray Chapter" are albums.
SYSTEM_FOLDERS = {
    # of NAS: Synology, QNAP, Buffalo, Asustor, ReadyNAS, Netatalk
    "#snapshot", "@eadir", "@tmp", "@recently-snapshot", "@sharebin", "@sharesnap", "@transcode", "@appstore",
    "@database", "@__thumb", ".@__thumb", ".@upload_cache", ".@plugins", ".streams", "trashbox", "recyclebin",
    "recycle bin", "network trash folder", "temporary items", "thevolumesettingsfolder",
    # of macOS
    ".appledouble", ".appledb", ".appledesktop", ".spotlight-v100", ".fseventsd", ".temporaryitems",
    ".documentrevisions-v100", ".mobilebackups", ".hfs+ private directory data\r", "__macosx", "backups.backupdb",
    # of Windows, Android, Linux, file systems with snapshots
    "$extend", "system volume information", "lost.dir", "lost+found", ".thumbnails", ".snapshot",
    ".snapshots", ".zfs", "~snapshot",
    # of Syncthing, Resilio, Dropbox, Google Drive, Nextcloud, MEGA, Seafile, GoodSync, Unison, rsync, version control
    ".stversions", ".stfolder", ".sync", ".syncarchive", ".dropbox.cache", ".dropbox", ".tmp.drivedownload",
    ".tmp.driveupload", "files_trashbin", "files_versions", ".debris", "syncdebris", ".megasync", ".seafile-data",
    "_gsdata_", ".unison", ".~tmp~", ".rsync-partial", ".rsync-tmp", ".pcloud", ".git", ".svn", ".hg",
}  # fmt: skip
# No repetition within one of the same characters: a name that could be taken apart in many ways would take minutes.
SYSTEM_FOLDER = re.compile(
    r"""\.([^. ][^ ]*?)?(trash|recycl|deleted|wastebasket)[^ ]*  # .Trash-1000, .Recycle.Bin
    |   [\#@$~](recently[-_])?(trash(es|bin|box)?|recycle[rd]?|recycle[-_. ]?bin|deleted|wastebasket)(-\d+)?
    |   (network[ ])?recycle[ ]bin[ ].*     # "Recycle Bin - Volume_1"
    |   s-1-\d+(-\d+)+                      # Windows' bins of users, by security id
    |   found\.\d{3}                        # of chkdsk
    |   \.stfolder.*                        # .stfolder.removed-20240101
    |   [.@\#]synology.*|@syno.*            # "SynologyDrive" is where its users have their files
    """,
    re.VERBOSE,
)
# Resource forks of macOS, Android's bin and downloads, locks, what synchronisation has not whole yet.
SYSTEM_FILES = ("._*", ".trashed-*", ".pending-*", "~$*", ".~lock.*", ".syncthing.*", "~syncthing~*")
# A folder by a name that albums have, too, is trash where it has what all such trash has.
TRASH_ENTRIES = {"trash": {"files", "info"}, "recycled": {"info2"}, "recycler": {"info2"}}
SHOWN = 4  # names in the description of what was left out


@dataclass(frozen=True)
class MusicFiles:
    """The absolute `paths` of audio files in a stable order, and how many were left out by the name that says why."""

    paths: list[Path]
    left_out: Mapping[str, int]

    def describe_left_out(self) -> str:
        """Return a line that counts the files that were left out and names where they are; empty for none."""
        count = sum(self.left_out.values())
        if not count:
            return ""
        names = sorted(self.left_out, key=lambda name: (-self.left_out[name], name))
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        files = "1 file" if count == 1 else f"{count:,} files"
        return f"{files} of trash and system folders left out: {', '.join(names[:SHOWN])}{more}"


def is_system_folder(name: str, entries: Collection[str] = ()) -> bool:
    """Whether a folder of this name, with entries of these names, holds trash or a system's own files."""
    lower = name.lower()
    if lower in SYSTEM_FOLDERS or SYSTEM_FOLDER.fullmatch(lower):
        return True
    return lower in TRASH_ENTRIES and {entry.lower() for entry in entries} >= TRASH_ENTRIES[lower]


def find_music(folder: Path) -> MusicFiles:
    """Return the files below a folder that are audio by their names, without those of trash and systems.

    The folder itself may be one of those: it was named. Links to folders are not followed. Raises CatalogError for what
    is no folder.
    """
    if not folder.is_dir():
        raise CatalogError(f"{printable(folder)} is not a folder; give the folder that holds your music.")
    paths: list[Path] = []
    left_out: Counter[str] = Counter()
    for root, names, files in os.walk(folder):
        system = [name for name in names if is_system_folder(name, list_entries(root, name))]
        names[:] = [name for name in names if name not in system]
        for name in audio_names(files):
            pattern = next((each for each in SYSTEM_FILES if fnmatchcase(name.lower(), each)), None)
            if pattern is not None:
                left_out[pattern] += 1
            else:
                paths.append(Path(root, name).absolute())
        for name in system:
            below = os.walk(Path(root, name))
            left_out[name] += sum(1 for _, _, inner in below for _ in audio_names(inner))
    return MusicFiles(sorted(paths), +left_out)


def list_entries(root: str, name: str) -> list[str]:
    """Return the names in a folder, where these decide whether it is one of trash."""
    if name.lower() not in TRASH_ENTRIES:
        return []
    try:
        return os.listdir(Path(root, name))  # noqa: PTH208 # names alone are needed
    except OSError:
        return []


def audio_names(names: Iterable[str]) -> Iterator[str]:
    return (name for name in names if Path(name).suffix.lower() in SUFFIXES)
