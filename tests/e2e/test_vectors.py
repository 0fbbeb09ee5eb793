"""Computing elsewhere, with the real programs: what `resonance embed` writes is what `analyze` would have stored."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.e2e.home import Home, new_home
from tests.engine.exchange.exchanged import stored_rows
from tests.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def test_files_embedded_without_beets_are_not_analysed_again(songs: Home, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere.npz"
    files = sorted(str(path) for path in songs.music.rglob("*.*"))
    command = [sys.executable, "-m", "resonance_engine.cli", "embed", *files, "--passages", "--out", str(target)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    home = new_home(tmp_path / "home", directory=str(songs.music), library=str(songs.library))
    home.beet("--library", str(songs.library), "resonance", "status")
    copy = songs.clone(tmp_path / "copy")
    copy.sidecar.unlink()
    assert copy.beet("resonance", "vectors", "import", str(target)) == ["6 tracks imported"]
    assert stored_rows(copy.sidecar) == stored_rows(songs.sidecar)
    copy.assert_known(6)
    assert copy.beet("resonance", "analyze") == ["nothing to do: all 6 tracks are analysed"]
    again = tmp_path / "again.npz"
    [line] = copy.beet("resonance", "vectors", "export", str(again))
    assert line.startswith("6 recordings by resonance 4 in ")


def test_vectors_of_the_other_shipped_model_are_refused_with_the_command_that_chooses_it(
    songs: Home, tmp_path: Path
) -> None:
    target, file = tmp_path / "int8.npz", next(iter(sorted(songs.music.rglob("*.*"))))
    command = [sys.executable, "-m", "resonance_engine.cli", "embed", str(file), "--load", "default-int8"]
    subprocess.run([*command, "--out", str(target)], cwd=ROOT, check=True, capture_output=True)
    copy = songs.clone(tmp_path / "copy")
    sentence = copy.fails("resonance", "vectors", "import", str(target))
    assert re.search(
        r"holds vectors of resonance 4 \(default-int8, [0-9a-f]{16}\), and this library uses resonance 4 "
        r"\(default, [0-9a-f]{16}\); nothing was stored",
        sentence,
    )
    assert "choose the file's by `beet resonance model use default-int8`" in sentence


def test_an_export_without_its_file_name_costs_no_song(songs: Home, tmp_path: Path) -> None:
    copy = songs.clone(tmp_path / "copy")
    folder = tmp_path / "music"
    shutil.copytree(songs.music, folder)
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    for program in ("beet resonance vectors export", f"{sys.executable} -m resonance_engine.cli embed --out"):
        status, out, err = copy.shell(f"{program} {folder}/*/*/*")
        assert (status, out) == (1, "")
        assert err.count("\n") == 1
        assert "takes the name of a file that ends in .npz, not " in err
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before
