"""Every key of a file that TOML allows is found on the line where it stands."""

import string
import tomllib

from hypothesis import given
from hypothesis import strategies as st

from bridge.config.toml_lines import find_lines, line_of


def lines_of(text: str) -> dict[str, int]:
    tomllib.loads(text)
    return {".".join(map(str, path)): line for path, line in find_lines(text).items()}


def test_tables_arrays_and_keys_have_their_lines() -> None:
    text = """# a comment = 1
state = "memory:"

[[listener]]  # [not.a.table]
pop3 = "a"
[[listener]]
pop3 = "b"
[timeouts]
idle = 1
"""
    assert lines_of(text) == {
        "state": 2,
        "listener": 4,
        "listener.0": 4,
        "listener.0.pop3": 5,
        "listener.1": 6,
        "listener.1.pop3": 7,
        "timeouts": 8,
        "timeouts.idle": 9,
    }


def test_a_table_under_an_array_belongs_to_its_latest_entry() -> None:
    text = "[[account]]\n[[account.source]]\nname = 1\n[account.source.more]\nx = 1\n[[account]]\n[[account.source]]\n"

    found = lines_of(text)

    assert found["account.0.source.0.name"] == 3
    assert found["account.0.source.0.more.x"] == 5
    assert found["account.1.source.0"] == 7


def test_line_ends_inside_strings_and_brackets_end_no_value() -> None:
    text = 'a = """\nb = 1\n"""\nc = [ # ]\n  "]", \n  \'\'\'\n]\'\'\', { x = "}" },\n]\nd = "\\"#"\ne = \'\\\'\nf = 1'

    assert lines_of(text) == {"a": 1, "c": 4, "d": 9, "e": 10, "f": 11}


def test_keys_may_be_quoted_and_dotted_and_lines_may_end_as_on_windows() -> None:
    text = '"a b" . \'c\'."\\u0064" = 1\r\n\r\n[ "x.y" ]\r\n\tz = 2\r\n'
    found = lines_of(text)

    assert found["a b.c.d"] == 1
    assert found["a b.c"] == 1
    assert find_lines(text)[("x.y", "z")] == 4


def test_what_has_no_line_of_its_own_has_that_of_what_is_around_it() -> None:
    lines = find_lines('\ntls = { certificate = "a" }\n')

    assert line_of(lines, ("tls", "certificate")) == 2
    assert line_of(lines, ("other",)) is None


_STRINGS = st.text(string.printable.replace("\r", "").replace("\x0b", "").replace("\x0c", ""), max_size=20)
_VALUES = st.one_of(
    st.integers().map(str),
    _STRINGS.filter(lambda text: "'''" not in text and not text.endswith("'")).map(lambda text: f"'''{text}'''"),
    _STRINGS.map(lambda text: '"""' + text.replace("\\", "\\\\").replace('"', '\\"') + '"""'),
    st.lists(st.integers()).map(lambda numbers: "[\n" + "\n".join(f"{n}, # ]" for n in numbers) + "\n]"),
)


@given(st.lists(st.tuples(_VALUES, st.sampled_from(["\n", "\n\n", " # x = [\n"]))))
def test_the_nth_key_is_found_whatever_the_values_before_hold(values: list[tuple[str, str]]) -> None:
    text, expected = "", {}
    for index, (value, after) in enumerate(values):
        expected[f"k{index}"] = text.count("\n") + 1
        text += f"k{index} = {value}{after}"

    assert lines_of(text) == expected
