"""A network of another project among the models: added, used, searched, left for the shipped one, removed."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from resonance_engine.store import Store
from tests.onnx_networks import LOG_MEL, WIDTH, changed, network, write_network

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.home import Home

onnx = pytest.importorskip("onnx")


def widths(home: Home) -> dict[str, dict[str, int]]:
    with Store(home.sidecar) as store:
        return {model.name: model.widths() for model in store.models.all()}


@pytest.fixture
def home(songs: Home, tmp_path: Path) -> Home:
    return songs.clone(tmp_path / "home")


@pytest.mark.timeout(600)
def test_a_whole_model(home: Home, tmp_path: Path) -> None:
    before = home.library.read_bytes()
    shipped = home.beet("similar", "title:song 3")
    lines = home.beet("resonance", "model", "add", str(write_network(tmp_path / "files")))
    assert lines[0] == f"tiny-network 1 was added: a whole model, {WIDTH} numbers a track"
    assert lines[2] == "licence, as its YAML states: CC BY-NC 4.0"
    assert [line.split()[0] for line in home.beet("resonance", "model", "list")] == [
        "name",
        "default",
        "default-int8",
        "tiny-network",
    ]
    assert home.beet("similar", "title:song 3") == shipped, "adding changes nothing yet"
    used = home.beet("resonance", "model", "use", "tiny-network")
    assert used[0].startswith("6 tracks analysed in ")
    assert used[1] == "tiny-network 1 is in use now"
    assert widths(home)["tiny-network"] == {"embedding": WIDTH, "semantic": WIDTH}
    hits = json.loads("\n".join(home.beet("similar", "--json", "--versions", "title:song 3")))
    assert len(hits) == 5
    explained = home.beet("similar", "--versions", "--explain", "title:song 3")
    assert "semantic 100 %" in explained[1]
    assert len(home.beet("similar", "--versions", "--weights", "semantic=2", "title:song 3")) == 5
    assert home.fails("similar", "--like", "timbre", "title:song 3") == (
        "error: similar: --like: The model has no facet 'timbre'; it has semantic\n"
    )
    assert home.fails("similar", "--text", "piano")
    assert len(home.beet("playlist", "--versions", "-n", "3", "title:song 3")) == 3
    assert home.beet("resonance", "check")
    assert all(home.beet("ls", "-f", "$res_bpm $res_tags"))
    home.assert_known(6)
    assert "is in use" in home.fails("resonance", "model", "remove", "tiny-network", "--yes")
    assert home.beet("resonance", "model", "use", "default")[-2].endswith("is in use now")
    assert home.beet("similar", "title:song 3") == shipped
    assert home.beet("resonance", "model", "remove", "tiny-network", "--yes") == ["tiny-network was removed"]
    assert "tiny-network" not in widths(home)
    assert not (home.path / "resonance-models").exists()
    assert home.library.read_bytes() == before


@pytest.mark.timeout(600)
def test_the_semantic_part(home: Home, tmp_path: Path) -> None:
    path = write_network(tmp_path / "files", document=changed(LOG_MEL, part="semantic", pooling="mean+std"))
    width = widths(home)["resonance"]["embedding"] + 2 * WIDTH
    lines = home.beet("resonance", "model", "add", str(path), "--name", "mixed")
    assert lines[0] == (
        f"mixed 1 was added: the semantic part, beside the shipped model's other facets, {width} numbers a track"
    )
    home.beet("resonance", "model", "use", "mixed")
    facets = {name for name in widths(home)["resonance"] if name != "embedding"}
    assert widths(home)["mixed"] == dict.fromkeys({*facets, "embedding"}, width)
    explained = home.beet("similar", "--explain", "title:song 3")
    assert "semantic" in explained[1]
    assert "timbre" in explained[1]
    liked = home.beet("similar", "--like", "timbre", "title:song 3")
    assert len(liked) == 5
    home.beet("resonance", "model", "use", "default")
    assert home.beet("similar", "--like", "timbre", "title:song 3")[0].split()[1:] == liked[0].split()[1:]
    with Store(home.sidecar) as store:
        models = {model.name: model.id for model in store.models.all()}
        keys = [row.content_key for row in home.tracks().values()]
        mixed, shipped = (
            {kind: store.vectors.get(keys, models[name], kind) for kind in facets} for name in ("mixed", "resonance")
        )
    for key in keys:
        for facet in facets - {"semantic"}:
            own = widths(home)["resonance"]["embedding"]
            assert np.array_equal(mixed[facet][key][:own], shipped[facet][key])


@pytest.mark.parametrize(
    ("content", "change", "sentence"),
    [
        (
            network(("batch", 96, 16)),
            {},
            "its input audio has the shape ['batch', 96, 16], which does not fit input.ax",
        ),
        (network(gain=np.nan), {}, "On the test signal 'noise', the network tiny-network gives numbers that are not "),
        (
            network(),
            {"output__name": "x"},
            "has no output 'x'; output.name should be one of: embeddings ['batch', 12]\n",
        ),
        (network()[:-9], {}, "is no ONNX file, or only a part of one"),
    ],
    ids=["shape", "NaN", "output", "cut off"],
)
def test_what_is_refused(home: Home, tmp_path: Path, content: bytes, change: dict[str, Any], sentence: str) -> None:
    path = write_network(tmp_path / "files", content, changed(LOG_MEL, **change))
    assert sentence in home.fails("resonance", "model", "add", str(path))
    assert not list((home.path / "resonance-models").glob("*/*"))
    assert len(home.beet("resonance", "model", "list")) == 3


def test_large_files_and_numbers_elsewhere(home: Home, tmp_path: Path) -> None:
    path = write_network(tmp_path / "files")
    os.truncate(path, 600_000_000)
    assert "has 600 MB; at most 512 MB are taken" in home.fails("resonance", "model", "add", str(path))
    model = onnx.load_from_string(network())
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], "/etc/passwd")
    model.graph.initializer[0].ClearField("raw_data")
    path = write_network(tmp_path / "files", model.SerializeToString())
    err = home.fails("resonance", "model", "add", str(path))
    assert f"{path} wants to read numbers from another file, which a model may not" in err
