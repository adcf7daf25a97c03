"""What a client does, apart from how it waits: each call is a generator that asks for what has to be done outside (the
operations of `_request`) and is told what came of it. The synchronous and the asynchronous client drive the same
generators, so they can't differ."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from ._request import FIRST_PAUSE, GATEWAYS, PAUSE_MAX, SOON, Broken, Call, Emit, Open, Read, Response, Settings, Sleep, expect, part, read, refused, request, retry_after
from ._sse import SseParser
from .errors import AiFirstError, Conflict, Invalid, Problem, Unavailable, WaitTimeout, WorkflowDenied, WorkflowFailed, WorkflowParked
from .intent import Intent
from .models import Capability, Event, OnConflict, Plan, RollbackPreview, Submitted, Workflow

# --- intents ------------------------------------------------------------------------------------------------------------

IntentLike = Intent | Plan | Mapping[str, Any]
#: The server waits no longer than that for one answer (and so neither do proxies, mostly).
_PREFER_MAX = 30


def body_of(settings: Settings, intent: IntentLike) -> Mapping[str, Any]:
    body = intent.to_dict() if isinstance(intent, Intent) else {"planId": intent.id} if isinstance(intent, Plan) else dict(intent)
    return body if settings.parent is None else {**body, "parent": settings.parent}


def new_key() -> str:
    return str(uuid.uuid4())


def submit(settings: Settings, intent: IntentLike, key: str | None, wait: float = 0.0) -> Call[tuple[Submitted, Workflow | None]]:
    key = new_key() if key is None else key
    if not (1 <= len(key) <= 255 and all(" " <= character <= "~" for character in key)):
        raise ValueError("idempotency_key is 1 to 255 printable ASCII characters")
    seconds = int(min(wait, _PREFER_MAX))
    prefer = {"prefer": f"wait={seconds}"} if seconds >= 1 else {}
    response = yield from request(settings, "POST", "/v1/intents", body_of(settings, intent), headers=prefer, key=key, patience=float(seconds))
    body = expect(response, 200, 202)
    replayed = response.headers.get("idempotent-replayed") == "true"
    if response.status == 200:
        workflow = read(Workflow.of, body)
        return Submitted(workflow.intent_id, workflow.id, key, replayed), workflow
    return Submitted(body["intentId"], body["workflowId"], key, replayed), None


def run(settings: Settings, intent: IntentLike, key: str | None, timeout: float, check: bool) -> Call[Workflow]:
    give_up = settings.clock() + timeout
    submitted, workflow = yield from submit(settings, intent, key, timeout)
    if workflow is None:
        workflow = yield from wait(settings, submitted.workflow_id, give_up, timeout)
    if check:
        raise_for(workflow)
    return workflow


def raise_for(workflow: Workflow) -> None:
    """Unless it is completed."""
    if workflow.succeeded:
        return
    if workflow.parked:
        raise WorkflowParked(workflow)
    if any(step.error is not None and step.error.code == "POLICY_DENIED" for step in workflow.steps):
        raise WorkflowDenied(workflow)
    raise WorkflowFailed(workflow)


def plan(settings: Settings, intent: Intent | Mapping[str, Any], timeout: float) -> Call[Plan]:
    give_up = settings.clock() + timeout
    # Why patience: the server waits half a minute for it before it says where it will be.
    response = yield from request(settings, "POST", "/v1/plans", body_of(settings, intent), patience=30.0)
    pause = FIRST_PAUSE
    while True:
        body = expect(response, 200, 202)
        if response.status == 200:
            return read(Plan.of, body)
        if settings.clock() + pause > give_up:
            raise AiFirstError("STILL_MAKING", f"plan {body['planId']} is not made within {timeout:g} s", advice="Nothing is done by it: ask for a plan again later.")
        yield Sleep(pause)
        pause = min(pause * 2, 2.0)
        response = yield from request(settings, "GET", f"/v1/plans/{part(body['planId'])}", patience=30.0)


def apply(settings: Settings, plan: Plan | str, key: str | None, timeout: float, check: bool) -> Call[Workflow]:
    id = plan.id if isinstance(plan, Plan) else plan
    return (yield from run(settings, {"planId": id}, key, timeout, check))


# --- workflows ----------------------------------------------------------------------------------------------------------


def id_of(workflow: Workflow | Submitted | str) -> str:
    return workflow if isinstance(workflow, str) else workflow.id if isinstance(workflow, Workflow) else workflow.workflow_id


def workflow(settings: Settings, id: str) -> Call[Workflow]:
    return read(Workflow.of, expect((yield from request(settings, "GET", f"/v1/workflows/{part(id)}")), 200))


def pages(settings: Settings, path: str) -> Call[list[Any]]:
    items: list[Any] = []
    cursor: str | None = None
    while True:
        query = {"limit": "200", **({} if cursor is None else {"cursor": cursor})}
        body = expect((yield from request(settings, "GET", f"{path}?{urlencode(query)}")), 200)
        items.extend(body["items"])
        cursor = body["next"]
        if cursor is None:
            return items


def events(settings: Settings, id: str) -> Call[list[Event]]:
    return [read(Event.of, one) for one in (yield from pages(settings, f"/v1/workflows/{part(id)}/events"))]


def capabilities(settings: Settings) -> Call[list[Capability]]:
    return [read(Capability.of, one) for one in (yield from pages(settings, "/v1/capabilities"))]


#: Where an order has already led to when its repeat is refused: then the first one was taken, and only its answer lost.
_LED_TO: Mapping[str, frozenset[str]] = {
    "rollback": frozenset({"rollingBack", "rolledBack", "rollbackBlocked"}),
    "cancel": frozenset({"cancelled", "rollingBack", "rolledBack", "rollbackBlocked", "failed"}),
    "pause": frozenset({"paused"}),
    "resume": frozenset({"pending", "running", "committing", "completed", "rollingBack", "rolledBack", "failed"}),
}


def led_by(what: str) -> frozenset[str]:
    """Where an order leads to, or has led to."""
    return _LED_TO[what]


def order(settings: Settings, what: str, id: str, body: Mapping[str, Any], timeout: float | None, patience: float = 0.0) -> Call[Workflow]:
    repeated: list[bool] = []
    response = yield from request(settings, "POST", f"/v1/workflows/{part(id)}/{what}", body, patience=patience, on_repeat=lambda: repeated.append(True))
    try:
        found = read(Workflow.of, expect(response, 202))
    except Conflict:
        if not repeated:
            raise
        found = yield from workflow(settings, id)
        if found.status not in _LED_TO[what]:
            raise
    if timeout is None:
        return found
    return (yield from wait(settings, id, settings.clock() + timeout, timeout))


#: The server looks at targets for so long before it answers, in seconds.
_LOOKING = 30.0


def preview_rollback(settings: Settings, id: str, on_conflict: OnConflict) -> Call[RollbackPreview]:
    body = {"preview": True, **_on_conflict(on_conflict)}
    return read(RollbackPreview.of, expect((yield from request(settings, "POST", f"/v1/workflows/{part(id)}/rollback", body, patience=_LOOKING)), 200))


def rollback(settings: Settings, id: str, reason: str | None, on_conflict: OnConflict | None, digest: RollbackPreview | str | None, timeout: float | None) -> Call[Workflow]:
    # Why: what was looked at with an answer to conflicts was looked at for that answer.
    if on_conflict is None:
        on_conflict = digest.on_conflict if isinstance(digest, RollbackPreview) else "block"
    seen = {} if digest is None else {"digest": digest.digest if isinstance(digest, RollbackPreview) else digest}
    body = {**({} if reason is None else {"reason": reason}), **_on_conflict(on_conflict), **seen}
    return (yield from order(settings, "rollback", id, body, timeout, _LOOKING))


def _on_conflict(on_conflict: OnConflict) -> dict[str, str]:
    if on_conflict not in ("block", "skip"):
        raise ValueError(f"on_conflict is block or skip, not {on_conflict!r}")
    return {} if on_conflict == "block" else {"onConflict": on_conflict}


# --- waiting ------------------------------------------------------------------------------------------------------------

#: The server says something every 15 s; who hears nothing for longer is not connected any more.
_SILENCE_MAX = 40.0
_POLL_MAX = 2.0
_BREAKS_MAX = 3
#: How much later than asked for a wait may end.
_LATE_MAX = 5.0
#: After these the workflow may have come to rest.
_RESTING = ("workflow-ended", "workflow-paused", "rollback-parked", "step-undo-blocked", "policy-decided")
_ENDED_TYPE = "aifirst.workflow.workflow-ended.v1"


def wait_for(settings: Settings, id: str, timeout: float, check: bool) -> Call[Workflow]:
    found = yield from wait(settings, id, settings.clock() + timeout, timeout)
    if check:
        raise_for(found)
    return found


def wait(settings: Settings, id: str, give_up: float, seconds: float) -> Call[Workflow]:
    """Until it has ended or waits for somebody. By live events, and where these do not come through, by asking again."""
    last, breaks, pause = "", 0, 0.05
    while True:
        left = max(1.0, give_up - settings.clock())
        hurried = replace(settings, timeout=min(settings.timeout, left), retry_for=min(settings.retry_for, left))
        try:
            found = yield from workflow(hurried, id)
        except Unavailable as error:
            raise error.again(workflow_id=id) from error
        if found.ended or found.parked:
            return found
        left = give_up - settings.clock()
        if left <= 0:
            raise WaitTimeout(id, seconds, found)
        if breaks < _BREAKS_MAX:
            heard, last = yield from _until_something(settings, id, last, min(left, _SILENCE_MAX), give_up)
            breaks = 0 if heard else breaks + 1
            if heard:
                pause = 0.05
        # Why always a little: what was heard may get to the view a moment later.
        yield Sleep(max(0.0, min(pause, give_up - settings.clock())))
        pause = min(pause * 2, _POLL_MAX)


def _until_something(settings: Settings, id: str, last: str, silence: float, give_up: float) -> Call[tuple[bool, str]]:
    """Whether anything came, and the id of the last event."""
    heard = False
    try:
        response: Response = yield _open(id, last, silence)
        if response.status != 200 or not response.headers.get("content-type", "").startswith("text/event-stream"):
            return False, last
        parser = SseParser()
        while True:
            chunk: bytes | None = yield Read()
            if chunk is None:
                return heard, last
            # Why a comment counts too: the connection works, and nothing has happened yet.
            heard = True
            for event in parser.feed(chunk):
                last = event.id
                if any(name in event.event for name in _RESTING):
                    return True, last
            # Why: how long it may be silent was said when it was opened, and now is less.
            if give_up - settings.clock() < silence - _LATE_MAX:
                return True, last
    except (Broken, ValueError):
        return heard, last


def _open(id: str, last: str, silence: float) -> Open:
    headers = {"accept": "text/event-stream", "cache-control": "no-store", **({"last-event-id": last} if last else {})}
    return Open("GET", f"/v1/workflows/{part(id)}/events", max(1.0, silence), None, headers)


def live(settings: Settings, id: str, after: int) -> Call[None]:
    """Every event after `after`, each once and in order, until the workflow has ended. A broken stream is taken up where it broke."""
    last, breaks = after, 0
    give_up: float | None = None
    pause = FIRST_PAUSE
    while True:
        over, came, problem = False, False, "the stream broke off"
        wanted: float | None = None
        try:
            response: Response = yield _open(id, str(last) if last else "", _SILENCE_MAX)
            if response.status == 204:
                return
            if response.status in SOON or response.status in GATEWAYS:
                problem, wanted = f"answered {response.status}", retry_after(response.headers)
            elif response.status != 200 or not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise refused(response)
            else:
                parser = SseParser()
                while True:
                    chunk: bytes | None = yield Read()
                    if chunk is None:
                        break
                    came = True
                    for one in parser.feed(chunk):
                        event = read(Event.of, json.loads(one.data))
                        over = event.type == _ENDED_TYPE
                        if event.sequence > last:
                            last = event.sequence
                            yield Emit(event)
        except Broken as broken:
            problem = str(broken)
        # Why not at the event itself: facts of a roll-back may follow it, and the server closes after the last one.
        if over:
            return
        if came:
            give_up, breaks, pause = None, 0, FIRST_PAUSE
        breaks += 1
        give_up = settings.clock() + settings.retry_for if give_up is None else give_up
        delay = pause * (0.5 + settings.chance()) if wanted is None else wanted
        if settings.clock() + delay > give_up:
            raise Unavailable("NO_ANSWER", f"the events of workflow {id} do not come any more: {problem}", retry_after=wanted)
        yield Sleep(delay)
        pause = min(pause * 2, PAUSE_MAX)


# --- tools --------------------------------------------------------------------------------------------------------------

_STEP = "call"
_INPUT = "/steps/0/input"


def call_tool(settings: Settings, capability: str, arguments: Mapping[str, Any], takes: str, labels: Mapping[str, str], key: str | None, timeout: float) -> Call[Any]:
    """One capability as a workflow of one step; its output. Arguments are data: what looks like a reference is none."""
    intent = Intent(f"tool call of {capability}", labels=labels)
    intent.step(capability, id=_STEP, input=arguments)
    try:
        done = yield from run(settings, intent, key, timeout, True)
    except Invalid as error:
        problems = tuple(Problem(one.code, one.detail, None if one.pointer is None else _argument(one.pointer)) for one in error.errors)
        raise Invalid(
            error.code, error.detail, pointer=problems[0].pointer, status=error.status, errors=problems,
            advice=f"Nothing was done. {takes}", document=error.document,
        ) from error  # fmt: skip
    except Unavailable as error:
        # Why: whoever calls a tool has no key to call it again with, and would act twice.
        if error.workflow_id is None and not error.perhaps_done:
            raise error.again(advice="Nothing was done: call it again later.") from error
        went_on = f"Workflow {error.workflow_id} was taken and goes on" if error.workflow_id is not None else "It is not known whether it was done"
        raise error.again(advice=f"{went_on}: look before it is called again.") from error
    return done.output(_STEP)


def _argument(pointer: str) -> str:
    return pointer.removeprefix(_INPUT).replace("/$literal", "") or "/"
