"""What is held in memory shows itself nowhere. That it is a vault, tests/contracts/test_vault.py says."""

from bridge.credentials.memory_vault import MemoryVault
from bridge.secret import Secret


def test_a_vault_that_is_printed_tells_names_and_no_secrets() -> None:
    vault = MemoryVault(lambda: 5.0)
    vault.put("work", Secret(b"wonder-4711"))

    assert "work" in repr(vault)
    assert "wonder" not in repr(vault)
    assert vault.kept["work"][1] == 5.0
