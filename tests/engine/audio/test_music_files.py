"""Which files of a folder are its music: trash, snapshots, versions and resource forks are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from resonance_engine.audio.music_files import find_music, is_system_folder
from resonance_engine.errors import CatalogError

if TYPE_CHECKING:
    from pathlib import Path

# A file below the music folder by who put it there.
NOT_MUSIC = {
    "Synology, bin": "#recycle/Album/1.flac",
    "Synology, thumbnails": "Album/@eaDir/1.flac/SYNOAUDIO_01.mp3",
    "Synology, snapshots": "#snapshot/GMT-2024.01.01/Album/1.flac",
    "Synology, Drive": "@SynologyDriveShareSync/repo/1.flac",
    "QNAP, bin": "@Recycle/Album/1.flac",
    "QNAP, thumbnails": "Album/.@__thumb/1.mp3",
    "QNAP, snapshots": "@Recently-Snapshot/1.flac",
    "Buffalo": "trashbox/1.flac",
    "Western Digital": "Recycle Bin - Volume_1/1.flac",
    "Asustor": "RecycleBin/1.flac",
    "Unraid": ".Recycle.Bin/user/1.flac",
    "Samba": ".recycle/user/Album/1.flac",
    "TrueNAS": ".zfs/snapshot/daily/1.flac",
    "Netatalk": "Network Trash Folder/Trash Can #2/1.aif",
    "Netatalk, forks": "Album/.AppleDouble/1.flac",
    "macOS, volume's bin": ".Trashes/501/1.m4a",
    "macOS, bin": ".Trash/1.m4a",
    "macOS, forks": "Album/._1.flac",
    "macOS, archive": "__MACOSX/Album/._1.mp3",
    "macOS, versions": ".DocumentRevisions-V100/AllUIDs/1.wav",
    "macOS, index": ".Spotlight-V100/1.mp3",
    "macOS, scratch": ".TemporaryItems/folders.501/1.wav",
    "Windows, bin": "$RECYCLE.BIN/S-1-5-21-1/$R1ABCDE.flac",
    "Windows, bin in lower case": "$Recycle.Bin/$R1.flac",
    "Windows XP, bin": "RECYCLER/S-1-5-21-1-2-3-1003/Dc1.mp3",
    "Windows, restore points": "System Volume Information/1.wma",
    "Windows, chkdsk": "found.000/dir0000.chk/1.wma",
    "Android, bin": "Music/.trashed-1735689600-1.mp3",
    "Android, download": "Music/.pending-1735689600-1.mp3",
    "Android, lost files": "LOST.DIR/1.mp3",
    "Linux, bin of a disk": ".Trash-1000/files/Album/1.flac",
    "Linux, shared bin of a disk": ".Trash/1000/files/1.flac",
    "Linux, bin of a home": ".local/share/Trash/files/1.flac",
    "Linux, fsck": "lost+found/1.ogg",
    "btrfs, snapper": ".snapshots/1/snapshot/Album/1.flac",
    "Syncthing, versions": ".stversions/Album/1~20240101-120000.flac",
    "Syncthing, unfinished": "Album/.syncthing.1.flac.tmp.flac",
    "Resilio": ".sync/Archive/Album/1.flac",
    "Dropbox": ".dropbox.cache/2024-01-01/1.mp3",
    "Google Drive": ".tmp.drivedownload/1.mp3",
    "Nextcloud, bin": "files_trashbin/files/1.flac",
    "Nextcloud, versions": "files_versions/1.flac",
    "MEGA": ".debris/2024-01-01/1.flac",
    "GoodSync": "_gsdata_/_saved_/1.flac",
    "Insync": ".insync-trash/1.mp3",
    "Synology, working folder": ".SynologyWorkingDirectory/1.mp3",
    "KDE, bin of before": ".Wastebasket/1.mp3",
    "iOS": "@Recently-Deleted/1.m4a",
    "Linux, bin of a user": ".Trash-root/files/1.flac",
    "Nautilus, bins of a share": ".trash_recycle-1/1.flac",
    "rsync": ".rsync-partial/1.flac",
    "git": ".git/lfs/1.wav",
}
MUSIC = [
    "Alice Cooper/Trash/1.flac",
    "ZZ Top/Recycler/1.flac",
    "Metallica/...And Justice for All/1.flac",
    "Slipknot/.5 The Gray Chapter/1.flac",
    "Garbage/Garbage/1.mp3",
    "Sync/Archive/1.ogg",
    "#1 Record/1.flac",
    "@/1.flac",
    "$ave/1.flac",
    "Lost & Found/1.flac",
    "Snapshot/1.opus",
    ".hidden/.1.flac",
    "S-1/1.wv",
    "Versions/1~live.m4a",
    "_/1.tta",
    "SynologyDrive/Album/1.flac",
    "Synology of Sound/1.flac",
    "@TrashTalk/1.mp3",
    "#Deleted Scenes/1.mp3",
    "#RecycleTheFuture/1.ogg",
    "$Trash Money/1.mp3",
    "...Recycled/1.mp3",
    ".Deleted Songs/1.mp3",
]


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.mark.parametrize("name", NOT_MUSIC)
def test_what_systems_keep_is_counted_and_left_out(tmp_path: Path, name: str) -> None:
    song = touch(tmp_path / "Album" / "1.mp3")
    touch(tmp_path / NOT_MUSIC[name])
    if "share/Trash" in NOT_MUSIC[name]:
        touch(tmp_path / ".local/share/Trash/info/1.flac.trashinfo")
    music = find_music(tmp_path)
    assert music.paths == [song]
    assert sum(music.left_out.values()) == 1
    assert music.describe_left_out().startswith("1 file of trash and system folders left out: ")


@pytest.mark.parametrize("name", MUSIC)
def test_names_that_albums_have_are_music(tmp_path: Path, name: str) -> None:
    song = touch(tmp_path / name)
    music = find_music(tmp_path)
    assert (music.paths, music.left_out) == ([song], {})
    assert not music.describe_left_out()


@pytest.mark.parametrize("start", [".", "@", "#trash", ".trash", "~recycle", "s-1-5", "recycle bin "])
@pytest.mark.parametrize("part", ["_a", "-1", ".a", " a", "_", "trash", "1"])
def test_a_name_of_many_parts_is_judged_at_once(start: str, part: str) -> None:
    """Where each part may belong to one group of a pattern or to the next, the trials double with each part."""
    name = start + part * (240 // len(part))
    assert is_system_folder(f"{name}/\n!") in (True, False)


def test_the_line_counts_all_and_names_the_first(tmp_path: Path) -> None:
    for name in NOT_MUSIC.values():
        touch(tmp_path / name)
    touch(tmp_path / ".local/share/Trash/info/1.flac.trashinfo")
    touch(tmp_path / "#recycle" / "cover.jpg")
    line = find_music(tmp_path).describe_left_out()
    assert line.startswith(f"{len(NOT_MUSIC)} files of trash and system folders left out: ")
    assert line.endswith(" more")


def test_a_folder_that_was_named_is_music_whatever_its_name(tmp_path: Path) -> None:
    song = touch(tmp_path / "#recycle" / "Album" / "1.flac")
    assert find_music(tmp_path / "#recycle").paths == [song]
    assert find_music(tmp_path / "#recycle" / "Album").paths == [song]


def test_what_is_no_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="is not a folder; give the folder that holds your music"):
        find_music(touch(tmp_path / "1.flac"))
