# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""The page on this machine takes one answer at a time, shows what came of it, and is gone when the command ends."""

import http.client
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import pytest
from attrs import frozen
from twisted.internet import reactor  # noqa: TID251
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from bridge.commands.loopback import Loopback
from bridge.commands.terminal import CommandRefused
from tests.peers.child import accepts, free_port


@frozen
class Page:
    status: int
    text: str
    headers: Any


def _get(address: str, method: str = "GET") -> Page:
    request = urllib.request.Request(address, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return Page(answer.status, answer.read().decode(), answer.headers)
    except urllib.error.HTTPError as error:
        return Page(error.code, error.read().decode(), error.headers)


def get(address: str, method: str = "GET") -> "Deferred[Page]":
    return deferToThread(_get, address, method)


class Browsing(TestCase):
    def setUp(self) -> None:
        self.page = self.listening("http://127.0.0.1")
        self.closed = False
        self.addCleanup(lambda: None if self.closed else Deferred.fromCoroutine(self.close()))

    def listening(self, redirect: str) -> Loopback:
        return Loopback(reactor, redirect)  # type: ignore[arg-type]

    async def close(self) -> None:
        self.closed = True
        await self.page.close()

    async def test_an_answer_is_handed_on_and_its_page_comes_even_though_the_command_ends(self) -> None:
        asking = get(f"{self.page.redirect}/?code=1&state=a%20b")

        assert await self.page.next() == "code=1&state=a%20b"
        self.page.show("Authorised", "Close <this> & go")
        await self.close()

        shown = await asking
        assert shown.status == 200
        assert "<h1>Authorised</h1><p>Close &lt;this&gt; &amp; go</p>" in shown.text
        assert shown.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert shown.headers["Referrer-Policy"] == "no-referrer"
        assert shown.headers["Cache-Control"] == "no-store"
        at = urlsplit(self.page.redirect)
        assert not accepts("127.0.0.1", at.port or 0)

    async def test_it_listens_on_this_machine_alone_and_where_it_is_told_to(self) -> None:
        await self.close()
        port = free_port()
        self.page, self.closed = self.listening(f"http://localhost:{port}/back"), False

        assert self.page.redirect == f"http://localhost:{port}/back"
        for path in ("/?code=1", "/back", "/back/x?code=1", "/favicon.ico"):
            assert (await get(f"http://127.0.0.1:{port}{path}")).status == 404
        assert (await get(f"http://127.0.0.1:{port}/back?code=1", "POST")).status == 405
        asking = get(f"http://127.0.0.1:{port}/back?code=1")
        assert await self.page.next() == "code=1"
        self.page.show("No", "no", status=400)
        assert (await asking).status == 400

    async def test_a_port_that_is_taken_is_told(self) -> None:
        with pytest.raises(CommandRefused, match=r"cannot listen on 127\.0\.0\.1:\d+ .*free the port, or use --paste"):
            self.listening(self.page.redirect)

    async def test_who_asks_while_another_is_looked_at_is_sent_away(self) -> None:
        first = get(f"{self.page.redirect}/?code=1")
        await self.page.next()
        assert (await get(f"{self.page.redirect}/?code=2")).status == 503
        self.page.show("Yes", "yes")
        assert (await first).status == 200

    async def test_a_browser_that_left_is_not_waited_for_and_the_next_is_heard(self) -> None:
        at = urlsplit(self.page.redirect)

        def ask_and_leave() -> None:
            left = http.client.HTTPConnection(at.hostname or "", at.port)
            left.request("GET", "/?code=1")
            left.close()

        await deferToThread(ask_and_leave)
        assert await self.page.next() == "code=1"
        await deferLater(reactor, 0.1)
        self.page.show("Yes", "to nobody")
        second = get(f"{self.page.redirect}/?code=2")
        assert await self.page.next() == "code=2"
        self.page.show("Yes", "yes")
        assert (await second).status == 200
