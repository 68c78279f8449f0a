# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""What the servers of providers are known to do, played as seen: read right, or refused in the right words."""

from pathlib import Path

import pytest

from tests.upstream.provider import Provider

_FOLDER = Path(__file__).parents[1] / "transcripts" / "providers"


@pytest.mark.parametrize("name", sorted(path.stem for path in _FOLDER.glob("*.txt")))
def test_what_the_server_does_is_understood(name: str) -> None:
    Provider.read(_FOLDER / f"{name}.txt").play()
