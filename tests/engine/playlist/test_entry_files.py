"""Which file a line of a playlist names, in all ways in which programs write the path of one."""

from __future__ import annotations

import os
import re
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.playlist.entry_files import FileMatcher, readings
from resonance_engine.playlist.m3u import parse_playlist

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROOT, LISTS = "/srv/media/Music", "/srv/media/Lists/evening"
FILES = [
    "Sigur Rós/Ágætis byrjun/01 Svefn-g-englar.flac",
    "Beyoncé/B'Day/02 Déjà Vu.mp3",
    "AC_DC/Live/03 What_.mp3",
    "B & C/100% #1/04 x [y] (z).ogg",
    "Air/Moon Safari/05 Sexy Boy.m4a",
    "Air/10 000 Hz Legend/05 Sexy Boy.m4a",
    "Motörhead/Ace of Spades/06 (We Are) The Roadcrew.wav",
]
OTHERS = ["Zoé/Moon Safari/05 Sexy Boy.m4a", "Air/Moon Safari/06 All I Need.m4a", "Can/Soon/1.mp3"]


def windows(path: str) -> str:
    return path.replace("/", "\\")


def relative(path: str) -> str:
    return os.path.relpath(f"{ROOT}/{path}", LISTS)


def as_named(path: str) -> str:
    """A path before beets replaced what some disks do not take in names."""
    return path.replace("What_", "What?").replace("AC_DC", "AC:DC")


# What another program writes for a file at this path below the music folder.
VARIANTS: dict[str, Callable[[str], str | bytes]] = {
    "absolute": lambda path: f"{ROOT}/{path}",
    "relative": relative,
    "relative, with ./": lambda path: f"./{relative(path)}",
    "detours": lambda path: f"{ROOT}/./x/../{path.replace('/', '/./', 1)}",
    "doubled slashes": lambda path: f"{ROOT}//{path.replace('/', '//')}",
    "backslashes": lambda path: windows(relative(path)),
    "drive letter, same folder": lambda path: f"C:{windows(ROOT)}\\{windows(path)}",
    "drive letter, other folder": lambda path: f"D:\\Users\\me\\Tunes\\{windows(path)}",
    "drive letter, no folder": lambda path: f"m:\\{windows(path)}",
    "drive letter, slashes": lambda path: f"D:/Tunes/{path}",
    "share of Windows": lambda path: f"\\\\NAS\\music\\{windows(path)}",
    "share, slashes": lambda path: f"//nas/volume1/music/{path}",
    "long path of Windows": lambda path: f"\\\\?\\D:\\Tunes\\{windows(path)}",
    "other mount point": lambda path: f"/Volumes/NAS/Music/{path}",
    "URL": lambda path: f"file://{quote(f'{ROOT}/{path}')}",
    "URL, host": lambda path: f"file://localhost{quote(f'{ROOT}/{path}')}",
    "URL, one slash": lambda path: f"file:{quote(f'{ROOT}/{path}')}",
    "URL, not escaped": lambda path: f"file://{ROOT}/{path}",
    "URL, scheme in upper case": lambda path: f"FILE://{quote(f'{ROOT}/{path}').replace('%C3', '%c3')}",
    "URL, drive letter": lambda path: f"file:///C:/{quote(f'Tunes/{path}')}",
    "URL, drive letter with a bar": lambda path: f"file:///C|/{quote(f'Tunes/{path}')}",
    "URL, share": lambda path: f"file://nas/music/{quote(path)}",
    "URL, share with four slashes": lambda path: f"file:////nas/music/{quote(path)}",
    "URL, smb": lambda path: f"smb://nas/music/{quote(path)}",
    "percent escapes": lambda path: quote(relative(path)),
    "percent escapes, all": lambda path: "".join(f"%{byte:02X}" for byte in f"{ROOT}/{path}".encode()),
    "percent escapes of Latin-1": lambda path: quote(relative(path), encoding="latin-1"),
    "lower case": lambda path: relative(path).lower(),
    "upper case": lambda path: relative(path).upper(),
    "NFD": lambda path: unicodedata.normalize("NFD", relative(path)),
    "NFD, absolute, upper case": lambda path: unicodedata.normalize("NFD", f"{ROOT}/{path}").upper(),
    "Latin-1": lambda path: relative(path).encode("latin-1"),
    "Latin-1, backslashes": lambda path: windows(relative(path)).encode("latin-1"),
    "UTF-8 taken for Latin-1": lambda path: relative(path).encode().decode("latin-1"),
    "trailing spaces": lambda path: f"{relative(path)}   ",
    "leading spaces": lambda path: f"  {relative(path)}",
    "tab at the end": lambda path: f"{relative(path)}\t",
    "quoted": lambda path: f'"{relative(path)}"',
    "quoted, backslashes": lambda path: f'"D:\\Tunes\\{windows(path)}"',
    "quoted once": lambda path: f"'{ROOT}/{path}'",
    "escaped for HTML": lambda path: relative(path).replace("&", "&amp;").replace("'", "&#39;"),
    "list moved": lambda path: f"../{path}",
    "list beside the music": lambda path: path,
    "names as they are tagged": lambda path: relative(as_named(path)),
    "names as they are tagged, absolute": lambda path: f"{ROOT}/{as_named(path)}",
    "names without what Windows drops": lambda path: relative(path.replace("AC_DC/", "AC_DC./")),
    "classic Mac OS": lambda path: f"Macintosh HD:Music:{path.replace('/', ':')}",
    "mounted by GNOME": lambda path: f"/run/user/1000/gvfs/smb-share:server=nas,share=music/{path}",
}


def sanitize(name: str) -> str:
    """The rules of beets' default configuration."""
    for pattern, other in (
        (r"[\\/]", "_"), (r"^\.", "_"), (r"[\x00-\x1f]", "_"), (r'[<>:"\?\*\|]', "_"), (r"\.$", "_"), (r"\s+$", ""),
        (r"^\s+", ""), (r"^-", "_"),
    ):  # fmt: skip
        name = re.sub(pattern, other, name)
    return name


def matcher(paths: list[str | bytes], root: str = ROOT) -> FileMatcher:
    """A matcher of files below a root, none of which is there."""
    absolute = [os.fsencode(root) + b"/" + (path if isinstance(path, bytes) else path.encode()) for path in paths]
    return FileMatcher(absolute, [root.encode()], sanitize, lambda _: None)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_way_to_write_a_path_leads_to_its_file(variant: str) -> None:
    known = matcher([*FILES, *OTHERS])
    for path in FILES:
        line = VARIANTS[variant](path)
        content = line if isinstance(line, bytes) else line.encode()
        assert known.find(content, LISTS.encode()) == f"{ROOT}/{path}".encode(), content


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_way_leads_to_another_file(variant: str) -> None:
    known = matcher(OTHERS)
    for path in FILES:
        line = VARIANTS[variant](path)
        assert known.find(line if isinstance(line, bytes) else line.encode(), LISTS.encode()) is None


NAME = st.text(st.characters(codec="latin-1", exclude_categories=("Cc", "Zs"), exclude_characters='/\\:|<>"?*.%&;_~'))
NAMES = NAME.filter(lambda name: name.strip() == name and 0 < len(name) < 30 and not name.startswith(("-", "#", "'")))


@given(st.lists(NAMES, min_size=3, max_size=3), st.sampled_from(sorted(VARIANTS)))
def test_names_of_all_kinds(names: list[str], variant: str) -> None:
    path = f"{names[0]}/{names[1]}/{unicodedata.normalize('NFC', names[2])}.mp3"
    line = VARIANTS[variant](path)
    content = line if isinstance(line, bytes) else line.encode()
    assert matcher([path, *OTHERS]).find(content, LISTS.encode()) == f"{ROOT}/{path}".encode()


def test_undecodable_file_name_matches_its_decoded_form() -> None:
    known = matcher([b"Zo\xe9/caf\xe9.mp3"])
    for line in ("Zoé/café.mp3", "file:///srv/media/Music/Zo%C3%A9/caf%C3%A9.mp3", "D:\\x\\zoé\\CAFÉ.MP3"):
        assert known.find(line.encode(), b"/elsewhere") == b"/srv/media/Music/Zo\xe9/caf\xe9.mp3"


def test_the_literal_name_goes_before_all_others() -> None:
    known = matcher(["a%20b.mp3", "a b.mp3", "A B.mp3", "a b.MP3"])
    for name in ("a%20b.mp3", "a b.mp3", "A B.mp3", "a b.MP3"):
        assert known.find(name.encode(), ROOT.encode()) == f"{ROOT}/{name}".encode()


def test_a_name_alone_is_that_of_the_folder_which_has_the_list() -> None:
    """A track that is gone from an album is no other album's of the same file name."""
    known = matcher(["Air/Moon Safari/05 Sexy Boy.m4a", "Air/Premiers/01 Modular.m4a"])
    album, elsewhere = f"{ROOT}/Air/Premiers".encode(), b"/home/me/lists"
    sexy_boy = f"{ROOT}/Air/Moon Safari/05 Sexy Boy.m4a".encode()
    for line in (b"05 Sexy Boy.m4a", b"./05%20Sexy%20Boy.m4a", b" 05 SEXY BOY.m4a"):
        assert known.find(line, album) is None
        assert known.find(line, elsewhere) == sexy_boy
    assert known.find(b"01 modular.m4a", album) == f"{ROOT}/Air/Premiers/01 Modular.m4a".encode()
    assert known.find(b"../Moon Safari\\05 Sexy Boy.m4a", album) == sexy_boy


def test_files_of_the_music_folder_itself_are_found_by_their_names() -> None:
    known = matcher(["song.mp3", "a/b/other.mp3"])
    for line in (b"D:\\Tunes\\SONG.mp3", b"file:///C:/x/song.mp3", b"song.mp3"):
        assert known.find(line, b"/lists") == f"{ROOT}/song.mp3".encode()
    assert known.find(b"D:\\Tunes\\other.mp3", b"/lists") is None


def test_of_equally_good_files_none_is_taken() -> None:
    known = matcher(["A/song.mp3", "B/song.mp3", "C/x/1.mp3", "c/X/1.mp3"])
    assert known.find(b"song.mp3", b"/lists") is None
    assert known.find(b"D:\\C\\X\\1.MP3", b"/lists") is None
    assert known.find(b"D:\\b\\song.mp3", b"/lists") == f"{ROOT}/B/song.mp3".encode()


class TestFilesOnTheDisk:
    @pytest.fixture
    def song(self, tmp_path: Path) -> Path:
        path = tmp_path / "disk" / "Music" / "Air" / "1.mp3"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"music")
        return path

    def find(self, known: Path, line: str, folder: Path) -> bytes | None:
        def resolve(path: bytes) -> bytes | None:
            return os.path.realpath(path) if os.path.isfile(path) else None  # noqa: PTH113

        return FileMatcher([os.fsencode(known)], [], sanitize, resolve).find(line.encode(), os.fsencode(folder))

    def test_through_links(self, song: Path, tmp_path: Path) -> None:
        (tmp_path / "home").symlink_to(tmp_path / "disk")
        (tmp_path / "other").symlink_to(tmp_path / "disk" / "Music")
        linked = tmp_path / "home" / "Music" / "Air" / "1.mp3"
        for known in (song, linked):
            for line in (str(song), str(linked), str(tmp_path / "other" / "Air" / "1.mp3"), "Air/1.mp3"):
                assert self.find(known, line, tmp_path / "other") == os.fsencode(known)
        (tmp_path / "best.mp3").symlink_to(song)
        assert self.find(song, "best.mp3", tmp_path) == os.fsencode(song)

    def test_an_entry_whose_file_exists_matches_no_other_file(self, song: Path, tmp_path: Path) -> None:
        other = tmp_path / "1.mp3"
        other.write_bytes(b"other music")
        assert self.find(song, "1.mp3", tmp_path) is None


@given(st.binary(max_size=60))
def test_any_line_has_few_readings(line: bytes) -> None:
    assert 1 <= len(readings(line)) <= 220
    matcher(FILES).find(line, b"/lists")


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfa.mp3\r\nb.mp3\r\n",
        b"#EXTM3U\ra.mp3\rb.mp3\r",
        "#EXTM3U\r\na.mp3\r\nb.mp3".encode("utf-16"),
        b"\xfe\xff" + "a.mp3\nb.mp3".encode("utf-16-be"),
    ],
)
def test_ends_of_lines_and_byte_order_marks(content: bytes) -> None:
    assert [entry.line for entry in parse_playlist(content, b"/m").entries] == [b"a.mp3", b"b.mp3"]
