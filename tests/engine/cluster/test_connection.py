"""What a scheduler may be, before anything is connected."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from resonance_engine.cluster.connection import SchedulerConnection
from resonance_engine.cluster.settings import ClusterSettings, is_loopback, verify_settings
from resonance_engine.errors import ConfigError
from tests.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

WITHOUT_DASK = """
import sys
sys.modules["distributed"] = None
from resonance_engine.cluster.connection import SchedulerConnection
from resonance_engine.cluster.settings import ClusterSettings
from resonance_engine.errors import ConfigError
try:
    SchedulerConnection(ClusterSettings("tcp://127.0.0.1:8786"))
except ConfigError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("0.0.0.0", False),  # noqa: S104 - an address like any other
        ("192.168.1.4", False),
        ("localhost.example.org", False),
        ("music", False),
    ],
)
def test_this_machine_is_known_by_name_and_number(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    "address",
    [
        "",
        "music",
        "music:8786",
        "tcp://music",
        "tcp://:8786",
        "http://music:8786",
        "tcp://music:x",
        "tcp://[::1",
        "tls://a:1/b",
    ],
)
def test_an_address_names_scheme_host_and_port(address: str) -> None:
    with pytest.raises(ConfigError, match=r"must be tcp://HOST:PORT or tls://HOST:PORT"):
        verify_settings(ClusterSettings(address))


@pytest.mark.parametrize(
    "settings",
    [
        ClusterSettings("tcp://127.0.0.1:8786"),
        ClusterSettings("tcp://[::1]:8786"),
        ClusterSettings("tcp://192.168.1.4:8786", is_insecure=True),
        ClusterSettings("tls://192.168.1.4:8786"),
    ],
)
def test_encrypted_local_or_allowed_is_accepted(settings: ClusterSettings) -> None:
    verify_settings(settings)


def test_an_open_scheduler_elsewhere_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match=r"runs any code on its workers and here; use tls:// .* --insecure-scheduler"):
        verify_settings(ClusterSettings("tcp://192.168.1.4:8786"))


def test_certificates_do_not_make_tcp_safe() -> None:
    with pytest.raises(ConfigError, match="Certificates are for tls://"):
        verify_settings(ClusterSettings("tcp://127.0.0.1:8786", ca="ca.pem"))


class TestCertificates:
    @pytest.fixture(autouse=True)
    def needs_dask(self) -> None:
        pytest.importorskip("distributed")

    def test_tls_needs_them(self) -> None:
        with pytest.raises(ConfigError, match="--scheduler-ca and --scheduler-cert"):
            SchedulerConnection(ClusterSettings("tls://127.0.0.1:8786"))

    def test_missing_files_are_a_sentence(self) -> None:
        settings = ClusterSettings("tls://127.0.0.1:8786", ca="none.pem", certificate="none.pem")
        with pytest.raises(ConfigError, match=r"cannot be used: none\.pem: No such file or directory\.$"):
            SchedulerConnection(settings)

    def test_files_that_are_none_are_a_sentence(self, tmp_path: Path) -> None:
        path = tmp_path / "cluster.pem"
        path.write_text("no certificate")
        settings = ClusterSettings("tls://127.0.0.1:8786", ca=str(path), certificate=str(path))
        with pytest.raises(ConfigError, match=r"^The certificates for tls://127\.0\.0\.1:8786 cannot be used: [^\n]*$"):
            SchedulerConnection(settings)


def test_without_the_extra_a_sentence_names_it() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", WITHOUT_DASK],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "--scheduler needs Dask: `pip install '.[cluster]'` in a checkout of Resonance.\n", (
        done.stderr
    )
