"""The options of the verbs of `beet resonance`: flags, types and help."""

from __future__ import annotations

from typing import Any

MINUTES = 30.0

# By the name of the value; `store_true` where it has no type.
OPTIONS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "threads": (("--threads",), {"type": "int", "metavar": "N", "help": "analyse N files at once"}),
    "pretend": (("--pretend",), {"help": "only say what would be done"}),
    "background": (("--background",), {"help": "in a process that goes on when the terminal is closed"}),
    "passages": (("--passages",), {"help": "windows over all of each track, for `passages` and `compare`"}),
    "scheduler": (("--scheduler",), {"metavar": "tls://HOST:PORT", "help": "on the workers of this Dask scheduler"}),
    "send_files": (("--send-files",), {"help": "send them the files, which they need not see then"}),
    "scheduler_ca": (("--scheduler-ca",), {"metavar": "FILE", "help": "the authority's certificate, for tls://"}),
    "scheduler_cert": (("--scheduler-cert",), {"metavar": "FILE", "help": "the certificate to show"}),
    "scheduler_key": (("--scheduler-key",), {"metavar": "FILE", "help": "its key"}),
    "insecure_scheduler": (("--insecure-scheduler",), {"help": "allow tcp:// to another machine"}),
    "host": (("--host",), {"metavar": "ADDRESS", "help": "answer at this address (127.0.0.1)"}),
    "port": (("--port",), {"type": "int", "metavar": "N", "help": "the port; 0 takes a free one (8338)"}),
    "recipes": (("--recipes",), {"metavar": "FOLDER", "help": "where the page saves playlists"}),
    "allow_host": (
        ("--allow-host",),
        {"action": "append", "metavar": "NAME", "help": "a name that a reverse proxy passes on; can be repeated"},
    ),
    "new_password": (("--new-password",), {"metavar": "NAME", "help": "make a player's password, and show it"}),
    "revoke": (("--revoke",), {"metavar": "NAME", "help": "take a player's password back"}),
    "passwords": (("--passwords",), {"help": "list whom passwords were made for"}),
    "log_requests": (("--log-requests",), {"help": "log each request, without its query"}),
    "plot": (("--plot",), {"metavar": "FILE.png", "help": "draw the similarity of all windows"}),
    "retry": (("--retry",), {"help": "analyse them again"}),
    "repair": (("--repair",), {"help": "mend what it finds"}),
    "minutes": (("--minutes",), {"type": "float", "metavar": "M", "help": f"how long it may take ({MINUTES:g})"}),
    "name": (("--name",), {"metavar": "NAME", "help": "what the new model is called"}),
    "compare": (("--compare",), {"metavar": "MODEL", "help": "compare another model with the one in use"}),
    "output": (("-o", "--output"), {"metavar": "FILE", "help": "the report (.md, .html, .json) or map (.html, .png)"}),
    "from_playlists": (("--from-playlists",), {"action": "append", "metavar": "GLOB", "help": "from playlists"}),
    "plays": (("--plays",), {"help": "from tracks played one after another"}),
    "ratings": (("--ratings",), {"help": "leave out what is rated below the middle"}),
    "list": (("--list",), {"help": "show the answers"}),
    "playlist": (("--playlist",), {"action": "append", "metavar": "FILE", "help": "draw it as a line; repeatable"}),
    "clusters": (("--clusters",), {"help": "list the clusters, with the number of their tracks"}),
    "anew": (("--anew",), {"help": "compute it again, not only the place of new tracks"}),
    "yes": (("-y", "--yes"), {"help": "do it without asking"}),
    "other": (("--and",), {"action": "append", "metavar": "QUERY", "help": "the other side, one argument"}),
    "remove": (("--remove",), {"help": "they may be together again"}),
    "fields": (("--fields",), {"metavar": "NAMES", "help": "which fields, with commas between"}),
    "overwrite": (("--overwrite",), {"help": "replace values that are there already, too"}),
    "write": (("--write",), {"help": "set them in beets' database, after asking"}),
    "undo": (("--undo",), {"help": "take back the last --write, or the last answer"}),
    "check": (("--check",), {"help": "only say how precise suggestions are on the tagged tracks"}),
    "field": (("--field",), {"metavar": "NAME", "help": "write to a field of your own instead of genres"}),
    "confidence": (("--confidence",), {"type": "float", "metavar": "C", "help": "the least, 0 to 1, of a suggestion"}),
    "json": (("--json",), {"help": "as JSON"}),
    "format": (("-f", "--format"), {"metavar": "FORMAT", "help": "how a track is shown, as in `beet ls -f`"}),
}
