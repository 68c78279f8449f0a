"""Status lines: codes are read, texts are left alone."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.imap.codes import read_status
from bridge.imap.quirks import Quirk
from bridge.imap.responses import Appended, Code, CodeArguments, Copied, Status, StatusKind
from bridge.violation import ProtocolViolation


@pytest.mark.parametrize(
    ("octets", "name", "arguments"),
    [
        (b"[UIDVALIDITY 3857529045] UIDs valid", "UIDVALIDITY", 3857529045),
        (b"[uidnext 4392] Predicted next UID", "UIDNEXT", 4392),
        (b"[HIGHESTMODSEQ 18446744073709551615] x", "HIGHESTMODSEQ", 2**64 - 1),
        (b"[UNSEEN 17] x", "UNSEEN", 17),
        (b"[MESSAGELIMIT 1000] x", "MESSAGELIMIT", (1000,)),
        (b"[MESSAGELIMIT 1000 23221] x", "MESSAGELIMIT", (1000, 23221)),
        (b"[CAPABILITY IMAP4rev1 AUTH=PLAIN] x", "CAPABILITY", frozenset({"IMAP4REV1", "AUTH=PLAIN"})),
        (b"[PERMANENTFLAGS (\\Deleted a]b \\*)] x", "PERMANENTFLAGS", frozenset({"\\Deleted", "a]b", "\\*"})),
        (
            b"[COPYUID 38505 304,319:320 3956:3958] x",
            "COPYUID",
            Copied(38505, array("I", [304, 319, 320]), array("I", [3956, 3957, 3958])),
        ),
        (b"[APPENDUID 38505 3955] x", "APPENDUID", Appended(38505, array("I", [3955]))),
        (b"[MODIFIED 7,9] x", "MODIFIED", (7, 9)),
        (b"[TRYCREATE] x", "TRYCREATE", b""),
        (b"[BADCHARSET (UTF-8 X)] x", "BADCHARSET", b"(UTF-8 X)"),
        (b"[X-MINE a b=c] x", "X-MINE", b"a b=c"),
    ],
)
def test_codes_of_the_rfcs(octets: bytes, name: str, arguments: CodeArguments) -> None:
    status = read_status(b"OK " + octets, uids=100)
    assert status.code == Code(name, arguments)
    assert status.text in {"x", "UIDs valid", "Predicted next UID"}


@pytest.mark.parametrize(
    "text",
    [
        "[TRYCREATE",
        "[UNSEEN]",
        "[UIDNEXT 4294967296] x",
        "[UIDVALIDITY -1] x",
        "[COPYUID 1 1:2 3] x",
        "[COPYUID 1 1:4294967295 1:4294967295] x",
        "[FOO(BAR)]",
        "[] x",
        'he said "hi',
        "((]) unbalanced {12}",
    ],
)
def test_what_is_no_proper_code_is_text(text: str) -> None:
    assert read_status(b"NO " + text.encode(), uids=100) == Status(StatusKind.NO, None, text)


def test_text_may_be_missing() -> None:
    met: list[Quirk] = []
    assert read_status(b"BYE", uids=1, met=met.append) == Status(StatusKind.BYE, None, "")
    assert read_status(b"ok [HIGHESTMODSEQ 5]", uids=1, met=met.append).code == Code("HIGHESTMODSEQ", 5)
    assert met == [Quirk.MISSING_TEXT] * 2


def test_any_other_word_is_a_violation() -> None:
    with pytest.raises(ProtocolViolation):
        read_status(b"OKAY", uids=1)


@given(st.sampled_from([b"OK ", b"no [", b"BAD [COPYUID ", b"OK [PERMANENTFLAGS "]), st.binary())
def test_nothing_but_a_violation_comes_of_random_octets(start: bytes, octets: bytes) -> None:
    assert isinstance(read_status(start + octets, uids=100), Status)
