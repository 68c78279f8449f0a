"""The whole bridge from a configuration: it listens where it was told, stops in good order, or says why it cannot."""

from pathlib import Path
from typing import Any, cast

import pytest
from attrs import evolve
from twisted.internet.address import IPv4Address
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock

from bridge.config import (
    Certificate,
    Config,
    Device,
    Endpoint,
    KeySource,
    Listener,
    OwnAccount,
    OwnSource,
    PassThrough,
    Reference,
    SelfSigned,
    Upstream,
    VaultSettings,
)
from bridge.credentials.passwords import apop_name
from bridge.credentials.vault_file import VaultFile
from bridge.credentials.vault_key import key_place
from bridge.events import ApopWithheld, CertificateMade, Event, ListenerOpened, QuirkMet, SessionClosed, WireTraced
from bridge.imap.quirks import Quirk
from bridge.passwords.scrypt import Cost, make_hash
from bridge.secret import Secret
from bridge.service import IMPLEMENTATION, Bridge, Cannot, Reactor
from tests.downstream import memory_upstream
from tests.downstream.stage import HELLO, LOGIN, Client, FakeTcp

ELSEWHERE = Upstream("imap", "tls", "imap.example.org", 993)


class Busy(MemoryReactorClock):
    """`taken`: addresses that cannot be listened on."""

    def __init__(self, *taken: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Twisted has no types there
        self.taken = taken

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:  # noqa: N802  Twisted's
        if interface in self.taken:
            raise CannotListenError(interface, port, OSError(98, "Address already in use"))  # type: ignore[no-untyped-call]  # the same
        return super().listenTCP(port, factory, backlog, interface)  # type: ignore[no-untyped-call]  # the same


class Ground:
    def __init__(
        self, base: Path, *listeners: Listener, reactor: MemoryReactorClock | None = None, **rest: Any
    ) -> None:
        self.reactor = reactor or MemoryReactorClock()  # type: ignore[no-untyped-call]  # the same
        self.events: list[Event] = []
        self.upstream = memory_upstream.Upstream(self.reactor, [HELLO])
        config = Config(
            base=base,
            listeners=listeners,
            **{"passthrough": (PassThrough(upstream=ELSEWHERE),), "state": None, **rest},
        )
        self.bridge = Bridge(config, cast("Reactor", self.reactor), self.events.append)

    def upstream_in_memory(self) -> None:
        def source(account: Any, proof: Any, *, trace: Any, on_quirk: Any) -> Any:
            if trace is not None:
                trace("c", "a LOGIN …")
            on_quirk(Quirk.BARE_LF)
            return self.upstream.make(account, proof.given, cast("Any", ""))

        self.bridge._opener.source = source  # type: ignore[assignment,method-assign]  # a double

    def start(self) -> None:
        self.bridge.privilegedStartService()
        self.bridge.startService()

    def connect(self, listener: int = 0) -> Client:
        factory = self.reactor.tcpServers[listener][1]
        peer = IPv4Address("TCP", "127.0.0.1", 40000)
        tcp = FakeTcp(self.reactor, peer)
        tcp.protocol = factory.buildProtocol(peer)
        tcp.protocol.makeConnection(tcp)
        client = Client(tcp, self.reactor)
        client.settle()
        return client

    def told(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


PLAIN = Listener(pop3=Endpoint("127.0.0.1", 1110))


def test_it_listens_before_privileges_are_dropped_with_room_for_bursts(tmp_path: Path) -> None:
    ground = Ground(tmp_path, PLAIN)
    ground.bridge.privilegedStartService()

    ((port, _, backlog, interface),) = ground.reactor.tcpServers
    assert (port, backlog, interface) == (1110, 512, "127.0.0.1")
    assert len(ground.told(ListenerOpened)) == 1
    assert not ground.told(ListenerOpened)[0].tls


def test_an_empty_host_means_both_families_or_the_one_there_is(tmp_path: Path) -> None:
    both = Ground(tmp_path, Listener(pop3=Endpoint("", 1110)))
    both.bridge.privilegedStartService()
    assert [server[3] for server in both.reactor.tcpServers] == ["::"]

    one = Ground(tmp_path, Listener(pop3=Endpoint("", 1110)), reactor=Busy("::"))
    one.bridge.privilegedStartService()
    assert [server[3] for server in one.reactor.tcpServers] == ["0.0.0.0"]


def test_an_address_that_is_taken_is_named(tmp_path: Path) -> None:
    ground = Ground(tmp_path, PLAIN, reactor=Busy("127.0.0.1"))

    with pytest.raises(Cannot, match=r"^cannot listen on 127\.0\.0\.1:1110: Address already in use$"):
        ground.bridge.privilegedStartService()
    assert not ground.told(ListenerOpened)


def test_when_one_address_is_taken_none_stays_open(tmp_path: Path) -> None:
    ground = Ground(tmp_path, PLAIN, Listener(pop3=Endpoint("127.0.0.2", 1110)), reactor=Busy("127.0.0.2"))

    with pytest.raises(Cannot):
        ground.bridge.privilegedStartService()
    assert not ground.bridge.ports


def test_a_certificate_that_cannot_be_read_is_named_before_anything_listens(tmp_path: Path) -> None:
    files = Certificate(tmp_path / "none.pem", tmp_path / "none.key")
    ground = Ground(tmp_path, PLAIN, Listener(pop3s=Endpoint("", 995), tls=files))

    with pytest.raises(Cannot, match=r"^no TLS: .*none\.pem cannot be read \(No such file or directory\)$"):
        ground.bridge.privilegedStartService()
    assert not ground.reactor.tcpServers


def test_a_tls_listener_without_a_certificate_makes_one_and_prints_its_fingerprint(tmp_path: Path) -> None:
    ground = Ground(tmp_path, Listener(pop3s=Endpoint("127.0.0.1", 9950)))
    ground.bridge.privilegedStartService()

    (made,) = ground.told(CertificateMade)
    assert Path(made.path).parent == tmp_path
    assert len(made.fingerprint) == 95
    assert ground.told(ListenerOpened)[0].tls


def test_stls_is_offered_only_where_the_owner_gave_a_certificate_or_asked_for_one(tmp_path: Path) -> None:
    """Many programs switch to STLS by themselves, and then refuse a certificate that nobody knows."""
    both = Listener(pop3=Endpoint("127.0.0.1", 1110), pop3s=Endpoint("127.0.0.1", 9950))
    for listener, offered in ((PLAIN, False), (both, False), (evolve(both, tls=SelfSigned()), True)):
        ground = Ground(tmp_path, listener)
        ground.start()
        assert (b"\r\nSTLS\r\n" in ground.connect().say(b"CAPA\r\n")) is offered


def test_a_listener_s_settings_reach_its_sessions(tmp_path: Path) -> None:
    ground = Ground(tmp_path, evolve(PLAIN, nul="replace", sasl=("PLAIN",)))
    ground.upstream_in_memory()
    ground.upstream.messages[11] = b"a\0b\r\n"
    ground.start()
    client = ground.connect()

    assert b"\r\nSASL PLAIN\r\n" in client.say(b"CAPA\r\n")
    assert IMPLEMENTATION.encode() in client.heard
    assert b"a\x80b" in client.say(LOGIN + b"RETR 1\r\n")


def test_quirks_are_told_with_their_session_and_the_wire_only_where_it_was_asked_for(tmp_path: Path) -> None:
    for trace in (False, True):
        ground = Ground(tmp_path, PLAIN, trace=trace)
        ground.upstream_in_memory()
        ground.start()
        ground.connect().say(LOGIN + b"QUIT\r\n")

        (closed,) = ground.told(SessionClosed)
        assert [(event.session, event.quirk) for event in ground.told(QuirkMet)] == [(closed.session, "BARE_LF")]
        traced = {event.direction for event in ground.told(WireTraced)}
        assert traced == ({"C", "S", "c"} if trace else set())
        assert {event.session for event in ground.told(WireTraced)} <= {closed.session}


def test_nothing_is_connected_upstream_before_somebody_logs_in(tmp_path: Path) -> None:
    ground = Ground(tmp_path, PLAIN)
    ground.start()
    client = ground.connect()
    client.say(b"CAPA\r\nUSER ann\r\n")
    assert not ground.reactor.tcpClients
    client.drop()
    assert not ground.reactor.getDelayedCalls()


def stop(ground: Ground) -> list[Any]:
    done: list[Any] = []
    ground.bridge.stopService().addCallback(done.append)
    return done


def test_stopping_without_sessions_is_over_at_once(tmp_path: Path) -> None:
    ground = Ground(tmp_path, PLAIN)
    ground.bridge.privilegedStartService()

    assert len(stop(ground)) == 1
    assert not ground.bridge.ports
    assert not ground.reactor.getDelayedCalls()


def test_stopping_tells_open_sessions_and_waits_until_they_have_heard(tmp_path: Path) -> None:
    ground = Ground(tmp_path, PLAIN)
    ground.upstream_in_memory()
    ground.start()
    client = ground.connect()
    client.say(LOGIN + b"DELE 1\r\n")
    done = stop(ground)
    assert done == []

    assert client.settle() == b"-ERR [SYS/TEMP] the server is shutting down; try again later\r\n"
    assert len(done) == 1
    assert list(ground.upstream.messages) == [11]
    assert not ground.reactor.getDelayedCalls()


def test_stopping_carries_a_deletion_through(tmp_path: Path) -> None:
    ground = Ground(tmp_path, PLAIN)
    ground.upstream_in_memory()
    ground.start()
    client = ground.connect()
    gate = ground.upstream.hold("delete")
    client.say(LOGIN + b"DELE 1\r\nQUIT\r\n")
    done = stop(ground)
    client.settle()
    assert done == []
    gate.callback(None)

    assert client.settle() == b"+OK 1 message deleted, goodbye\r\n"
    assert len(done) == 1
    assert not ground.upstream.messages


def test_stopping_does_not_wait_for_a_client_that_reads_nothing(tmp_path: Path) -> None:
    ground = Ground(tmp_path, PLAIN)
    ground.start()
    client = ground.connect()
    client.reads = False
    done = stop(ground)
    ground.reactor.advance(9)
    assert done == []
    ground.reactor.pump([2, 0])

    assert len(done) == 1


# Accounts of the bridge's own.


def with_account(folder: Path, *sealed: str, **config: Any) -> Ground:
    """With one account of two passwords; those that are `sealed` are in the vault too."""
    made = {name: make_hash(Secret(name.encode()), b"s" * 16, Cost(10, 1, 1)) for name in ("ann", "fax")}
    settings = VaultSettings(file=folder / "popbridge.vault", key=KeySource("file", str(folder / "popbridge.key")))
    vault = VaultFile(settings.file, key_place(settings.key))
    for name in sealed:
        vault.put(apop_name(made[name]), Secret(name.encode()), 0.0)
    source = OwnSource(name="work", upstream=ELSEWHERE, login="ann", secret=Reference("env", "WORK"))
    device = Device(name="fax", password=made["fax"])
    account = OwnAccount(user="ann", password=made["ann"], device=(device,), source=(source,))
    return Ground(folder, PLAIN, **{"accounts": (account,), "passthrough": (), "vault": settings, **config})


def greeting(ground: Ground) -> bytes:
    ground.start()
    return ground.connect().heard


def test_apop_is_offered_from_the_first_greeting_on_where_the_vault_has_every_password(tmp_path: Path) -> None:
    ground = with_account(tmp_path, "ann", "fax")

    assert b"@popbridge>" in greeting(ground)
    assert not ground.told(ApopWithheld)


@pytest.mark.parametrize(
    ("sealed", "passthrough", "told"),
    [
        ((), (), []),
        (("ann",), (), ["the vault has no password of ann (fax)"]),
        (("ann", "fax"), (PassThrough(upstream=ELSEWHERE),), []),
    ],
)
def test_where_apop_does_not_work_for_everybody_it_is_not_offered(
    sealed: tuple[str, ...], passthrough: tuple[PassThrough, ...], told: list[str], tmp_path: Path
) -> None:
    ground = with_account(tmp_path, *sealed, passthrough=passthrough)

    assert greeting(ground) == b"+OK Popbridge ready\r\n"
    assert [event.reason for event in ground.told(ApopWithheld)] == told


def test_where_the_vault_s_key_is_lost_apop_is_not_offered_and_the_owner_is_told(tmp_path: Path) -> None:
    ground = with_account(tmp_path, "ann", "fax")
    (tmp_path / "popbridge.key").unlink()

    assert greeting(ground) == b"+OK Popbridge ready\r\n"
    [told] = ground.told(ApopWithheld)
    assert "key of the vault" in told.reason


def test_where_the_key_to_decoys_cannot_be_kept_the_bridge_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "popbridge.decoys").write_bytes(b"cut")
    ground = with_account(tmp_path)
    ground.bridge.privilegedStartService()

    with pytest.raises(Cannot, match=r"popbridge\.decoys .* remove it"):
        ground.bridge.startService()
    assert not ground.bridge.ports


def test_a_bridge_without_accounts_keeps_no_key_to_decoys(tmp_path: Path) -> None:
    Ground(tmp_path, PLAIN).start()

    assert not list(tmp_path.iterdir())
