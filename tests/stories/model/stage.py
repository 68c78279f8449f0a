"""One example of the model test: its mailbox, its people, and how each step is looked at."""

import contextlib
from collections import Counter
from threading import Event
from time import monotonic

from attrs import define, field

from tests.peers.servers.imap_server import Mailbox
from tests.stories.model.imap_user import ELSEWHERE, TRASH, WORK, ImapUser, Missing, Onlooker, connected, texts
from tests.stories.model.letters import Letter, letter
from tests.stories.model.truth import DELETED, HIDDEN, Broken, Copy, Row, Truth
from tests.stories.model.world import ASK, World
from tests.stories.pop3 import Pop3, Refused

NO_REPLACEMENT = "[SYS/PERM] the mailbox was replaced"
_PATIENCE = 10.0
"""Seconds within which a promise comes true while upstream answers."""


@define(eq=False)
class Visit:
    """An open POP3 session: `copies` by number from 1, and its marks. `known`: all that was there when it began."""

    client: Pop3
    copies: list[Copy]
    known: list[Copy] = field(factory=list)
    marks: set[int] = field(factory=set)
    replaced: bool = False
    """The mailbox it listed is no more."""

    def marked(self) -> list[Copy]:
        return [self.copies[number - 1] for number in self.marks]


@define(eq=False)
class Stage:
    world: World
    policy: str
    truth: Truth
    mailbox: Mailbox
    user: ImapUser
    onlooker: Onlooker
    way: str = ""
    address: str | None = None
    """The POP3 client's: failures of others do not slow it."""
    exists: bool = True
    unseen: bool = False
    """The mailbox was replaced, and no login has listed it yet."""
    visits: list[Visit] = field(factory=list)
    letters: int = 0
    told: Counter[str] = field(factory=Counter)
    _learning: list[Copy] = field(factory=list)
    """Of sessions that ended by QUIT: once the bridge has come to rest it would know them in another mailbox (S4)."""
    _stack: contextlib.ExitStack = field(factory=contextlib.ExitStack)

    # Looking.

    def look(self) -> None:
        """Over IMAP."""
        if not self.exists:
            return
        self.told["looks over IMAP"] += 1
        self.truth.seen(self.onlooker.read(), texts(self.onlooker.read(TRASH)))

    def until_done(self) -> None:
        """Returns when what was promised has been done, which has to be soon."""
        deadline = monotonic() + _PATIENCE
        self.look()
        while self.exists and self.truth.waiting:
            if monotonic() > deadline:
                raise Broken(f"promised by +OK, and not done within {_PATIENCE} s: {self.truth.waiting}")
            Event().wait(0.01)
            self.look()

    def enter(self, *, retrieve_all: bool) -> Visit:
        """A login, with its listing judged."""
        self.told["logins"] += 1
        client = self._logged_in()
        visit = Visit(client, [])
        self.visits.append(visit)
        uidls, sizes = client.uidls(), client.sizes()
        assert list(uidls) == list(sizes) == list(range(1, len(uidls) + 1)), (uidls, sizes)
        unknown = self.truth.unknown(uidls.values())
        numbers = [number for number, uidl in uidls.items() if retrieve_all or uidl in unknown]
        octets = dict(zip(numbers, client.retr_all(numbers), strict=True))
        visit.copies = self.truth.listed([Row(uidl, sizes[n], octets.get(n)) for n, uidl in uidls.items()])
        visit.known = list(self.truth.copies.values())
        self.unseen = False
        self.until_done()
        self.truth.logged_in()
        return visit

    def _logged_in(self) -> Pop3:
        """An owner who wants to be asked is, before anybody sees a replaced mailbox empty; then some mail comes."""
        try:
            return self.world.session(self.policy, self.mailbox, self.way, self.address)
        except Refused as refusal:
            if not (self.unseen and self.way == ASK and NO_REPLACEMENT in str(refusal)) or self.onlooker.read():
                raise
        self.told["logins refused"] += 1
        self.post(self.new_letter(size=0, date=0, with_id=True), frozenset())
        return self.world.session(self.policy, self.mailbox, self.way, self.address)

    def leave(self, visit: Visit) -> None:
        """QUIT without marks."""
        assert not visit.marks
        assert visit.client.quit().startswith(b"+OK")
        self.gone(visit)
        if not visit.replaced:
            self.quitted(visit)

    def gone(self, visit: Visit) -> None:
        visit.client.sock.close()
        self.visits.remove(visit)

    def settle(self) -> None:
        """Waits until the bridge does nothing for this account any more."""
        if not self.world.settled(len(self.visits)):
            raise Broken("nobody asks the bridge for anything, and it does not come to rest")
        if not self.world.can_replace:  # then one of those connections may be at work; a login waits for it
            self.leave(self.enter(retrieve_all=False))
        for copy in self._learning:
            copy.learned = True
        self._learning.clear()

    def quitted(self, visit: Visit) -> None:
        """It ended by QUIT, and had marked nothing."""
        self._learning += visit.known

    def refused(self, code: str) -> None:
        """While messages are missing a login is refused for this reason, and never shown the others (S4, S6)."""
        try:
            client = self.world.session(self.policy, self.mailbox, self.way, self.address)
        except Refused as refusal:
            if code not in str(refusal):
                raise Broken(f"{refusal} is a wrong reason") from None
            self.told["logins refused"] += 1
            return
        raise Broken(f"a login shows {client.count()} messages, and all others are forgotten by their clients")

    # Acting.

    def new_letter(self, *, size: int, date: int, with_id: bool) -> Letter:
        self.letters += 1
        return letter(f"{self.world.examples:06d}-{self.letters:03d}", size=size, date=date, with_id=with_id)

    def post(self, what: Letter, flags: frozenset[str]) -> Copy:
        self.user.put([(what, flags)])
        return self.truth.appeared(self.onlooker.read(), what, flags)

    def replace(self, keep: list[Copy], *, order: int, flags_too: bool, refused_until: int = -1) -> None:
        """The mailbox is deleted, made anew, and filled with these as they are now.

        `refused_until`: with so many of them in it, and while it is empty, logins are tried and have to be refused.
        """
        self.settle()
        now = self.onlooker.read()
        self.truth.seen(now, texts(self.onlooker.read(TRASH)))
        coming = [copy for copy in keep if copy.uid in now][::order]
        if not coming:
            return
        before = self.user.uidvalidity()
        self.remove()
        self.user.create(self.user.work)
        while self.user.uidvalidity() == before:  # a server that counts by the second
            self.user.delete(self.user.work)
            Event().wait(0.1)
            self.user.create(self.user.work)
        letters = [(copy.letter, now[copy.uid].flags if flags_too else frozenset[str]()) for copy in coming]
        part = max(refused_until, 0)
        if refused_until >= 0:
            self.refused(NO_REPLACEMENT)
        self.user.put(letters[:part])
        if part:
            self.refused(NO_REPLACEMENT)
        self.user.put(letters[part:])
        self.exists = self.unseen = True
        self.told["mailboxes replaced"] += 1
        work = self.onlooker.read()
        assert texts(work) == [copy.letter.octets for copy in coming], "the test itself put them there"
        pairs = [(old, Copy(uid, old.letter, set(work[uid].flags))) for old, uid in zip(coming, work, strict=True)]
        self.truth.replaced(pairs)

    def remove(self) -> None:
        self.onlooker.rest()
        self.user.delete(self.user.work)
        self.exists = False
        for visit in self.visits:
            visit.replaced = True

    def kill(self) -> None:
        self.world.kill()
        self._learning.clear()
        for visit in list(self.visits):
            self.gone(visit)

    def close(self) -> None:
        for visit in list(self.visits):
            self.gone(visit)
        self._stack.close()


def stage(world: World, policy: str, way: str = "") -> Stage:
    """A new user with an empty mailbox, and the way the bridge takes there."""
    assert world.bridge.running()
    world.examples += 1
    mailbox = world.server.new_mailbox()
    stack = contextlib.ExitStack()
    try:
        user = ImapUser(connected(mailbox, stack), world.work)
        onlooker = Onlooker(connected(mailbox, stack), world.work)
        for name in (WORK, ELSEWHERE):
            user.create(name)
        with contextlib.suppress(Missing):
            onlooker.read(TRASH)
        address = f"127.1.{world.examples // 250 % 250}.{world.examples % 250 + 1}"
        return Stage(world, policy, _truth(world, policy), mailbox, user, onlooker, way, address, stack=stack)
    except BaseException:
        stack.close()
        raise


def _truth(world: World, policy: str) -> Truth:
    able = world.abilities
    removes = (policy == "expunge" and able.expunges_by_uid) or (
        policy == "trash" and (able.moves or able.expunges_by_uid)
    )
    marks = {"hide": frozenset({HIDDEN}), "keep": frozenset[str]()}
    return Truth(policy, removes, marks.get(policy, frozenset({DELETED})))
