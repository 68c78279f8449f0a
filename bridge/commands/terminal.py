"""What a command has of the terminal it was typed in, so that it can be tried without one."""

from collections.abc import Callable

from attrs import frozen


class CommandRefused(Exception):
    """The command ends here, with this sentence for the owner and exit status 1."""


@frozen
class Terminal:
    """`say`: a line that belongs to the result. `progress`: how much of what is done; it may come from a thread.

    `agrees`: the owner's answer to a question that yes or no answers.
    """

    say: Callable[[str], None]
    progress: Callable[[str, int, int], None]
    agrees: Callable[[str], bool]


def counted(number: int, thing: str, things: str = "") -> str:
    """ "1 message", "2 messages"."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {things or thing + 's'}"


def some(texts: list[str], most: int = 10) -> str:
    """A few of them in one line, and how many more there are."""
    shown = ", ".join(texts[:most])
    return f"{shown} and {len(texts) - most:,} more" if len(texts) > most else shown
