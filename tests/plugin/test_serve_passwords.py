"""`beet resonance serve` makes, lists and revokes the passwords of players, without a server."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

from tests.plugin.command_library import CommandLibrary

SHAPE = r"[a-z2-7]{4}(?:-[a-z2-7]{4}){5}"


class TestPasswords(CommandLibrary):
    @property
    def file(self) -> Path:
        return Path(self.lib.path).with_name("resonance-serve.passwords")

    def test_from_the_first_to_the_last(self) -> None:
        assert self.beet("resonance", "serve", "--passwords") == ["there are no passwords"]
        (line,) = self.beet("resonance", "serve", "--new-password", "phone")
        match = re.fullmatch(f"user phone, password ({SHAPE})", line)
        assert match
        assert json.loads(self.file.read_text()) == {"phone": match[1]}
        assert stat.S_IMODE(self.file.stat().st_mode) == 0o600
        self.beet("resonance", "serve", "--new-password", "car")
        assert self.beet("resonance", "serve", "--passwords") == ["car", "phone"]
        assert self.beet("resonance", "serve", "--revoke", "phone") == ["revoked the password of phone"]
        assert self.beet("resonance", "serve", "--passwords") == ["car"]

    def test_a_new_one_in_the_place_of_an_old_one(self) -> None:
        (old,) = self.beet("resonance", "serve", "--new-password", "phone")
        revoked, new = self.beet("resonance", "serve", "--revoke", "phone", "--new-password", "phone")
        assert (revoked, new == old) == ("revoked the password of phone", False)

    def test_names_that_do_not_fit(self) -> None:
        self.beet("resonance", "serve", "--new-password", "phone")
        before = self.file.read_bytes()
        for arguments, sentence in (
            (("--new-password", "phone"), "a password for 'phone' already; revoke it, or choose another name"),
            (("--new-password", "my phone"), "A name has 1 to 50 letters, digits and"),
            (("--revoke", "car"), "There is no password for 'car'"),
        ):
            assert sentence in self.refused("resonance", "serve", *arguments)
        assert self.file.read_bytes() == before
