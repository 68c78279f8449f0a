"""Asking a person's consent in a browser: the address to open, and what the browser brings back (RFC 6749, 7636, 8252).

Nothing here opens anything; random octets come as arguments.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode, urlsplit

from attrs import frozen

from bridge.config.presets import AuthorizationServer
from bridge.credentials.oauth2_answers import shown
from bridge.secret import Secret

LONGEST_ANSWER = 16 * 1024


class AnotherAnswer(Exception):
    """What came is not the answer to this question; the right one may still come."""


class ConsentRefused(Exception):
    """The person, or the server, said no; the text is the server's."""


@frozen
class Question:
    """`state` makes sure that the answer is to this question, `verifier` that nobody else can use it (PKCE)."""

    address: str
    redirect: str
    state: Secret
    verifier: Secret
    issuer: str | None


def question(
    server: AuthorizationServer, client_id: str, redirect: str, login: str | None, random: Callable[[int], bytes]
) -> Question:
    """`login`: who is to be asked, where that is known; people have several accounts."""
    verifier, state = _base64url(random(48)), _base64url(random(24))
    challenge = _base64url(hashlib.sha256(verifier.encode()).digest())
    pairs = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect,
        "scope": " ".join(server.scopes),
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **({"login_hint": login} if login else {}),
        **dict(server.asks),
    }
    address = server.authorize or ""
    address += ("&" if "?" in address else "?") + urlencode(pairs)
    return Question(address, redirect, Secret(state.encode()), Secret(verifier.encode()), server.issuer)


def code_of(asked: Question, answer: str) -> Secret:
    """Out of the address that the browser was sent to, or its query. Raises AnotherAnswer and ConsentRefused."""
    text = answer.strip()
    if not text or len(text) > LONGEST_ANSWER:
        raise AnotherAnswer("this is no address")
    query = urlsplit(text).query if "?" in text else text
    pairs = dict(parse_qsl(query, keep_blank_values=True))
    state = pairs.get("state", "").encode()
    if not hmac.compare_digest(state, asked.state.reveal()):
        raise AnotherAnswer("it does not belong to the question that was asked (state)")
    issuer = pairs.get("iss")
    if issuer is not None and asked.issuer is not None and issuer != asked.issuer:
        # RFC 9207, section 2.4: the code is of another server, and must not be shown to this one.
        raise ConsentRefused(f"the answer is of another authorization server ({shown(issuer)})")
    if "error" in pairs:
        description = pairs.get("error_description")
        raise ConsentRefused(shown(pairs["error"] + (f" ({description})" if description else "")))
    if not pairs.get("code"):
        raise AnotherAnswer("it holds no code")
    return Secret(pairs["code"].encode())


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
