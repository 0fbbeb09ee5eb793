"""--scheduler of beet resonance analyze: the same analysis by the workers of a Dask cluster."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from beets.exceptions import UserError

from beetsplug.resonance.commands.verb_parser import flag_of_option
from beetsplug.resonance.library.cluster_runtime import ClusterRuntime
from resonance_engine.console import above_bars
from resonance_engine.files import expand_home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from optparse import Values

    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Sidecar

FILES = ("scheduler_ca", "scheduler_cert", "scheduler_key")
DEPENDENT = ("send_files", "insecure_scheduler", *FILES)


def verify_scheduler(opts: Values) -> None:
    """Raise UserError where --scheduler comes with an option of this machine's own analysis, or others without it."""
    if not opts.scheduler:
        for name in DEPENDENT:
            if getattr(opts, name):
                raise UserError(f"resonance: {flag_of_option(name)} is about --scheduler, which is missing")
        return
    for given, flag in ((opts.threads, "--threads"), (opts.background, "--background")):
        if given:
            raise UserError(f"resonance: --scheduler uses the workers that the cluster has, without {flag}")


@contextmanager
def open_cluster(sidecar: Sidecar, opts: Values, log: BeetsLogger) -> Iterator[int | None]:
    """Analyse with the workers of --scheduler while the `with` lasts, and yield their number; without it, --threads.

    Raises ConfigError for a scheduler that may not be used, ClusterError for one that does not answer.
    """
    if not opts.scheduler:
        yield opts.threads
        return
    from resonance_engine.cluster.connection import SchedulerConnection
    from resonance_engine.cluster.settings import ClusterSettings

    ca, certificate, key = (str(expand_home(path)) if (path := getattr(opts, name)) else "" for name in FILES)
    settings = ClusterSettings(opts.scheduler, ca, certificate, key, opts.insecure_scheduler, opts.send_files)
    local = sidecar.runtime

    def warn(sentence: str) -> None:
        with above_bars():
            log.warning("{}", sentence)

    with closing(SchedulerConnection(settings)) as connection:
        sidecar.runtime = ClusterRuntime(local, connection, warn)
        try:
            yield sum(connection.workers().values()) or 1
        finally:
            sidecar.runtime = local
