"""What is remembered of a grant comes back as it was, and nothing unreadable is an obstacle."""

import pytest

from bridge.credentials.oauth2_record import NOTHING, Record, recall, remember
from bridge.secret import Secret
from tests.contracts.fake_vault import FakeVault
from tests.credentials.authority import Authority

done = Authority().done

FULL = Record(client_id="popbridge", refresh=Secret(b"r1"), since=5.0, refused="revoked", refused_at=7.5)


@pytest.mark.parametrize("record", [FULL, NOTHING, Record(refused="no", refused_at=1.0)])
def test_what_is_remembered_is_recalled(record: Record) -> None:
    vault = FakeVault()
    done(remember(vault, "work", record))
    assert done(recall(vault, "work")) == record
    assert done(recall(vault, "play")) == NOTHING
    assert done(vault.names()) == ["oauth2/work"]


@pytest.mark.parametrize("kept", [b"[]", b"7", b"plain token", b'"text"', b"\xff"])
def test_what_cannot_be_read_is_as_good_as_nothing(kept: bytes) -> None:
    vault = FakeVault()
    done(vault.put("oauth2/work", Secret(kept)))
    assert done(recall(vault, "work")) == NOTHING
