"""What is asked of the outside, and one request, tried again. Of a request nothing is known here but HTTP and problems."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import quote

from .errors import AiFirstError, Conflict, Denied, Invalid, NotFound, Problem, Unavailable
from .models import Event

T = TypeVar("T")


# --- what is asked of the outside ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Send:
    """Answered with a `Response`, or `Broken` is thrown. `timeout`: how long it may be silent, in seconds."""

    method: str
    path: str
    timeout: float
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Open(Send):
    """As `Send`, but of an answer with status 200 the body is left to be read. It stays open while `Read` and `Emit` follow."""


@dataclass(frozen=True)
class Read:
    """The next bytes of what is open; None: it has ended. Or `Broken` is thrown."""


@dataclass(frozen=True)
class Sleep:
    seconds: float


@dataclass(frozen=True)
class Emit:
    """For whoever iterates."""

    event: Event


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)

    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Broken(Exception):
    """No answer, or not all of it: what was sent may have been taken or not."""


Op = Send | Read | Sleep | Emit
Call = Generator[Op, Any, T]


@dataclass(frozen=True)
class Settings:
    timeout: float
    retry_for: float
    clock: Callable[[], float]
    chance: Callable[[], float] = random.random
    #: The token of the task that everything is done for.
    parent: str | None = field(default=None, repr=False)


# --- one request, tried again -------------------------------------------------------------------------------------------

FIRST_PAUSE = 0.2
PAUSE_MAX = 10.0
SOON = (429, 503)
#: Turned away at the door.
_NOT_TAKEN = ("RATE_LIMITED", "OVERLOADED")
#: What a proxy answers in place of a server that is being restarted.
GATEWAYS = (502, 504)


def request(
    settings: Settings,
    method: str,
    path: str,
    body: object = None,
    *,
    headers: Mapping[str, str] | None = None,
    key: str | None = None,
    patience: float = 0.0,
    on_repeat: Callable[[], None] | None = None,
) -> Call[Response]:
    """Until there is an answer other than "later", or `retry_for` seconds are over.

    :param patience: how much longer than usual the answer may take, in seconds
    :param on_repeat: told before a request is sent again that may have been taken already
    """
    payload = None if body is None else encode(body)
    sent = {**({"content-type": "application/json"} if payload is not None else {}), **({"idempotency-key": key} if key is not None else {}), **(headers or {})}
    give_up = settings.clock() + settings.retry_for
    pause = FIRST_PAUSE
    perhaps_done = False
    while True:
        wanted: float | None = None
        began = settings.clock()
        try:
            response: Response = yield Send(method, path, settings.timeout + patience, payload, sent)
            if response.status not in SOON and response.status not in GATEWAYS:
                return response
            unknown = response.status in GATEWAYS
            wanted = retry_after(response.headers)
            error = unavailable(response, wanted, key)
            perhaps_done |= error.code not in _NOT_TAKEN
        except Broken as broken:
            unknown = perhaps_done = True
            error = Unavailable("NO_ANSWER", f"{method} {path}: {broken}", idempotency_key=key)
        error.perhaps_done = perhaps_done
        # Why: what the server was asked to wait is no time in which it was away.
        give_up += min(patience, settings.clock() - began)
        # Why at least what was asked for, and a little more: all that were turned away together do not come back together.
        wait = pause * (0.5 + settings.chance()) if wanted is None else wanted + pause * settings.chance() * 0.5
        if settings.clock() + wait > give_up:
            raise error
        yield Sleep(wait)
        pause = min(pause * 2, PAUSE_MAX)
        if unknown and on_repeat is not None:
            on_repeat()


def encode(body: object) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair is no text") from None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, or a date (RFC 9110); what can't be read is nothing."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=timezone.utc)) - datetime.now(timezone.utc)).total_seconds())


def _problems(document: Mapping[str, Any]) -> tuple[Problem, ...]:
    found = document.get("errors")
    each = found if isinstance(found, list) else []
    return tuple(Problem(one["code"], one.get("detail", ""), one.get("pointer")) for one in each if isinstance(one, dict) and isinstance(one.get("code"), str))


def document_of(response: Response) -> Mapping[str, Any]:
    document = response.json()
    return document if isinstance(document, dict) else {}


def unavailable(response: Response, wanted: float | None, key: str | None) -> Unavailable:
    document = document_of(response)
    code = document.get("code", "RATE_LIMITED" if response.status == 429 else "UNAVAILABLE")
    return Unavailable(
        code, document.get("detail", f"answered {response.status}"), retry_after=wanted, idempotency_key=key,
        status=response.status, errors=_problems(document), document=document,
    )  # fmt: skip


_ADVICE = {
    401: "The token is missing, wrong, ended or revoked: give one that holds (AIFIRST_TOKEN).",
    403: "Trying again does not help: use what is permitted, or ask whoever administers this agent.",
    404: "It is not there, or not this token's to see.",
    422: "Nothing was done: mend what each `pointer` names and hand it in again.",
    501: "This server can't do that yet.",
}
_CLASSES: Mapping[int, type[AiFirstError]] = {400: Invalid, 401: Denied, 403: Denied, 404: NotFound, 409: Conflict, 412: Conflict, 413: Invalid, 415: Invalid, 422: Invalid}
_ADVICE_OF_CODE = {
    "IDEMPOTENCY_CONFLICT": "Another intent was handed in under this idempotency_key: give this one a key of its own.",
    "PLAN_STALE": "Something that it rests on has changed, nothing was done: look at it anew, by a new plan or a new preview.",
    "IN_USE": "Nothing was done. Roll those back first, the latest first; or look at preview_rollback and hand what it answers on as `digest`, which takes this back regardless.",
}


def refused(response: Response) -> AiFirstError:
    document = document_of(response)
    code = document.get("code")
    if not isinstance(code, str):
        code, document = f"HTTP_{response.status}", {"detail": f"answered {response.status} with no problem that could be read: is this the address of the runtime?"}
    kind = _CLASSES.get(response.status, AiFirstError)
    return kind(
        code, str(document.get("detail", "")), pointer=document.get("pointer"), status=response.status, errors=_problems(document),
        advice=_ADVICE_OF_CODE.get(code, _ADVICE.get(response.status, "")), document=document,
    )  # fmt: skip


def expect(response: Response, *statuses: int) -> Any:
    """Its body, if it is what was expected."""
    if response.status in statuses:
        body = response.json()
        if isinstance(body, dict):
            return body
    raise refused(response)


def read(of: Callable[[Mapping[str, Any]], T], body: Mapping[str, Any]) -> T:
    try:
        return of(body)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AiFirstError("UNREADABLE", f"the answer is not of the shape that was expected ({type(error).__name__}: {error}): is this the address of the runtime, and not older than this package?") from error


def part(id: str) -> str:
    """Of a path. An id is data: it can't lead elsewhere."""
    if not isinstance(id, str) or id in ("", ".", ".."):
        raise ValueError("an id is a text, and not empty")
    return quote(id, safe="")
