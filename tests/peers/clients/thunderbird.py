"""Thunderbird itself, headless, told through Marionette to get an account's mail as "Get Messages" does.

It starts once and stays open, as it does for its users: each `state` is an account of its own in it. `restart` closes
it and opens it again, with the same accounts and what it remembers of them. It logs in by the first of PLAIN, LOGIN
and USER that CAPA offers, forgets every UIDL when STAT says 0, and waits three seconds for the answer to QUIT.
"""

import atexit
import base64
import json
import os
import re
import shutil
import ssl
import tempfile
from pathlib import Path
from typing import Any

from attrs import define, evolve, field

from tests.peers.child import Child, free_port
from tests.peers.clients.marionette import Marionette, MarionetteError
from tests.peers.clients.script import SCRIPTS
from tests.peers.clients.seam import (
    ALL_TLS,
    Auth,
    ClientFailedError,
    LoginRefusedError,
    Pop3Account,
    Tls,
    absent,
    unix_lines,
)

_SECONDS = 90
_SOCKET_TYPE = {"none": 0, "stls": 2, "implicit": 3}
_OWN_FIELDS = re.compile(rb"\A(?:(?:X-Account-Key|X-UIDL|X-Mozilla-[\w-]+): ?[^\r\n]*\r?\n)+")

_FLAGS = ("--remote-allow-system-access",)  # without it Marionette reaches no further than a web page

_PREFERENCES = {
    # One file a message, in which only some fields on top are Thunderbird's.
    "mail.serverDefaultStoreContractID": "@mozilla.org/msgstore/maildirstore;1",
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.spotlight.firstRunDone": True,
    "mail.rights.version": 1,
    "mailnews.start_page.enabled": False,
    "app.update.enabled": False,
    "toolkit.telemetry.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "extensions.getAddons.cache.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
}

_TRUST = """
const [certificate, done] = arguments;
Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB).addCertFromBase64(certificate, "CT,,");
done(null);
"""


@define
class _Open:
    """A running Thunderbird. `trusted`: the authority it was told to trust; `accounts`: their keys in it, by state."""

    profile: Path
    child: Child
    marionette: Marionette
    trusted: Path | None = None
    accounts: dict[Path, str] = field(factory=dict)

    def trust(self, authority: Path) -> None:
        if self.trusted != authority:
            der = ssl.PEM_cert_to_DER_cert(authority.read_text())
            self.marionette.run(_TRUST, base64.b64encode(der).decode())
            self.trusted = authority

    def close(self) -> None:
        try:
            self.marionette.quit()
            self.child.pause(15)
        except (MarionetteError, OSError):
            pass  # it hangs or is gone: what is left of it ends here
        self.child.stop()


@define(eq=False)
class Thunderbird:
    """Thunderbird, which opens at the first fetch and stays open until the tests end."""

    name: str = "Thunderbird"
    tls: frozenset[Tls] = ALL_TLS
    auths: frozenset[Auth] = frozenset({"any"})
    remembers: bool = True
    _open: _Open | None = None

    def missing(self) -> str | None:
        return absent("thunderbird", "thunderbird")

    def comparable(self, message: bytes) -> bytes:
        """Unix line ends, and without the fields that Thunderbird keeps its own notes in, on top of all others."""
        return _OWN_FIELDS.sub(b"", unix_lines(message))

    def fetch(self, account: Pop3Account, *, keep: bool, state: Path) -> list[bytes]:
        program = self._opened(account.ca)
        settings = {
            "user": account.user,
            "host": account.host,
            "port": account.port,
            "password": account.password,
            "socketType": _SOCKET_TYPE[account.tls],
            "keep": keep,
        }
        before = _messages(program.profile)
        script = (SCRIPTS / "thunderbird.js").read_text()
        try:
            outcome: dict[str, Any] | None = program.marionette.run(script, program.accounts.get(state), settings)
        except (MarionetteError, OSError) as trouble:
            self._end()
            raise ClientFailedError(f"Thunderbird: {trouble}") from trouble
        if outcome is None:  # seen once in hundreds of runs: Marionette lost the script's answer
            self._end()
            raise ClientFailedError("Thunderbird: no answer from its script")
        if outcome["key"] is not None:
            program.accounts[state] = outcome["key"]
        if outcome["refused"]:
            raise LoginRefusedError(str(outcome["errors"]))
        if outcome["status"] != 0:
            raise ClientFailedError(f"Thunderbird: status {outcome['status']:#x}, {outcome['errors']}")
        return [path.read_bytes() for path in sorted(_messages(program.profile) - before)]

    def restart(self) -> None:
        """Closes it and opens it again: what it remembers then comes from its profile."""
        if self._open is not None:
            self._open.close()
            self._open = evolve(_start(self._open.profile), trusted=self._open.trusted, accounts=self._open.accounts)

    def _opened(self, authority: Path | None) -> _Open:
        """The one that is open, unless it trusts another authority: then a new one with nothing in it."""
        if self._open is not None and authority is not None and self._open.trusted not in (None, authority):
            self._end()
        if self._open is None:
            self._open = _start(Path(tempfile.mkdtemp(prefix="thunderbird-")))
            atexit.register(self._end)
        if authority is not None:
            self._open.trust(authority)
        return self._open

    def _end(self) -> None:
        atexit.unregister(self._end)
        if self._open is not None:
            self._open.close()
            shutil.rmtree(self._open.profile, ignore_errors=True)
            self._open = None


def _messages(profile: Path) -> set[Path]:
    return set(profile.glob("Mail/*/Inbox/cur/*"))


def _start(profile: Path) -> _Open:
    port = free_port()
    preferences = {**_PREFERENCES, "marionette.port": port}
    lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences.items())
    (profile / "user.js").write_text("".join(lines))
    child = Child(
        ["thunderbird", "--headless", "--no-remote", "--profile", profile, "--marionette", *_FLAGS],
        profile / "output",
        environment={**os.environ, "HOME": str(profile)},
    )
    try:
        child.until_accepting("127.0.0.1", port, _SECONDS)
        return _Open(profile, child, Marionette(port, script_seconds=_SECONDS))
    except BaseException:
        child.stop()
        raise
