"""What a person sees of the analysis while the real `beet` imports on a terminal, and how Ctrl-C ends it."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from tests.e2e.home import Home, album, new_home
from tests.e2e.terminal import CTRL_C, terminal

IMPORT = {"copy": True, "write": False, "resume": False, "autotag": False}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    album(tmp_path / "new", 3)
    return new_home(tmp_path / "home", **{"import": IMPORT})


def test_a_line_that_is_alive_and_one_summary(home: Home, tmp_path: Path) -> None:
    with terminal(home, "import", str(tmp_path / "new")) as shown:
        assert shown.finish() == 0
    assert "analysing 1/3 · Song 0" in shown.output
    *_, last = [line for line in shown.output.splitlines() if line]
    # On a busy machine, the rest goes to the background.
    assert re.search(
        r"^resonance: (\d of )?3 tracks (analysed in \d+ s|left to the background)", last.removeprefix("\x1b[K")
    ), shown.output
    assert shown.output.count("resonance: ") == 1


def test_quiet_is_quiet(home: Home, tmp_path: Path) -> None:
    with terminal(home, "import", "-q", str(tmp_path / "new")) as shown:
        assert shown.finish() == 0
    assert "analys" not in shown.output


def test_a_pipe_gets_the_summary_alone_and_all_is_analysed_at_its_end(home: Home, tmp_path: Path) -> None:
    status, out, err = home.run("import", str(tmp_path / "new"))
    assert status == 0
    assert re.fullmatch(r"resonance: 3 tracks analysed in \d+ s\n", out)
    assert "analys" not in err
    assert "\x1b" not in err
    home.assert_known(3)


@pytest.mark.parametrize("threaded", [True, False])
def test_ctrl_c_waits_for_no_file(home: Home, tmp_path: Path, threaded: bool) -> None:
    home.configure(**{"import": IMPORT, "threaded": threaded, "resonance": {"auto": "import"}})
    with terminal(home, "import", str(tmp_path / "new")) as shown:
        shown.read_until("analysing 1/3")
        while not (workers := shown.children()):
            pass
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)  # nothing is analysed any more
        shown.press(CTRL_C)
        assert shown.finish() == 0, "the import is done"
        assert shown.children() == []
    assert "left to `beet resonance analyze`" in shown.output
    paths = [Path(line) for line in home.beet("ls", "-f", "$path")]
    assert len(paths) == 3
    assert all(path.is_file() and not path.is_relative_to(tmp_path / "new") for path in paths)
    home.beet("resonance", "analyze")


def test_ctrl_c_in_analyze_is_a_failure(home: Home, tmp_path: Path) -> None:
    home.configure(**{"import": IMPORT, "resonance": {"auto": "no"}})
    home.beet("import", str(tmp_path / "new"))
    with terminal(home, "resonance", "analyze") as shown:
        shown.read_until("0/3")
        shown.press(CTRL_C)
        assert shown.finish() == 130
    assert "stopped; what was analysed is kept, run it again to go on" in shown.output
    assert "Traceback" not in shown.output
