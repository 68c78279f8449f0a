# Twisted gives its test doubles no types.
# mypy: disallow-untyped-calls=False
"""An authorization server in memory: what it is asked is written down, and it answers what the test has laid out."""

import json
from collections.abc import Coroutine
from typing import Any, TypeVar, cast

from attrs import define, field, frozen
from treq.client import HTTPClient
from treq.testing import StubTreq
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from bridge.config import OAuth2Grant, Reference
from bridge.credentials.oauth2_client import Client
from bridge.credentials.oauth2_http import Posting
from bridge.secret import Secret

T = TypeVar("T")

TOKEN = "http://127.0.0.1/token"
GRANT = OAuth2Grant(
    name="work",
    client_id="popbridge",
    authorize="http://127.0.0.1/authorize",
    token=TOKEN,
    device="http://127.0.0.1/device",
    scopes=("mail", "offline_access"),
)


@frozen
class Said:
    """An answer; a dict is sent as JSON."""

    body: dict[str, Any] | bytes
    status: int = 200
    headers: dict[str, str] = field(factory=dict)


def tokens(access: str = "access-1", **more: Any) -> Said:
    return Said({"access_token": access, "token_type": "Bearer", "expires_in": 1000, **more})


def refusal(code: str, description: str = "", status: int = 400, **headers: str) -> Said:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Said({"error": code, "error_description": description}, status, named)


@define
class Outcome:
    """What came of something that waits, so far."""

    result: Any = None
    error: BaseException | None = None
    over: bool = False


def watched(work: "Coroutine[Any, Any, Any] | Deferred[Any]") -> Outcome:
    outcome = Outcome()
    deferred = work if isinstance(work, Deferred) else Deferred.fromCoroutine(work)

    def done(result: Any) -> None:
        outcome.result, outcome.over = result, True

    def failed(failure: Any) -> None:
        outcome.error, outcome.over = failure.value, True

    deferred.addCallbacks(done, failed)
    return outcome


@define
class Authority(Resource):
    """Answers in the order laid out; while there is none it lets the asker wait."""

    isLeaf = True  # noqa: N815 - Twisted's word

    answers: list[Said] = field(factory=list)
    asked: list[dict[str, str]] = field(factory=list)
    paths: list[str] = field(factory=list)
    clock: Clock = field(factory=Clock)
    _waiting: list[Request] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        Resource.__init__(self)
        self.http = StubTreq(self)

    def __hash__(self) -> int:
        return id(self)

    def posting(self) -> Posting:
        return Posting(cast("HTTPClient", self.http), self.clock)

    def client(self, grant: OAuth2Grant = GRANT, **secrets: str) -> Client:
        return Client.of(grant, self.posting(), resolver(**secrets), self.clock)

    def render_POST(self, request: Request) -> bytes | int:  # noqa: N802
        arguments: dict[bytes, list[bytes]] = request.args or {}
        self.asked.append({name.decode(): values[0].decode() for name, values in arguments.items()})
        self.paths.append(request.path.decode())
        if not self.answers:
            self._waiting.append(request)
            return NOT_DONE_YET
        return self._written(request, self.answers.pop(0))

    def answer(self, said: Said) -> None:
        """To the one who has waited longest."""
        request = self._waiting.pop(0)
        request.write(self._written(request, said))
        request.finish()
        self.http.flush()

    def started(self, work: "Coroutine[Any, Any, Any] | Deferred[Any]") -> Outcome:
        outcome = watched(work)
        for _ in range(5):  # a body flows only once somebody reads it
            self.http.flush()
        return outcome

    def done(self, work: "Coroutine[Any, Any, T] | Deferred[T]") -> T:
        """What came of something that has nothing to wait for."""
        outcome = self.started(work)
        assert outcome.over, "it waits"
        if outcome.error is not None:
            raise outcome.error
        return cast("T", outcome.result)

    def _written(self, request: Request, said: Said) -> bytes:
        request.setResponseCode(said.status)
        for name, value in said.headers.items():
            request.setHeader(name, value)
        return said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()


def resolver(**secrets: str) -> Any:
    async def resolve(reference: Reference) -> Secret:
        return Secret(secrets[reference.name].encode())

    return resolve
