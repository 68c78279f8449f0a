"""From a file or from flags to a Config; the bridge does not start on anything that it does not understand."""

import re
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from bridge.config.accounts_directory import account_files
from bridge.config.contradictions import Finding, KeyPath
from bridge.config.notation import parse_state
from bridge.config.problems import ConfigError, Problem, WrongValue
from bridge.config.structure import Rejected, structure
from bridge.config.toml_lines import find_lines, line_of
from bridge.config.values import Config, Document
from bridge.config.vault_notation import beside

_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)")
_FLAGS_FOR = {
    "listener": ("--pop3", "give --pop3 127.0.0.1:1110"),
    "passthrough": ("--upstream", "give --upstream imaps://imap.example.org"),
    "users": ("--upstream", "give one --upstream, or write a configuration file with a [[passthrough]] for each"),
}
_KEY_OF_LINE = re.compile(r"\s*([\w.-]+)\s*=")


@frozen
class _File:
    """A file as it was read, and which of all [[account]] entries is its first."""

    name: str
    tables: dict[str, Any]
    lines: dict[KeyPath, int]
    first: int = 0


def load(path: Path) -> Config:
    """Raises ConfigError, which names every mistake in the file with its line."""
    main = _read(path, path.name)
    base = path.absolute().parent
    others: list[_File] = []
    try:
        others = _others(main, base)
        accounts = [entry for file in (main, *others) for entry in file.tables.get("account", ())]
        whole = {**main.tables, "account": accounts} if others else main.tables
        return _config(structure(whole, base), base)
    except Rejected as rejected:
        raise _error(rejected, main, others) from None


def load_text(text: str, file: Path) -> Config:
    """As it would be in that file, which need not be there."""
    main = _parsed(text, file.name)
    base = file.absolute().parent
    try:
        return _config(structure(main.tables, base), base)
    except Rejected as rejected:
        raise _error(rejected, main, []) from None


def _read(path: Path, name: str) -> _File:
    try:
        text = path.read_bytes().decode("utf-8-sig")  # Windows editors put a mark in front
    except OSError as error:
        hidden = isinstance(error, PermissionError)
        remedy = "let the user read it that the bridge runs as" if hidden else "name a configuration file"
        problem = Problem(None, "", f"{path} cannot be read ({error.strerror})", remedy)
        raise ConfigError([problem]) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(line, "", "the file is not UTF-8", "save it as UTF-8")], name) from None
    return _parsed(text, name)


def _parsed(text: str, name: str) -> _File:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax_problem(str(error), text)], name) from None
    return _File(name, tables, find_lines(text))


def _others(main: _File, base: Path) -> list[_File]:
    """The files in the directory that `accounts` names."""
    directory, here = main.tables.get("accounts"), main.tables.get("account", [])
    if not isinstance(directory, str) or not isinstance(here, list):
        return []  # told by `structure`
    try:
        paths = account_files(base / directory)
    except WrongValue as wrong:
        raise Rejected([(("accounts",), wrong)]) from None
    files: list[_File] = []
    first = len(here)
    for path in paths:
        file = evolve(_read(path, f"{directory}/{path.name}"), first=first)
        entries = file.tables.get("account")
        if list(file.tables) != ["account"] or not isinstance(entries, list):
            text = f"{file.name} holds something else than [[account]] entries"
            raise Rejected([(("accounts",), WrongValue(text, remedy="move that to the main file"))])
        first += len(entries)
        files.append(file)
    return files


def _error(rejected: Rejected, main: _File, others: list[_File]) -> ConfigError:
    """Where there are several files, those that hold a mistake are told one after the other."""
    problems: dict[str, list[Problem]] = {}
    for path, wrong in rejected.findings:
        file = main
        match path:
            case ("account", int(index), *rest) if others and index >= others[0].first:
                file = next(other for other in reversed(others) if index >= other.first)
                path = ("account", index - file.first, *rest)  # noqa: PLW2901  # as it is in that file
        problems.setdefault(file.name, []).append(_file_problem((path, wrong), file.lines))
    (name, first), *more = problems.items()
    return ConfigError(first, name, [ConfigError(others, name) for name, others in more])


def from_flags(
    *,
    pop3: Sequence[str],
    pop3s: Sequence[str],
    upstream: Sequence[str],
    state: str | None,
    delete: str | None,
    seen: str | None,
    certificate: str | None,
    key: str | None,
) -> Config:
    """The file-less way: every listener has the same certificate, every login goes to the one upstream.

    Relative paths start where the state is kept.
    """
    listeners: list[dict[str, Any]] = [{"pop3": address} for address in pop3]
    listeners += [{"pop3s": address} for address in pop3s]
    if tls := _given(certificate=certificate, key=key):
        for listener in listeners:
            listener["tls"] = tls
    tables: dict[str, Any] = _given(state=state)
    base = here = Path.cwd()
    if state is not None:
        with suppress(WrongValue):  # told below, together with everything else
            if file := parse_state(state, here):
                tables["state"], base = f"sqlite:{file}", file.parent
    tables["listener"] = listeners
    tables["passthrough"] = [{"upstream": url, **_given(delete=delete, seen=seen)} for url in upstream]
    try:
        return _config(structure(tables, base), base)
    except Rejected as rejected:
        found = dict.fromkeys(_flag_problem(finding) for finding in rejected.findings)  # what is shared is said once
        raise ConfigError(tuple(found)) from None


def _given(**flags: str | None) -> dict[str, Any]:
    return {name: value for name, value in flags.items() if value is not None}


def _config(document: Document, base: Path) -> Config:
    state = document.state and base / document.state
    return Config(
        base=base,
        listeners=document.listener,
        passthrough=document.passthrough,
        accounts=document.account,
        oauth2=document.oauth2,
        state=state,
        accounts_directory=document.accounts,
        timeouts=document.timeouts,
        limits=document.limits,
        pool=document.pool,
        vault=beside(state.parent if state else base, document.vault),
        trace=document.trace,
    )


def _syntax_problem(message: str, text: str) -> Problem:
    """tomllib's own words and line; the commonest mistake is text without quotes."""
    place = _PLACE.search(message)
    line = int(place["line"]) if place and place["line"] else text.count("\n") + 1
    lines = text.split("\n")
    key = _KEY_OF_LINE.match(lines[line - 1]) if line <= len(lines) else None
    said = _PLACE.sub("", message)
    remedy = 'a line is key = value, text stands in quotes, as in pop3 = "127.0.0.1:1110"'
    return Problem(line, key[1] if key else "", f"this is not TOML ({said[:1].lower()}{said[1:]})", remedy)


def _file_problem(finding: Finding, lines: dict[KeyPath, int]) -> Problem:
    path, wrong = finding
    key = ".".join(part for part in path if isinstance(part, str))
    remedy = wrong.remedy or f'write {path[-1]} = "{wrong.write}"'
    return Problem(line_of(lines, path), key, wrong.text, remedy)


def _flag_problem(finding: Finding) -> Problem:
    path, wrong = finding
    key = next(part for part in reversed(path) if isinstance(part, str))
    if key in _FLAGS_FOR:
        flag, remedy = _FLAGS_FOR[key]
        return Problem(None, flag, wrong.text, remedy)
    return Problem(None, f"--{key}", wrong.text, wrong.remedy or f"write --{key} {wrong.write}")
