"""Mail programs that leave mail on the server download nothing twice, whatever becomes of the mailbox (S2-S5).

fetchmail, getmail, mpop and the poplib script each fetch everything; then the mailbox is rebuilt or moved, or the
bridge loses what it knew; the next run of each fetches exactly what is new.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.peers.bridge import Bridge, bridge
from tests.peers.child import free_port
from tests.peers.clients import promises
from tests.peers.clients.fetchmail import Fetchmail
from tests.peers.clients.getmail import Getmail
from tests.peers.clients.mpop import Mpop
from tests.peers.clients.poplib_script import PoplibScript
from tests.peers.clients.seam import Client, Pop3Account
from tests.peers.servers.dovecot import Dovecot, dovecot
from tests.peers.servers.imap_server import ImapServer, Mailbox, ManyUsersServer
from tests.stories import mailboxes
from tests.stories.mailboxes import Kept
from tests.stories.pop3 import Refused, opened

pytestmark = pytest.mark.story

CLIENTS: tuple[Client, ...] = (Fetchmail("uidl"), Getmail(), Mpop(), PoplibScript())
MAIL = "Mail"
CONFIG = """
[[listener]]
pop3 = "127.0.0.1:{port}"

[[passthrough]]
users = "*"
name = "home"
upstream = "imap://127.0.0.1:%d/%s"
%s

[pool]
believe_idle = false
"""


def letters(count: int) -> list[bytes]:
    """Such as they lie in a mailbox: most with a Message-ID, some without, and here and there one came twice."""
    made: list[bytes] = []
    for n in range(count):
        header = b"From: Ann <ann@example.org>\r\nTo: ben@example.org\r\nSubject: letter %d\r\n" % n
        header += b"Date: Fri, 1 Mar 2024 %02d:%02d:07 +0000\r\n" % (n // 60 % 24, n % 60)
        if n % 7:
            header += b"Message-ID: <%d@letters.example>\r\n" % n
        twice = n % 11 == 10
        made.append(made[-1] if twice else header + b"\r\n" + b"Dear Ben,\r\n" * (n % 5) + b"%d\r\n" % n)
    return made


class Scene:
    """A mailbox, the bridge in front of it, and what each mail program remembers."""

    def __init__(self, folder: Path, upstream: Mailbox, mailbox: str) -> None:
        self.folder = folder
        self.upstream = upstream
        self.mailbox = mailbox
        self.more = ""
        self.bridge: Bridge | None = None
        self._port = free_port()
        self._running = contextlib.ExitStack()

    def start(self) -> None:
        config = CONFIG % (self.upstream.port, self.mailbox, self.more)
        self.bridge = self._running.enter_context(bridge(self.folder, config=config, port=self._port))

    def stop(self) -> None:
        self._running.close()

    def forget(self) -> None:
        """Nothing of the bridge's own memory is left."""
        files = [*self.folder.glob("popbridge.sqlite*")]
        assert files, "there is no state to lose"
        for file in files:
            file.unlink()

    def move_to(self, upstream: Mailbox, mailbox: str) -> None:
        self.stop()
        self.upstream, self.mailbox = upstream, mailbox
        self.start()

    def kept(self) -> list[Kept]:
        return mailboxes.kept(self.upstream, self.mailbox)

    def deliver(self, *messages: bytes) -> None:
        self.upstream.seed(messages, self.mailbox)

    def fetched(self) -> dict[str, int]:
        """How many messages each program's next run stores."""
        return {client.name: len(self._fetch(client)) for client in CLIENTS}

    def fetches(self, *messages: bytes) -> None:
        for client in CLIENTS:
            promises.same(client, self._fetch(client), messages)

    def _fetch(self, client: Client) -> list[bytes]:
        account = Pop3Account("localhost", self._port, self.upstream.user, self.upstream.password)
        return client.fetch(account, keep=True, state=self.folder / client.name.replace(" ", "-"))

    def uidls(self) -> list[str]:
        """In the order of their numbers."""
        with opened(self._port, self.upstream) as client:
            listed = list(client.uidls().values())
            client.quit()
        return listed


def server_of(request: pytest.FixtureRequest, name: str) -> ManyUsersServer:
    server = request.getfixturevalue(f"{name}_server")
    assert isinstance(server, ManyUsersServer)
    return server


def filled_again(scene: Scene, request: pytest.FixtureRequest) -> None:
    """DELETE, CREATE, and every message put back with its date."""
    before, messages = mailboxes.uidvalidity(scene.upstream, scene.mailbox), scene.kept()
    mailboxes.rebuild(scene.upstream, scene.mailbox, messages)
    assert mailboxes.uidvalidity(scene.upstream, scene.mailbox) != before
    assert [kept.octets for kept in messages] == [kept.octets for kept in scene.kept()]


def filled_again_under_the_eyes_of_a_client(scene: Scene, request: pytest.FixtureRequest) -> None:
    """Logins while it is empty or half full are refused: the client would forget what it does not see (S4, S6)."""
    messages = scene.kept()
    mailboxes.rebuild(scene.upstream, scene.mailbox, [])
    for part in (messages[: len(messages) // 2], messages[len(messages) // 2 :]):
        with pytest.raises(Refused, match=r"-ERR \[SYS/PERM\] "):
            scene.uidls()
        mailboxes.put(scene.upstream, part, scene.mailbox)


def restored(scene: Scene, request: pytest.FixtureRequest) -> None:
    """Dovecot's own files are lost, and it numbers the mail anew, in the order in which the disk gives the files."""
    before, messages = mailboxes.uidvalidity(scene.upstream, scene.mailbox), scene.kept()
    mailboxes.forget_uids(dovecot_of(scene.upstream.server), scene.upstream.user, scene.mailbox)
    assert mailboxes.uidvalidity(scene.upstream, scene.mailbox) != before
    assert Counter(kept.octets for kept in messages) == Counter(kept.octets for kept in scene.kept())


def numbered_anew(scene: Scene, request: pytest.FixtureRequest) -> None:
    """`doveadm mailbox update --uid-validity`."""
    before, messages = mailboxes.uidvalidity(scene.upstream, scene.mailbox), scene.kept()
    server = dovecot_of(scene.upstream.server)
    mailboxes.number_as(server, scene.upstream.user, before + 77, scene.mailbox, next_uid=1000)
    assert mailboxes.uidvalidity(scene.upstream, scene.mailbox) == before + 77
    assert Counter(kept.octets for kept in messages) == Counter(kept.octets for kept in scene.kept())


def filled_again_out_of_order(scene: Scene, request: pytest.FixtureRequest) -> None:
    """The copying program began with the newest."""
    messages = scene.kept()
    mailboxes.rebuild(scene.upstream, scene.mailbox, reversed(messages))
    assert [kept.octets for kept in reversed(scene.kept())] == [kept.octets for kept in messages]


def moved(scene: Scene, request: pytest.FixtureRequest, name: str) -> None:
    server = server_of(request, name)
    server.add_user(scene.upstream.user)
    target, messages = Mailbox(server, scene.upstream.user), scene.kept()
    mailboxes.put(target, messages)
    scene.move_to(target, "INBOX")
    assert [kept.octets for kept in messages] == [kept.octets for kept in scene.kept()]


def moved_to_another_dovecot(scene: Scene, request: pytest.FixtureRequest) -> None:
    moved(scene, request, "other_dovecot")


def moved_to_cyrus(scene: Scene, request: pytest.FixtureRequest) -> None:
    moved(scene, request, "cyrus")


def state_lost(scene: Scene, request: pytest.FixtureRequest) -> None:
    """The bridge's database is deleted; the mailbox is as it was."""
    scene.stop()
    scene.forget()
    scene.start()


def killed(scene: Scene, request: pytest.FixtureRequest) -> None:
    assert scene.bridge is not None
    scene.bridge.kill()
    scene.stop()
    scene.start()


def format_changed(scene: Scene, request: pytest.FixtureRequest) -> None:
    """The owner changes `uidl =`: what was listed before keeps what it has."""
    scene.stop()
    scene.more = 'uidl = "dovecot"'
    scene.start()


def everything(scene: Scene, request: pytest.FixtureRequest) -> None:
    """One after the other, with a poll between."""
    for change in (filled_again, format_changed, killed, filled_again, moved_to_another_dovecot, restored, killed):
        before = scene.uidls()
        change(scene, request)
        assert in_order(change, scene.uidls()) == in_order(change, before), change.__name__


def dovecot_of(server: ImapServer) -> Dovecot:
    assert isinstance(server, Dovecot)
    return server


Change = Callable[[Scene, pytest.FixtureRequest], None]
SHUFFLES = (restored, numbered_anew, filled_again_out_of_order)
"""After these the mail stands in another order upstream."""
CHANGES: tuple[Change, ...] = (
    filled_again,
    filled_again_out_of_order,
    filled_again_under_the_eyes_of_a_client,
    restored,
    numbered_anew,
    moved_to_another_dovecot,
    state_lost,
    killed,
    format_changed,
    everything,
)


def in_order(change: Change, uidls: list[str]) -> list[str]:
    return sorted(uidls) if change in SHUFFLES else uidls


@pytest.fixture(scope="module")
def other_dovecot_server() -> Iterator[Dovecot]:
    with dovecot() as server:
        yield server


def _cases() -> list[object]:
    """A few each time, those that are named in promises with much mail, and every one in a soak."""
    few = (filled_again, state_lost, everything)
    many = (filled_again, restored, moved_to_cyrus, state_lost, format_changed)
    return [
        *(_case(change, 60, None if change in few else pytest.mark.slow) for change in CHANGES),
        *(
            _case(change, 500, pytest.mark.slow if change in many else pytest.mark.soak)
            for change in (*CHANGES, moved_to_cyrus)
        ),
    ]


def _case(change: Change, messages: int, mark: pytest.MarkDecorator | None) -> object:
    return pytest.param(change, messages, id=f"{change.__name__}-{messages}", marks=[mark] if mark else [])


@pytest.mark.parametrize(("change", "count"), _cases())
def test_the_next_run_fetches_nothing_old_and_everything_new(
    change: Change, count: int, dovecot_server: Dovecot, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    for client in CLIENTS:
        promises.require(client)
    mailbox = dovecot_server.new_mailbox()
    mailboxes.create(mailbox, MAIL)
    # The first ones are gone before anybody looks, so that no UID is what a copy would give.
    mailboxes.put(mailbox, mailboxes.numbered(letters(count + 3)), MAIL)
    mailboxes.expunge(mailbox, [1, 2, 4], MAIL)
    scene = Scene(tmp_path, mailbox, MAIL)
    with contextlib.closing(scene._running):
        scene.start()
        assert scene.fetched() == {client.name: count for client in CLIENTS}
        before = scene.uidls()
        change(scene, request)
        scene.deliver(promises.NEWCOMER)
        uidls = scene.uidls()
        assert in_order(change, uidls[:-1]) == in_order(change, before), "in their old order, the new one last"
        scene.fetches(promises.NEWCOMER)
        assert scene.fetched() == {client.name: 0 for client in CLIENTS}
