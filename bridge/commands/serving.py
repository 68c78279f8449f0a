"""A bridge in the process of a command, for who has just been told that it works and wants to see it."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bridge.config import Config
from bridge.service import Bridge
from bridge.telemetry.logs import LogReader


async def serve(config: Config, clock: Any, ready: Callable[[Any], None]) -> None:
    """Until a signal comes. `ready` is told where the first port is. Raises Cannot."""
    bridge = Bridge(config, clock, LogReader(Logger("popbridge"), trace=config.trace))
    bridge.privilegedStartService()
    bridge.startService()
    clock.addSystemEventTrigger("before", "shutdown", bridge.stopService)
    ready(bridge.ports[0].getHost())
    ended: Deferred[None] = Deferred()
    clock.addSystemEventTrigger("before", "shutdown", ended.callback, None)
    await ended
