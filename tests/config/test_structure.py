"""Tables become values with their defaults, paths start at the base, and every mistake in them is found at once."""

from pathlib import Path
from typing import Any

import attrs
import pytest

from bridge.config.structure import Rejected, structure
from bridge.config.values import Certificate, Endpoint, Listener, OwnAccount, OwnSource, PassThrough, SelfSigned
from tests.config.entries import ACCOUNT, PASSTHROUGH, SOURCE


def listener(**keys: Any) -> Listener:
    tables = {"listener": [{"pop3": "127.0.0.1:1110", **keys}], "passthrough": [PASSTHROUGH]}
    return structure(tables, Path("/")).listener[0]


def paths(tables: dict[str, Any]) -> set[tuple[str | int, ...]]:
    with pytest.raises(Rejected) as caught:
        structure(tables, Path("/"))
    return {path for path, _ in caught.value.findings}


def test_a_listener_may_have_no_certificate_one_of_its_own_or_a_self_signed_one(tmp_path: Path) -> None:
    (tmp_path / "c.pem").touch()
    (tmp_path / "k.pem").touch()
    tables = {
        "listener": [{"pop3": ":110", "tls": {"certificate": "c.pem", "key": str(tmp_path / "k.pem")}}],
        "passthrough": [PASSTHROUGH],
    }

    assert structure(tables, tmp_path).listener[0].tls == Certificate(tmp_path / "c.pem", tmp_path / "k.pem")
    assert listener(tls="self-signed").tls == SelfSigned()
    assert listener().tls is None


def test_one_listener_may_have_both_kinds_of_address() -> None:
    assert listener(pop3s="127.0.0.1:995").pop3s == Endpoint("127.0.0.1", 995)


def test_mistakes_in_several_places_are_found_together() -> None:
    tables = {
        "trace": "yes",
        "listener": [{"pop3": ":110"}, {"pop3": "x", "nul": "drop", "colour": 1}],
        "passthrough": [{}, {"upstream": "imaps://h", "delete": "never"}],
        "timeouts": {"idle": "soon"},
    }

    assert paths(tables) == {
        ("trace",),
        ("listener", 1, "pop3"),
        ("listener", 1, "nul"),
        ("listener", 1, "colour"),
        ("passthrough", 0, "upstream"),
        ("passthrough", 1, "delete"),
        ("timeouts", "idle"),
    }


@pytest.mark.parametrize("value", [None, 0, 1.5, True, "x", [], [1], [[]], {}, {"a": 1}])
def test_no_value_of_any_kind_anywhere_is_more_than_a_mistake(value: object) -> None:
    whole: dict[str, Any] = {
        "listener": [{"pop3": ":1"}],
        "passthrough": [dict(PASSTHROUGH)],
        "account": [{**ACCOUNT, "source": [dict(SOURCE)]}],
        "timeouts": {},
        "limits": {},
    }
    for key in ("state", "trace", "listener", "passthrough", "timeouts", "limits", "account"):
        _try({**whole, key: value})
    for key in ("pop3", "pop3s", "tls", "cleartext", "nul", "sasl"):
        _try({**whole, "listener": [{"pop3": ":1", key: value}]})
    for key in (field.name for field in attrs.fields(PassThrough)):
        _try({**whole, "passthrough": [{**PASSTHROUGH, key: value}]})
    for key in (field.name for field in attrs.fields(OwnAccount)):
        _try({**whole, "account": [{**ACCOUNT, "source": [dict(SOURCE)], key: value}]})
    for key in (field.name for field in attrs.fields(OwnSource)):
        _try({**whole, "account": [{**ACCOUNT, "source": [{**SOURCE, key: value}]}]})
    for table, key in (("timeouts", "idle"), ("limits", "connections")):
        _try({**whole, table: {key: value}})


def _try(tables: dict[str, Any]) -> None:
    try:
        structure(tables, Path("/"))
    except Rejected as rejected:
        assert all(wrong.text and (wrong.remedy or wrong.write) for _, wrong in rejected.findings)
