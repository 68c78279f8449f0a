"""`twistd popbridge`: options to a service."""

import gc
from pathlib import Path
from typing import ClassVar, cast

from attrs import evolve
from twisted.internet import reactor  # noqa: TID251  assembly may know it
from twisted.internet.interfaces import IReactorCore
from twisted.logger import Logger
from twisted.python import usage

from bridge.config import Config, ConfigError, from_flags, load
from bridge.service import Bridge, Reactor
from bridge.telemetry.logs import LogReader
from bridge.version import __version__


class Options(usage.Options):
    """Either --config, or at least --pop3 or --pop3s and --upstream."""

    synopsis = "[--config FILE | --pop3 ADDRESS --upstream URL …]"
    optParameters: ClassVar = [
        ["config", "c", None, "the configuration file; no other flag but --trace goes with it"],
        [
            "state",
            None,
            None,
            "where what must survive a restart is kept: sqlite:FILE (default: sqlite:popbridge.sqlite), or memory:",
        ],
        ["delete", None, None, "what DELE means upstream: flag (default), expunge, trash, archive, hide or keep"],
        ["seen", None, None, "what is marked as read upstream: never (default), retrieved or deleted"],
        ["certificate", None, None, "the PEM file with the certificate and its chain, for STLS and pop3s"],
        ["key", None, None, "the PEM file with its private key"],
    ]
    optFlags: ClassVar = [["trace", None, "log the protocol, with credentials blanked and without mail"]]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self["pop3"], self["pop3s"], self["upstream"] = [], [], []

    def opt_pop3(self, address: str) -> None:
        """Listen for POP3 there, such as 127.0.0.1:1110 (repeatable)"""
        self["pop3"].append(address)

    def opt_pop3s(self, address: str) -> None:
        """Listen for POP3 over TLS there, such as [::]:995 (repeatable)"""
        self["pop3s"].append(address)

    def opt_upstream(self, url: str) -> None:
        """Where the mail is, such as imaps://imap.example.org"""
        self["upstream"].append(url)

    def opt_version(self) -> None:
        """Print the version and exit"""
        print(f"popbridge {__version__}")  # noqa: T201  this is the command line
        raise SystemExit(0)


def read_config(options: Options) -> Config:
    """ConfigError with every problem; a file and flags for the same thing are one."""
    flags = {
        name: options[name] for name in ("pop3", "pop3s", "upstream", "state", "delete", "seen", "certificate", "key")
    }
    if options["config"] is None:
        return from_flags(**flags)
    given = [f"--{name}" for name, value in flags.items() if value]
    if given:
        raise usage.UsageError(f"--config and {', '.join(given)} exclude each other; write it into the file")
    return load(Path(options["config"]))


def makeService(options: Options) -> Bridge:
    try:
        config = read_config(options)
    except ConfigError as error:
        raise SystemExit(str(error)) from None
    trace = config.trace or bool(options["trace"])
    # What stays until the end, a hundred thousand objects of modules, is not looked through for garbage ever again.
    cast("IReactorCore", reactor).callWhenRunning(gc.freeze)
    return Bridge(evolve(config, trace=trace), cast("Reactor", reactor), LogReader(Logger("popbridge"), trace=trace))
