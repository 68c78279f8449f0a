"""The sample mail shows what is difficult, is well-formed, and is the same in every run."""

import email
import email.policy

from bridge.demo.mail import sample_mail

MAIL = [message.octets for message in sample_mail()]


def test_there_are_a_few_and_they_are_always_the_same() -> None:
    assert 5 <= len(MAIL) <= 8
    assert [message.octets for message in sample_mail()] == MAIL


def test_every_line_ends_as_on_the_wire_and_no_message_is_a_header_alone() -> None:
    for octets in MAIL:
        assert octets.count(b"\n") == octets.count(b"\r\n") == octets.count(b"\r")
        assert octets.endswith(b"\r\n")
        assert octets.partition(b"\r\n\r\n")[2]  # pymap 0.36.7 cuts the end off a message without body


def test_they_show_dot_lines_eight_bit_text_attachments_and_html() -> None:
    assert any(b"\r\n.\r\n..\r\n..." in octets for octets in MAIL)
    assert any("漢字".encode() in octets for octets in MAIL)
    parsed = [email.message_from_bytes(octets, policy=email.policy.default) for octets in MAIL]
    names = [part.get_filename() for message in parsed for part in message.iter_attachments()]
    assert names == ["figures.csv", "pixel.gif"]
    assert any(message.get_body(("html",)) for message in parsed)
    assert parsed[2]["Subject"] == "Grüße aus 東京 ✉"
    assert not [defect for message in parsed for part in message.walk() for defect in part.defects]


def test_they_arrived_one_after_the_other() -> None:
    times = [message.received for message in sample_mail()]

    assert times == sorted(set(times))
