"""What a view searches for is sent as it stands: it can be a search and nothing else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.maildrop.searchkeys import LONGEST, check_flag_search, check_search


@pytest.mark.parametrize(
    "text",
    [
        "UNSEEN",
        'SUBJECT "Größe"',
        "OR (FROM ann SINCE 1-Jan-2024) UNFLAGGED",
        'SUBJECT "a (b \\"c\\" \\\\ {5} d"',
        "UID 1:*,7",
        'X-GM-RAW "has:attachment"',
        "NOT KEYWORD $POP3Deleted",
    ],
)
def test_what_owners_write_is_taken(text: str) -> None:
    assert check_search(f" {text} ") == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "without a search key"),
        ("  ", "without a search key"),
        ("FROM {3}", "'{'"),
        ("UNSEEN\r\nA LOGOUT", "printable"),
        ("SUBJECT é", "quotes"),
        ('SUBJECT "\ud800"', "printable"),
        (f'SUBJECT "{"é" * 250}"', "more than 500"),
        ('SUBJECT "open', "quotes"),
        ('SUBJECT "a\\b"', "quotes"),
        ("(UNSEEN", "pair"),
        ("UNSEEN) (ALL", "pair"),
        ("ALL)", "pair"),
        ("X" * (LONGEST + 1), "more than 500"),
        ("return (SAVE) UNSEEN", "no search key"),
        ("CHARSET UTF-8 ALL", "no search key"),
        ("100%", "'%'"),
    ],
)
def test_what_is_no_search_is_said(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        check_search(text)


def test_a_mail_program_searches_for_flags_and_keywords() -> None:
    assert check_flag_search("unseen Flagged") == "UNSEEN FLAGGED"
    assert check_flag_search("KEYWORD $Junk unkeyword a.b-C_1") == "KEYWORD $Junk UNKEYWORD a.b-C_1"


@pytest.mark.parametrize(
    "text",
    ["", "NEW", "RECENT", "OLD", "ALL", "NOT SEEN", "BODY x", "UNSEEN  SEEN", "KEYWORD", "KEYWORD (", "UID 1", "SEEN)",
     "KEYWORD " + "x" * 65, " ".join(["SEEN"] * 101)],
)  # fmt: skip
def test_and_for_nothing_that_costs_a_server_more(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        check_flag_search(text)


@given(st.text())
def test_nothing_that_passes_ends_the_command_or_opens_a_literal(text: str) -> None:
    for check in (check_search, check_flag_search):
        try:
            keys = check(text)
        except ValueError as error:
            assert str(error)
        else:
            outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", keys)
            assert outside.isascii()
            assert keys.isprintable()
            assert not set(outside) & set('{}"\\%')
            assert outside.count("(") == outside.count(")")
