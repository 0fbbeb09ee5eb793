"""Computing elsewhere, with the real programs: what `resonance embed` writes is what `analyze` would have stored."""

from __future__ import annotations

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
    assert line.startswith("6 recordings by resonance 3 in ")
