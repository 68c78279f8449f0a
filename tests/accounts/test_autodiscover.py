"""Who is asked for an address's servers, what counts, what needs the owner's word, and that it ends in time."""

from twisted.internet.defer import fail
from twisted.internet.task import deferLater
from twisted.names import dns

from bridge.accounts import srv
from bridge.accounts.address import parse_address
from bridge.accounts.autodiscover import Discovery, discover
from tests.accounts.internet import MAIL, WEB, document, never
from tests.accounts.online import OnlineTest

AUTOCONFIG = "https://autoconfig.example.org/mail/config-v1.1.xml"
WELL_KNOWN = "https://example.org/.well-known/autoconfig/mail/config-v1.1.xml"
IMAPS = "imaps://imap.example.org:993/INBOX"
POP3S = "pop3s://pop.example.org:995"
HOSTED = "https://autoconfig.hoster.net/mail/config-v1.1.xml"


def servers(found: Discovery) -> list[str]:
    return [str(one.upstream) for one in found.candidates]


def said(found: Discovery, place: str) -> str:
    [one] = [answer.said for answer in found.answers if place in answer.place]
    return one


class DiscoveryTest(OnlineTest):
    async def discover(self, address: str = "ann@example.org", limit: float = 5) -> Discovery:
        return await discover(parse_address(address), self.internet.network, limit)

    async def test_a_large_provider_is_known_without_asking_anybody(self) -> None:
        found = await self.discover("ann@gmail.com")

        assert servers(found) == ["imaps://imap.gmail.com:993/INBOX"]
        assert found.candidates[0].outside == ""
        assert found.provider is not None
        assert found.provider.name == "Gmail"
        assert (self.internet.zone.asked, self.internet.routed.dialled) == ([], [])

    async def test_a_domain_about_which_nobody_says_anything_has_no_server(self) -> None:
        found = await self.discover()

        assert servers(found) == []  # and imap.example.org, which answers, is not guessed
        assert "imap.example.org" not in self.internet.zone.asked
        assert [answer.said for answer in found.answers] == [
            "not there (HTTP 404)",
            "not there (HTTP 404)",
            *(["no servers"] * 4),
            "none",
        ]

    async def test_srv_records_name_servers_within_the_domain(self) -> None:
        self.internet.srv("_pop3s._tcp.example.org", (0, 1, 995, "pop.example.org"))
        self.internet.srv("_imap._tcp.example.org", (0, 1, 143, "imap.example.org"))
        self.internet.srv(
            "_imaps._tcp.example.org", (20, 1, 993, "spare.example.org"), (10, 1, 993, "imap.example.org")
        )
        found = await self.discover()

        assert servers(found) == [
            IMAPS,
            "imaps://spare.example.org:993/INBOX",
            "imap+starttls://imap.example.org:143/INBOX",
            POP3S,
        ]
        assert {one.outside for one in found.candidates} == {""}
        assert found.candidates[0].found == ("_imaps._tcp.example.org (SRV)",)

    async def test_an_srv_record_to_elsewhere_needs_the_owners_word(self) -> None:
        self.internet.srv("_imaps._tcp.example.org", (0, 1, 993, "imap.evil.example.com"))
        [one] = (await self.discover()).candidates

        assert one.outside == "imap.evil.example.com is not part of example.org"

    async def test_an_alias_before_the_record_is_followed_by_the_name_server_and_read_past(self) -> None:
        self.internet.srv("_imaps._tcp.other.example.org", (0, 1, 993, "imap.example.org"))
        self.internet.zone.alias("_imaps._tcp.example.org", "_imaps._tcp.other.example.org", dns.SRV)

        assert servers(await self.discover()) == [IMAPS]

    async def test_wrong_ports_and_services_that_are_not_there_are_told(self) -> None:
        self.internet.srv("_imaps._tcp.example.org", (0, 1, 22, "imap.example.org"))
        self.internet.srv("_pop3s._tcp.example.org", (0, 0, 0, "."))
        found = await self.discover()

        assert servers(found) == []
        assert said(found, "_imaps") == "no servers; imap.example.org port 22 is not IMAP's port 993"
        assert said(found, "_pop3s") == "no servers; says that there is no _pop3s._tcp"

    async def test_a_document_of_the_domain_is_read_at_both_places(self) -> None:
        self.internet.page(AUTOCONFIG, document(("pop3", "pop.example.org", "995", "SSL")))
        self.internet.page(WELL_KNOWN, document(("imap", "imap.example.org", "993", "SSL"), login="%EMAILLOCALPART%"))
        found = await self.discover("ann+x@example.org")

        assert servers(found) == [IMAPS, POP3S]
        assert found.candidates[0].login == "{local}"
        assert f"{AUTOCONFIG}?emailaddress=ann%2Bx%40example.org" in self.internet.fetched

    async def test_what_srv_and_document_both_say_is_one_server_with_the_documents_login(self) -> None:
        self.internet.srv("_imaps._tcp.example.org", (0, 1, 993, "imap.example.org"))
        self.internet.page(AUTOCONFIG, document(("imap", "imap.example.org", "993", "SSL"), login="%EMAILLOCALPART%"))
        [one] = (await self.discover()).candidates

        assert one.login == "{local}"
        assert one.found == (AUTOCONFIG, "_imaps._tcp.example.org (SRV)")

    async def test_a_document_from_elsewhere_or_for_elsewhere_needs_the_owners_word(self) -> None:
        self.internet.host("config.hoster.net", WEB)
        self.internet.redirect(AUTOCONFIG, "https://config.hoster.net/x.xml")
        self.internet.page("https://config.hoster.net/x.xml", document(("imap", "imap.example.org", "993", "SSL")))
        self.internet.page(WELL_KNOWN, document(("pop3", "pop.hoster.net", "995", "SSL")))
        via, elsewhere = (await self.discover()).candidates

        assert via.outside == "config.hoster.net, which says so, is not part of example.org"
        assert elsewhere.outside == "pop.hoster.net is not part of example.org"

    async def test_what_is_not_encrypted_in_a_document_is_told_and_not_taken(self) -> None:
        self.internet.page(AUTOCONFIG, document(("imap", "imap.example.org", "143", "plain")))
        found = await self.discover()

        assert servers(found) == []
        assert "not taken: imap.example.org (imap, plain) is no IMAP or POP3 over TLS" in said(found, "autoconfig.")

    async def test_a_bomb_is_told_and_not_read(self) -> None:
        self.internet.page(AUTOCONFIG, b'<!DOCTYPE x [<!ENTITY e "ha">]><clientConfig>&e;</clientConfig>')

        assert "it has a DTD" in said(await self.discover(), "autoconfig.")

    async def test_a_document_inside_the_owners_network_is_not_fetched(self) -> None:
        self.internet.zone.records.clear()
        self.internet.host("autoconfig.example.org", "169.254.169.254")
        self.internet.host("example.org", "10.0.0.7")
        found = await self.discover()

        assert said(found, "autoconfig.").startswith("169.254.169.254 is no public address")
        assert said(found, "well-known").startswith("10.0.0.7 is no public address")
        assert self.internet.routed.dialled == []

    async def test_who_receives_the_mail_counts_where_the_domain_says_nothing(self) -> None:
        self.internet.mx("example.org", (20, "backup.example.org"), (10, "aspmx.l.google.com"))
        found = await self.discover()

        assert servers(found) == ["imaps://imap.gmail.com:993/INBOX"]
        assert found.candidates[0].outside == "its mail goes to aspmx.l.google.com, which is Google Workspace"
        assert found.provider is not None
        assert found.provider.ways == ("oauth2",)

    async def test_an_unknown_exchangers_own_domain_is_asked(self) -> None:
        self.internet.host("autoconfig.hoster.net", WEB)
        self.internet.mx("example.org", (10, "mx1.mail.hoster.net"))
        self.internet.page(HOSTED, document(("imap", "imap.hoster.net", "993", "SSL")))
        [one] = (await self.discover()).candidates

        assert one.outside == "imap.hoster.net is not part of example.org"
        assert one.found == (HOSTED,)

    async def test_the_domains_own_word_goes_before_the_exchangers(self) -> None:
        self.internet.mx("example.org", (10, "aspmx.l.google.com"))
        self.internet.srv("_pop3s._tcp.example.org", (0, 1, 995, "pop.example.org"))

        assert servers(await self.discover()) == [POP3S]

    async def test_a_domain_without_mail_has_no_exchanger_to_ask(self) -> None:
        self.internet.mx("example.org", (0, "."))
        found = await self.discover()

        assert (servers(found), said(found, "(MX)")) == ([], "none")

    async def test_all_are_asked_side_by_side_and_the_whole_ends_in_time(self) -> None:
        self.internet.pages[AUTOCONFIG] = self.internet.pages[WELL_KNOWN] = never
        self.internet.srv("_imaps._tcp.example.org", (0, 1, 993, "imap.example.org"))
        began = self.reactor.seconds()
        found = await self.discover(limit=1)

        assert self.reactor.seconds() - began < 2
        assert servers(found) == [IMAPS]
        assert [answer.said for answer in found.answers[:2]] == ["no answer in time"] * 2

    async def test_so_it_does_where_no_name_server_answers(self) -> None:
        self.internet.zone.silent = True
        self.internet.names.tries = (1,)
        self.patch(srv, "TRIES", (1,))  # type: ignore[no-untyped-call]  # Twisted has no types there
        began = self.reactor.seconds()
        found = await self.discover(limit=0.5)

        assert self.reactor.seconds() - began < 0.9
        assert {answer.said for answer in found.answers} == {"no answer in time"}
        await deferLater(self.reactor, 1)  # until Twisted's resolver has given up too

    async def test_a_name_server_in_trouble_or_out_of_reach_is_told(self) -> None:
        self.internet.zone.failing = OSError("a bug")  # it says SERVFAIL
        found = await self.discover()
        assert said(found, "_imaps") == said(found, "(MX)") == "the name server does not answer (DNSServerError)"

        assert self.flushLoggedErrors(OSError)  # type: ignore[no-untyped-call]  # Twisted's server logs it

        nobody = self.internet.network.resolver
        self.patch(nobody, "_lookup", lambda *_: fail(OSError("Network is unreachable")))  # type: ignore[no-untyped-call]  # as above
        found = await self.discover()
        assert said(found, "_imaps") == said(found, "(MX)") == "the name server does not answer (OSError)"

    async def test_a_slow_exchanger_holds_nobody_up_who_has_the_domains_word(self) -> None:
        self.internet.host("autoconfig.hoster.net", WEB)
        self.internet.mx("example.org", (10, "mx.hoster.net"))
        self.internet.pages[HOSTED] = never
        self.internet.srv("_imaps._tcp.example.org", (0, 1, 993, "imap.example.org"))
        began = self.reactor.seconds()

        assert servers(await self.discover(limit=20)) == [IMAPS]
        assert self.reactor.seconds() - began < 10

    async def test_nobody_is_logged_in_anywhere(self) -> None:
        self.internet.srv("_imaps._tcp.example.org", (0, 1, 993, "imap.example.org"))
        await self.discover()

        assert MAIL not in {host for host, _ in self.internet.routed.dialled}
