from __future__ import annotations

import inspect
import logging
import pickle
import time
import traceback
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import anyio
import httpx
import pytest
from scripted import AT, ID, Answer, Asked, event, problem, scripted, sent, step, submitted, workflow

from aifirst import AiFirstError, AsyncClient, Client, Conflict, Denied, Intent, Invalid, NotFound, Unavailable, WaitTimeout, WorkflowDenied, WorkflowFailed, WorkflowParked

TOKEN = "aifirst_secret-token"
CUT = Answer(cut=True)
LIVE = f"GET /v1/workflows/{ID}/events"
LOOK = f"GET /v1/workflows/{ID}"


def client(url: str, **more: Any) -> Client:
    return Client(url, TOKEN, **{"retry_for": 10.0, **more})


def intent() -> Intent:
    one = Intent("g")
    one.step("noop")
    return one


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are as long as asked for by the server, and our own short."""
    for module in ("_calls", "_request"):
        monkeypatch.setattr(f"aifirst.{module}.FIRST_PAUSE", 0.01)


# --- errors -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "MALFORMED_JSON", Invalid), (401, "UNAUTHENTICATED", Denied), (403, "FORBIDDEN", Denied), (404, "NOT_FOUND", NotFound),
        (409, "IDEMPOTENCY_CONFLICT", Conflict), (409, "PLAN_STALE", Conflict), (412, "PRECONDITION_FAILED", Conflict),
        (422, "INVALID_INPUT", Invalid), (500, "INTERNAL", AiFirstError), (501, "NOT_IMPLEMENTED", AiFirstError),
    ],
)  # fmt: skip
def test_a_refusal_is_an_exception_of_its_kind(status: int, code: str, kind: type[AiFirstError]) -> None:
    errors = [{"code": code, "detail": "first", "pointer": "/steps/0/input"}, {"code": "CYCLE", "detail": "second"}]
    with scripted(problem(status, code, "first", pointer="/steps/0/input", errors=errors, id="e-1")) as server, client(server.url) as calls:
        with pytest.raises(AiFirstError) as caught:
            calls.submit(intent())
    error = caught.value
    assert type(error) is kind and (error.code, error.detail, error.pointer, error.status) == (code, "first", "/steps/0/input", status)
    assert [one.code for one in error.errors] == [code, "CYCLE"] and error.document["id"] == "e-1"
    assert f"{code} at /steps/0/input: first\nCYCLE: second" in str(error)


@pytest.mark.parametrize("answer", [Answer(302, None, {"location": "http://elsewhere.test/"}), Answer(418, "no problem document"), Answer(200, ["no workflow"])])
def test_what_is_no_runtime_is_told_as_such(answer: Answer) -> None:
    with scripted(answer) as server, client(server.url) as calls, pytest.raises(AiFirstError, match="is this the address of the runtime"):
        calls.workflow(ID)


@pytest.mark.parametrize("body", [{}, {"status": "ok"}, {**workflow().body, "steps": [7]}, {**workflow().body, "createdAt": "yesterday"}])
def test_an_answer_of_another_shape_is_told_as_such(body: Any) -> None:
    with scripted(Answer(200, body)) as server, client(server.url) as calls, pytest.raises(AiFirstError, match="is this the address of the runtime") as caught:
        calls.workflow(ID)
    assert caught.value.code == "UNREADABLE"


@pytest.mark.parametrize("id", ["../agents", "a/b", "%2e%2e", "a?tenant=x", "ä", "a#b"])
def test_an_id_is_data_and_leads_nowhere_else(id: str) -> None:
    with scripted(problem(404, "NOT_FOUND")) as server, client(server.url) as calls, pytest.raises(NotFound):
        calls.workflow(id)
    (path,) = [one.path for one in server.asked]
    assert path.startswith("/v1/workflows/") and path.count("/") == 3 and "?" not in path and "#" not in path


@pytest.mark.parametrize("id", ["", ".", ".."])
def test_an_id_that_is_none_is_not_sent(id: str) -> None:
    with scripted(workflow()) as server, client(server.url) as calls, pytest.raises(ValueError):
        calls.rollback(id)
    assert server.asked == []


# --- tried again --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [problem(503, "UNAVAILABLE", headers={"retry-after": "0"}), problem(429, "RATE_LIMITED", headers={"retry-after": "0"}), Answer(502, "a proxy"), CUT])
def test_an_intent_is_handed_in_again_under_its_key(trouble: Answer) -> None:
    with scripted(trouble, trouble, submitted()) as server, client(server.url) as calls:
        found = calls.submit(intent())
    keys = {one.headers["idempotency-key"] for one in server.asked}
    assert len(server.asked) == 3 and keys == {found.idempotency_key} and found.workflow_id == ID
    assert len({str(one.body) for one in server.asked}) == 1


def test_every_intent_has_a_key_of_its_own_unless_one_is_given() -> None:
    with scripted(submitted()) as server, client(server.url) as calls:
        made = {calls.submit(intent()).idempotency_key for _ in range(3)}
        assert len(made) == 3 and calls.submit(intent(), idempotency_key="mine").idempotency_key == "mine"
        for wrong in ("", "x" * 256, "ü", "a\nb"):
            with pytest.raises(ValueError, match="idempotency_key"):
                calls.submit(intent(), idempotency_key=wrong)
    assert server.asked[-1].headers["idempotency-key"] == "mine" and len(server.asked) == 4


def test_it_waits_as_long_as_it_was_asked_to() -> None:
    for asked_for, least in (("1", 1.0), (None, 0.9)):
        soon = (datetime.now(timezone.utc) + timedelta(seconds=2)).replace(microsecond=0)
        asked = asked_for or format_datetime(soon, usegmt=True)
        with scripted(problem(503, "OVERLOADED", headers={"retry-after": asked}), submitted()) as server, client(server.url) as calls:
            began = time.monotonic()
            calls.submit(intent())
            assert time.monotonic() - began >= least - 0.05


def test_it_gives_up_at_once_where_it_would_have_to_wait_too_long() -> None:
    with scripted(problem(503, "OVERLOADED", "come back", headers={"retry-after": "60"})) as server, client(server.url) as calls:
        with pytest.raises(Unavailable, match="Try again after 60 s, with idempotency_key='mine'") as caught:
            calls.submit(intent(), idempotency_key="mine")
    assert (caught.value.retry_after, caught.value.idempotency_key, caught.value.code, len(server.asked)) == (60.0, "mine", "OVERLOADED", 1)


def test_where_nobody_listens_it_is_told_after_a_while() -> None:
    with client("http://127.0.0.1:1", retry_for=0.2) as calls, pytest.raises(Unavailable) as caught:
        calls.capabilities()
    assert caught.value.code == "NO_ANSWER" and caught.value.status is None and TOKEN not in str(caught.value)


def test_a_silent_server_is_no_answer() -> None:
    def silent(_: Asked) -> Answer:
        time.sleep(0.4)
        return workflow()

    with scripted(silent) as server, client(server.url, timeout=0.1, retry_for=0) as calls, pytest.raises(Unavailable, match="ReadTimeout"):
        calls.workflow(ID)


def test_other_refusals_are_not_tried_again() -> None:
    for status in (400, 404, 409, 422, 500, 501):
        with scripted(problem(status, "X")) as server, client(server.url) as calls, pytest.raises(AiFirstError):
            calls.submit(intent())
        assert len(server.asked) == 1


def test_an_order_whose_answer_was_lost_is_not_refused_for_having_been_taken() -> None:
    late = problem(409, "WRONG_STATE", workflowStatus="rollingBack")
    with scripted(CUT, late, workflow("rollingBack")) as server, client(server.url) as calls:
        assert calls.rollback(ID, reason="r").status == "rollingBack"
    assert server.asked[0].body == {"reason": "r"}
    with scripted(CUT, late, workflow("completed")) as server, client(server.url) as calls, pytest.raises(Conflict):
        calls.rollback(ID)
    with scripted(late) as server, client(server.url) as calls, pytest.raises(Conflict):
        calls.rollback(ID)
    assert len(server.asked) == 1


# --- waiting ------------------------------------------------------------------------------------------------------------


def test_what_ends_in_time_is_answered_at_once() -> None:
    with scripted(workflow()) as server, client(server.url) as calls:
        assert calls.run(intent()).succeeded
    assert server.lines == ["POST /v1/intents"] and server.asked[0].headers["prefer"] == "wait=30"


def test_it_hears_of_the_end_by_live_events() -> None:
    stream = Answer(chunks=(b": still here\n\n", sent(1), sent(2, "workflow-ended")))
    with scripted(submitted(), workflow("running"), stream, workflow()) as server, client(server.url) as calls:
        assert calls.run(intent(), timeout=20).succeeded
    assert server.lines == ["POST /v1/intents", LOOK, LIVE, LOOK]
    assert server.asked[2].headers["accept"] == "text/event-stream"


def test_a_broken_stream_is_taken_up_where_it_broke() -> None:
    with scripted(workflow("running"), Answer(chunks=(sent(1), sent(2))), workflow("running"), Answer(chunks=(sent(3, "workflow-ended"),)), workflow()) as server, client(server.url) as calls:
        assert calls.wait(ID, timeout=20).succeeded
    assert [one.headers.get("last-event-id") for one in server.asked if one.path.endswith("/events")] == [None, "2"]


def test_where_events_do_not_come_through_it_asks_again_and_again() -> None:
    def answer(asked: Asked) -> Answer:
        looks = sum(line == LOOK for line in server.lines)
        return Answer(404, "a proxy") if asked.path.endswith("/events") else workflow("completed" if looks > 6 else "running")

    with scripted(answer) as server, client(server.url) as calls:
        assert calls.wait(ID, timeout=20).succeeded
    assert server.lines.count(LIVE) == 3


def test_it_waits_no_longer_than_asked() -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path.endswith("/events"):
            time.sleep(1.5)
            return Answer(chunks=())
        return workflow("running")

    with scripted(answer) as server, client(server.url) as calls:
        began = time.monotonic()
        with pytest.raises(WaitTimeout, match="do not hand it in again") as caught:
            calls.wait(ID, timeout=0.3)
        assert time.monotonic() - began < 3 and isinstance(caught.value, TimeoutError)
    assert caught.value.workflow_id == ID and caught.value.workflow is not None and caught.value.workflow.status == "running"


def test_who_can_not_wait_for_the_end_is_told_that_it_goes_on() -> None:
    with scripted(submitted(), workflow("running"), problem(503, "UNAVAILABLE", headers={"retry-after": "90"})) as server, client(server.url) as calls:
        began = time.monotonic()
        with pytest.raises(Unavailable, match="was taken and goes on: wait for it again after 90 s, and do not hand it in again") as caught:
            calls.run(intent(), timeout=2)
        assert caught.value.workflow_id == ID and time.monotonic() - began < 5


FAILED = step("a", "failed", error={"code": "NOT_FOUND", "detail": "nothing there", "clean": True}, output=None)
UNDONE = step("b", "undone", undo={"status": "done", "verified": True, "reason": None})
DENIED = step("a", "failed", error={"code": "POLICY_DENIED", "detail": "nothing permits it", "clean": True})
RESIDUE = [{"step": "b", "resource": "file://docs/b", "what": "was changed", "why": "w", "action": "look"}]
REASON = {"code": "KILL_SWITCH", "detail": "held", "since": AT, "actions": [{"method": "DELETE", "path": "/v1/controls/kill-switches/x", "by": "administrator"}]}


@pytest.mark.parametrize(
    ("answer", "kind", "code", "said"),
    [
        (workflow("rolledBack", [FAILED, UNDONE]), WorkflowFailed, "NOT_FOUND", "step `a` (noop): nothing there\n1 step that had been done is undone and verified."),
        (workflow("rejected", [DENIED]), WorkflowDenied, "POLICY_DENIED", "Nothing was done."),
        (workflow("failed", [FAILED, step("b")], residue=RESIDUE), WorkflowFailed, "NOT_FOUND", "What stands: file://docs/b (was changed)."),
        (workflow("cancelled", [step("a", "skipped")]), WorkflowFailed, "CANCELLED", "Nothing was done."),
        (workflow("paused", statusReason=REASON), WorkflowParked, "KILL_SWITCH", "DELETE /v1/controls/kill-switches/x (by administrator)"),
    ],
)
def test_what_ends_otherwise_is_raised_with_what_stands(answer: Answer, kind: type[WorkflowFailed], code: str, said: str) -> None:
    with scripted(answer) as server, client(server.url) as calls:
        with pytest.raises(WorkflowFailed) as caught:
            calls.run(intent())
        assert calls.run(intent(), check=False).status == answer.body["status"]
    assert type(caught.value) is kind and caught.value.code == code and said in str(caught.value)
    assert caught.value.workflow.id == ID and isinstance(caught.value, Denied) == (kind is WorkflowDenied)


# --- plans, lists -------------------------------------------------------------------------------------------------------

DECISION = step()["decision"]
PLAN = {
    "planId": ID, "digest": "d", "pointOfNoReturn": None, "createdAt": AT, "expiresAt": AT,
    "steps": [{"order": 1, "id": "a", "capability": "noop", "decision": DECISION, "risk": {"level": "low", "score": 1}, "approvals": [], "preview": None, "previewError": {"code": "X", "detail": "d"}, "undo": {"how": "exact", "detail": "d"}}],
}  # fmt: skip


def test_a_plan_that_takes_longer_is_waited_for_and_run_by_its_id() -> None:
    making = Answer(202, {"planId": ID, "status": "making", "createdAt": AT, "expiresAt": AT})
    with scripted(making, making, Answer(200, PLAN), workflow()) as server, client(server.url) as calls:
        plan = calls.plan(intent())
        assert plan.allowed and plan.steps[0].preview_error == {"code": "X", "detail": "d"}
        calls.apply(plan)
    assert server.lines == ["POST /v1/plans", f"GET /v1/plans/{ID}", f"GET /v1/plans/{ID}", "POST /v1/intents"]
    assert server.asked[-1].body == {"planId": ID} and len(server.asked[-1].headers["idempotency-key"]) > 30


def test_lists_are_read_to_their_end() -> None:
    with scripted(Answer(200, {"items": [event(1)], "next": "c=1&x"}), Answer(200, {"items": [event(2)], "next": None})) as server, client(server.url) as calls:
        assert [one.sequence for one in calls.events(ID)] == [1, 2]
    assert server.lines == [f"{LIVE}?limit=200", f"{LIVE}?limit=200&cursor=c%3D1%26x"]


# --- live ---------------------------------------------------------------------------------------------------------------


def test_live_events_come_once_and_in_order_over_broken_streams() -> None:
    answers = [Answer(chunks=(sent(1), sent(2)[:30])), CUT, problem(503, "UNAVAILABLE", headers={"retry-after": "0"}), Answer(chunks=(sent(1), sent(2), sent(3))), Answer(chunks=(sent(4, "workflow-ended"),))]
    with scripted(*answers) as server, client(server.url) as calls:
        assert [one.sequence for one in calls.live_events(ID)] == [1, 2, 3, 4]
    assert [one.headers.get("last-event-id") for one in server.asked] == [None, "1", "1", "1", "3"]


def test_live_events_end_where_there_is_nothing_more() -> None:
    with scripted(Answer(204)) as server, client(server.url) as calls:
        assert list(calls.live_events(ID, after=7)) == []
    assert server.asked[0].headers["last-event-id"] == "7"


def test_live_events_of_nothing_are_refused_and_of_nobody_given_up() -> None:
    with scripted(problem(404, "NOT_FOUND")) as server, client(server.url) as calls, pytest.raises(NotFound):
        list(calls.live_events(ID))
    with client("http://127.0.0.1:1", retry_for=0.1) as calls, pytest.raises(Unavailable, match="do not come any more"):
        list(calls.live_events(ID))


def test_who_stops_listening_lets_go_of_the_connection() -> None:
    with scripted(Answer(chunks=(sent(1), sent(2)))) as server, client(server.url) as calls:
        for one in calls.live_events(ID):
            assert one.sequence == 1
            break
        assert calls._http._transport._pool.connections == [] or all(not found.is_closed() for found in calls._http._transport._pool.connections)  # type: ignore[attr-defined]


# --- the asynchronous client is the same --------------------------------------------------------------------------------


def test_both_clients_have_the_same_calls() -> None:
    def calls(kind: type) -> dict[str, list[tuple[str, Any, Any]]]:
        named = {name: value for name, value in vars(kind).items() if callable(value) and not name.startswith("_") and name not in ("close", "aclose")}
        return {name: [(one.name, one.kind, one.default) for one in inspect.signature(value).parameters.values()] for name, value in named.items()}

    assert calls(Client) == calls(AsyncClient) and len(calls(Client)) == 15


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_asynchronous_client_does_the_same(backend: str) -> None:
    if backend == "trio":
        pytest.importorskip("trio")

    async def main(url: str) -> list[int]:
        async with AsyncClient(url, TOKEN, retry_for=10) as calls:
            assert (await calls.run(intent())).succeeded
            with pytest.raises(NotFound):
                await calls.workflow(ID)
            return [one.sequence async for one in calls.live_events(ID)]

    answers = [CUT, problem(503, "UNAVAILABLE", headers={"retry-after": "0"}), submitted(), workflow("running"), Answer(chunks=(sent(1, "workflow-ended"),)), workflow(), problem(404, "NOT_FOUND"), Answer(chunks=(sent(1),)), Answer(chunks=(sent(2, "workflow-ended"),))]
    with scripted(*answers) as server:
        assert anyio.run(main, server.url, backend=backend) == [1, 2]
    assert len({one.headers["idempotency-key"] for one in server.asked[:3]}) == 1


def test_a_cancelled_wait_lets_go() -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path.endswith("/events"):
            time.sleep(0.5)
            return Answer(chunks=())
        return workflow("running")

    async def main(url: str) -> bool:
        async with AsyncClient(url, TOKEN) as calls:
            with anyio.move_on_after(0.2) as scope:
                await calls.wait(ID)
            return scope.cancelled_caught

    with scripted(answer) as server:
        assert anyio.run(main, server.url)


# --- the token ----------------------------------------------------------------------------------------------------------


def test_the_token_is_sent_and_nowhere_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with scripted(workflow(), problem(401, "UNAUTHENTICATED")) as server, client(server.url) as calls:
        calls.workflow(ID)
        with pytest.raises(Denied) as caught:
            calls.workflow(ID)
        ours = [frame for frame in traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack if "aifirst" in frame.filename]
        assert len(ours) >= 3
        shown = [repr(calls), str(calls), repr(vars(calls)), repr(caught.value), *(repr(frame.locals) for frame in ours), caplog.text]
        assert repr(calls) == f"Client('{server.url}')"
        with pytest.raises(TypeError, match="pickled"):
            pickle.dumps(calls._credentials)
    assert server.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert not any(TOKEN in text for text in shown)


def test_the_token_does_not_follow_to_another_address() -> None:
    with scripted(workflow()) as other, scripted(Answer(307, None, {"location": f"{other.url}/x"})) as server, client(server.url) as calls, pytest.raises(AiFirstError):
        calls.workflow(ID)
    assert other.asked == []


@pytest.mark.parametrize(
    ("url", "token"),
    [("ftp://host", "t"), ("localhost:7400", "t"), ("http://user:pass@host", "t"), ("http://host?x=1", "t"), ("http://host", "a b"), ("http://host", "secret\n"), ("http://host", "ü")],
)
def test_where_and_as_whom_are_checked_at_once(url: str, token: str) -> None:
    with pytest.raises(ValueError) as caught:
        Client(url, token)
    assert "secret" not in str(caught.value) and "pass@" not in str(caught.value)


def test_the_environment_says_what_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIFIRST_TOKEN", raising=False)
    with pytest.raises(ValueError, match="AIFIRST_TOKEN"):
        Client()
    monkeypatch.setenv("AIFIRST_TOKEN", TOKEN)
    monkeypatch.setenv("AIFIRST_URL", "http://host.test:1/")
    assert Client().url == "http://host.test:1"
    monkeypatch.delenv("AIFIRST_URL")
    assert Client().url == "http://127.0.0.1:7400"


def test_a_closed_client_is_closed() -> None:
    with scripted(workflow()) as server:
        with client(server.url) as calls:
            use: Callable[[], Any] = lambda: calls.workflow(ID)  # noqa: E731
            use()
        with pytest.raises(RuntimeError):
            use()
    assert isinstance(httpx.__version__, str)
