"""Passwords and tokens do not leak by being printed, compared or stored (S30)."""

import copy
import pickle
import traceback

import pytest

from bridge.secret import Secret


def test_only_reveal_shows_it() -> None:
    secret = Secret(b"hunter2")
    assert secret.reveal() == b"hunter2"
    for shown in (repr(secret), str(secret), f"{secret}", f"{[secret]}", "%s" % secret):  # noqa: UP031  # that way of printing too
        assert "hunter2" not in shown


def test_a_traceback_with_its_variables_shows_nothing() -> None:
    def fail(secret: Secret) -> None:
        raise ValueError(secret)

    try:
        fail(Secret(b"hunter2"))
    except ValueError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "Secret(…)" in shown
    # The line that makes the secret is source text; what its value prints as is not.
    assert shown.count("hunter2") == shown.count('Secret(b"hunter2")')


def test_equal_octets_are_equal_secrets() -> None:
    assert Secret(b"a") == Secret(b"a")
    assert Secret(b"a") != Secret(b"b")
    assert Secret(b"a") != b"a"


def test_it_is_no_key() -> None:
    with pytest.raises(TypeError):
        hash(Secret(b"a"))


def test_it_is_not_stored() -> None:
    with pytest.raises(TypeError, match="not to be stored"):
        pickle.dumps(Secret(b"a"))
    with pytest.raises(TypeError, match="not to be stored"):
        copy.copy(Secret(b"a"))
