"""What a Dask worker does with requests, in this process."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from resonance_engine.cluster import remote
from resonance_engine.cluster.chain import PART, send_file, send_model
from resonance_engine.cluster.code_fingerprint import fingerprint_code
from resonance_engine.worker.protocol import Message, decode, encode, read_analysis
from resonance_engine.worker.worker import Worker
from tests.audio_files import tune, write_audio
from tests.fake_workers import is_alive, wait_until
from tests.tiny_models import onnx_model

if TYPE_CHECKING:
    from collections.abc import Iterator

SESSION = "a session"
TIMEOUT = 60.0


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model" / "model.onnx"
    path.parent.mkdir()
    path.write_bytes(onnx_model())
    return path


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return write_audio(tmp_path / "song.flac", tune(4, 8000), 8000)


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    for session in list(remote._sessions):
        remote.close_session(session)


def answer(header: dict[str, Any], content: bytes = b"") -> Message:
    return decode(remote.handle(encode(Message({"session": SESSION, **header})), content))


def prepared(model: Path) -> Message:
    return [answer(*request) for request in send_model(model, TIMEOUT, "auto")][-1]


def embed_request(file: Path, **changes: Any) -> dict[str, Any]:
    header = {"verb": "embed", "path": bytes(file).hex(), "size": file.stat().st_size, "spent": 0.0, "options": {}}
    return {**header, **changes}


def folder() -> Path:
    return remote._sessions[SESSION].folder


def test_the_model_is_taken_by_content(model: Path) -> None:
    described = prepared(model)
    assert described.header["description"]["name"] == "tiny"
    assert described.header["model"] == described.header["description"]["id"]
    assert (described.header["code"], described.header["process"]) == (fingerprint_code(), remote.PROCESS)


def test_a_file_is_analysed_as_here(model: Path, song: Path) -> None:
    prepared(model)
    there = read_analysis(answer(embed_request(song)))
    worker = Worker(model)
    here = worker.analyse(song)
    worker.close()
    assert here.embedding is not None
    assert there[0].vector.tobytes() == here.embedding.vector.tobytes()
    assert there[1] == here.analysis


def test_a_file_that_was_sent_is_analysed_and_dropped(model: Path, song: Path) -> None:
    prepared(model)
    for request in send_file("x.flac", song):
        answer(*request)
    header = {"verb": "embed", "name": "x.flac", "spent": 0.0, "options": {}}
    sent, direct = answer(header), answer(embed_request(song))
    assert sent.arrays["embedding"].tobytes() == direct.arrays["embedding"].tobytes()
    assert sorted(path.name for path in folder().iterdir()) == ["model.onnx"]


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 2 * PART])
def test_a_file_arrives_in_parts_as_it_is(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(251)) * (size // 251 + 1))
    with path.open("r+b") as file:
        file.truncate(size)
    requests = list(send_file("copy", path))
    assert len(requests) == max(1, -(-size // PART))
    for request in requests:
        answer(*request)
    assert (folder() / "copy").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", ["", "..", "../x", "/etc/x", "a/b"])
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    refused = answer({"verb": "put", "name": name, "position": 0}, b"x")
    assert "is no name of a file" in refused.header["unusable"]
    assert list(folder().iterdir()) == []


def test_a_damaged_model_is_refused(model: Path) -> None:
    *parts, (last, _) = send_model(model, TIMEOUT, "auto")
    for request in parts:
        answer(*request)
    answer({"verb": "put", "name": "model.onnx", "position": 3}, b"?")
    assert answer(last).header["unusable"] == "The model arrived damaged."


def test_a_model_in_use_is_not_written_over(model: Path) -> None:
    prepared(model)
    answer({"verb": "put", "name": "model.onnx", "position": 0}, b"another")
    assert (folder() / "model.onnx").read_bytes() == model.read_bytes()
    assert prepared(model).header["description"]["name"] == "tiny"


def test_a_process_without_the_session_says_so(song: Path) -> None:
    assert answer(embed_request(song)).header["unprepared"]


def test_a_file_of_another_size_is_reported(model: Path, song: Path, tmp_path: Path) -> None:
    prepared(model)
    assert answer(embed_request(song, size=7)).header["other_size"] == song.stat().st_size
    missing = bytes(tmp_path / "none.flac").hex()
    assert answer(embed_request(song, path=missing)).header["other_size"] is None
    both_lack_it = answer(embed_request(song, path=missing, size=None, verb="identify"))
    assert both_lack_it.header["reason"] == "there is no such file"


def test_children_are_kept_between_tasks_and_end_with_the_session(model: Path, song: Path) -> None:
    prepared(model)
    (worker,) = remote._sessions[SESSION].workers
    assert worker.child is not None
    pid, place = worker.child.process.pid, folder()
    answer(embed_request(song))
    assert worker.child.process.pid == pid
    asyncio.run(remote.release(SESSION))
    wait_until(lambda: not is_alive(pid) and not place.exists())
    assert SESSION not in remote._sessions


def test_children_do_not_inherit_dasks_allocator(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(remote.TRIM, "65536")
    prepared(model)
    (worker,) = remote._sessions[SESSION].workers
    assert worker.child is not None
    environment = Path(f"/proc/{worker.child.process.pid}/environ").read_bytes()
    assert remote.TRIM.encode() not in environment


def test_a_client_that_vanished_leaves_nothing_for_long(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "IDLE_SECONDS", 0.1)
    prepared(model)
    place = folder()
    wait_until(lambda: SESSION not in remote._sessions and not place.exists())
