"""Which UIDL a new message gets: one that never named another message, and never will (S2).

Only the store knows every stored UIDL; here stands what can be told without it.
"""

from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from bridge.maildrop.memory import Issued
from bridge.maildrop.uidl import LONGEST, UidlFormat, hashed, parse_format


class EverComputed:
    """All UIDLs that were ever computed."""

    def __init__(self, issued: Iterable[Issued]) -> None:
        self._highest: dict[UidlFormat, dict[int, int]] = {}
        for each in issued:
            form = parse_format(parse_format(each.template).computed)
            by_uidvalidity = self._highest.setdefault(form, {})
            key = each.uidvalidity if form.has_uidvalidity else 0
            by_uidvalidity[key] = max(each.highest, by_uidvalidity.get(key, 0))

    def __contains__(self, uidl: str) -> bool:
        for form, highest in self._highest.items():
            origin = form.origin(uidl)
            if origin is not None and origin[1] <= highest.get(origin[0], 0):
                return True
        return False


@frozen
class Fresh:
    """UIDLs of new messages: those that have to be stored, by UID, and those that can be computed again."""

    given: Mapping[int, str]
    computed: Sequence[str]


def issue(
    uids: Sequence[int],
    form: UidlFormat,
    now: Issued,
    before: Sequence[Issued],
    ids: Mapping[int, str],
    used: set[str],
    version: int = 0,
) -> Fresh:
    """For these new messages, ascending, in the incarnation `now`, whose `highest` counts them already.

    `before`: everything that was issued until now, in this incarnation too. `ids`: the server's own, for a stable
    format. `used`: stored UIDLs known to be taken; those given are added. `version`: the memory's before.
    """
    past, all_computed = EverComputed(before), EverComputed((*before, now))
    listed_to = max((each.highest for each in before if each.incarnation == now.incarnation), default=0)
    uidls = form.uidls(now.uidvalidity, uids)
    computed = []
    wanted = {}
    for uid, uidl in zip(uids, uidls, strict=True):
        if ids.get(uid):
            wanted[uid] = form.stable_uidl(ids[uid])
        elif uid <= listed_to and uidl in past:
            # The server let a UID come back, so incarnation and UID have named another message; the version has not.
            wanted[uid] = _bounded(f"{uidl}-{now.incarnation}-{version}")
        elif uidl in past or uidl in used:
            wanted[uid] = longer(uidl, now.incarnation, uid)
        else:
            computed.append(uidl)
    given = {uid: free(uidl, now.incarnation, uid, all_computed, used) for uid, uidl in wanted.items()}
    return Fresh(given, computed)


def free(uidl: str, incarnation: int, uid: int, computed: EverComputed, used: set[str]) -> str:
    """This UIDL, or the first longer one that is not taken; it is used from now on."""
    while uidl in used or uidl in computed:
        uidl = longer(uidl, incarnation, uid)
    used.add(uidl)
    return uidl


def longer(uidl: str, incarnation: int, uid: int) -> str:
    """What to try when this UIDL is taken: the incarnation behind it, then the UID, which never came twice in it."""
    stem = uidl
    while stem.endswith(f".{uid}"):
        stem = stem.removesuffix(f".{uid}")
    return _bounded(uidl + (f".{uid}" if stem.endswith(f"-{incarnation}") else f"-{incarnation}"))


def _bounded(uidl: str) -> str:
    return uidl if len(uidl) <= LONGEST else hashed(uidl)
