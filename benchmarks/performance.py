"""Run all benchmarks of speed, one after another, and write what they print into docs/performance.md.

    benchmarks/run.sh [--corpus FOLDER] [--kept FOLDER] [--out FILE] [--only NAME ...]

Takes about an hour and a half on two cores that do nothing else. The corpus is what `make corpus` filled; `--kept` is
where synthetic libraries and transcoded files stay for the next run. A benchmark that fails is reported in its section,
and the exit status is 1 then.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import ROOT, beets_environment
from resonance_engine.errors import TargetError
from resonance_engine.files import verify_target

if TYPE_CHECKING:
    from collections.abc import Sequence

OUT = ROOT / "docs" / "performance.md"
CORPUS = Path.home() / ".cache" / "resonance-corpus"
KEPT = Path.home() / ".cache" / "resonance-benchmarks"
ALBUM = "music/planetblupi-music-ogg"  # ten tracks
PACKAGES = ("numpy", "scipy", "onnxruntime", "faiss-cpu", "av", "soxr", "torch", "beets", "bliss-audio", "pymusly")
FLAGS = ("avx2", "avx512f", "avx512_vnni", "amx_int8")
LINES = 200  # of output that a section keeps
HEAD = """\
# Performance

Written by `benchmarks/run.sh`, which runs all of it in one go; what can be compared takes turns. Ratios carry over to
other machines better than times.
"""


@dataclass(frozen=True)
class Section:
    """A part of the page: the name that `--only` takes, its title, what is measured, and the modules with arguments."""

    name: str
    title: str
    text: str
    commands: tuple[tuple[str, ...], ...]


def make_sections(corpus: Path, kept: Path) -> list[Section]:
    """Return the sections in the order of the page."""
    library, files = ("--kept", str(kept / "libraries")), ("--kept", str(kept / "files"))
    return [
        Section(
            "analysis",
            "Analysis of a track",
            "CPU milliseconds from file to embedding, one core, beside bliss and musly; `bliss /` and `musly /` say "
            "how many times as long they take.",
            (("benchmarks.analysis", str(corpus), *files),),
        ),
        Section(
            "import",
            "Import of an album",
            "`beet import` with and without the plugin. CPU seconds are those of the import and its workers.",
            (("benchmarks.imports", str(corpus / ALBUM)),),
        ),
        Section(
            "inference",
            "The model's backends",
            "The original design expected onnxruntime to be 1.3 times as fast as PyTorch, INT8 and batches twice, "
            "mixed precision 1.5 times. No accelerator was at hand.",
            (("benchmarks.inference",),),
        ),
        Section(
            "features",
            "The front end and cached features",
            "The original design expected cached features to make training three to five times as fast.",
            (("benchmarks.features",), ("benchmarks.feature_cache",), ("benchmarks.content_key",)),
        ),
        Section(
            "index",
            "The index",
            "The 20 nearest, index search alone on one thread, of vectors in clusters and of hard ones.",
            (
                ("benchmarks.index",),
                ("benchmarks.index", "--tracks", "1000000", "--vectors", "clustered", "--methods", "ivf", "int8"),
            ),
        ),
        Section(
            "commands",
            "Whole commands",
            "Each beside `beet ls id:1` in the same library.",
            (("benchmarks.startup",), ("benchmarks.similar", *library)),
        ),
        Section(
            "serving",
            "The server",
            "Two hundred clients for a minute.",
            (("benchmarks.serving", *library),),
        ),
        Section(
            "postgresql",
            "A shared sidecar",
            "The index of one machine, and the search of PostgreSQL with pgvector.",
            (("benchmarks.postgresql", "--tracks", "12000"),),
        ),
        Section(
            "cluster",
            "Many machines",
            "Analysis by a Dask cluster whose workers are on this machine, beside the machine's own workers.",
            (("benchmarks.cluster", str(corpus / ALBUM), "--tracks", "32"),),
        ),
        Section(
            "ondevice",
            "On a device",
            "The module that needs numpy, scipy and onnxruntime alone, beside the engine.",
            (("benchmarks.ondevice", str(corpus), "--tracks", "24"),),
        ),
    ]


def describe_machine() -> str:
    """Return the processor, the memory and the versions that the numbers belong to."""
    cpu = read_fields(Path("/proc/cpuinfo"))
    memory = read_fields(Path("/proc/meminfo")).get("MemTotal", "0 kB").split()[0]
    flags = [flag for flag in FLAGS if flag in cpu.get("flags", "").split()]
    return "\n".join(
        [
            f"- {date.today():%d %B %Y}, {cpu.get('model name', platform.processor())}, {os.cpu_count()} cores"
            f" ({', '.join(flags) or 'none of ' + ', '.join(FLAGS)}), {int(memory) / 1e6:.0f} GB, {platform.system()}",
            f"- Python {platform.python_version()}, "
            + ", ".join(f"{name} {installed}" for name in PACKAGES if (installed := version_of(name))),
            f"- load before the first benchmark: {os.getloadavg()[0]:.2f}",
        ]
    )


def read_fields(path: Path) -> dict[str, str]:
    """Return the first value of each `name: value` of a file of /proc; nothing on other systems."""
    fields: dict[str, str] = {}
    if path.exists():
        for line in path.read_text(encoding="ascii", errors="replace").splitlines():
            name, _, value = line.partition(":")
            fields.setdefault(name.strip(), value.strip())
    return fields


def version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def run_section(section: Section) -> tuple[str, bool]:
    """Run the benchmarks of a section; return its text, and whether all of them succeeded."""
    parts, succeeded = [f"## {section.title}", section.text], True
    for module, *arguments in section.commands:
        start = time.monotonic()
        print(f"{section.name}: {module}", file=sys.stderr, flush=True)
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=beets_environment(Path(os.devnull)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        succeeded = succeeded and done.returncode == 0
        parts.append(format_run(module, arguments, done, time.monotonic() - start))
    return "\n\n".join(parts), succeeded


def format_run(module: str, arguments: Sequence[str], done: subprocess.CompletedProcess[str], seconds: float) -> str:
    """Format a benchmark's output; that of one that failed ends with its error."""
    lines = done.stdout.rstrip().splitlines()[:LINES]
    if done.returncode:
        lines.append(f"exit status {done.returncode}: {' '.join(done.stderr.strip().splitlines()[-1:])}".rstrip(": "))
    body = "\n".join(line.rstrip() for line in lines)
    shown = shorten(" ".join((module, *arguments)))
    return f"`python -m {shown}` ({seconds:.0f} s, load {os.getloadavg()[0]:.1f}):\n\n```text\n{shorten(body)}\n```"


def shorten(text: str) -> str:
    """Return a text with ~ for the home folder."""
    return text.replace(str(Path.home()), "~")


def build_parser() -> argparse.ArgumentParser:
    names = ", ".join(section.name for section in make_sections(CORPUS, KEPT))
    parser = argparse.ArgumentParser(
        prog="benchmarks/run.sh",
        description="Run the benchmarks of speed, one after another: about an hour and a half. Where .venv is missing, "
        "`make .venv/ready` makes it first: about 2.2 GB, with PyTorch and all that the tests take.",
    )
    parser.add_argument("--corpus", type=Path, default=CORPUS, metavar="FOLDER", help="what `make corpus` filled")
    parser.add_argument(
        "--kept", type=Path, default=KEPT, metavar="FOLDER", help="libraries and files for the next run"
    )
    parser.add_argument("--out", type=Path, default=OUT, metavar="FILE.md", help="the page (docs/performance.md)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help=f"sections to run: {names}")
    return parser


def main() -> int:
    options = build_parser().parse_args()
    try:
        verify_target(options.out, "--out", (".md",))
    except TargetError as error:
        build_parser().error(str(error).removesuffix("."))
    for folder in ("libraries", "files"):
        (options.kept / folder).mkdir(parents=True, exist_ok=True)
    sections = make_sections(options.corpus, options.kept)
    names = [section.name for section in sections]
    if unknown := set(options.only or ()) - set(names):
        build_parser().error(f"there is no section {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    parts, succeeded = [HEAD.rstrip(), describe_machine()], True
    for section in sections:
        if not options.only or section.name in options.only:
            text, good = run_section(section)
            parts.append(text)
            succeeded = succeeded and good
    options.out.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print(f"written to {options.out}")
    return 0 if succeeded else 1


if __name__ == "__main__":
    sys.exit(main())
