"""Waiting until a person has typed a code into a browser elsewhere (RFC 8628)."""

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from bridge.credentials.oauth2_answers import DeviceCodes, Tokens
from bridge.credentials.oauth2_client import Client, NoTokens, Refused

SLOWER = 5.0
"""Seconds more between two questions, whenever the server wants that (section 3.5)."""


class TooLate(Exception):
    """Nobody typed the code in its time."""


async def until_typed(client: Client, codes: DeviceCodes, clock: IReactorTime) -> Tokens:
    """Raises Refused where the person said no, and TooLate."""
    interval, end = codes.interval, clock.seconds() + codes.lifetime
    while True:
        await deferLater(clock, interval)
        if clock.seconds() >= end:
            raise TooLate
        try:
            return await client.polled(codes)
        except Refused as refused:
            match refused.code:
                case "authorization_pending":
                    pass
                case "slow_down":
                    interval += SLOWER
                case "expired_token":
                    raise TooLate from None
                case _:
                    raise
        except NoTokens as lost:
            # Section 3.5: after a time-out the next question comes later, as after any trouble on the way.
            interval = max(2 * interval, lost.retry_after or 0.0)
