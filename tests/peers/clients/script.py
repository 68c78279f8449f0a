"""A fetch script of twenty lines in some language, around that language's POP3 library.

The script is told what to do in its environment, stores each message in a file of its own, and ends with 77 when the
library says that the login was refused.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.peers.clients.seam import ClientFailedError, LoginRefusedError, Pop3Account, contents, fresh, run, words

SCRIPTS = Path(__file__).parent / "scripts"
_LOGIN_REFUSED = 77


def fetch(
    interpreter: str,
    script: str,
    account: Pop3Account,
    *,
    keep: bool,
    state: Path,
    environment: Mapping[str, str] | None = None,
) -> list[bytes]:
    """`Client.fetch` by one of the scripts."""
    directory = fresh(state)
    told = {
        "POP3_HOST": account.host,
        "POP3_PORT": str(account.port),
        "POP3_USER": account.user,
        "POP3_PASSWORD": account.password,
        "POP3_TLS": account.tls,
        "POP3_CA": str(account.ca or ""),
        "POP3_AUTH": account.auth,
        "POP3_KEEP": "1" if keep else "",
        "POP3_MEMORY": str(state / "uidls"),
        "POP3_OUT": str(directory),
    }
    done = run([interpreter, SCRIPTS / script], environment={**told, **(environment or {})})
    if done.returncode == _LOGIN_REFUSED:
        raise LoginRefusedError(words(done))
    if done.returncode:
        raise ClientFailedError(words(done))
    return contents(directory)


def lacks(interpreter: str, *test: str, install: str) -> str | None:
    """`Client.missing`: the interpreter is not here, or it cannot do what `test` asks of it."""
    if shutil.which(interpreter) is None or run([interpreter, *test]).returncode:
        return f"{interpreter} {' '.join(test)} does not work here: {install}"
    return None
