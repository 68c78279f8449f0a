"""The closed list of what is told."""

from typing import get_args

import attrs
import pytest

from bridge import events
from bridge.events import Event, ListenerOpened
from bridge.names import SessionId

MEMBERS = get_args(Event)


def test_the_list_is_closed() -> None:
    """Every event class of the module is in the union that readers match over, and nothing else is."""
    classes = {it for it in vars(events).values() if isinstance(it, type) and it.__module__ == events.__name__}
    assert set(MEMBERS) == classes


@pytest.mark.parametrize("member", MEMBERS)
def test_an_event_holds_no_secret(member: type[attrs.AttrsInstance]) -> None:
    """S30: only names, numbers and short texts; there is no field that octets of a mail or a password would fit in."""
    assert {field.type for field in attrs.fields(member)} <= {str, str | None, int, float, bool, SessionId}


def test_an_event_does_not_change() -> None:
    event = ListenerOpened("127.0.0.1:1110", tls=False)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        event.tls = True  # type: ignore[misc]  # the very thing that must fail
