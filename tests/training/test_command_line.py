"""The verbs of training on the command line: what they are called, what they load, what they say."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from resonance_engine.cli import build_parser, main, replace_by_mode
from resonance_engine.console import use_dashes
from resonance_engine.training.commands import models
from resonance_engine.training.commands.registry import COMMANDS, run_script
from tests.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

SHIPPED = "resonance_engine/models/default"
VERBS = ("index", "query", "embed", "precompute", "search", "refine", "evaluate", "export", "onnx-eval", "train")
HEAVY = (
    "torch",
    "numpy",
    "scipy",
    "onnx",
    "onnxruntime",
    "optuna",
    "pydantic",
    "matplotlib",
    "yaml",
    "sqlalchemy",
    "faiss",
    "tqdm",
)
HELP = """
import sys
from resonance_engine.cli import main
try:
    main(sys.argv[2:])
except SystemExit:
    pass
sys.exit(", ".join(name for name in sys.argv[1].split(",") if name in sys.modules) or 0)
"""
MODULES = sorted(path.stem for path in (ROOT / "training").glob("[!_]*.py"))
PACKAGES = sorted(path.parent.name for path in (ROOT / "training").glob("*/__main__.py"))
SCRIPTS = [*MODULES, *PACKAGES]
MADE_OF_PYTORCH = ("default_model",)


@pytest.mark.parametrize("arguments", [["--help"], ["evaluate", "--help"], ["train", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", HELP, ",".join(HEAVY), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")
    assert "usage: resonance" in done.stdout


def test_the_help_names_all_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    out = capsys.readouterr().out
    assert all(f"    {verb} " in out for verb in VERBS)


def test_only_the_given_verb_is_built() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", HELP, "resonance_engine.training", "embed", "--help"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")
    assert done.stdout.startswith("usage: resonance embed ")


@pytest.mark.parametrize("arguments", [["listen"], ["listen", "--help"]])
def test_an_unknown_verb_is_answered_with_all_verbs(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    error = capsys.readouterr().err
    assert "invalid choice: 'listen'" in error
    assert all(verb in error for verb in VERBS)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["train", "--mode", "search", "--trials", "3"], ["search", "--trials", "3"]),
        (
            ["train", "--config", "c.yaml", "--mode=refine", "--topn", "5"],
            ["refine", "--config", "c.yaml", "--topn", "5"],
        ),
        (["train", "--topn", "5"], ["refine", "--topn", "5"]),
        (["train", "--help"], ["train", "--help"]),
        (["query", "--mode", "search"], ["query", "--mode", "search"]),
        ([], []),
    ],
)
def test_train_is_search_or_refine(given: list[str], meant: list[str]) -> None:
    assert replace_by_mode(given) == meant


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("train --mode search --space s.yaml --config c.yaml", {"space": Path("s.yaml"), "config": Path("c.yaml")}),
        ("train --mode refine --topn 5 --config config/base.yaml", {"topn": 5, "config": Path("config/base.yaml")}),
        ("evaluate --load runs/best", {"load": Path("runs/best"), "cache_dir": Path("cache/features")}),
        ("export --outdir export --config c --formats onnx", {"outdir": Path("export"), "formats": ["onnx"]}),
        (
            "onnx_eval --onnx export/model.onnx --config c --timeit --runs 50 --batch 1",
            {"timeit": True, "runs": 50, "batch": 1, "load": Path("runs/best")},
        ),
    ],
)
def test_the_original_command_lines_are_understood(line: str, expected: dict[str, object]) -> None:
    options = vars(build_parser().parse_args(replace_by_mode(use_dashes(line.split()))))
    assert {name: options[name] for name in expected} == expected


@pytest.mark.parametrize("spelling", ["--cache-dir", "--cache_dir"])
def test_dashes_and_underscores(spelling: str) -> None:
    assert build_parser().parse_args(use_dashes(["precompute", spelling, "x"])).cache_dir == Path("x")


def test_beets_takes_a_library_and_a_query() -> None:
    options = build_parser().parse_args(["evaluate", "--beets", "lib.db", "artist:x", "year:2000..", "--device", "cpu"])
    assert options.beets == ["lib.db", "artist:x", "year:2000.."]


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_shows_its_help(name: str) -> None:
    if name in MADE_OF_PYTORCH:
        pytest.importorskip("torch")
    done = subprocess.run(
        [sys.executable, "-m", f"training.{name}", "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: " in done.stdout


@pytest.mark.parametrize("start", [lambda: main(["search"]), lambda: run_script("search", [])], ids=["verb", "script"])
def test_a_missing_extra_says_what_to_install(
    start: Callable[[], int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = builtins.__import__

    def without_yaml(name: str, *rest: Any, **more: Any) -> Any:
        if name == "yaml" or name.startswith("resonance_engine.training.config.config_file"):
            raise ModuleNotFoundError("No module named 'yaml'", name="yaml")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_yaml)
    assert start() == 1
    assert "pip install '.[train]'` in a checkout" in capsys.readouterr().err


def test_a_module_of_our_own_that_is_missing_is_no_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise ModuleNotFoundError("No module named 'resonance_engine.typo'", name="resonance_engine.typo")

    monkeypatch.setitem(COMMANDS, "evaluate", (COMMANDS["evaluate"][0], broken))
    with pytest.raises(ModuleNotFoundError):
        run_script("evaluate", [])


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["precompute", "--config", "~nosuchuser/x.yaml"], "~nosuchuser/x.yaml is not there"),
        (["precompute", "--config", "a" * 300], "a cannot be read: File name too long."),
        (["precompute", "--set", f"data.root={'a' * 300}"], "a: File name too long."),
        (["evaluate", "--load", "a" * 300], "a: File name too long."),
        (["onnx-eval", "--load", SHIPPED, "--onnx", "nowhere.onnx"], "nowhere.onnx; make one with `export`."),
    ],
)
def test_names_that_cannot_be_are_one_sentence(line: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("yaml")
    pytest.importorskip("torch")
    assert main(line) == 1
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


class TestAliases:
    def test_index_build_is_index_on_the_folder_of_the_settings(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("yaml")
        seen = []
        monkeypatch.setattr(models, "run_index", seen.append)
        line = "--config config/base.yaml --cache_dir c --load runs/best --out_dir cat --set data.root=/music"
        assert run_script("index_build", line.split()) == 0
        (options,) = seen
        assert (options.folder, options.out, options.load) == (Path("/music"), Path("cat"), Path("runs/best"))
        assert (options.backend, options.threads >= 1) == ("auto", True)

    def test_the_folder_may_be_below_home(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("yaml")
        seen = []
        monkeypatch.setattr(models, "run_index", seen.append)
        monkeypatch.setenv("HOME", "/home/somebody")
        assert run_script("index_build", ["--set", "data.root=~/music"]) == 0
        assert seen[0].folder == Path("/home/somebody/music")

    def test_without_a_folder_of_music_it_asks_for_one(self, capsys: pytest.CaptureFixture[str]) -> None:
        pytest.importorskip("yaml")
        assert run_script("index_build", ["--set", "data.root="]) == 1
        assert "--set data.root=FOLDER" in capsys.readouterr().err

    def test_query_has_the_original_defaults(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        line = "--load runs/best --backend auto --topk 20 --prf 5 --rerank mmr --lambda_div 0.3"
        assert run_script("query", ["--audio", "q.mp3", "--index_dir", str(tmp_path), *line.split()]) == 1
        assert "is no catalog" in capsys.readouterr().err

    def test_without_a_trained_model_it_says_how_to_make_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        pytest.importorskip("yaml")
        monkeypatch.chdir(tmp_path)
        (tmp_path / "song.wav").touch()
        assert run_script("index_build", ["--set", "data.root=."]) == 1
        assert "no model in runs/best yet; make one with `refine`" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["0", "-3", "few", "1.5"])
def test_counts_are_whole_numbers(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["index", "music", "--out", "catalog", "--threads", given])
    assert (
        f"--threads: must be a whole number of at least 1, not {given}; `resonance index --help` lists"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("given", ["0", "-1", "nan", "inf", "soon"])
def test_minutes_are_some(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["search", "--minutes", given])
    assert (
        f"--minutes: must be a number of minutes above 0, not {given}; `resonance search --help` lists"
        in capsys.readouterr().err
    )
