"""A mailbox whose server takes OAuth2 tokens only: a real authorization server gives them, and is asked about them."""

import contextlib
import datetime as dt
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests.credentials.leaks import assert_nothing_leaked
from tests.peers.bridge import Bridge
from tests.peers.command import POPBRIDGE, ROOT, popbridge
from tests.peers.person import Person
from tests.peers.servers.oidc import authorization_server
from tests.stories.oauth2 import LETTERS, PASSWORD, Ground, chromium, ground, logged_in
from tests.stories.pop3 import Gone, Pop3, Refused

pytestmark = pytest.mark.story

SESSIONS = 50
SHORT = 20
"""Seconds: on a busy machine fifty logins with scrypt take some."""
CONSENT_WANTED = r"-ERR \[SYS/PERM\] .*popbridge authorise work"


@pytest.fixture
def consented(tmp_path: Path) -> Iterator[Ground]:
    with ground(tmp_path) as here:
        here.authorise()
        yield here


def all_at_once(work: Callable[[int], object]) -> Sequence[object]:
    with ThreadPoolExecutor(SESSIONS) as pool:
        return list(pool.map(work, range(SESSIONS)))


def reads_everything(running: Bridge) -> None:
    with logged_in(running) as session:
        assert [session.retr(number) for number in (1, 2)] == LETTERS
        session.quit()


def test_from_nothing_to_reading_mail_and_no_token_is_left_lying_about(tmp_path: Path) -> None:
    with ground(tmp_path) as here:
        with here.bridge() as running:
            with pytest.raises(Refused, match=CONSENT_WANTED):
                logged_in(running)
            assert here.authority.requests() == []

            here.authorise()  # while the bridge runs
            reads_everything(running)

        assert_nothing_leaked({**here.secrets(), "device": PASSWORD}, files=here.folder, texts=here.log)


def test_a_pop3_server_is_shown_tokens_too(consented: Ground) -> None:
    """In two steps, as Microsoft's wants it."""
    consented.protocol = "pop3"
    with consented.bridge() as running:
        reads_everything(running)
    assert consented.refreshes() == 1


def test_a_command_beside_a_running_bridge_takes_nothing_from_it(consented: Ground) -> None:
    """It gets a token of its own, and with that the refresh token is another."""
    with consented.bridge() as running:
        reads_everything(running)
        checked = consented.popbridge("check", "--login", "ann")
        assert "2 messages" in checked.stdout, checked.stdout + checked.stderr
        assert consented.refreshes() == 2

        consented.introspection.edit = lambda said: (
            said.replace(b'"active":true', b'"active":null') if consented.refreshes() == 2 else said
        )
        reads_everything(running)  # with a token that it had to ask for
        assert consented.refreshes() == 3
        assert all(request["ok"] for request in consented.authority.requests())
        assert "consent again" not in running.log()


def test_a_code_or_a_pasted_address_will_do_for_a_machine_without_a_browser(tmp_path: Path) -> None:
    with ground(tmp_path) as here:
        with typing(here, "--paste") as walk:
            [address] = walk.until(r"^\s+(http://\S+)")
            walk.type(Person(here.mailbox.user).consent(address))
            walk.ends()
        with here.bridge() as running:
            reads_everything(running)

        with typing(here, "--device") as walk:
            [address, code] = walk.until(r"Open (\S+) in any browser, and type this code there: (\S+)")
            assert "Success" in Person(here.mailbox.user).type_code(address, code)
            walk.ends()
        with here.bridge() as running:
            reads_everything(running)
        assert here.authority.requests("urn:ietf:params:oauth:grant-type:device_code")[-1]["ok"]
        assert_nothing_leaked(here.secrets(), files=here.folder, texts=here.log)


def test_who_says_no_is_believed(tmp_path: Path) -> None:
    with ground(tmp_path) as here:
        with typing(here, "--paste") as walk:
            [address] = walk.until(r"^\s+(http://\S+)")
            walk.type(Person(here.mailbox.user, allows=False).consent(address))
            assert "the provider says no: access_denied" in walk.ends(1)
        with here.bridge() as running, pytest.raises(Refused, match=CONSENT_WANTED):
            logged_in(running)


def test_fifty_sessions_of_a_bridge_just_started_cost_one_refresh(consented: Ground) -> None:
    def slowly(said: bytes) -> bytes:
        """So that all of them have come before the first has its token."""
        time.sleep(5)  # noqa: TID251 - the other process goes on meanwhile
        return said

    consented.tokens.edit = slowly
    with consented.bridge() as running:
        all_at_once(lambda _: reads_everything(running))

        assert consented.refreshes() == 1


@pytest.mark.slow
def test_a_token_that_ends_between_sessions_is_renewed_by_one_request_for_all(tmp_path: Path) -> None:
    with ground(tmp_path, lifetimes=(3600, 3600, SHORT, 3600)) as here:
        here.authorise()
        with here.bridge() as running:
            reads_everything(running)
            time.sleep(SHORT)  # noqa: TID251 - the token's own life, at a server with a clock of its own
            all_at_once(lambda _: reads_everything(running))

            assert here.refreshes() == 2
            assert "refused" not in running.log()


@pytest.mark.slow
def test_a_token_that_ends_in_mid_session_is_renewed_by_one_request_and_in_silence(tmp_path: Path) -> None:
    with ground(tmp_path, lifetimes=(3600, 3600, SHORT, 3600)) as here:
        here.authorise()
        with here.bridge() as running, contextlib.ExitStack() as open_sessions:
            sessions = [open_sessions.enter_context(session) for session in opened(running)]
            time.sleep(SHORT)  # noqa: TID251 - as above
            here.imap.shut()  # upstream cuts everybody off
            here.imap.open()

            all_at_once(lambda number: finishes(sessions[number]))
            assert here.refreshes() == 2


def opened(running: Bridge) -> list[Pop3]:
    sessions = all_at_once(lambda _: logged_in(running))
    return [session for session in sessions if isinstance(session, Pop3)]


def finishes(session: Pop3) -> None:
    assert [session.retr(number) for number in (1, 2)] == LETTERS
    session.quit()


def test_a_token_that_upstream_refuses_before_its_time_is_replaced_once_for_all_and_in_silence(
    consented: Ground,
) -> None:
    """Providers take tokens back: after a password's change, or by a person's hand."""

    def taken_back(said: bytes) -> bytes:
        """What Dovecot hears of the first token; the next one holds."""
        return said.replace(b'"active":true', b'"active":null') if consented.refreshes() == 1 else said

    with consented.bridge() as running:
        reads_everything(running)
        consented.introspection.edit = taken_back
        all_at_once(lambda _: reads_everything(running))

        assert consented.refreshes() == 2


def test_a_withdrawn_consent_stops_all_requests_and_tells_the_owner(tmp_path: Path) -> None:
    tell = tmp_path / "tell"
    tell.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/told\n')
    tell.chmod(0o755)
    with ground(tmp_path) as here:
        here.command = (str(tell), "consent")
        here.authorise()
        here.authority.revoke()
        with here.bridge() as running:
            for _ in range(3):
                with pytest.raises(Refused, match=CONSENT_WANTED):
                    logged_in(running)
            assert here.refreshes() == 1
            assert "consent again" in running.log()
            assert 'remedy="popbridge authorise work"' in running.log()
            assert (tmp_path / "told").read_text() == "consent work\n"
            status = here.popbridge("status").stdout
            assert re.search(r"oauth2 work: the provider wants consent again .*popbridge authorise work", status), (
                status
            )
        with here.bridge() as running:  # nor does another one ask
            with pytest.raises(Refused, match=CONSENT_WANTED):
                logged_in(running)
            assert here.refreshes() == 1

            here.authorise()
            reads_everything(running)
        assert "oauth2 work: authorised" in here.popbridge("status").stdout
        assert_nothing_leaked(here.secrets(), files=here.folder, texts=here.log)


def test_somebody_else_s_consent_is_the_owner_s_affair_and_costs_two_requests(tmp_path: Path) -> None:
    with ground(tmp_path) as here:
        here.authorise("somebody.else", opens="ann/inbox: 127.0.0.1 refuses a fresh access token")
        with here.bridge() as running:
            for _ in range(5):
                with pytest.raises(Refused, match=r"\[SYS/PERM\] ann/inbox: .* refuses a fresh access token"):
                    logged_in(running)
        assert here.refreshes() == 2


def test_an_authorization_server_that_is_down_is_nobody_s_fault(consented: Ground) -> None:
    consented.introspection.shut()
    consented.tokens.shut()
    consented.authority.stop()
    with consented.bridge() as running:
        for _ in range(3):
            with pytest.raises(Refused, match=r"\[SYS/TEMP\] .*work: no access token can be had now"):
                logged_in(running)
        assert "consent again" not in running.log()


@pytest.mark.parametrize("try_", range(3))
def test_a_refresh_token_that_was_replaced_is_in_the_vault_before_its_access_token_is_used(
    consented: Ground, try_: int
) -> None:
    """The bridge is killed in the moment in which Dovecot hears whose token it was shown."""
    with consented.bridge() as running:

        def killed(said: bytes) -> bytes:
            running.kill()
            return said

        consented.introspection.edit = killed
        with pytest.raises((Gone, OSError)):
            logged_in(running)
    consented.introspection.edit = lambda said: said

    with consented.bridge() as running:
        reads_everything(running)
    assert consented.refreshes() == 2
    assert all(request["ok"] for request in consented.authority.requests())


def test_applications_of_their_own_right_prove_it_by_a_secret_or_a_certificate(tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    own = tmp_path / "bridge"
    own.mkdir()
    with authorization_server(tmp_path, key=key.public_key()) as authority:
        (own / "client.key").write_bytes(pem)
        (own / "client.secret").write_text(authority.secret)
        certify(own, key)
        (own / "popbridge.toml").write_text(f"""
[[listener]]
pop3 = "127.0.0.1:0"
[[passthrough]]
upstream = "imaps://imap.example.org"
[[oauth2]]
name = "machine"
grant = "client"
client_id = "machine"
client_secret = "file:client.secret"
{authority.endpoints()}
[[oauth2]]
name = "certified"
grant = "client"
client_id = "certified"
certificate = "client.pem"
private_key = "file:client.key"
{authority.endpoints()}
""")
        for name in ("machine", "certified"):
            done = popbridge(own, "authorise", name, "--config", "popbridge.toml")
            assert done.returncode == 0, done.stderr + authority.log()
            assert f"{name}: needs nobody's consent" in done.stdout
        assert [(r["client"], r["ok"]) for r in authority.requests()] == [("machine", True), ("certified", True)]


def certify(folder: Path, key: rsa.RSAPrivateKey) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "popbridge")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    (folder / "client.pem").write_bytes(pem)


@pytest.mark.slow
def test_a_new_user_is_led_through_the_browser_itself(tmp_path: Path) -> None:
    """One command and the browser's consent; a real browser shows the pages."""
    report = tmp_path / "report"
    with ground(tmp_path) as here:
        done = here.popbridge("authorise", "work", environment=chromium(here.mailbox.user, report))

        assert done.returncode == 0, done.stdout + done.stderr
        until(report.exists)
        shown = json.loads(report.read_text())
        assert "mail" in shown["consent"]
        assert shown["address"].startswith("http://127.0.0.1:")
        assert shown["text"].split("\n")[0] == "Authorised"
        assert shown["scripts"] == []
        with here.bridge() as running:
            reads_everything(running)


def until(there: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # noqa: TID251 - what it waits for is another process


class Walk:
    """`popbridge authorise` with somebody at its terminal."""

    def __init__(self, process: "subprocess.Popen[str]", log: list[str]) -> None:
        self._process = process
        self._log = log

    def until(self, pattern: str) -> list[str]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._log.append(line)
            if found := re.search(pattern, line):
                return list(found.groups())
        raise AssertionError("\n".join(self._log))

    def type(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def ends(self, status: int = 0) -> str:
        out, _ = self._process.communicate(timeout=60)
        self._log.append(out)
        assert self._process.returncode == status, out
        return out


@contextlib.contextmanager
def typing(here: Ground, way: str) -> Iterator[Walk]:
    (here.folder / "popbridge.toml").write_text(here.config.replace("{port}", "0"))
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", POPBRIDGE, "authorise", "work", "--config", "popbridge.toml", way],
        cwd=here.folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Walk(process, here.log)
    finally:
        process.kill()
        process.wait()
