"""A transcript as a text file: what a mail program says and must hear, one promise a file.

    A mail program that asks for a deleted message is told so.          the promise, in a user's words
    also: Dovecot                                                       its own POP3 server keeps it too
    # Fault 2.                                                          where it comes from

    --- login                    greeting (unless it was read), USER and PASS, as most transcripts begin
    C: DELE 2                    a line to the server
    S: +OK …                     the line that must come; … is any text, with the blank before it, or none
    S: /\\+OK [0-9]+ octets/     or a regular expression for the whole line; (?P<name>…) keeps what it found
    S-perhaps: +OK …             a line that may come
    S-has: UIDL                  somewhere in the list up to its dot, and …
    S-lacks: APOP                … nowhere in it; several of them read one list, and leave the dot to an S: line
    S-raw: + \\r\\n              exact octets, with Python's escapes
    S-closed                     the server has nothing more to say and has closed
    C-raw: NOOP\\r\\nNO          exact octets, sent as one segment, and read by the server before the next is sent
    C-tls                        the handshake, with a verified certificate
    --- drop                     the connection is gone, without QUIT; the next line opens another
    --- session two              from here on another connection, beside the first one, which is called one
    upstream: …                  what somebody does or sees by IMAP meanwhile; see `player`

Before the first step, `password: …` gives the account that password, and `user: …` ends its name so.
{user}, {password}, {plain}, {wrong} (SASL PLAIN's response, right and with a wrong password), {size1} and {sent1}
(octets of the first message as stored and as RETR sends it), {count}, {total}, {token}, {300*x} and what S: lines
have kept are put in where they stand. Lines are compared as octets; the file is UTF-8.
"""

from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

VERBS = frozenset(
    ("C", "C-raw", "C-tls", "S", "S-perhaps", "S-has", "S-lacks", "S-raw", "S-closed", "---", "upstream"),
)


@frozen
class Step:
    """One line of a transcript; `where` names file and line for a reader of a failure."""

    where: str
    verb: str
    text: str


@frozen
class Transcript:
    promise: str
    steps: tuple[Step, ...]
    also_dovecot: bool = False
    password: str = "test"
    user: str = ""


class TranscriptError(Exception):
    """A transcript that cannot be read; the text names file and line."""


def read(path: Path) -> Transcript:
    """The transcript in this file."""
    lines = path.read_text("utf-8").splitlines()
    if not lines or not lines[0] or lines[0][0] in "#-" or lines[0].split(":")[0] in VERBS:
        raise TranscriptError(f"{path.name}:1: the first line is the promise, in a user's words")
    settings: dict[str, str] = {}
    steps: list[Step] = []
    for verb, text, where in _meaningful(path.name, lines[1:]):
        if verb in ("also", "password", "user") and not steps:
            settings[verb] = text
        elif verb in VERBS:
            steps.append(Step(where, verb, text))
        else:
            raise TranscriptError(f"{where}: {verb!r} is no verb of a transcript")
    if settings.get("also", "Dovecot") != "Dovecot":
        raise TranscriptError(f"{path.name}: also: Dovecot, or not at all")
    return Transcript(
        promise=lines[0],
        steps=tuple(steps),
        also_dovecot="also" in settings,
        password=settings.get("password", "test"),
        user=settings.get("user", ""),
    )


def _meaningful(name: str, lines: list[str]) -> Iterator[tuple[str, str, str]]:
    """(verb, text, where) of each line that is neither empty nor a comment. A blank at a line's end counts."""
    for number, line in enumerate(lines, 2):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("---"):
            yield "---", line.removeprefix("---").strip(), f"{name}:{number}"
        else:
            verb, _, text = line.partition(":")
            yield verb, text.removeprefix(" "), f"{name}:{number}"
