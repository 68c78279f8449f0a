"""What `popbridge status` says of OAuth2: who has given consent, and where it is wanted again."""

from collections.abc import Callable, Iterable

from bridge.commands.status import age
from bridge.config import OAuth2Grant
from bridge.credentials.oauth2_answers import shown
from bridge.credentials.oauth2_record import Record, recall, record_name
from bridge.credentials.vault import Vault


async def consents(
    grants: tuple[OAuth2Grant, ...],
    logins_of: Callable[[str], Iterable[str]],
    vault: Vault,
    say: Callable[[str], None],
    now: float,
) -> None:
    """`logins_of` a grant: who logs in upstream by it. `now`: seconds since 1970. Raises what the vault raises."""
    for grant in grants:
        for login in logins_of(grant.name) if grant.grant == "service" else ("",):
            whose = f"{grant.name} ({login})" if login else grant.name
            say(f"oauth2 {whose}: {_standing(grant, await recall(vault, record_name(grant, login)), now)}")


def _standing(grant: OAuth2Grant, record: Record, now: float) -> str:
    remedy = f"popbridge authorise {grant.name}"
    if record.refused:
        wants = "the provider wants consent again" if record.refresh is not None else "the provider refuses it"
        return f"{wants} for {age(now - record.refused_at)} ({shown(record.refused)}); {remedy}"
    if grant.grant in ("client", "service"):
        return "of its own right"
    if record.refresh is None:
        return f"nobody has given consent yet; {remedy}"
    if record.client_id != grant.client_id:
        return f"consent was given to another client_id; {remedy}"
    return f"authorised; the refresh token is there for {age(now - record.since)}"
