"""The bridge's memory is full, read-only, damaged or a later version's: it keeps its promises or refuses (S2, S3, S17).

It starts or says in a sentence why not; a login is right or refused; no UIDL ever changes; QUIT tells the truth.
"""

import random
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.peers.child import DidNotStartError
from tests.peers.servers.dovecot import Dovecot
from tests.stories import mailboxes
from tests.stories.disk import Disk, disk
from tests.stories.house import MAIL, House, house_on, letters, octets
from tests.stories.mailboxes import numbered
from tests.stories.pop3 import Gone, Pop3, Refused

pytestmark = pytest.mark.story

STATE = "popbridge.sqlite"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Disk]:
    with disk(tmp_path / "state") as made:
        yield made


def lived_in(house: House, count: int = 12) -> dict[str, bytes]:
    """A mailbox that was rebuilt once, so that its UIDLs are known to the state alone; what is listed now."""
    house.fill(numbered(letters("home", count)))
    before = house.poll()
    house.door.until_left()  # by what to recognise them is learned behind QUIT
    mailboxes.rebuild(house.mailbox, MAIL, mailboxes.kept(house.mailbox, MAIL))
    assert house.poll() == before, "carried over"
    return before


def refused_for_now(error: Refused) -> bool:
    return str(error).startswith("-ERR [SYS/TEMP] ")


def right_or_refused(house: House) -> bool:
    """One poll that shows everything there is, under UIDLs that never were another message's; or none at all."""
    try:
        shown = house.poll()
    except Refused as refused:
        assert refused_for_now(refused), refused
        return False
    assert sorted(shown.values()) == sorted(octets(mailboxes.kept(house.mailbox, MAIL)))
    return True


def truth_of_quit(house: House, number: int) -> bool:
    """DELE and QUIT: +OK if and only if it is done, by now or soon; whether it was."""
    before = len(house.mailbox.uids(mailbox=MAIL))
    with house.session() as client:
        client.do(f"DELE {number}")
        line = client.quit()
    after = len(house.mailbox.uids(mailbox=MAIL))
    assert line.startswith(b"+OK" if after < before else b"-ERR [SYS/TEMP] "), line
    return after < before


# A disk that is full or read-only.


def test_on_a_full_disk_logins_are_right_and_quit_tells_the_truth(
    small: Disk, dovecot_server: Dovecot, tmp_path: Path
) -> None:
    top = f'state = "sqlite:{small.folder}/{STATE}"'
    with house_on(dovecot_server, tmp_path, 'delete = "expunge"', top=top, within=small.inside) as house:
        before = lived_in(house)
        small.fill()
        assert house.poll() == before, "nothing has to be stored"
        assert truth_of_quit(house, 1), "upstream is there, so it can be done at once"
        mailboxes.put(house.mailbox, numbered(letters("late", 2), 2025), MAIL)
        right_or_refused(house)
        _quit_without_upstream(house, 2)
        small.make_room()
        assert right_or_refused(house)
        assert len(house.mailbox.uids(mailbox=MAIL)) == 13, "what QUIT refused is not done later"
        house.close()
        house.start()
        assert right_or_refused(house)
        assert list(house.history.listings[-1])[:11] == list(before)[1:]


def _quit_without_upstream(house: House, number: int) -> None:
    """Neither journal nor upstream: it cannot be promised."""
    try:
        with house.session() as client:
            client.do(f"DELE {number}")
            house.door.shut()
            assert client.quit().startswith(b"-ERR [SYS/TEMP] ")
    except Refused as refused:
        assert refused_for_now(refused)
    if house.door.is_open:
        house.door.shut()
    house.door.open()


def test_with_a_full_disk_no_renumbered_mailbox_is_shown_under_new_uidls(
    small: Disk, dovecot_server: Dovecot, tmp_path: Path
) -> None:
    """What is carried over has to be stored first; and when it can be, it is."""
    top = f'state = "sqlite:{small.folder}/{STATE}"'
    with house_on(dovecot_server, tmp_path, top=top, within=small.inside) as house:
        before = lived_in(house)
        small.fill()
        mailboxes.rebuild(house.mailbox, MAIL, mailboxes.kept(house.mailbox, MAIL))
        for _ in range(2):
            with pytest.raises(Refused, match=r"-ERR \[SYS/TEMP\] "):
                house.poll()
        small.make_room()
        assert house.poll() == before


@pytest.mark.parametrize("how", ["full", "read-only"])
def test_a_bridge_that_cannot_write_from_its_start(
    how: str, small: Disk, dovecot_server: Dovecot, tmp_path: Path
) -> None:
    top = f'state = "sqlite:{small.folder}/{STATE}"'
    with house_on(dovecot_server, tmp_path, 'delete = "expunge"', top=top, within=small.inside) as house:
        before = lived_in(house)
        house.close()
        if how == "full":
            small.fill()
        else:
            small.read_only(True)
        if serves(house):
            if right_or_refused(house):
                truth_of_quit(house, 1)
            house.close()
        if how == "full":
            small.make_room()
        else:
            small.read_only(False)
        house.start()
        assert right_or_refused(house)
        assert set(house.history.listings[-1]) <= set(before)


def test_no_state_where_there_is_no_room_for_it(small: Disk, dovecot_server: Dovecot, tmp_path: Path) -> None:
    """A first start on a full disk."""
    small.fill()
    top = f'state = "sqlite:{small.folder}/{STATE}"'
    with house_on(dovecot_server, tmp_path, top=top, within=small.inside, start=False) as house:
        assert not serves(house)


def serves(house: House, state: str = STATE) -> bool:
    """Whether it started; if not, it has said why, and is gone."""
    try:
        house.start()
    except DidNotStartError as refused:
        in_a_sentence(str(refused), state)
        return False
    try:
        Pop3(house.port).sock.close()
    except (Gone, OSError):
        house.bridge.until_ended()
        in_a_sentence(house.bridge.log(), state)
        house.close()
        return False
    return True


def in_a_sentence(log: str, state: str) -> None:
    """The last that a bridge said which did not start names what is wrong with it."""
    text = log[log.rindex("starting up") :] if "starting up" in log else log
    assert "Traceback" not in text, text
    said = [line for line in text.splitlines() if state in line and "--config" not in line]
    assert said, text
    print(said[-1])


# A file that is not what it was.


def zeroed_header(file: Path) -> None:
    _overwrite(file, 0, bytes(100))


def another_format(file: Path) -> None:
    file.write_bytes(b"This is not a database.\n" * 1000)


def cut_in_half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def random_octets(file: Path) -> None:
    """In every page but the first."""
    content, rng = bytearray(file.read_bytes()), random.Random(1)
    for page in range(4096, len(content), 4096):
        content[page + 8 : page + 1032] = rng.randbytes(1024)
    file.write_bytes(content)


def without_tables(file: Path) -> None:
    with sqlite3.connect(file) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            if not name.startswith("sqlite_"):
                database.execute(f"DROP TABLE {name}")
    database.close()


def _overwrite(file: Path, at: int, content: bytes) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(content)


@pytest.mark.parametrize(
    "damage", [zeroed_header, another_format, cut_in_half, random_octets, without_tables], ids=lambda one: one.__name__
)
def test_a_damaged_file_changes_no_uidl(
    damage: Callable[[Path], None], dovecot_server: Dovecot, tmp_path: Path
) -> None:
    """And it is left as it is: what can be saved of it is its owner's to save."""
    with house_on(dovecot_server, tmp_path) as house:
        before = lived_in(house)
        house.close()
        file = tmp_path / STATE
        shutil.copy(file, tmp_path / "sound")
        damage(file)
        if serves(house):
            right_or_refused(house)
            right_or_refused(house)
            assert house.history.listings[-1] == list(before)
            house.close()
        shutil.copy(tmp_path / "sound", file)
        for wal in tmp_path.glob(f"{STATE}-*"):
            wal.unlink()
        house.start()
        assert house.poll() == before


@pytest.mark.slow
def test_damage_in_any_page_changes_no_uidl(dovecot_server: Dovecot, tmp_path: Path) -> None:
    """Each page of the file in turn is overwritten with chance."""
    with house_on(dovecot_server, tmp_path) as house:
        before = lived_in(house, 300)
        house.close()
        file, rng = tmp_path / STATE, random.Random(2)
        sound = file.read_bytes()
        served = 0
        for page in range(0, len(sound), 4096):
            for wal in tmp_path.glob(f"{STATE}-*"):
                wal.unlink()
            file.write_bytes(sound[:page] + rng.randbytes(4096) + sound[page + 4096 :])
            if serves(house):
                if right_or_refused(house):
                    served += 1
                    assert house.history.listings[-1] == list(before), f"page {page // 4096}"
                house.close()
        print(f"{len(sound) // 4096} pages, served all the same with {served} of them damaged")


def test_the_file_of_a_later_version_is_refused_and_left_alone(dovecot_server: Dovecot, tmp_path: Path) -> None:
    with house_on(dovecot_server, tmp_path) as house:
        lived_in(house)
        house.close()
        file = tmp_path / STATE
        with sqlite3.connect(file) as database:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            assert version > 0
            database.execute(f"PRAGMA user_version = {version + 1}")
        database.close()
        before = file.read_bytes()
        assert not serves(house)
        assert "version" in house.bridge.log()
        assert file.read_bytes() == before


@pytest.mark.parametrize("state", ["not/there/popbridge.sqlite", "popbridge.toml", "/dev/null"])
def test_a_place_that_cannot_hold_state_is_named(state: str, dovecot_server: Dovecot, tmp_path: Path) -> None:
    with house_on(dovecot_server, tmp_path, top=f'state = "sqlite:{state}"', start=False) as house:
        assert not serves(house, str(Path(state).parent) if "not" in state else state)
    assert "[[listener]]" in (tmp_path / "popbridge.toml").read_text(), "nothing is written over"


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_file_that_is_taken_away_while_the_bridge_runs_is_promised_nothing(
    how: str, dovecot_server: Dovecot, tmp_path: Path
) -> None:
    """What is written into it then is gone with the process; what is known already is still shown."""
    with house_on(dovecot_server, tmp_path, 'delete = "keep"') as house:
        before = lived_in(house)
        file, away = tmp_path / STATE, tmp_path / "away"
        file.rename(away)
        if how == "replaced":
            shutil.copy(away, file)
        assert house.poll() == before
        with house.session() as client:
            client.do("DELE 1")
            line = client.quit()
        assert line.startswith(b"-ERR [SYS/TEMP] ")
        assert b"was removed or replaced while the bridge runs" in line
        assert house.poll() == before
        away.rename(file)
        with house.session() as client:
            client.do("DELE 1")
            assert client.quit().startswith(b"+OK")
        house.close()
        house.start()
        assert list(house.poll()) == list(before)[1:]


def test_another_program_that_holds_the_file_holds_nobody_up(dovecot_server: Dovecot, tmp_path: Path) -> None:
    """A backup, or somebody's sqlite3 with a transaction left open."""
    with house_on(dovecot_server, tmp_path, 'delete = "expunge"') as house:
        before = lived_in(house)
        with closing(sqlite3.connect(tmp_path / STATE, isolation_level=None)) as backup:
            backup.execute("BEGIN EXCLUSIVE")
            began = time.monotonic()
            assert house.poll() == before
            assert time.monotonic() - began < 2.5
            with house.session() as client:
                client.do("DELE 1")
                began = time.monotonic()
                assert client.quit().startswith(b"+OK")
                assert time.monotonic() - began < 2.5
            assert len(house.mailbox.uids(mailbox=MAIL)) == len(before) - 1, "the truth, not a promise"
            mailboxes.put(house.mailbox, numbered(letters("late", 2), 2025), MAIL)
            began = time.monotonic()
            right_or_refused(house)
            assert time.monotonic() - began < 5
        assert right_or_refused(house)
        assert list(house.history.listings[-1])[:11] == list(before)[1:]


# Two bridges with one state.


def test_two_bridges_on_one_file_agree(dovecot_server: Dovecot, tmp_path: Path) -> None:
    """Started by mistake or on purpose: the same UIDLs from both, whoever was first to see a message."""
    (tmp_path / "second").mkdir()
    top = f'state = "sqlite:{tmp_path}/{STATE}"'
    with house_on(dovecot_server, tmp_path, top=top) as one:
        before = lived_in(one)
        two = _next_door(one, tmp_path / "second")
        try:
            assert two.poll() == before
            for round_ in range(5):
                mailboxes.put(one.mailbox, numbered(letters(f"l{round_:03d}", 3), 2025), MAIL)
                _at_once(one.poll, two.poll)
                assert one.poll() == two.poll()
                mailboxes.rebuild(one.mailbox, MAIL, mailboxes.kept(one.mailbox, MAIL))
                _at_once(two.poll, one.poll)
                assert list(one.poll()) == list(two.poll())
                assert list(one.poll())[: len(before)] == list(before)
        finally:
            two.close()


def _next_door(house: House, folder: Path) -> House:
    """A second bridge for the same mailbox and with the same state."""
    server = house.mailbox.server
    assert isinstance(server, Dovecot)
    other = House(folder, server, house.door, house.more, house.top, ())
    other.mailbox, other.history = house.mailbox, house.history
    other.start()
    return other


def _at_once(*polls: Callable[[], object]) -> None:
    """Each may be refused for now, when the other is in its way."""
    errors: list[BaseException] = []

    def run(poll: Callable[[], object]) -> None:
        try:
            poll()
        except Refused as refused:
            if not refused_for_now(refused):
                errors.append(refused)
        except (AssertionError, Gone, OSError) as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(poll,)) for poll in polls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors
