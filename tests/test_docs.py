"""The documentation says what is so: its tables and links are held against the code."""

import re
from pathlib import Path

import attrs
import pytest

from bridge.config import OAuth2Grant, PassThrough
from bridge.config.presets import PRESETS
from bridge.events import SessionClosed
from bridge.maildrop.uidl import NAMED, parse_format
from bridge.names import UidValidity
from bridge.plugin import Options
from bridge.pop3.replies import ResponseCode
from bridge.version import __version__

_ROOT = Path(__file__).resolve().parents[1]
_PAGES = [_ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")] + sorted(
    (_ROOT / "docs").rglob("*.md")
)


def text_of(name: str) -> str:
    return (_ROOT / name).read_text()


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(_ROOT)))
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    broken = [target for target in targets if "://" not in target and not (page.parent / target).exists()]

    assert broken == []


@pytest.mark.parametrize("name", NAMED)
def test_every_uidl_format_is_shown_as_it_is_written(name: str) -> None:
    row = next(
        line for line in text_of("docs/protocols.md").splitlines() if line.startswith("|") and f"`{name}`" in line
    )

    assert f"`{parse_format(name).uidl(UidValidity(1600000001), 42)}`" in row


def test_every_flag_stands_in_the_readme() -> None:
    flags = {str(option[0]) for option in (*Options.optParameters, *Options.optFlags)} | {"pop3", "pop3s", "upstream"}
    missing = [flag for flag in sorted(flags) if f"--{flag}" not in text_of("README.md")]

    assert missing == []


def test_every_key_of_an_account_is_explained() -> None:
    pages = text_of("README.md") + text_of("docs/operations.md")
    missing = [key.name for key in attrs.fields(PassThrough) if not re.search(rf"`{key.name}\b|\n{key.name} = ", pages)]

    assert missing == []


def test_every_key_of_an_oauth2_grant_is_explained() -> None:
    page = text_of("docs/oauth2.md")

    assert [key.name for key in attrs.fields(OAuth2Grant) if f"{key.name} = " not in page] == []


@pytest.mark.parametrize("provider", PRESETS)
def test_every_provider_with_a_preset_is_named(provider: str) -> None:
    assert provider in text_of("docs/oauth2.md").lower().replace(".", "")


def test_every_field_of_the_session_line_is_explained() -> None:
    fields = {field.name for field in attrs.fields(SessionClosed)} - {"session", "seconds"}
    page = text_of("docs/operations.md")

    assert [field for field in sorted(fields) if f"`{field}`" not in page] == []


def test_the_response_codes_in_use_are_explained() -> None:
    page = text_of("docs/protocols.md")
    used = "".join(path.read_text() for path in (_ROOT / "bridge/downstream").glob("*.py"))

    assert [c.value for c in ResponseCode if f"ResponseCode.{c.name}" in used and f"`[{c.value}]`" not in page] == []


def test_the_changelog_has_the_version() -> None:
    assert f"## {__version__}" in text_of("CHANGELOG.md")
