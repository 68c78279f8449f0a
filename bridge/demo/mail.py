"""The sample mail of `popbridge demo`: a few messages that show what a mail program has to get right."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import NamedTuple

_FIRST_DAY = datetime(2025, 3, 3, 9, 0, tzinfo=UTC)
_READER = "You <demo@popbridge.example>"


class SampleMessage(NamedTuple):
    octets: bytes
    received: datetime


def sample_mail() -> Iterator[SampleMessage]:
    """In the order of their arrival; the octets end their lines with CRLF and are the same every time."""
    for day, message in enumerate(_messages()):
        received = _FIRST_DAY + timedelta(days=day, minutes=7 * day)
        message["To"] = _READER
        message["Date"] = format_datetime(received)
        message["Message-ID"] = f"<sample-{day + 1}@popbridge.example>"
        yield SampleMessage(message.as_bytes(policy=_POLICY), received)


_POLICY = SMTP.clone(cte_type="8bit")


def _messages() -> Iterator[EmailMessage]:
    yield _text(
        "Popbridge <hello@popbridge.example>",
        "Welcome to Popbridge",
        """Hello!

You are reading this over POP3, but it lives in an IMAP mailbox: an IMAP server
runs beside the bridge on your machine, just for this demo. Nothing of it has
left the machine, and when you stop the demo, it is gone.

Delete this message in your mail program: the bridge marks it as deleted in the
IMAP mailbox, where it could still be rescued.
""",
    )
    yield _text(
        "Dorothea Punkt <dot@popbridge.example>",
        "Lines that begin with a dot",
        """In POP3 a line with nothing but a dot ends a message. So a dot at the beginning
of a line is doubled on the way, and the mail program takes it away again:

.
..
...and on it goes
.profile, .gitignore, .

If you can read this line, the dots above did no harm.
""",
    )
    yield _text(
        "Zoë Ångström <zoe@popbridge.example>",
        "Grüße aus 東京 ✉",
        """Liebe Leserin, cher lecteur, お元気ですか,

eight bits a character are not enough for everyone: ä, ß, œ, Ž, λ, Ж, 漢字, 🙂.
The bridge hands every octet on as the IMAP server keeps it.

Zoë
""",
    )
    yield _with_attachment()
    yield _with_html()
    yield _reply()


def _text(sender: str, subject: str, text: str) -> EmailMessage:
    message = EmailMessage(policy=_POLICY)
    message["From"] = sender
    message["Subject"] = subject
    message.set_content(text, cte="7bit" if text.isascii() else "8bit")
    return message


def _with_attachment() -> EmailMessage:
    message = _text(
        "Ada Listman <ada@popbridge.example>",
        "The figures you asked for",
        "Hello,\n\nthe table is attached, and a picture of one red pixel.\n\nAda\n",
    )
    table = "month,messages\nJanuary,31\nFebruary,28\nMarch,31\n"
    message.add_attachment(table, subtype="csv", filename="figures.csv", cte="7bit")
    message.add_attachment(_RED_PIXEL, maintype="image", subtype="gif", filename="pixel.gif")
    message.set_boundary("=-a-boundary-that-stays-the-same-1")
    return message


_RED_PIXEL = bytes.fromhex("47494638396101000100800000ff000000000021f90400000000002c00000000010001000002024401003b")


def _with_html() -> EmailMessage:
    message = _text(
        "The Gazette <news@popbridge.example>",
        "News: mail still works",
        "MAIL STILL WORKS\n\nFifty years on, it is in good health.\n",
    )
    message.add_alternative(
        "<!DOCTYPE html>\n<h1>Mail still works</h1>\n<p>Fifty years on, it is in <em>good</em> health.</p>\n",
        subtype="html",
        cte="7bit",
    )
    message.set_boundary("=-a-boundary-that-stays-the-same-2")
    return message


def _reply() -> EmailMessage:
    message = _text(
        "Zoë Ångström <zoe@popbridge.example>",
        "Re: Grüße aus 東京 ✉",
        """> The bridge hands every octet on as the IMAP server keeps it.

And numbers stay what they are while you are connected: message 3 is message 3,
even when 1 and 2 have been deleted. Try it: DELE 1, then LIST.

Zoë
""",
    )
    message["In-Reply-To"] = "<sample-3@popbridge.example>"
    message["References"] = "<sample-3@popbridge.example>"
    return message
