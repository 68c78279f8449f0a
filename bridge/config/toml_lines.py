"""On which line a TOML file says what, so that an error can point there: tomllib gives values, but no lines.

The text must have been accepted by tomllib before; keys inside an inline table have the line of their table.
"""

import re
import tomllib

Path = tuple[str | int, ...]

_SIMPLE_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_KEY = rf"{_SIMPLE_KEY}(?:[ \t]*\.[ \t]*{_SIMPLE_KEY})*"
_STATEMENT = re.compile(
    rf"""(?P<nothing>[ \t]*(?:\#[^\n]*)?(?:\n|\Z))
        |[ \t]*\[\[[ \t]*(?P<array>{_KEY})[ \t]*\]\]
        |[ \t]*\[[ \t]*(?P<table>{_KEY})[ \t]*\]
        |[ \t]*(?P<key>{_KEY})[ \t]*=""",
    re.VERBOSE,
)
_VALUE_PART = re.compile(
    r'''"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\]|\\.)*"|'[^']*'|\#[^\n]*|[^"'\#]''',
    re.DOTALL,
)


def find_lines(text: str) -> dict[Path, int]:
    """Each table, array entry and key, as a path such as ("listener", 0, "pop3"), with its line counted from 1."""
    text = text.replace("\r\n", "\n")
    lines: dict[Path, int] = {}
    entries: dict[Path, int] = {}  # how often an array table was opened, less one
    table: Path = ()
    position, line = 0, 1
    while position < len(text):
        statement = _STATEMENT.match(text, position)
        if statement is None:  # tomllib took what this walk does not know: better no line than a wrong one
            return lines
        end = statement.end()
        if array := statement["array"]:
            parent = _resolve(array, entries)
            entries[parent] = entries.get(parent, -1) + 1
            lines.setdefault(parent, line)
            table = (*parent, entries[parent])
            lines[table] = line
        elif header := statement["table"]:
            table = _resolve(header, entries)
            lines.setdefault(table, line)
        elif key := statement["key"]:
            _note(lines, table, _parts(key), line)
            end = _end_of_value(text, end)
        line += text.count("\n", position, end)
        position = end
    return lines


def line_of(lines: dict[Path, int], path: Path) -> int | None:
    """The line of the path, or of the nearest thing around it that has one."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return None


def _parts(key: str) -> tuple[str, ...]:
    """A dotted key's parts without quotes and escapes; tomllib itself reads them."""
    parts: list[str] = []
    nested: object = tomllib.loads(f"{key} = 0")
    while isinstance(nested, dict):
        [(part, nested)] = nested.items()
        parts.append(part)
    return tuple(parts)


def _resolve(header: str, entries: dict[Path, int]) -> Path:
    """A header names the latest entry of every array table on its way (TOML 1.0, array of tables)."""
    path: Path = ()
    for part in _parts(header):
        if path in entries:
            path = (*path, entries[path])
        path = (*path, part)
    return path


def _note(lines: dict[Path, int], table: Path, parts: tuple[str, ...], line: int) -> None:
    for length in range(1, len(parts) + 1):
        lines.setdefault((*table, *parts[:length]), line)


def _end_of_value(text: str, position: int) -> int:
    """Behind the line end that ends a value; line ends inside strings and brackets do not."""
    depth = 0
    while position < len(text):
        part = _VALUE_PART.match(text, position)
        if part is None:
            return len(text)
        position = part.end()
        match part[0]:
            case "[" | "{":
                depth += 1
            case "]" | "}":
                depth -= 1
            case "\n" if depth == 0:
                return position
    return position
