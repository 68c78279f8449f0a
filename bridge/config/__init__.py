"""What the machine's owner decided: a TOML file or flags become frozen values; an error names key, line and remedy."""

from bridge.config.problems import ConfigError, Problem
from bridge.config.reading import from_flags, load
from bridge.config.values import (
    Certificate,
    Config,
    Device,
    Endpoint,
    KeySource,
    Limits,
    Listener,
    Mechanism,
    OwnAccount,
    OwnSource,
    PassThrough,
    Pool,
    Reference,
    SelfSigned,
    Settings,
    Timeouts,
    Upstream,
    VaultSettings,
)

__all__ = [
    "Certificate",
    "Config",
    "ConfigError",
    "Device",
    "Endpoint",
    "KeySource",
    "Limits",
    "Listener",
    "Mechanism",
    "OwnAccount",
    "OwnSource",
    "PassThrough",
    "Pool",
    "Problem",
    "Reference",
    "SelfSigned",
    "Settings",
    "Timeouts",
    "Upstream",
    "VaultSettings",
    "from_flags",
    "load",
]
