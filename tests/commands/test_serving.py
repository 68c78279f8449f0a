# Twisted gives most of its calls no types.
# mypy: disallow-untyped-calls=False
"""A command goes on as a bridge until a signal comes, and ends only when it has told its clients."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from twisted.internet import reactor  # noqa: TID251  # the bridge listens for real
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.protocols.basic import LineReceiver
from twisted.trial.unittest import TestCase

from bridge.commands.serving import serve
from bridge.config import Config, Endpoint, Listener, PassThrough, Upstream
from bridge.service import Cannot


@define
class UntilShutdown:
    """The reactor, but that the test decides when its shutdown is."""

    before: list[Callable[[], Any]] = field(factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)

    def addSystemEventTrigger(self, _phase: str, _event: str, work: Callable[..., Any], *arguments: Any) -> None:  # noqa: N802
        self.before.append(lambda: work(*arguments))

    async def shut_down(self) -> None:
        for work in self.before:
            await maybeDeferred(work)


class Greeted(LineReceiver):
    def __init__(self) -> None:
        self.greeting: Deferred[bytes] = Deferred()

    def lineReceived(self, line: bytes) -> None:  # noqa: N802  # Twisted's word
        self.greeting.callback(line)
        self.transport.loseConnection()  # type: ignore[union-attr]


def listening(port: int) -> Config:
    return Config(
        base=Path.cwd(),
        listeners=(Listener(pop3=Endpoint("127.0.0.1", port)),),
        passthrough=(PassThrough(upstream=Upstream("imap", "tls", "imap.example.org", 993)),),
    )


class ServingTest(TestCase):
    async def test_it_serves_until_the_shutdown_and_no_longer(self) -> None:
        clock = UntilShutdown()
        places: list[Any] = []
        serving = Deferred.fromCoroutine(serve(listening(0), clock, places.append))
        [at] = places
        endpoint = TCP4ClientEndpoint(reactor, at.host, at.port)
        client = await connectProtocol(endpoint, Greeted())

        assert (await client.greeting).startswith(b"+OK")
        assert not serving.called
        taken = serve(listening(at.port), clock, places.append)
        with pytest.raises(Cannot, match="cannot listen on"):
            await taken
        await clock.shut_down()
        await serving
        with pytest.raises(Exception, match="refused"):
            await connectProtocol(endpoint, Greeted())
