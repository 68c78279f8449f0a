"""The generated mail holds what it says, the same on every machine."""

import hashlib
import re

from tests.mail.nasty import BORDERS, COUNT, nasty_mail


def test_there_are_exactly_300_different_messages() -> None:
    mails = nasty_mail()
    assert len(mails) == COUNT == 300
    assert len({mail.name for mail in mails}) == len({mail.octets for mail in mails}) == COUNT


def test_the_seed_decides_every_octet() -> None:
    def digest(seed: int) -> str:
        return hashlib.sha256(b"\0".join(mail.octets for mail in nasty_mail(seed))).hexdigest()

    assert digest(1) == "6ccabffb58fbcbe5f0d47700db8df614e424daeae7556aec40550be6f6e27c0d"
    assert digest(2) != digest(1)


def test_each_shape_that_broke_a_mail_program_is_there() -> None:
    octets = [mail.octets for mail in nasty_mail()]
    shapes = {
        "first octet a dot": rb"\A\.",
        "dot after a bare LF": rb"[^\r]\n\.",
        "a lone dot": rb"\r\n\.\r\n",
        "no final line end": rb"[^\r\n]\Z",
        "a lone CR": rb"\r[^\r\n]",
        "CR CR LF": rb"\r\r\n",
        "NUL": rb"\0",
        "a line over 998": rb"[^\n]{999}",
        "a line over 2046": rb"[^\n]{2047}",
        "a line over 64 KiB": rb"[^\n]{65537}",
        "no empty line at all": rb"\A(?:[!-9;-~]+:[^\r\n]*\r\n)+\Z",
        "an empty body": rb"\A(?:[!-9;-~]+:[^\r\n]*\r\n)+\r\n\Z",
        "8-bit header": rb"\AFrom:[^\r\n]*[\x80-\xff]",
        "an IMAP literal": rb"\{\d+\}\r\n",
        "a tagged reply": rb"\r\nA1 OK ",
        "a POP3 reply behind a terminator": rb"\n\.\r?\n[+-](?:OK|ERR)",
    }
    missing = [name for name, pattern in shapes.items() if not any(re.search(pattern, each) for each in octets)]
    assert not missing
    assert max(map(len, octets)) > 1_000_000


def test_cr_lf_and_dot_fall_on_both_sides_of_each_border() -> None:
    octets = [mail.octets for mail in nasty_mail() if mail.name.startswith("border")]
    for border in BORDERS:
        before_and_after = {each[border - 1 : border + 1] for each in octets}
        assert {b"\r\n", b"\n.", b".\r", b".\n", b"x\r", b"x\n"} <= before_and_after
