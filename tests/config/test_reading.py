"""Whatever is written wrong, in a file or in flags, is answered with its line, its key and what to write instead."""

import datetime as dt
from pathlib import Path
from typing import Any

import attrs
import pytest

from bridge.config import (
    Certificate,
    Config,
    ConfigError,
    Device,
    Endpoint,
    Limits,
    Listener,
    OAuth2Grant,
    OwnAccount,
    OwnSource,
    PassThrough,
    Pool,
    Timeouts,
    from_flags,
    load,
    load_text,
)
from bridge.tls import self_signed
from tests.config.entries import HASH, LISTENER
from tests.config.entries import source_text as source

EXAMPLE = Path(__file__).parents[2] / "etc" / "popbridge.toml"

GOOD = """
[[listener]]
pop3 = "127.0.0.1:1110"

[[passthrough]]
upstream = "imaps://imap.example.org"
"""
BY_POP3 = '[[listener]]\npop3 = "127.0.0.1:1110"\n[[passthrough]]\nupstream = "pop3s://pop.example.org"\n'
ACCOUNT = f'[[account]]\nuser = "ann"\npassword = "{HASH}"\n'


TWO = GOOD + ACCOUNT + source() + source(name="b", upstream="imaps://imap.b.example")


PASSTHROUGH = '[[passthrough]]\nupstream = "imaps://imap.example.org"\n'


def authority(path: Path) -> None:
    """Any certificate will do."""
    self_signed(path.parent, "localhost", dt.datetime.now(dt.UTC)).certificate.rename(path)


def loaded(directory: Path, text: str) -> Config:
    file = directory / "popbridge.toml"
    file.write_text(text, encoding="utf-8")
    return load(file)


# The file, and of its first mistake: the line, the key, a word of the text, a word of the remedy.
BAD_FILES: list[tuple[str, int | None, str, str, str]] = [
    # TOML itself
    ("pop3 = 127.0.0.1:1110\n", 1, "pop3", "not TOML", "quotes"),
    ("\n[[listener]\n", 2, "", "not TOML", "key = value"),
    ('[[listener]]\npop3 = "a\n', 2, "pop3", "not TOML", "quotes"),
    ("trace = true\ntrace = false\n", 2, "trace", "not TOML", "key = value"),
    ("# só\n[[listener]]\npop3 =\n", 3, "pop3", "not TOML", "quotes"),
    # nothing there
    ("", None, "listener", "nothing to listen on", "[[listener]]"),
    (LISTENER, None, "passthrough", "no upstream", "imaps://"),
    ("[[listener]]\n" + PASSTHROUGH, 1, "listener", "no address", "127.0.0.1:1110"),
    (LISTENER + '[[passthrough]]\nusers = "*"\n', 3, "passthrough.upstream", "missing", "imaps://imap.example.org"),
    # shapes
    ('[listener]\npop3 = ":110"\n' + PASSTHROUGH, 1, "listener", "double brackets", "[[listener]]"),
    ("listener = 5\n" + PASSTHROUGH, 1, "listener", "list", "[["),
    ("listener = [5]\n" + PASSTHROUGH, 1, "listener", "table", "key = value"),
    ("timeouts = 5\n" + GOOD, 1, "timeouts", "table", "key = value"),
    ('trace = "yes"\n' + GOOD, 1, "trace", "true or false", "true or false"),
    # keys
    ('colour = "red"\n' + GOOD, 1, "colour", "no such key", "state"),
    (LISTENER + 'pop = ":110"\n' + PASSTHROUGH, 3, "listener.pop", "no such key", "did you mean pop3"),
    (GOOD + "[timeout]\nidle = 5\n", 7, "timeout", "no such key", "timeouts"),
    (GOOD + "[timeouts]\nidel = 5\n", 8, "timeouts.idel", "no such key", "did you mean idle"),
    # accounts of our own
    (GOOD + '[[account]]\nuser = "ann"\n', 7, "account.password", "no password", "popbridge password"),
    (GOOD + '[[account]]\nuser = "ann"\npassword = "guess"\n', 9, "account.password", "hash", "popbridge password"),
    (GOOD + ACCOUNT, 7, "account.source", "no mailbox", "[[account.source]]"),
    (GOOD + ACCOUNT + 'deleet = "keep"\n', 10, "account.deleet", "no such key", "did you mean delete"),
    (GOOD + ACCOUNT + source() + ACCOUNT + source(), 16, "account.user", "an account already", "[[account.source]]"),
    (GOOD + ACCOUNT + source(secret="s"), 14, "account.source.secret", "where it is found", "vault:"),
    (GOOD + ACCOUNT + source(secret="x:s"), 14, "account.source.secret", "none of", "vault:"),
    (GOOD + ACCOUNT + source(trash="Bin"), 15, "account.source.trash", "does not use it", "delete"),
    (TWO + source(name="work", login="x"), 21, "account.source.name", "the same UIDLs", "another name"),
    (
        TWO + source(name="c", upstream="imaps://imap.b.example"),
        22,
        "account.source.upstream",
        'the source "b"',
        "remove",
    ),
    (
        TWO + source(name="c", login="x", uidl="x" * 52 + "{uidvalidity:08x}-{uid:08x}"),
        25,
        "account.source.uidl",
        "up to 71",
        "shorter",
    ),
    ('state = "memory:"\n' + TWO, 16, "account.source", "order of several sources", "sqlite:"),
    (GOOD + ACCOUNT + 'duplicates = "no"\n' + source(), 10, "account.duplicates", "no", '"show" or "hide"'),
    (GOOD + ACCOUNT + source(unavailable="no"), 15, "account.source.unavailable", "no", '"fail" or "remembered"'),
    (GOOD + 'lock = "exclusive"\n', 7, "passthrough.lock", "not in this version", "leave it out"),
    # addresses
    ("[[listener]]\npop3 = 1110\n" + PASSTHROUGH, 2, "listener.pop3", "port alone", 'pop3 = "127.0.0.1:1110"'),
    ('[[listener]]\npop3 = "localhost:1110"\n' + PASSTHROUGH, 2, "listener.pop3", "IP address", "127.0.0.1:1110"),
    ('[[listener]]\npop3s = "127.0.0.1"\n' + PASSTHROUGH, 2, "listener.pop3s", "no port", "127.0.0.1:1110"),
    ('[[listener]]\npop3 = "::1:110"\n' + PASSTHROUGH, 2, "listener.pop3", "brackets", "[::1]:110"),
    ('[[listener]]\npop3 = "*:110"\n' + PASSTHROUGH, 2, "listener.pop3", "star", '":110"'),
    ('[[listener]]\npop3 = ":70000"\n' + PASSTHROUGH, 2, "listener.pop3", "65535", ":1110"),
    (LISTENER + LISTENER + PASSTHROUGH, 4, "listener.pop3", "taken", "another port"),
    (LISTENER + 'pop3s = ":1110"\n' + PASSTHROUGH, 3, "listener.pop3s", "taken", "another port"),
    # the rest of a listener
    (LISTENER + "tls = true\n" + PASSTHROUGH, 3, "listener.tls", "neither", "self-signed"),
    (
        LISTENER + 'tls = { certificate = "no.pem", key = "no.pem" }\n' + PASSTHROUGH,
        3,
        "listener.tls.certificate",
        "cannot be read",
        "PEM",
    ),
    (LISTENER + 'tls.certificate = "popbridge.toml"\n' + PASSTHROUGH, 3, "listener.tls.key", "missing", "key.pem"),
    (LISTENER + 'nul = "drop"\n' + PASSTHROUGH, 3, "listener.nul", "drop", '"keep" or "replace"'),
    (LISTENER + 'sasl = ["PLAIN", "CRAM-MD5"]\n' + PASSTHROUGH, 3, "listener.sasl", "CRAM-MD5", '"XOAUTH2"'),
    (LISTENER + 'sasl = ["PLAIN", "PLAIN"]\n' + PASSTHROUGH, 3, "listener.sasl", "twice", "once"),
    (LISTENER + "cleartext = 1\n" + PASSTHROUGH, 3, "listener.cleartext", "true or false", "true or false"),
    # upstreams
    (
        LISTENER + '[[passthrough]]\nupstream = "imap.example.org"',
        4,
        "passthrough.upstream",
        "not a URL",
        "imaps://imap.example.org",
    ),
    (
        LISTENER + '[[passthrough]]\nupstream = "https://example.org"',
        4,
        "passthrough.upstream",
        "none of",
        "imaps://example.org",
    ),
    (
        LISTENER + '[[passthrough]]\nupstream = "pop3s://pop.example.org/INBOX"',
        4,
        "passthrough.upstream",
        "one mailbox",
        "pop3s://pop.example.org",
    ),
    (
        LISTENER + '[[passthrough]]\nupstream = "pop3://pop.example.org"',
        4,
        "passthrough.upstream",
        "in clear",
        "pop3s:// or pop3+starttls://",
    ),
    (BY_POP3 + 'pin = "x"', 5, "passthrough.pin", "not a SHA-256", "openssl"),
    (BY_POP3 + 'delete = "flag"', 5, "passthrough.delete", "cannot do that", '"expunge"'),
    (BY_POP3 + 'uidl = "dovecot"', 5, "passthrough.uidl", "of its own", "leave uidl out"),
    (BY_POP3 + 'seen = "retrieved"', 5, "passthrough.seen", "read and unread", "leave seen out"),
    (BY_POP3 + 'since = "7d"', 5, "passthrough.since", "when a message arrived", "leave since out"),
    (BY_POP3 + 'search = "UNSEEN"', 5, "passthrough.search", "cannot search", "leave search out"),
    (BY_POP3 + "login_views = true", 5, "passthrough.login_views", "one mailbox", "leave login_views out"),
    (GOOD + 'uidl = "upstream"', 7, "passthrough.uidl", "no UIDLs of its own", "leave uidl out"),
    (LISTENER + '[[passthrough]]\nupstream = "auto"', 4, "passthrough.upstream", "searches", "imaps://"),
    (
        LISTENER + '[[passthrough]]\nupstream = "imaps://ann:pw@h.example"',
        4,
        "passthrough.upstream",
        "password",
        "imaps://h.example",
    ),
    (
        LISTENER + '[[passthrough]]\nupstream = "imap://imap.example.org"',
        4,
        "passthrough.upstream",
        "in clear",
        "cleartext = true",
    ),
    (LISTENER + '[[passthrough]]\nupstream = "imaps://h:99999"', 4, "passthrough.upstream", "port", "imaps://"),
    (LISTENER + '[[passthrough]]\nupstream = "imaps://h/50%"', 4, "passthrough.upstream", "%", "%25"),
    (LISTENER + '[[passthrough]]\nupstream = "imaps://h/a?b"', 4, "passthrough.upstream", "percent-encoded", "%3F"),
    (LISTENER + '[[passthrough]]\nupstream = "imaps://h/%ff"', 4, "passthrough.upstream", "UTF-8", "percent-encode"),
    (LISTENER + '[[passthrough]]\nupstream = "imaps://h/a%0d%0ab"', 4, "passthrough.upstream", "control", "imaps://"),
    # the rest of an entry
    (GOOD + 'delete = "never"', 7, "passthrough.delete", "never", '"flag"'),
    (GOOD + 'seen = "always"', 7, "passthrough.seen", "always", '"never" or "retrieved" or "deleted"'),
    (GOOD + "top_counts = true", 7, "passthrough.top_counts", "does not ask", 'seen = "retrieved"'),
    (GOOD + 'seen = "deleted"\ntop_counts = true', 8, "passthrough.top_counts", "deleted", "leave"),
    (GOOD + 'renumbered = "yes"', 7, "passthrough.renumbered", "yes", '"ask" or "accept"'),
    (GOOD + 'trash = "Bin"', 7, "passthrough.trash", "does not use it", 'delete = "trash"'),
    (GOOD + 'delete = "trash"\narchive = "Old"', 8, "passthrough.archive", "does not use", 'delete = "archive"'),
    (GOOD + 'delete = "hide"\npurge = "30d"', 8, "passthrough.purge", "leaves nothing flagged", 'delete = "flag"'),
    (GOOD + 'delete = "keep"\nafter = "7d"', 8, "passthrough.after", "nothing upstream", "leave after out"),
    (GOOD + 'after = "soon"', 7, "passthrough.after", "duration", '"7d"'),
    (GOOD + "expunge_without_uidplus = true", 7, "passthrough.expunge_without_uidplus", "never expunges", "expunge"),
    # views
    (GOOD + 'since = "999y"', 7, "passthrough.since", "hundred years", '"30d"'),
    (GOOD + "newest = 0", 7, "passthrough.newest", "from 1", "from 1"),
    (GOOD + 'login_views = "yes"', 7, "passthrough.login_views", "true or false", "true or false"),
    (GOOD + 'ca = "no.pem"', 7, "passthrough.ca", "cannot be read", "PEM"),
    (GOOD + 'ca = "popbridge.toml"', 7, "passthrough.ca", "holds no PEM certificate", "authority"),
    (GOOD + f'ca = "popbridge.toml"\npin = "{"9f" * 32}"', 7, "passthrough.ca", "pin", "leave"),
    (
        GOOD.replace("imaps://imap.example.org", "imap://127.0.0.1") + f'pin = "{"9f" * 32}"',
        6,
        "passthrough.upstream",
        "no TLS",
        "imaps://",
    ),
    (GOOD + "max_deletions = -1", 7, "passthrough.max_deletions", "whole number", "0"),
    (GOOD + PASSTHROUGH, 7, "passthrough.users", "never reached", "narrower first"),
    (GOOD + 'users = "*@a"\n' + PASSTHROUGH + 'users = "*@a"', 10, "passthrough.users", "never reached", "remove"),
    (GOOD + PASSTHROUGH + 'users = "*@a"', 9, "passthrough.users", "never reached", "narrower first"),
    # times, limits, state
    (GOOD + '[timeouts]\nidle = "10 minutes"', 8, "timeouts.idle", "duration", '"10m"'),
    (GOOD + "[timeouts]\nconnect = 0", 8, "timeouts.connect", "above nothing", "30s"),
    (GOOD + '[pool]\npark = "1h"', 8, "pool.park", "ten minutes", '"10m"'),
    (GOOD + "[limits]\nconnections = 0", 8, "limits.connections", "from 1", "from 1"),
    (GOOD + "[limits]\nline = 1.5", 8, "limits.line", "whole number", "whole number"),
    ('state = "postgresql://db"\n' + GOOD, 1, "state", "not in this version", '"sqlite:popbridge.sqlite"'),
    ('state = "popbridge.sqlite"\n' + GOOD, 1, "state", "neither", '"sqlite:popbridge.sqlite"'),
    ('state = "mysql:x"\n' + GOOD, 1, "state", "neither", '"sqlite:popbridge.sqlite"'),
    ('state = "sqlite:"\n' + GOOD, 1, "state", "name of a file", '"sqlite:popbridge.sqlite"'),
    ('state = "sqlite://host/x"\n' + GOOD, 1, "state", "name of a file", '"sqlite:popbridge.sqlite"'),
    ('state = "sqlite:."\n' + GOOD, 1, "state", "is a directory", '"sqlite:./popbridge.sqlite"'),
    ('state = "sqlite:no/such/place"\n' + GOOD, 1, "state", "no directory", "relative one starts at"),
    ("state = true\n" + GOOD, 1, "state", "text", "text"),
    # what is forgotten
    *(
        ('state = "memory:"\n' + GOOD + line, 8, f"passthrough.{line.split()[0]}", f"what {line.split()[0]}", "sqlite:")
        for line in (
            'delete = "keep"',
            'after = "7d"',
            'purge = "30d"',
            'since = "30d"',
            "newest = 500",
            'search = "UNSEEN"',
            "login_views = true",
            'uidl = "cyrus-uid"',
        )
    ),
    # names
    (
        GOOD + 'name = "x"\nusers = "*@a"\n' + PASSTHROUGH.replace("imap.", "mail.") + 'name = "x"',
        11,
        "passthrough.name",
        "another upstream",
        "another name",
    ),
]


@pytest.mark.parametrize("bad", BAD_FILES)
def test_a_bad_file_names_line_key_and_remedy(tmp_path: Path, bad: tuple[str, int | None, str, str, str]) -> None:
    text, line, key, says, remedy = bad
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)

    found = [problem for problem in caught.value.problems if problem.key == key]
    assert found, caught.value
    assert (found[0].line, says in found[0].text, remedy in found[0].remedy) == (line, True, True), found[0]
    assert str(caught.value).startswith("popbridge.toml")


def test_a_good_file_has_paths_relative_to_itself(tmp_path: Path) -> None:
    authority(tmp_path / "ca.pem")

    config = loaded(tmp_path, "\ufeff" + GOOD.replace("\n", "\r\n") + 'ca = "ca.pem"\r\n')

    assert config.base == tmp_path
    assert config.passthrough[0].ca == tmp_path / "ca.pem"


@pytest.mark.parametrize(
    ("state", "file"),
    [
        ("", "popbridge.sqlite"),
        ('state = "sqlite:other.db"', "other.db"),
        ('state = "sqlite:sub/x"', "sub/x"),
        ('state = "memory:"', None),
    ],
)
def test_state_is_kept_beside_the_file_unless_it_says_where(tmp_path: Path, state: str, file: str | None) -> None:
    (tmp_path / "sub").mkdir()

    assert loaded(tmp_path, state + GOOD).state == (file and tmp_path / file)


def test_state_may_be_kept_anywhere(tmp_path: Path) -> None:
    for written in (f"sqlite:{tmp_path}/x", f"sqlite://{tmp_path}/x"):
        assert loaded(tmp_path, f'state = "{written}"\n' + GOOD).state == tmp_path / "x"


def test_what_an_account_remembers_and_shows_is_read(tmp_path: Path) -> None:
    settings = """
name = "work"
delete = "flag"
after = "7d"
purge = "1y"
seen = "retrieved"
top_counts = true
renumbered = "accept"
since = "30d"
newest = 500
search = 'OR (FROM "ann lee") UNSEEN '
login_views = true
uidl = "cyrus-uid"
"""
    entry = loaded(tmp_path, GOOD + settings).passthrough[0]

    assert (entry.name, entry.delete, entry.seen, entry.renumbered) == ("work", "flag", "retrieved", "accept")
    assert (entry.after, entry.purge, entry.since) == (7 * 86400, 365 * 86400, 30 * 86400)
    assert (entry.newest, entry.search, entry.login_views) == (500, 'OR (FROM "ann lee") UNSEEN', True)


def test_every_key_stands_in_the_example() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    keys = {
        field.name
        for table in (Listener, PassThrough, OAuth2Grant, OwnAccount, Device, OwnSource, Timeouts, Limits, Pool)
        for field in attrs.fields(table)
    }

    written = {"state", "trace", "accounts"} | keys - {"source", "device"}
    assert [key for key in sorted(written) if f"{key} = " not in text] == []


def test_mistakes_in_several_lines_are_reported_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, GOOD + 'delete = "x"\nuidel = "y"\n[limits]\nline = "z"\n')

    assert [problem.line for problem in caught.value.problems] == [7, 8, 10]


def test_a_file_that_is_not_there_or_not_text_is_no_traceback(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read \(No such file"):
        load(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"\n# \xe4\n")
    with pytest.raises(ConfigError, match=r"latin.toml, line 2: the file is not UTF-8; save it as UTF-8"):
        load(tmp_path / "latin.toml")


@pytest.mark.parametrize("delete", ["flag", "trash", "archive"])
def test_the_example_loads_and_so_it_does_with_all_its_suggestions(tmp_path: Path, delete: str) -> None:
    assert load(EXAMPLE).listeners[0].pop3 == Endpoint("127.0.0.1", 1110)
    authority(tmp_path / "own-authority.pem")
    for name in ("chain.pem", "key.pem"):
        (tmp_path / name).touch()
    (tmp_path / "accounts.d").mkdir()
    text = EXAMPLE.read_text(encoding="utf-8")
    alternatives = {'tls = "self-signed"', 'pin = "', 'state = "memory:"'}  # the second of each
    other_policies = {"flag": 'purge = "', "trash": 'trash = "', "archive": 'archive = "'}
    del other_policies[delete]
    for either in (*alternatives, *other_policies.values()):
        text = text.replace(f"# {either}", f"#-{either}")
    switched_on = "\n".join(
        line[2:]
        if line.startswith(("# [", "# ")) and ("=" in line.split("#")[1] or "[" in line.split("#")[1])
        else line
        for line in text.replace('delete = "flag"', f'delete = "{delete}"').split("\n")
        if not line.startswith(("# Popbridge", "# Try", "# Relative"))
    )

    config = loaded(tmp_path, switched_on)

    assert config.trace
    assert config.listeners[1].pop3s == Endpoint("", 995)
    entry = config.passthrough[0]
    assert (entry.trash, entry.archive) == (
        "Trash" if delete == "trash" else None,
        "Archive" if delete == "archive" else None,
    )
    assert (config.timeouts, config.limits) == (
        type(config.timeouts)(),
        type(config.limits)(),
    )  # as it says: the defaults


def flags(**given: Any) -> Config:
    absent = {"state": None, "delete": None, "seen": None, "certificate": None, "key": None}
    return from_flags(**{"pop3": [], "pop3s": [], "upstream": [], **absent, **given})


def test_flags_alone_are_enough() -> None:
    config = flags(pop3=["127.0.0.1:1110", "[::1]:1110"], pop3s=[":995"], upstream=["imap://127.0.0.1:10143"])

    assert [listener.pop3 or listener.pop3s for listener in config.listeners] == [
        Endpoint("127.0.0.1", 1110),
        Endpoint("::1", 1110),
        Endpoint("", 995),
    ]
    assert config.passthrough[0].users == "*"
    assert config.base == Path.cwd()
    assert config.state == Path.cwd() / "popbridge.sqlite"


def test_without_a_file_relative_paths_start_beside_the_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "state").mkdir()
    for name in ("c.pem", "k.pem"):
        (tmp_path / "state" / name).touch()
    monkeypatch.chdir(tmp_path)

    config = flags(**_POP3, **_UP, state="sqlite:state/x.sqlite", certificate="c.pem", key="k.pem")

    assert (config.base, config.state) == (tmp_path / "state", tmp_path / "state" / "x.sqlite")
    assert config.listeners[0].tls == Certificate(tmp_path / "state" / "c.pem", tmp_path / "state" / "k.pem")
    forgetful = flags(**_POP3, **_UP, state="memory:")
    assert (forgetful.base, forgetful.state) == (tmp_path, None)


_POP3: dict[str, Any] = {"pop3": ["127.0.0.1:1110"]}
_UP: dict[str, Any] = {"upstream": ["imaps://h"]}
BAD_FLAGS: list[tuple[dict[str, Any], str, str, str]] = [
    (_UP, "--pop3", "nothing to listen on", "--pop3 127.0.0.1:1110"),
    (_POP3, "--upstream", "no upstream", "--upstream imaps://"),
    ({**_UP, "pop3": ["1110"]}, "--pop3", "port alone", "--pop3 127.0.0.1:1110"),
    ({**_UP, "pop3s": ["::1:995"]}, "--pop3s", "brackets", "--pop3s [::1]:995"),
    ({**_UP, "pop3": [":1", ":1"]}, "--pop3", "taken", "another port"),
    ({**_POP3, "upstream": ["imap.example.org"]}, "--upstream", "not a URL", "--upstream imaps://imap.example.org"),
    ({**_POP3, "upstream": ["imap://192.0.2.1"]}, "--upstream", "in clear", "imaps://"),
    ({**_POP3, "upstream": ["imaps://a", "imaps://b"]}, "--upstream", "never reached", "give one"),
    ({**_POP3, **_UP, "state": "postgresql:x"}, "--state", "not in this version", "--state sqlite:popbridge.sqlite"),
    ({**_POP3, **_UP, "state": "memory:", "delete": "keep"}, "--delete", "memory:", "sqlite:"),
    ({**_POP3, **_UP, "delete": "never"}, "--delete", "never", "trash"),
    ({**_POP3, **_UP, "seen": "always"}, "--seen", "always", "never"),
    ({**_POP3, **_UP, "certificate": str(EXAMPLE)}, "--key", "missing", "--key key.pem"),
    ({**_POP3, **_UP, "key": str(EXAMPLE)}, "--certificate", "missing", "--certificate chain.pem"),
    ({**_POP3, **_UP, "key": str(EXAMPLE), "certificate": "no.pem"}, "--certificate", "cannot be read", "PEM"),
]


@pytest.mark.parametrize(("given", "flag", "says", "remedy"), BAD_FLAGS)
def test_a_bad_flag_is_named_with_its_remedy(given: dict[str, Any], flag: str, says: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        flags(**given)

    [problem] = caught.value.problems
    assert problem.line is None
    assert (problem.key, says in problem.text, remedy in problem.remedy) == (flag, True, True), problem


def test_a_mistake_shared_by_all_listeners_is_said_once() -> None:
    with pytest.raises(ConfigError) as caught:
        flags(pop3=[":1", ":2"], pop3s=[":3"], upstream=["imaps://h"], certificate=str(EXAMPLE))

    assert len(caught.value.problems) == 1


def test_the_file_of_a_secret_is_beside_the_configuration(tmp_path: Path) -> None:
    [account] = loaded(tmp_path, GOOD + ACCOUNT + source(secret="file:work.password")).accounts

    assert account.source[0].secret.name == str(tmp_path / "work.password")


def test_what_is_in_no_file_yet_is_read_as_if_it_were(tmp_path: Path) -> None:
    file = tmp_path / "popbridge.toml"
    config = load_text(GOOD, file)
    with pytest.raises(ConfigError, match=r"popbridge\.toml, line 3: listener\.pop3"):
        load_text(GOOD.replace("127.0.0.1:1110", "1110"), file)
    with pytest.raises(ConfigError, match=r"popbridge\.toml, line 1: .*not TOML"):
        load_text("[[", file)

    assert not file.exists()
    file.write_text(GOOD)
    assert config == load(file)
