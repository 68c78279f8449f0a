"""What a client may say, and what becomes of everything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.names import MessageNumber
from bridge.pop3 import commands as commands_module
from bridge.pop3.commands import (
    LARGEST_NUMBER,
    Apop,
    Auth,
    Capa,
    Command,
    Dele,
    Lang,
    Last,
    List,
    Malformed,
    Noop,
    Pass,
    Quit,
    Retr,
    Rset,
    Stat,
    Stls,
    Top,
    Uidl,
    User,
    Utf8,
    decode_initial,
    decode_response,
    encode,
    parse,
    tolerances,
)
from bridge.secret import Secret

ONE = MessageNumber(1)
SEVEN = MessageNumber(7)

numbers = st.integers(1, LARGEST_NUMBER).map(MessageNumber)
one_line = st.binary(min_size=1).filter(lambda octets: b"\r" not in octets and b"\n" not in octets)
no_blanks = st.from_regex(r"[A-Za-z0-9+/=]{1,30}", fullmatch=True)
commands: st.SearchStrategy[Command] = st.one_of(
    st.sampled_from([Capa(), Stls(), Quit(), Noop(), Stat(), Rset(), Last(), Utf8()]),
    st.builds(User, one_line.map(lambda octets: octets.strip(b" \t")).filter(bool)),
    st.builds(
        Apop,
        one_line.map(lambda octets: octets.strip(b" \t")).filter(bool),
        st.from_regex(rb"[0-9a-f]{32}", fullmatch=True),
    ),
    st.builds(Pass, one_line.map(Secret)),
    st.builds(
        Auth,
        st.from_regex(r"[A-Z0-9_-]{1,20}", fullmatch=True),
        st.none() | no_blanks.map(lambda text: Secret(text.encode())),
    ),
    st.just(Auth(None)),
    st.builds(List, st.none() | numbers),
    st.builds(Uidl, st.none() | numbers),
    st.builds(Retr, numbers),
    st.builds(Dele, numbers),
    st.builds(Top, numbers, st.integers(0, LARGEST_NUMBER)),
    st.builds(Lang, st.none() | st.from_regex(r"[A-Za-z0-9-]{1,64}|\*", fullmatch=True)),
)


@given(commands)
def test_reading_what_was_written_gives_the_same_command(command: Command) -> None:
    assert parse(encode(command)) == command


@given(st.binary(max_size=300))
def test_any_line_is_a_command_or_malformed(line: bytes) -> None:
    assert parse(line) is not None


@given(
    st.sampled_from([b"LIST", b"UIDL", b"RETR", b"DELE", b"TOP", b"AUTH", b"LANG", b"USER", b"PASS", b"STAT"]),
    st.text("0123456789 \t-+.x", max_size=40),
)
def test_any_argument_of_a_known_command_gets_an_answer(verb: bytes, argument: str) -> None:
    assert parse(verb + argument.encode()) is not None


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"stat", Stat()),
        (b"sTaT", Stat()),
        (b"  STAT\t ", Stat()),
        (b"retr   7 ", Retr(SEVEN)),
        (b"\tRETR\t7", Retr(SEVEN)),
        (b"TOP  7  0", Top(SEVEN, 0)),
        (b"auth plain", Auth("PLAIN")),
        (b"lang EN", Lang("EN")),
    ],
)
def test_case_and_stray_blanks_do_not_matter(line: bytes, command: Command) -> None:
    """Q35: typed by hand, sent by scripts and by rabid."""
    assert parse(line) == command


@pytest.mark.parametrize("verb", [b"RETR", b"DELE", b"LIST", b"UIDL"])
@pytest.mark.parametrize(
    "argument",
    [
        b"0",
        b"000",
        b"-1",
        b"+1",
        b"1.0",
        b"0x1",
        b"4294967297",
        b"2147483648",
        b"9" * 5000,
        b"1 2",
        b"one",
        b"\xb2",
        b"1\0",
        b"1\x0b",
    ],
)
def test_a_number_that_is_none_is_refused_and_never_raises(verb: bytes, argument: bytes) -> None:
    """Fault 5: 0, -1, 2^32+1, extra; int() of 5000 digits raises in Python, of 10 million it takes hours."""
    assert isinstance(parse(verb + b" " + argument), Malformed)


@pytest.mark.parametrize("line", [b"RETR", b"RETR ", b"DELE", b"TOP", b"TOP 1", b"TOP 1 2 3", b"TOP 1 -1", b"TOP 0 1"])
def test_missing_and_extra_arguments_are_refused(line: bytes) -> None:
    """Fault 5; Twisted's stock class raises out of dataReceived for these, Cyrus crashed on TOP without any (#1513)."""
    assert isinstance(parse(line), Malformed)


@pytest.mark.parametrize(
    "line", [b"STAT 1", b"NOOP x", b"QUIT now", b"CAPA all", b"RSET 1", b"LAST 1", b"STLS x", b"UTF8 x"]
)
def test_commands_without_argument_take_none(line: bytes) -> None:
    assert isinstance(parse(line), Malformed)


def test_leading_zeros_do_not_make_another_number() -> None:
    """Fault 5: 007 is message 7, a tolerance with a name."""
    assert parse(b"RETR 007") == Retr(SEVEN)
    assert parse(b"LIST " + b"0" * 200 + b"7") == List(SEVEN)


def test_the_largest_number_is_one() -> None:
    assert parse(b"RETR 2147483647") == Retr(MessageNumber(LARGEST_NUMBER))


def test_lists_with_and_without_a_number() -> None:
    assert parse(b"LIST") == List(None)
    assert parse(b"UIDL ") == Uidl(None)
    assert parse(b"UIDL 1") == Uidl(ONE)


@pytest.mark.parametrize(
    ("count", "lines"),
    [
        (b"0", 0),
        (b"20", 20),
        (b"99999999", 99999999),
        (b"4294967295", LARGEST_NUMBER),
        (b"9" * 20, LARGEST_NUMBER),
    ],
)
def test_top_takes_any_count_that_clients_use_for_everything(count: bytes, lines: int) -> None:
    """Q15: fetchmail says TOP n 99999999 where others say RETR n."""
    assert parse(b"TOP 1 " + count) == Top(ONE, lines)


def test_top_with_a_count_beyond_reason_is_refused() -> None:
    assert isinstance(parse(b"TOP 1 " + b"9" * 21), Malformed)


@pytest.mark.parametrize(
    "password",
    [b"two words", b" leading", b"trailing ", b"  ", b"gr\xc3\xbc\xdfe", b"tab\there", b"x" * 8192, b"a\rb", b"\0"],
)
def test_a_password_is_the_rest_of_the_line_as_it_is(password: bytes) -> None:
    """Fault 16, Q24: blanks at either end, 8-bit, 8 KiB."""
    assert parse(b"PASS " + password) == Pass(Secret(password))


@pytest.mark.parametrize(
    "name",
    [b"alice@example.org", b"a%b", b"a#b", b"recent:alice", b"alice+tag", b"alice", b"Alice Smith", b"\xc3\xa4"],
)
def test_a_name_is_the_rest_of_the_line_without_blanks_around_it(name: bytes) -> None:
    """Q25: separators, options and blanks that old clients and users put into names."""
    assert parse(b"USER  " + name + b" ") == User(name)


@pytest.mark.parametrize("line", [b"USER", b"USER  ", b"PASS", b"PASS ", b"", b"   ", b"\t"])
def test_a_name_or_password_that_is_missing_is_refused(line: bytes) -> None:
    assert isinstance(parse(line), Malformed)


@pytest.mark.parametrize("line", [b"AUTH", b"AUTH ", b"auth  \t"])
def test_auth_alone_and_with_a_blank_asks_for_the_list(line: bytes) -> None:
    """Q6: c-client, Net::POP3 and Outlook."""
    assert parse(line) == Auth(None)


def test_auth_takes_an_initial_response_of_ten_kilobytes() -> None:
    """Fault 16, Q8: access tokens are long."""
    token = b"QUJD" * 2560
    assert parse(b"AUTH XOAUTH2 " + token) == Auth("XOAUTH2", Secret(token))
    assert parse(b"AUTH LOGIN =") == Auth("LOGIN", Secret(b"="))


@pytest.mark.parametrize("line", [b"AUTH PLAIN a b", b"AUTH PL.AIN", b"AUTH \xff", b"AUTH " + b"X" * 21])
def test_auth_with_anything_else_is_refused(line: bytes) -> None:
    assert isinstance(parse(line), Malformed)


def test_language_tags() -> None:
    assert parse(b"LANG") == Lang(None)
    assert parse(b"LANG *") == Lang("*")
    assert parse(b"LANG i-default") == Lang("i-default")
    for line in (b"LANG en de", b"LANG e\xff", b"LANG **", b"LANG " + b"x" * 65):
        assert isinstance(parse(line), Malformed)


@pytest.mark.parametrize("line", [b"XTND XLST", b"RETR7", b"\xff\xfe", b"USER\x00", b"c2VjcmV0IHBhc3N3b3Jk", b"RPOP x"])
def test_an_unknown_command_is_refused_without_repeating_it(line: bytes) -> None:
    """A lost password or token may stand there; it must not come back in a reply or a log (S30)."""
    refused = parse(line)
    assert refused == Malformed("unknown command")


def test_secrets_do_not_show() -> None:
    assert "hunter2" not in repr(parse(b"PASS hunter2"))
    assert "aHVudGVyMg" not in repr(parse(b"AUTH PLAIN aHVudGVyMg=="))


@pytest.mark.parametrize("command", [User(b"a\r\nDELE 1"), Pass(Secret(b"a\nb")), Pass(Secret(b"a\rb"))])
def test_what_would_be_two_lines_is_never_written(command: Command) -> None:
    with pytest.raises(ValueError, match="one line"):
        encode(command)


def test_base64_is_read_strictly() -> None:
    """Q8: "=" is an empty initial response."""
    assert decode_response(b"") == Secret(b"")
    assert decode_response(b"AQ==") == Secret(b"\x01")
    assert decode_initial(Secret(b"=")) == Secret(b"")
    assert decode_initial(Secret(b"AQ==")) == Secret(b"\x01")
    for text in (b"=", b"A", b"AQ", b"AQ=", b"A Q=", b"AQ==AQ==", b"\xff\xff\xff\xff", b"AQ==\0"):
        assert decode_response(text) is None


@given(st.binary())
def test_any_octets_are_base64_or_not(text: bytes) -> None:
    decoded = decode_response(text)
    assert decoded is None or len(decoded.reveal()) <= len(text)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        (b"STAT", []),
        (b"stat", []),
        (b" STAT", ["stray-blanks"]),
        (b"LIST ", ["stray-blanks"]),
        (b"RETR  1", ["stray-blanks"]),
        (b"RETR 007", ["leading-zeros"]),
        (b"TOP 1 0", []),
        (b"TOP 01 0 ", ["leading-zeros", "stray-blanks"]),
        (b"USER alice", []),
        (b"USER Alice Smith", ["blanks-in-name"]),
        (b"USER  alice", ["stray-blanks"]),
        (b"PASS  two  words ", []),
        (b"AUTH", ["bare-auth"]),
        (b"AUTH ", ["bare-auth"]),
        (b"AUTH PLAIN 0A==", []),
        (b"AUTH PLAIN ", ["stray-blanks"]),
    ],
)
def test_each_tolerance_has_a_name(line: bytes, names: list[str]) -> None:
    command = parse(line)
    assert not isinstance(command, Malformed)
    assert list(tolerances(line, command)) == names


def test_what_is_understood_once_is_bounded_and_holds_no_line_that_may_be_a_secret() -> None:
    for number in range(1, 3 * commands_module._UNDERSTOOD_AT_MOST):
        assert commands_module.parse_plain(b"DELE %d" % number) == Dele(MessageNumber(number))
    assert len(commands_module._understood) <= commands_module._UNDERSTOOD_AT_MOST
    for line in (b"PASS secret", b"USER alice", b"DELE 0", b"dele 1", b"TOP 1", b"RETR 1 2"):
        assert commands_module.parse_plain(line) is None
        assert line not in commands_module._understood
