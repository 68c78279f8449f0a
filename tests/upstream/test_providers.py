"""What the servers of providers are known to do, played as seen: read right, or refused in the right words."""

import re
from pathlib import Path

import pytest

from bridge.imap.quirks import Quirk
from bridge.imap.wordings import WORDINGS
from tests.upstream.provider import Provider

_ROOT = Path(__file__).parents[2]
_ALL = sorted((_ROOT / "tests" / "transcripts" / "providers").glob("*.txt"))


@pytest.mark.parametrize("path", _ALL, ids=lambda path: path.stem)
def test_what_the_server_does_is_understood(path: Path) -> None:
    Provider.read(path).play()


def test_a_transcript_that_does_not_hold_fails(tmp_path: Path) -> None:
    for old, new in (("S: +OK {one}", "S: +OK {letter}"), ("c: UID FETCH 32", "c: UID FETCH 31"), ("C: RETR 2\n", "")):
        [path] = [path for path in _ALL if path.stem == "yahoo-one-message-that-is-not-given"]
        text = path.read_text()
        assert old in text
        (tmp_path / "changed.txt").write_text(text.replace(old, new))
        with pytest.raises(AssertionError, match=re.escape("changed.txt:")):
            Provider.read(tmp_path / "changed.txt").play()


def test_every_name_has_its_transcript_and_its_line_in_the_documentation() -> None:
    said = "\n".join(path.read_text() for path in _ALL)
    met = set(re.findall(r"^met: (\w+)$", said, re.MULTILINE))
    assert {wording.quirk.name for wording in WORDINGS} | {Quirk.SUBSTITUTE_LETTER.name} <= met
    documented = (_ROOT / "docs" / "protocols.md").read_text()
    assert all(f"| {name} |" in documented for name in met - {Quirk.MISSING_TEXT.name, Quirk.UID_LAST.name})
