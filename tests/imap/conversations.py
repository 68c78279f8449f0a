"""What the tests of the client share: a client in a known state, and happenings without the network's cuts."""

from collections.abc import Iterable, Sequence

from bridge.imap.client import BodyOctets, Client, Event, Limits, ListingRows, Responded, RowsCame
from bridge.imap.commands import Command, Login
from bridge.imap.fragments import DEFAULT_LIMITS
from bridge.imap.quirks import Met, ignore
from bridge.secret import Secret


def connected(capabilities: str = "IMAP4rev1", *, limits: Limits = DEFAULT_LIMITS, on_quirk: Met = ignore) -> Client:
    """Behind a greeting that names these capabilities."""
    client = Client(limits=limits, on_quirk=on_quirk)
    hear(client, f"* OK [CAPABILITY {capabilities}] ready\r\n".encode())
    return client


def logged_in(capabilities: str = "IMAP4rev1", *, limits: Limits = DEFAULT_LIMITS, on_quirk: Met = ignore) -> Client:
    """The login was A1; the next tag is A2."""
    client = connected(capabilities, limits=limits, on_quirk=on_quirk)
    say(client, Login(b"alice", Secret(b"wonder")))
    hear(client, f"A1 OK [CAPABILITY {capabilities}] in\r\n".encode())
    return client


def say(client: Client, *commands: Command) -> bytes:
    for command in commands:
        client.send(command)
    return client.octets_to_send()


def hear(client: Client, octets: bytes) -> list[Event]:
    return list(client.receive(octets))


def hear_in_pieces(client: Client, pieces: Iterable[bytes]) -> list[Event]:
    return [event for piece in pieces for event in client.receive(piece)]


def is_quiet(client: Client) -> bool:
    return client.quiet


def joined(events: Sequence[Event]) -> list[Event]:
    """Neighbouring pieces of a body, and neighbouring rows of a listing, made one; others one by one."""
    whole: list[Event] = []
    for event in events:
        last = whole[-1] if whole else None
        match last, event:
            case BodyOctets(one), BodyOctets(other):
                whole[-1] = BodyOctets(one + other)
            case ListingRows(), ListingRows():
                whole[-1] = ListingRows(
                    last.numbers + event.numbers,
                    last.uids + event.uids,
                    last.sizes + event.sizes,
                    last.dates + event.dates,
                    last.deleted + event.deleted,
                    last.hidden + event.hidden,
                )
            case _, RowsCame(rows, command, tag):
                whole.extend(Responded(row, command, tag) for row in rows)
            case _:
                whole.append(event)
    return whole
