"""What messages are recognised by is known before they are listed, where copies are hidden; and fetched once."""

from collections.abc import Sequence

import pytest

from bridge.maildrop.errors import UpstreamUnavailable
from bridge.maildrop.memory import Fingerprint
from bridge.postoffice.learning import AT_ONCE, learn_before_listing, unlearned
from tests.postoffice.kit import Ground, HeldSource, result


class Counting(HeldSource):
    counted: list[int]
    gives_up_at = 10**9

    async def fingerprints(self, uids: Sequence[int]) -> dict[int, Fingerprint]:
        if uids[-1] > self.gives_up_at:
            raise UpstreamUnavailable("gone")
        self.counted.append(len(uids))
        return await super().fingerprints(uids)


def test_in_parts_and_what_was_learned_before_a_failure_stays() -> None:
    ground = Ground(*[b"Message-ID: <x>\r\n\r\n"] * (2 * AT_ONCE + 1))
    ground.open()
    memory = result(ground.store.recall(ground.account.key))
    assert memory is not None
    assert [len(part) for part in unlearned(memory)] == [AT_ONCE, AT_ONCE, 1]
    source = Counting(ground.messages, uidvalidity=7, uidnext=ground.uidnext)
    source.answers, source.counted, source.gives_up_at = [], [], 2 * AT_ONCE
    with pytest.raises(UpstreamUnavailable):
        result(learn_before_listing(ground.store, ground.account, memory, source))
    memory = result(ground.store.recall(ground.account.key))
    assert memory is not None
    assert memory.learned_to == 2 * AT_ONCE

    source.gives_up_at = 10**9
    assert result(learn_before_listing(ground.store, ground.account, memory, source)) == 2 * AT_ONCE + 1
    assert source.counted == [AT_ONCE, AT_ONCE, 1]
    memory = result(ground.store.recall(ground.account.key))
    assert memory is not None
    assert unlearned(memory) == []
    assert len(result(ground.store.fingerprints(ground.account.key, 1))) == 2 * AT_ONCE + 1
