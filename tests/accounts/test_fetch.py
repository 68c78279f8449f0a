"""A document of a stranger's web server: over verified HTTPS, from a public address, bounded in everything."""

import socket
from functools import partial
from itertools import pairwise
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.web.server import NOT_DONE_YET

from bridge.accounts.autoconfig_xml import LARGEST
from bridge.accounts.fetch import Fetched, NotFetched, fetch
from bridge.tls import client_context
from tests.accounts.internet import WEB, never
from tests.accounts.online import OnlineTest

URL = "https://autoconfig.example.org/mail/config-v1.1.xml"


class FetchTest(OnlineTest):
    async def fetch(self, url: str = URL) -> Fetched:
        return await fetch(self.internet.network.reactor, self.internet.network.trust, url)

    async def why(self, url: str = URL) -> str:
        try:
            found = await self.fetch(url)
        except NotFetched as error:
            return str(error)
        raise AssertionError(found)

    async def test_a_document_that_is_there(self) -> None:
        self.internet.page(URL, b"hello")

        assert await self.fetch() == Fetched(b"hello", "autoconfig.example.org")
        assert self.internet.routed.dialled == [(WEB, 443)]

    async def test_one_that_is_not(self) -> None:
        assert await self.why() == "not there (HTTP 404)"

    async def test_a_host_that_is_not(self) -> None:
        assert await self.why("https://nowhere.example.org/x") == "there is no such host"

    async def test_a_server_that_does_not_answer(self) -> None:
        self.internet.routed.routes[WEB, 443] = 1

        assert (await self.why()).startswith("it does not answer: ")

    async def test_three_redirects_are_followed_and_the_last_host_is_told(self) -> None:
        urls = [URL, "https://example.org/1", "https://www.example.org/2", "https://config.hoster.net/3"]
        for name in ("www.example.org", "config.hoster.net"):
            self.internet.host(name, WEB)
        for url, to in pairwise(urls):
            self.internet.redirect(url, to)
        self.internet.page(urls[-1], b"hello")

        assert await self.fetch() == Fetched(b"hello", "config.hoster.net")
        assert len(self.internet.routed.dialled) == 4

    async def test_a_fourth_and_a_loop_are_not(self) -> None:
        self.internet.redirect(URL, URL)

        assert await self.why() == "more than 3 redirects"
        assert len(self.internet.fetched) == 4

    async def test_a_relative_redirect_stays_at_its_host(self) -> None:
        self.internet.redirect(URL, "/other")
        self.internet.page("https://autoconfig.example.org/other", b"hello")

        assert (await self.fetch()).document == b"hello"

    async def test_no_redirect_leads_to_clear_text_or_to_what_is_no_web_server(self) -> None:
        for to in (
            "http://autoconfig.example.org/",
            "file:///etc/passwd",
            "ftp://example.org/",
            "//127.0.0.1/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://localhost/",
            "https://metadata/",
            "https://example.org:8443/",
            "https://example.org:99999/",
            "https://user@example.org/",
            "https://[/",
            "",
        ):
            self.internet.redirect(URL, to)
            assert (await self.why()).startswith(("redirected to", "more than 3")), to
        assert {port for _, port in self.internet.routed.dialled} == {443}
        assert {host for host, _ in self.internet.routed.dialled} == {WEB}

    async def test_a_name_for_an_address_of_the_owners_network_leads_nowhere(self) -> None:
        for index, address in enumerate(("127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "224.0.0.1")):
            self.internet.host(f"a{index}.example.org", address)
            self.internet.routed.routes[address, 443] = self.internet.routed.routes[WEB, 443]
            said = await self.why(f"https://a{index}.example.org/")
            assert said == f"{address} is no public address, and discovery goes to no other"
        assert self.internet.routed.dialled == []

    async def test_nor_does_one_of_several(self) -> None:
        self.internet.host("mixed.example.org", "127.0.0.1", WEB)
        self.internet.page("https://mixed.example.org/", b"hello")

        assert (await self.fetch("https://mixed.example.org/")).document == b"hello"
        assert self.internet.routed.dialled == [(WEB, 443)]

    async def test_a_name_that_changes_its_address_between_two_looks_leads_nowhere(self) -> None:
        self.internet.host("rebind.example.org", WEB)
        self.internet.host("rebind.example.org", "127.0.0.1")
        self.internet.routed.routes["127.0.0.1", 443] = self.internet.routed.routes[WEB, 443]
        self.internet.redirect("https://rebind.example.org/", "https://rebind.example.org/again")
        self.internet.page("https://rebind.example.org/again", b"inside")

        assert "127.0.0.1 is no public address" in await self.why("https://rebind.example.org/")
        assert self.internet.routed.dialled == [(WEB, 443)]

    async def test_64_kib_and_no_more(self) -> None:
        self.internet.page(URL, b"x" * LARGEST)
        assert len((await self.fetch()).document) == LARGEST

        self.internet.page(URL, b"x" * (LARGEST + 1))
        assert await self.why() == "more than 64 KiB"

    async def test_one_who_never_stops_is_cut_off(self) -> None:
        sent = 0

        def endless(request: Any) -> int:
            def more() -> None:
                nonlocal sent
                if not request._disconnected:
                    sent += 4096
                    request.write(b"x" * 4096)
                    self.reactor.callLater(0, more)

            more()
            return NOT_DONE_YET

        self.internet.pages[URL] = endless

        assert await self.why() == "more than 64 KiB"
        assert sent < 10 * LARGEST

    async def test_so_is_one_whose_headers_do_not_end(self) -> None:
        def headers(request: Any) -> bytes:
            for number in range(200):
                request.setHeader(f"x-{number}".encode(), b"y" * 1000)
            return b"hello"

        self.internet.pages[URL] = headers

        assert await self.why() == "more than 64 KiB"

    async def test_one_who_never_answers_is_left_when_the_caller_has_waited_enough(self) -> None:
        left: Deferred[None] = Deferred()

        def silent(request: Any) -> int:
            request.notifyFinish().addErrback(lambda _: left.callback(None))
            return never(request)

        self.internet.pages[URL] = silent
        fetching = Deferred.fromCoroutine(self.fetch()).addTimeout(0.3, self.reactor)

        await self.assertFailure(fetching, TimedOut)
        await left

    async def test_so_is_one_who_does_not_even_take_the_connection(self) -> None:
        deaf = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.addCleanup(deaf.close)
        for _ in range(2):  # the kernel answers so many by itself
            waiting = socket.socket()
            self.addCleanup(waiting.close)
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())
        self.internet.routed.routes[WEB, 443] = deaf.getsockname()[1]

        await self.assertFailure(Deferred.fromCoroutine(self.fetch()).addTimeout(0.5, self.reactor), TimedOut)

    async def test_nothing_stays_open_of_an_answer_that_is_not_read_to_its_end(self) -> None:
        for code in (302, 404):
            left: Deferred[None] = Deferred()
            self.internet.pages[URL] = partial(_unfinished, code=code, left=left)

            assert await self.why()
            await left

    async def test_a_certificate_for_another_name_or_by_nobody_is_refused(self) -> None:
        self.internet.host("other.example.net", WEB)
        said = await self.why("https://other.example.net/")
        assert said == "the certificate is for another name than other.example.net"

        self.internet.network = evolve(self.internet.network, trust=client_context)
        self.internet.page(URL, b"hello")
        assert "issuer is not trusted" in await self.why()
        assert self.internet.fetched == []


def _unfinished(request: Any, code: int, left: Deferred[None]) -> int:
    """Headers and some of a body, and no more; `left` fires when the client is gone."""
    request.notifyFinish().addErrback(lambda _: left.callback(None) if not left.called else None)
    request.setResponseCode(code)
    request.setHeader(b"location", b"http://example.org/")
    request.write(b"x")
    return NOT_DONE_YET
