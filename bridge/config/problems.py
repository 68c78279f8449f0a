"""What is wrong in a configuration, told so that a person can mend it: where, what, and what to write instead."""

from collections.abc import Sequence

from attrs import frozen


@frozen
class Problem:
    """`key` is dotted, such as "listener.pop3", or a flag; `line` is None where there is no file or no such line."""

    line: int | None
    key: str
    text: str
    remedy: str


class ConfigError(Exception):
    """Everything found wrong at once; `source` is the file's name, empty for flags. `more`: the same of other files."""

    def __init__(self, problems: Sequence[Problem], source: str = "", more: "Sequence[ConfigError]" = ()) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: p.line or 0))
        self.source = source
        super().__init__("\n".join([*map(self._shown, self.problems), *map(str, more)]))

    def _shown(self, problem: Problem) -> str:
        line = "" if problem.line is None else f"line {problem.line}"
        where = ", ".join(part for part in (self.source, line) if part)
        head = ": ".join(part for part in (where, problem.key, problem.text) if part)
        return f"{head}; {problem.remedy}"


class WrongValue(Exception):
    """A value that cannot be taken. `write` is a value that could stand there instead; `remedy` says it in words.

    `key` names the key meant where the value is a whole table.
    """

    def __init__(self, text: str, *, write: str | None = None, remedy: str = "", key: str | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.write = write
        self.remedy = remedy
        self.key = key
