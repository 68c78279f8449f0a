"""How a person writes an address, an upstream, a duration, a place for state: text to values, or a remedy.

Nothing here asks the network; a host name stays a name.
"""

import ipaddress
import math
import re
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

from bridge.config.problems import WrongValue
from bridge.config.values import Endpoint, Reference, Upstream
from bridge.violation import excerpt

_SCHEMES: dict[str, tuple[Literal["imap", "pop3"], Literal["tls", "starttls", "none"], int]] = {
    "imaps": ("imap", "tls", 993),
    "imap+starttls": ("imap", "starttls", 143),
    "imap": ("imap", "none", 143),
    "pop3s": ("pop3", "tls", 995),
    "pop3+starttls": ("pop3", "starttls", 110),
    "pop3": ("pop3", "none", 110),
}
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?) ?([smhdwy]?)")
A_YEAR = 366 * 86400
LONGEST_REST = 600.0
A_CENTURY = 100 * A_YEAR
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def parse_endpoint(text: str) -> Endpoint:
    """ "127.0.0.1:1110", "[::1]:995", ":110" for all addresses."""
    host, colon, port = text.strip().rpartition(":")
    if not colon:
        if text.strip().isdecimal():
            raise WrongValue("a port alone does not say on which address", write=f"127.0.0.1:{text.strip()}")
        raise WrongValue(f"{_shown(text)} has no port", write=f"{text.strip() or '127.0.0.1'}:1110")
    if not (port.isascii() and port.isdecimal() and int(port) <= 65535):
        raise WrongValue(f"{_shown(port)} is not a port number (0 to 65535)", write=f"{host or '127.0.0.1'}:1110")
    if not host:
        return Endpoint("", int(port))
    if host == "*":
        raise WrongValue("all addresses are written without a star", write=f":{port}")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise WrongValue("an IPv6 address stands in brackets", write=f"[{host}]:{port}")
    try:
        return Endpoint(str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))), int(port))
    except ValueError:
        raise WrongValue(
            f"{_shown(host)} is not an IP address; a listener needs one of this machine",
            write=f"127.0.0.1:{port}",
        ) from None


def parse_upstream(text: str) -> Upstream:
    """An upstream URL such as "imaps://imap.example.org/INBOX". No error repeats a password found in it."""
    scheme, separator, rest = text.strip().partition("://")
    if text.strip() == "auto":
        raise WrongValue(
            'pass-through never searches for a server by itself ("auto")',
            remedy='write upstream = "imaps://…" as `popbridge try you@example.org` finds it',
        )
    if not separator:
        raise WrongValue(f"{'it' if '@' in text else _shown(text)} is not a URL", write=f"imaps://{_host_guess(text)}")
    if scheme not in _SCHEMES:
        known = ", ".join(f"{name}://" for name in _SCHEMES)
        raise WrongValue(f"{_shown(scheme)}:// is none of {known}", write=f"imaps://{_host_guess(rest)}")
    protocol, security, usual_port = _SCHEMES[scheme]
    host, port, parts = _split_authority(scheme, rest)
    path = parts.path.removeprefix("/")
    if protocol == "pop3" and path:
        raise WrongValue("a POP3 server has one mailbox, so none is named", write=f"{scheme}://{_host_guess(rest)}")
    return Upstream(protocol, security, host, usual_port if port is None else port, _mailbox(path))


def is_loopback(host: str) -> bool:
    """Names count only where no name server has a say (RFC 6761, section 6.3)."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def parse_duration(value: object, *, longest: float = A_YEAR) -> float:
    """Seconds, from a number or from text such as "30s", "10m", "2h", "7d", "2w", "1y"."""
    if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        seconds = float(match[1]) * _UNITS[match[2]]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    else:
        raise WrongValue(f"{_shown(str(value))} is not a duration", remedy='write seconds, or "30s", "10m", "2h", "7d"')
    if not (math.isfinite(seconds) and 0 < seconds <= longest):
        within = "a year" if longest == A_YEAR else "a hundred years"
        raise WrongValue(
            f"a duration lies above nothing and within {within}", write="30s" if longest == A_YEAR else "30d"
        )
    return seconds


def parse_rest(value: object) -> float:
    """Seconds up to LONGEST_REST; 0 for "off"."""
    if value == "off":
        return 0.0
    seconds = parse_duration(value)
    if seconds > LONGEST_REST:
        raise WrongValue("a password is checked upstream every ten minutes at least", write="10m")
    return seconds


def parse_state(text: str, base: Path) -> Path | None:
    """Where "sqlite:FILE" keeps what must survive a restart, a relative FILE from `base` on; None for "memory:"."""
    kind, colon, name = text.strip().partition(":")
    if text.strip() == "memory:":
        return None
    if kind in {"postgresql", "postgres"}:
        raise WrongValue(f"{kind}: is not in this version", write="sqlite:popbridge.sqlite")
    if kind != "sqlite" or not colon:
        raise WrongValue(
            f"{_shown(text)} is neither sqlite:FILE nor memory:",
            write=f"sqlite:{text.strip()}" if not colon and text.strip().isprintable() else "sqlite:popbridge.sqlite",
        )
    if not name or not name.isprintable() or name.endswith("/") or re.match("//[^/]", name):
        raise WrongValue("sqlite: is followed by the name of a file", write="sqlite:popbridge.sqlite")
    return file_to_make(name, base, inside=f"sqlite:{name}/popbridge.sqlite")


def file_to_make(name: str, base: Path, *, inside: str) -> Path:
    """It need not be there, but its directory must. `inside`: what to write where it is a directory itself."""
    file = base / name
    if file.is_dir():
        raise WrongValue(f"{file} is a directory", write=inside)
    if not file.parent.is_dir():
        raise WrongValue(
            f"there is no directory {file.parent}", remedy=f"make it, or name another; a relative one starts at {base}"
        )
    return file


def check_name(text: str) -> str:
    """What an entry's memory is kept under: a word that cannot be taken for an upstream's URL."""
    if not _NAME.fullmatch(text):
        raise WrongValue("a name has 1 to 64 letters, digits, dots, _ and -", write="work")
    return text


def parse_pin(text: str) -> str:
    """64 hex digits, colons and a leading "sha256:" allowed, as openssl and browsers print fingerprints."""
    digits = text.strip().lower().removeprefix("sha256").lstrip(":=").replace(":", "").strip()
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise WrongValue(
            "it is not a SHA-256 fingerprint (64 hex digits)",
            remedy="write what `openssl x509 -noout -fingerprint -sha256 -in cert.pem` prints behind the =",
        )
    return digits


def check_login_template(text: str) -> str:
    """Text in which {user} and {local} stand for the login as typed and for its part before the last @."""
    rest = text.replace("{user}", "").replace("{local}", "")
    if "{" in rest or "}" in rest:
        raise WrongValue("only {user} and {local} may stand in braces", write="{user}")
    if not text.strip() or not text.isprintable():
        raise WrongValue("a login template is neither empty nor holds control characters", write="{user}")
    return text


def _split_authority(scheme: str, rest: str) -> tuple[str, int | None, SplitResult]:
    if "@" in rest.partition("/")[0]:
        raise WrongValue(
            "a user or password does not belong in the upstream's URL; the mail program sends them",
            write=f"{scheme}://{_host_guess(rest)}",
        )
    if "?" in rest or "#" in rest:
        raise WrongValue("? and # in a mailbox name must be percent-encoded", remedy="write %3F for ?, %23 for #")
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname or "", parts.port
        if ":" not in host:
            host = host.encode("idna").decode("ascii")
    except ValueError:  # UnicodeError is one
        raise WrongValue("host or port cannot be read", write=f"{scheme}://imap.example.org") from None
    if port == 0 or not (":" in host or _HOST.fullmatch(host)):
        raise WrongValue("host or port cannot be read", write=f"{scheme}://imap.example.org")
    return host, port, parts


def _mailbox(path: str) -> str:
    if not path or path.upper() == "INBOX":  # INBOX is case-insensitive (RFC 9051, section 5.1)
        return "INBOX"
    if _BROKEN_PERCENT.search(path):
        raise WrongValue("a % in the mailbox name that is not followed by two hex digits", remedy="write %25 for a %")
    try:
        mailbox = unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        raise WrongValue("the mailbox name is not UTF-8", remedy="percent-encode its UTF-8 octets") from None
    if not mailbox.isprintable() or mailbox.endswith("/"):
        raise WrongValue(
            "a mailbox name holds no control characters and does not end with a slash",
            remedy='write it as in "imaps://imap.example.org/Archive/2024"',
        )
    return mailbox


def _host_guess(rest: str) -> str:
    """What looks like the host, for a remedy; nothing before an @, which may be a password."""
    host = rest.strip().rpartition("@")[2].partition("/")[0].partition(":")[0]
    return host if _HOST.fullmatch(host) else "imap.example.org"


def _shown(text: str) -> str:
    return f'"{excerpt(text.encode())}"'


def parse_reference(text: str, base: Path) -> Reference:
    """Where a secret is found. A relative path starts at `base`."""
    kind, colon, name = text.partition(":")
    if not colon or not name:
        raise WrongValue("a secret is not written here, but where it is found", write="vault:work")
    match kind:
        case "vault":
            return Reference("vault", check_name(name))
        case "env":
            return Reference("env", name)
        case "file":
            return Reference("file", str(base / name))
        case "oauth2":
            return Reference("oauth2", check_name(name))
        case _:
            # What stands there may be the secret itself: it is not repeated.
            raise WrongValue("it begins with none of vault:, file:, env: and oauth2:", write="vault:work")


def check_device(text: str) -> str:
    """As in a login's view (`accounts.login_view`)."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,32}", text):
        raise WrongValue("a device's name has 1 to 32 letters, digits, dots, _ and -", write="scanner")
    return text
