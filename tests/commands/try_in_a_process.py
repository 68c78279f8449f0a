"""`popbridge try` as it runs, in an internet of the test's: its arguments are a folder, ports of servers, and its own.

Everything but the network is what an owner gets: the reactor, the terminal, the exit status.
"""

import json
import sys
from pathlib import Path
from typing import Any

from bridge.accounts.address import parse_address
from bridge.commands.running import at_the_terminal, password, run
from bridge.commands.trying import Wish, try_address
from tests.accounts.internet import MAIL, WEB, Internet, document


def main(plan: dict[str, Any]) -> None:
    async def work(clock: Any) -> bool:
        ca = Path(plan["ca"])
        internet = Internet(clock, ca, (Path(plan["certificate"]), Path(plan["key"])))
        internet.routed.routes[MAIL, 993] = plan["imaps"]
        internet.host("imap.example.org", MAIL)
        internet.host("imap.hoster.net", MAIL)
        internet.host("autoconfig.example.org", WEB)
        internet.page(
            "https://autoconfig.example.org/mail/config-v1.1.xml", document(("imap", plan["server"], "993", "SSL"))
        )
        try:
            wish = Wish(ca=ca, pin=Path(plan["pin"]) if "pin" in plan else None)
            terminal = at_the_terminal(yes=False)
            return await try_address(
                parse_address("ann@example.org"), wish, internet.network, terminal, lambda what: password("NONE", what)
            )
        finally:
            await internet.stop()

    run(work)


main(json.loads(sys.argv[1]))
