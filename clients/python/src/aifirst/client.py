"""The synchronous client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import replace
from datetime import timedelta
from types import TracebackType
from typing import Any, TypeVar

import httpx

from . import _calls
from ._calls import IntentLike, id_of
from ._http import Credentials
from ._request import Broken, Call, Emit, Op, Open, Read, Response, Send, Settings, Sleep
from ._transactions import Course, fields_of
from .intent import Intent
from .models import Capability, Event, OnConflict, Plan, RollbackPreview, Submitted, Workflow
from .transaction import Transaction

__all__ = ["Client"]

T = TypeVar("T")
WorkflowLike = Workflow | Submitted | str


class Client:
    """Calls as one agent. Use it with `with`, or call `close`.

    :param url: of the server; AIFIRST_URL or http://127.0.0.1:7400 unless given
    :param token: of the agent; AIFIRST_TOKEN unless given
    :param timeout: how long an answer may be silent, in seconds
    :param retry_for: for how long a call is tried again while the server is away or asks to come back later, in seconds
    :param transport: what sends, for a proxy of one's own
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout: float = 30.0,
        retry_for: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._credentials = Credentials(url, token)
        self._settings = Settings(timeout, retry_for, time.monotonic)
        #: Raises once nothing may be asked any more.
        self._guard: Callable[[], None] = _always
        # Why no redirects: the token would go along.
        self._http = httpx.Client(base_url=self._credentials.url, headers=self._credentials.headers(), follow_redirects=False, transport=transport)

    @property
    def url(self) -> str:
        return self._credentials.url

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Gives connections back. Workflows go on."""
        if self._settings.parent is not None:
            return
        self._http.close()

    def submit(self, intent: IntentLike, *, idempotency_key: str | None = None) -> Submitted:
        """Hands an intent in, or a plan to be run exactly, and does not wait for its end.

        Without a key of the caller's one is made and kept while the call is tried again: it acts once.
        """
        submitted, _ = self._run(_calls.submit(self._settings, intent, idempotency_key))
        return submitted

    def run(self, intent: IntentLike, *, idempotency_key: str | None = None, timeout: float = 600.0, check: bool = True) -> Workflow:
        """Hands an intent in and waits until it has ended or waits for somebody.

        :param check: raise `WorkflowDenied`, `WorkflowParked` or `WorkflowFailed` unless it is completed
        :raises WaitTimeout: after `timeout` seconds; the workflow goes on
        """
        return self._run(_calls.run(self._settings, intent, idempotency_key, timeout, check))

    def wait(self, workflow: WorkflowLike, *, timeout: float = 600.0, check: bool = True) -> Workflow:
        """Waits until a workflow has ended or waits for somebody; the parameters are those of `run`."""
        return self._run(_calls.wait_for(self._settings, id_of(workflow), timeout, check))

    def plan(self, intent: Intent | Mapping[str, Any], *, timeout: float = 120.0) -> Plan:
        """What an intent would do, without doing it."""
        return self._run(_calls.plan(self._settings, intent, timeout))

    def apply(self, plan: Plan | str, *, idempotency_key: str | None = None, timeout: float = 600.0, check: bool = True) -> Workflow:
        """Runs exactly a plan and waits as `run` does.

        :raises Conflict: `PLAN_STALE`, if what it rests on has changed; nothing was done
        """
        return self._run(_calls.apply(self._settings, plan, idempotency_key, timeout, check))

    def workflow(self, workflow: WorkflowLike) -> Workflow:
        """As it is now."""
        return self._run(_calls.workflow(self._settings, id_of(workflow)))

    def events(self, workflow: WorkflowLike) -> list[Event]:
        """What has happened to a workflow so far, in order."""
        return self._run(_calls.events(self._settings, id_of(workflow)))

    def live_events(self, workflow: WorkflowLike, *, after: int = 0) -> Iterator[Event]:
        """What has happened with a `sequence` above `after`, then what happens, each once and in order, until the
        workflow has ended. A broken connection is taken up where it broke."""
        return self._iterate(_calls.live(self._settings, id_of(workflow), after))

    def transaction(
        self,
        goal: str,
        *,
        idle_timeout: float | timedelta | None = None,
        deadline: float | timedelta | None = None,
        labels: Mapping[str, str] | None = None,
        subjects: Iterable[str] | None = None,
        idempotency_key: str | None = None,
        timeout: float = 600.0,
    ) -> Transaction:
        """A transaction whose steps are decided one by one; use it with `with`.

        :param goal: what it is for; people read it in the audit log
        :param idle_timeout: left alone for so long it takes itself back, in seconds or as a timedelta; five minutes unless given
        :param deadline: not committed by then it takes itself back; 24 hours unless given
        :param labels: names and texts to find it by
        :param subjects: whose data it is about, such as `customer:42`
        :param idempotency_key: the same key finds the same transaction and, as long as the calls come in the same order, its steps
        :param timeout: how long each step and the end are waited for, in seconds
        """
        return Transaction(self, Course(self._settings, goal, fields_of(idle_timeout, deadline, labels, subjects), idempotency_key, timeout))

    def preview_rollback(self, workflow: WorkflowLike, *, on_conflict: OnConflict = "block") -> RollbackPreview:
        """What taking it back would do, step by step, and who came after. Nothing is done."""
        return self._run(_calls.preview_rollback(self._settings, id_of(workflow), on_conflict))

    def rollback(
        self,
        workflow: WorkflowLike,
        *,
        reason: str | None = None,
        on_conflict: OnConflict | None = None,
        digest: RollbackPreview | str | None = None,
        timeout: float | None = None,
    ) -> Workflow:
        """Takes everything back, running or long ended; on `rollbackBlocked` tries again what is left.

        :param on_conflict: of a step that others are in the way of: "block" (the default; it waits for a person) or "skip" (it stands)
        :param digest: a preview, or the digest of one: just what it showed is done, or nothing
        :param timeout: wait so many seconds for its end; without, the answer is the workflow as the order was taken
        :raises Conflict: `IN_USE`, with `dependents` who have to be rolled back first; `PLAN_STALE`, with what has `moved`
        """
        return self._run(_calls.rollback(self._settings, id_of(workflow), reason, on_conflict, digest, timeout))

    def cancel(self, workflow: WorkflowLike, *, reason: str | None = None, timeout: float | None = None) -> Workflow:
        """Before any effect ends it `cancelled`; later it does as the intent's `on_failure` says."""
        return self._order("cancel", workflow, reason, timeout)

    def pause(self, workflow: WorkflowLike, *, reason: str | None = None) -> Workflow:
        """Starts no further step; what runs, ends."""
        return self._order("pause", workflow, reason, None)

    def resume(self, workflow: WorkflowLike, *, failed_step: str | None = None, timeout: float | None = None) -> Workflow:
        """Goes on. `failed_step`: "retry" or "skip" what failed."""
        body = {} if failed_step is None else {"failedStep": failed_step}
        return self._run(_calls.order(self._settings, "resume", id_of(workflow), body, timeout))

    def capabilities(self) -> list[Capability]:
        """All that there is to call, whether this agent may or not; `aifirst.tools` has those that it may."""
        return self._run(_calls.capabilities(self._settings))

    def _bound(self, parent: str, guard: Callable[[], None]) -> Client:
        """The same, for work inside a task. It shares the connections, and leaves them open."""
        bound = copy(self)
        bound._settings = replace(self._settings, parent=parent)
        bound._guard = guard
        return bound

    def _order(self, what: str, workflow: WorkflowLike, reason: str | None, timeout: float | None) -> Workflow:
        body = {} if reason is None else {"reason": reason}
        return self._run(_calls.order(self._settings, what, id_of(workflow), body, timeout))

    def _run(self, call: Call[T]) -> T:
        stream = _Stream(self._http)
        try:
            operation = next(call)
            while True:
                self._guard()
                try:
                    result = stream.do(operation)
                except Broken as broken:
                    operation = call.throw(broken)
                else:
                    operation = call.send(result)
        except StopIteration as ended:
            value: T = ended.value
            return value
        finally:
            stream.close()

    def _iterate(self, call: Call[None]) -> Iterator[Event]:
        stream = _Stream(self._http)
        try:
            operation = next(call)
            while True:
                self._guard()
                try:
                    result = None
                    if isinstance(operation, Emit):
                        yield operation.event
                    else:
                        result = stream.do(operation)
                except Broken as broken:
                    operation = call.throw(broken)
                else:
                    operation = call.send(result)
        except StopIteration:
            return
        finally:
            stream.close()


def _always() -> None:
    """Nothing stands against it."""


class _Stream:
    """Does what a call asks for. At most one answer is open at a time."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._open: httpx.Response | None = None
        self._chunks: Iterator[bytes] | None = None

    def do(self, operation: Op) -> Response | bytes | None:
        if isinstance(operation, Read):
            return self._read()
        self.close()
        if isinstance(operation, Send):
            return self._send(operation)
        if isinstance(operation, Sleep):
            time.sleep(operation.seconds)
        return None

    def close(self) -> None:
        response, self._open, self._chunks = self._open, None, None
        if response is not None:
            response.close()

    def _send(self, operation: Send) -> Response:
        timeout = httpx.Timeout(operation.timeout, connect=min(10.0, operation.timeout))
        built = self._http.build_request(operation.method, operation.path, content=operation.body, headers=dict(operation.headers), timeout=timeout)
        try:
            self._open = self._http.send(built, stream=True)
            if isinstance(operation, Open) and self._open.status_code == 200:
                self._chunks = self._open.iter_bytes()
                return Response(200, self._open.headers)
            body = self._open.read()
        except httpx.UnsupportedProtocol:
            raise
        except httpx.TransportError as error:
            raise Broken(f"{type(error).__name__}{f': {error}' if str(error) else ''}") from error
        response = Response(self._open.status_code, self._open.headers, body)
        self.close()
        return response

    def _read(self) -> bytes | None:
        if self._chunks is None:
            return None
        try:
            return next(self._chunks)
        except StopIteration:
            return None
        except httpx.TransportError as error:
            raise Broken(f"{type(error).__name__}{f': {error}' if str(error) else ''}") from error
