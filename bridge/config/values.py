"""What the owner decided, as frozen values: where the bridge listens, whose mail it fetches and from where.

Every default stands here. Times are seconds; paths are absolute once a configuration was read.
"""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

from attrs import frozen

from bridge.passwords.scram import Keys
from bridge.passwords.scrypt import PasswordHash

Mechanism = Literal["SCRAM-SHA-256", "PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"]

Delete = Literal["flag", "expunge", "trash", "archive", "hide", "keep"]

ProviderName = Literal["google", "microsoft", "yahoo", "aol", "fastmail", "yandex", "mailru"]
BearerMechanism = Literal["XOAUTH2", "OAUTHBEARER"]

Positive = Annotated[int, "at least 1"]
Long = Annotated[float, "a duration of years, where others lie within one"]
Rest = Annotated[float, 'a duration up to ten minutes (S22); 0 where it is "off"']
AccountsDirectory = Annotated[Path | None, "whose *.toml files hold more [[account]] entries"]
StateFile = Annotated[Path | None, 'where "sqlite:FILE" keeps what must survive a restart; None for "memory:"']


@frozen
class Endpoint:
    """Where to listen. An empty host means all addresses of both families; port 0 a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@frozen
class Certificate:
    """A chain and its private key, both PEM files."""

    certificate: Path
    key: Path


@frozen
class SelfSigned:
    """A certificate of the bridge's own making."""


@frozen(kw_only=True)
class Listener:
    """One or two addresses with the same settings. Without `tls` a pop3 address offers no STLS,
    and a pop3s address gets a self-signed certificate.
    """

    pop3: Endpoint | None = None
    pop3s: Endpoint | None = None
    tls: Certificate | SelfSigned | None = None
    cleartext: bool = False  # clear-text passwords from other machines (S26)
    nul: Literal["keep", "replace"] = "keep"  # S11
    sasl: tuple[Mechanism, ...] | None = None  # of those that work for every login; None: all of them


@frozen
class Upstream:
    """One mailbox on one server elsewhere. `cleartext` says that the owner accepts an unprotected way there (S29)."""

    protocol: Literal["imap", "pop3"]
    security: Literal["tls", "starttls", "none"]
    host: str
    port: int
    mailbox: str = "INBOX"
    cleartext: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        mailbox = f"/{quote(self.mailbox)}" if self.protocol == "imap" else ""
        return f"{self.scheme}://{host}:{self.port}{mailbox}"

    @property
    def scheme(self) -> str:
        return self.protocol + {"tls": "s", "starttls": "+starttls", "none": ""}[self.security]


@frozen(kw_only=True)
class Settings:
    """One mailbox elsewhere: where it is, and how it is to be treated.

    `since`, `newest`, `search`: the view that every login has (`maildrop.view`).
    """

    upstream: Upstream
    # S18; of a POP3 upstream a configuration makes "expunge" the default, and "upstream" that of uidl.
    delete: Delete = "flag"
    trash: str | None = None  # the mailbox where the server names none (RFC 6154)
    archive: str | None = None  # the same
    after: Long | None = None  # what DELE means is carried out so much later
    purge: Long | None = None  # with delete = "flag": what the bridge flagged is expunged so much later
    seen: Literal["never", "retrieved", "deleted"] = "never"  # S12
    top_counts: bool = False  # a TOP of the whole message is a retrieval too
    renumbered: Literal["ask", "accept"] = "ask"  # S4
    since: Long | None = None
    newest: Positive | None = None
    search: str | None = None  # IMAP's search keys
    uidl: str = "bridge"  # S5
    ca: Path | None = None
    pin: str | None = None  # SHA-256 of certificate or public key, 64 lower-case hex digits
    cleartext: bool = False
    max_deletions: int | None = None  # S21
    gmail_auto_expunge: bool = True  # false: its owner switched it off, so that a flagged message stays (S18)
    expunge_without_uidplus: bool = False  # S19: accepts a race with other users' deletions


@frozen(kw_only=True)
class PassThrough(Settings):
    """The POP3 login is the upstream login. `users` is a shell glob over logins; see `accounts.directory`.

    `name` is what memory is kept under instead of the upstream's URL, so that it survives a move to another server.
    `login_views` lets a login narrow the view.
    """

    name: str | None = None
    users: str = "*"
    login: str = "{user}"  # {user}: the login as typed; {local}: its part before the last @
    login_views: bool = False
    master_users: bool = False  # S22: lets `*` through in a login


@frozen
class Reference:
    """Where a secret is found; a file's path is absolute."""

    kind: Literal["env", "file", "vault", "oauth2"]
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


@frozen(kw_only=True)
class OwnSource(Settings):
    """One of the mailboxes behind a login of the bridge's own: `login` is sent there as it stands.

    Memory is kept under the account's user and this `name`.
    """

    name: str
    login: str
    secret: Reference
    unavailable: Literal["fail", "remembered"] = "fail"  # S10
    origin_header: str | None = None  # a header line of this name at the top of each message names its source


@frozen(kw_only=True)
class Device:
    """One more password to an account, to be taken away alone; what is None is as the account's sources have it.

    Its `name` is also what its own memory is kept under: what it has deleted under "keep", its numbers.
    """

    name: str
    password: PasswordHash
    scram: Keys | None = None
    delete: Delete | None = None  # with it trash, archive, after and purge are what stands here, and nothing else
    trash: str | None = None
    archive: str | None = None
    after: Long | None = None
    purge: Long | None = None
    seen: Literal["never", "retrieved", "deleted"] | None = None
    since: Long | None = None
    newest: Positive | None = None
    search: str | None = None
    max_deletions: int | None = None


@frozen(kw_only=True)
class OwnAccount:
    """A login of the bridge's own, with a password, or several, each of a device. `popbridge password` prints them."""

    user: str
    password: PasswordHash | None = None
    scram: Keys | None = None
    device: tuple[Device, ...] = ()
    source: tuple[OwnSource, ...] = ()
    duplicates: Literal["show", "hide"] = "show"  # of one message in several sources


@frozen(kw_only=True)
class OAuth2Grant:
    """Somebody's consent, or an application's own right; a source names it by `secret = "oauth2:NAME"`.

    What stands here instead of a preset's word (`config.presets`) is the owner's.
    """

    name: str
    provider: ProviderName | None = None
    grant: Literal["code", "device", "client", "service"] = "code"
    client_id: str | None = None
    client_secret: Reference | None = None
    # A certificate instead of a secret (RFC 7523, section 2.2), with its key.
    certificate: Path | None = None
    private_key: Reference | None = None
    service_account: Reference | None = None  # the JSON that Google made for it
    tenant: str | None = None  # Microsoft's word for whose directory is asked
    authorize: str | None = None
    token: str | None = None
    device: str | None = None
    scopes: tuple[str, ...] = ()
    redirect: str | None = None  # where the browser takes the answer
    mechanism: BearerMechanism | None = None
    command: tuple[str, ...] = ()  # is run with the name behind it, when consent is needed again


@frozen(kw_only=True)
class Timeouts:
    """S23, S28 and S31."""

    connect: float = 10.0  # DNS and connect with TLS
    greeting: float = 10.0
    client_handshake: float = 15.0
    upstream_silence: float = 30.0  # an answer, also inside a literal
    login_wait: float = 50.0
    quit_wait: float = 2.5  # from then on the journal answers for upstream (S17)
    deletion_wait: float = 50.0  # QUIT waits for upstream this long where there is no journal
    close_abort: float = 10.0
    idle: float = 600.0  # RFC 1939, section 3: at least 10 minutes
    login_idle: float = 60.0
    client_stall: float = 600.0
    refused_login_delay: float = 2.0


@frozen(kw_only=True)
class Limits:
    """S23 and S27, how many may be connected, and how much of their mail is held."""

    refused_logins: Positive = 3
    unknown_commands: Positive = 20
    line: Positive = 255  # RFC 2449, section 4
    login_line: Positive = 65536  # tokens in AUTH are long
    connections: Positive = 10_000
    connections_per_address: Positive = 2_500
    read_ahead: int = 2 * 1024 * 1024  # octets of mail that a session may hold before they are asked for; 0: none
    read_ahead_total: int = 64 * 1024 * 1024  # all sessions together


@frozen(kw_only=True)
class Pool:
    """How long, and how many, upstream connections are kept between two sessions of an account (S22)."""

    park: Rest = 600.0
    parked: Positive = 2_000
    parked_per_host: Positive = 1_000
    parked_per_account: Positive = 2
    connections_per_account: Positive = 15  # in use and parked; Gmail allows so many
    believe_idle: bool = True  # of servers that tell an IDLE of everything; a change may take them half a second
    memory: Positive = 64  # megabytes of listings held, the latest used


@frozen
class KeySource:
    """Where the vault's key is; a file's path is absolute once a configuration was read."""

    kind: Literal["file", "credential", "env", "keyring"]
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


VaultFile = Annotated[Path, "a file that need not be there yet"]


@frozen(kw_only=True)
class VaultSettings:
    """Where the secrets that the bridge needs by itself are sealed (S30). Relative defaults: beside the state."""

    file: VaultFile = Path("popbridge.vault")
    key: KeySource = KeySource("file", "popbridge.key")


@frozen(kw_only=True)
class Document:
    """The configuration file's own shape: a field is a key."""

    state: StateFile = Path("popbridge.sqlite")
    trace: bool = False
    listener: tuple[Listener, ...] = ()
    passthrough: tuple[PassThrough, ...] = ()
    accounts: AccountsDirectory = None
    account: tuple[OwnAccount, ...] = ()
    oauth2: tuple[OAuth2Grant, ...] = ()
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    pool: Pool = Pool()
    vault: VaultSettings = VaultSettings()


@frozen(kw_only=True)
class Config:
    """Relative paths in it were taken from `base`; a certificate made by the bridge is kept there.

    `state` is an absolute path, None where nothing survives the process ("memory:").
    """

    base: Path
    listeners: tuple[Listener, ...]
    passthrough: tuple[PassThrough, ...] = ()
    accounts: tuple[OwnAccount, ...] = ()
    accounts_directory: Path | None = None
    oauth2: tuple[OAuth2Grant, ...] = ()
    state: Path | None = None
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    pool: Pool = Pool()
    vault: VaultSettings = VaultSettings()
    trace: bool = False
