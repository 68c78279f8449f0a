"""What a test needs from the machine: present it runs, missing it is skipped loudly, and on CI missing is a failure."""

import os
from typing import NoReturn

import pytest


def need(what: str, why: str, *, optional: bool = False) -> NoReturn:
    """`what` is missing: the test that needs it ends here; `why` says how to get it.

    optional: what is no part of the project may be missing on CI too.
    """
    text = f"{what} is missing: {why}"
    if not optional and os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(text, pytrace=False)
    pytest.skip(text)
