"""A command on the reactor: its work, the owner's terminal, and an exit status that a script can rely on.

0: done, and nothing to be said against it. 1: refused, failed, or (diff) different; the reason is a sentence.
"""

import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import click
from twisted.internet import reactor  # noqa: TID251  assembly may know it
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)

from bridge.commands.terminal import CommandRefused, Terminal
from bridge.maildrop.errors import Trouble
from bridge.secret import Secret

STEP = 1_000
"""Messages between two lines of progress."""


def run(work: Callable[[Any], Coroutine[Any, Any, bool]]) -> None:
    """Run the reactor until the work is done; its verdict is the exit status."""
    observer = textFileLogObserver(sys.stderr)
    globalLogBeginner.beginLoggingTo(
        [FilteringLogObserver(observer, [LogLevelFilterPredicate(LogLevel.warn)])], redirectStandardIO=False
    )

    fine = False

    async def judged(clock: Any) -> None:
        nonlocal fine
        fine = await _told(work(clock))

    try:
        react(lambda clock: Deferred.fromCoroutine(judged(clock)), _reactor=reactor)
    except SystemExit as ended:
        # For react a work that Ctrl-C cut short is nothing bad.
        raise SystemExit(ended.code or (0 if fine else 1)) from None


async def _told(work: Coroutine[Any, Any, bool]) -> bool:
    """What went wrong goes to standard error as a sentence."""
    try:
        return await work
    except click.Abort:
        click.echo("given up", err=True)
    except CommandRefused as refusal:
        click.echo(f"popbridge: {refusal}", err=True)
    except Trouble as trouble:
        click.echo(f"popbridge: {trouble}" + (f" ({trouble.detail})" if trouble.detail else ""), err=True)
    return False


def at_the_terminal(*, yes: bool) -> Terminal:
    """`yes`: every question is answered by it."""
    last = 0

    def progress(what: str, done: int, total: int) -> None:
        """To standard error, for it is no result."""
        nonlocal last
        if done // STEP > last or (done == total > STEP):
            click.echo(f"{what}: {done:,} of {total:,}", err=True)
        last = 0 if done == total else done // STEP

    return Terminal(click.echo, progress, (lambda _: True) if yes else _agrees)


def password(variable: str, prompt: str, *, optional: bool = False) -> Secret:
    """From the environment, for scripts, or typed; never from the command line, which everybody on the machine sees.

    `optional`: nothing at all is an answer too.
    """
    given = os.environ.get(variable)
    if given is None:
        with _ctrl_c():
            nothing = "" if optional else None
            given = click.prompt(prompt, hide_input=True, err=True, default=nothing, show_default=False)
    return Secret(given.encode())


def asked(prompt: str) -> str:
    with _ctrl_c():
        return str(click.prompt(prompt))


def _agrees(question: str) -> bool:
    with _ctrl_c():
        return click.confirm(question)


@contextmanager
def _ctrl_c() -> Iterator[None]:
    """The reactor's own Ctrl-C would be heard only after the answer."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
