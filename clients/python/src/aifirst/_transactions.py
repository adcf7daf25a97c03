"""A transaction apart from how it waits: what both kinds of client drive, as `_calls`."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Iterable, Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any

from ._calls import led_by, new_key, order, wait, workflow
from ._request import Call, Settings, Sleep, expect, part, read, request
from .errors import Conflict, Invalid, NotFound, Problem, StepDenied, StepFailed, TransactionFailed, Unavailable, WaitTimeout, WorkflowParked
from .intent import Intent, StepHandle, milliseconds
from .models import Step, Workflow

#: The server waits so long for one answer, in seconds.
_WAIT_MAX = 30
#: What was added may show a moment later: for so long, in seconds.
_LATE_MAX = 10.0
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UNDER_WAY = ("pending", "running", "unknown", "undoing")
_GONE_BACK = ("rolledBack", "cancelled")


class Added:
    """A step that is a part of the transaction, as it is sent. Sent again it is the same step."""

    __slots__ = ("body", "failed", "handle", "step")

    def __init__(self, body: Mapping[str, Any], handle: StepHandle) -> None:
        self.body = body
        self.handle = handle
        #: As it was last shown.
        self.step: Step | None = None
        self.failed = False


class Course:
    """One transaction. Any number of threads or tasks may act in it at once."""

    def __init__(self, settings: Settings, goal: str, fields: Mapping[str, Any], key: str | None, timeout: float) -> None:
        self.settings = settings
        self.goal = goal
        self.timeout = timeout
        self.found: Workflow | None = None
        self.commit_sent = False
        self._steps = Intent(goal)
        self._fields = fields
        self._key = new_key() if key is None else key
        self._id: str | None = None
        #: Steps whose end nobody has seen yet.
        self._open: dict[str, Added] = {}
        self._lock = threading.Lock()

    @property
    def id(self) -> str:
        if self._id is None:
            raise RuntimeError("the transaction has not begun: use it with `with`, or call `begin`")
        return self._id

    @property
    def begun(self) -> bool:
        return self._id is not None

    @property
    def over(self) -> bool:
        return self.found is not None and self.found.ended

    def begin(self) -> Call[None]:
        if self.begun:
            raise RuntimeError("the transaction has begun already: make another one")
        parent = {} if self.settings.parent is None else {"parent": self.settings.parent}
        response = yield from request(self.settings, "POST", "/v1/workflows", {"goal": self.goal, **self._fields, **parent}, key=self._key)
        self._id = read(Workflow.of, expect(response, 201)).id

    # --- steps ----------------------------------------------------------------------------------------------------------

    def made(
        self,
        capability: str,
        id: str | None,
        depends_on: StepHandle | str | Iterable[StepHandle | str],
        timeout: float | timedelta | None,
        attempts: int | None,
        input: Mapping[str, Any] | None,
        fields: Mapping[str, Any],
    ) -> Added:
        _ = self.id
        # Why here, before anything is sent: calls side by side get ids of their own.
        with self._lock:
            body = self._steps._made(capability, id, depends_on, timeout, attempts, input, fields)
            # Why nothing more of it: only its name is needed from now on, and inputs may be large.
            self._steps._steps.setdefault(body["id"], {})
            added = Added(body, StepHandle(self._steps, body["id"]))
            self._open[body["id"]] = added
        return added

    def add(self, added: Added) -> Call[None]:
        """Into the log: it runs, whoever waits for it."""
        yield from self._send(added, 0)

    def result(self, added: Added, timeout: float | None) -> Call[Any]:
        """What it answered. Said again it waits again, and is the same."""
        timeout = self.timeout if timeout is None else timeout
        give_up = self.settings.clock() + timeout
        while True:
            if (yield from self._send(added, max(0, min(_WAIT_MAX, math.ceil(give_up - self.settings.clock()))))):
                assert added.step is not None
                if added.step.status == "succeeded":
                    return added.step.output
                added.failed = True
                raise StepDenied(self.id, added.step) if added.step.error is not None and added.step.error.code == "POLICY_DENIED" else StepFailed(self.id, added.step)
            if self.settings.clock() >= give_up:
                raise WaitTimeout(self.id, timeout, step=added.handle.id)

    def _send(self, added: Added, seconds: int) -> Call[bool]:
        """Whether it has ended, or waits for somebody."""
        late = self.settings.clock() + _LATE_MAX
        while True:
            try:
                response = yield from request(self.settings, "POST", f"/v1/workflows/{part(self.id)}/steps?wait={seconds}", added.body, patience=float(seconds))
                added.step = read(Step.of, expect(response, 200, 202))
                break
            except NotFound:
                # Why: the transaction is there, as it was begun. What was added does not show yet.
                if self.settings.clock() >= late:
                    self._forget(added)
                    raise
                yield Sleep(0.2)
            except Unavailable as error:
                self._forget(added)
                if not error.perhaps_done:
                    raise error.again(advice=f"Step `{added.handle.id}` was not taken, and transaction {self.id} stands: call it again later.") from error
                raise error.again(
                    workflow_id=self.id,
                    advice=f"It is not known whether step `{added.handle.id}` is done: the same call with id={added.handle.id!r} finds out and acts once. Taking the transaction back undoes it in either case.",
                ) from error
            except Conflict as error:
                self._forget(added)
                raise _refused(error, added) from error
            except Exception:
                # Why: it was refused, and is none.
                self._forget(added)
                raise
        over = response.status == 200 or added.step.status not in _UNDER_WAY
        if over:
            self._forget(added)
        return over

    def _forget(self, added: Added) -> None:
        with self._lock:
            if self._open.get(added.handle.id) is added:
                del self._open[added.handle.id]

    def look(self) -> Call[Workflow]:
        self.found = yield from workflow(self.settings, self.id)
        return self.found

    # --- its end --------------------------------------------------------------------------------------------------------

    def commit(self) -> Call[Workflow]:
        """What nobody has waited for is waited for: a failure that nobody has seen must not be kept."""
        for added in list(self._open.values()):
            yield from self.result(added, None)
        self.commit_sent = True
        give_up = self.settings.clock() + self.timeout
        try:
            while True:
                seconds = max(0, min(_WAIT_MAX, math.ceil(give_up - self.settings.clock())))
                response = yield from request(self.settings, "POST", f"/v1/workflows/{part(self.id)}/commit?wait={seconds}", patience=float(seconds))
                self.found = read(Workflow.of, expect(response, 200, 202))
                if response.status == 200 or self.found.ended or self.found.parked:
                    break
                if self.settings.clock() >= give_up:
                    raise WaitTimeout(self.id, self.timeout, self.found)
        except Unavailable as error:
            raise error.again(workflow_id=self.id, advice=f"It is not known whether transaction {self.id} is committed: look at it later (it is `completed` then). If not, it takes itself back when it has been left alone.") from error
        except Conflict:
            # Why: it went back by itself meanwhile, or somebody holds it.
            self.found = yield from wait(self.settings, self.id, give_up, self.timeout)
        if self.found.succeeded:
            return self.found
        raise WorkflowParked(self.found) if self.found.status == "paused" else TransactionFailed(self.found)

    def order_back(self, reason: str) -> Call[None]:
        """So that it goes back, or is back."""
        try:
            self.found = yield from order(self.settings, "cancel", self.id, {"reason": reason}, None)
        except Conflict:
            self.found = yield from workflow(self.settings, self.id)
            if not self.found.ended and self.found.status not in led_by("cancel"):
                raise

    def wait_back(self, timeout: float | None) -> Call[Workflow]:
        timeout = self.timeout if timeout is None else timeout
        self.found = yield from wait(self.settings, self.id, self.settings.clock() + timeout, timeout)
        return self.found

    def rollback(self, reason: str) -> Call[Workflow]:
        yield from self.order_back(reason)
        found = yield from self.wait_back(None)
        if found.status not in _GONE_BACK:
            raise TransactionFailed(found)
        return found

    # --- tools ----------------------------------------------------------------------------------------------------------

    def call_tool(self, capability: str, arguments: Mapping[str, Any], takes: str, labels: Mapping[str, str], key: str | None, timeout: float) -> Call[Any]:
        """As `_calls.call_tool`, inside. Labels are the transaction's."""
        id = None if key is None else key if _ID.fullmatch(key) else sha256(key.encode()).hexdigest()
        added = self.made(capability, id, (), None, None, arguments, {})
        try:
            return (yield from self.result(added, timeout))
        except Invalid as error:
            problems = tuple(Problem(one.code, one.detail, None if one.pointer is None else one.pointer.removeprefix("/input").replace("/$literal", "") or "/") for one in error.errors)
            raise Invalid(
                error.code, error.detail, pointer=problems[0].pointer, status=error.status, errors=problems,
                advice=f"Nothing was done by it, and the transaction stands. {takes}", document=error.document,
            ) from error  # fmt: skip
        except Unavailable as error:
            if not error.perhaps_done:
                raise
            raise error.again(workflow_id=self.id, advice="It is not known whether it is done: look before it is called again. Taking the transaction back undoes it in either case.") from error


def _refused(error: Conflict, added: Added) -> Conflict:
    if error.code == "IDEMPOTENCY_CONFLICT":
        advice = f"Nothing was done by it: another step of the transaction has the id `{added.handle.id}`."
    else:
        held = error.document.get("status") == "paused"
        advice = "Nothing was done by it: the transaction is held, and stands. Wait until whoever holds it lets go." if held else "Nothing was done by it: the transaction takes no more steps. Look at it, or begin another."
    return Conflict(error.code, error.detail, pointer=error.pointer, status=error.status, errors=error.errors, advice=advice, document=error.document)


def fields_of(idle_timeout: float | timedelta | None, deadline: float | timedelta | None, labels: Mapping[str, str] | None, subjects: Iterable[str] | None) -> dict[str, Any]:
    """What a transaction is begun with, beside its goal."""
    fields: dict[str, Any] = {}
    if idle_timeout is not None:
        fields["idleTimeoutMs"] = milliseconds("idle_timeout", idle_timeout)
    if deadline is not None:
        fields["deadlineMs"] = milliseconds("deadline", deadline)
    if labels is not None:
        fields["labels"] = dict(labels)
    if subjects is not None:
        fields["subjects"] = list(subjects)
    return fields


#: Its end takes this word of why for the record.
REASON_MAX = 1_000


def reason_of(cause: BaseException) -> str:
    return f"the block of the transaction ended with {type(cause).__name__}"[:REASON_MAX]


def told(course: Course, cause: BaseException, problem: BaseException | None) -> None:
    """What has come of taking it back, after `cause`. Where all is back, `cause` says so itself.

    :raises TransactionFailed: if something stands, or waits for somebody
    :raises Unavailable: if that is not known
    """
    if isinstance(problem, Unavailable):
        raise problem.again(workflow_id=course.id, advice=f"What has become of transaction {course.id} is not known. It takes itself back when it has been left alone: look at it before anything is done again.") from cause
    if problem is not None:
        # Why not this one: what ended the block says more.
        _note(cause, f"It is not known whether transaction {course.id} is taken back: {str(problem).splitlines()[0] if str(problem) else type(problem).__name__}")
        return
    assert course.found is not None
    if course.found.status not in _GONE_BACK:
        raise TransactionFailed(course.found, cause) from cause
    text = TransactionFailed(course.found).advice
    if isinstance(cause, StepFailed) and cause.workflow_id == course.id:
        cause.taken_back(course.found, text)
    else:
        _note(cause, text)


def _note(cause: BaseException, text: str) -> None:
    # Why asked for: Python 3.10 has no notes.
    add = getattr(cause, "add_note", None)
    if add is not None:
        add(text)
