"""The vault in memory, which keeps what the contract says a vault keeps (`test_vault`), for tests above it."""

from bridge.credentials.memory_vault import MemoryVault as FakeVault

__all__ = ["FakeVault"]
