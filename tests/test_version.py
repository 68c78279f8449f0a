"""The version has one home."""

import re
import tomllib
from pathlib import Path

import bridge.version

PROJECT = Path(__file__).parent.parent


def test_the_version_is_three_numbers() -> None:
    """CAPA's IMPLEMENTATION, --version and the package show it as it stands."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", bridge.version.__version__)


def test_the_package_takes_its_version_from_there() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    assert "version" not in project["project"]
    assert PROJECT / project["tool"]["hatch"]["version"]["path"] == Path(bridge.version.__file__)
