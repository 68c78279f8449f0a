"""What the machine's owner decided: a TOML file or flags become frozen values; an error names key, line and remedy."""

from bridge.config.problems import ConfigError, Problem
from bridge.config.reading import from_flags, load
from bridge.config.values import (
    Certificate,
    Config,
    Device,
    Endpoint,
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
)

__all__ = [
    "Certificate",
    "Config",
    "ConfigError",
    "Device",
    "Endpoint",
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
    "from_flags",
    "load",
]
