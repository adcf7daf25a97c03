"""Uses the package against a real server, through its public API alone, and prints a JSON line for each case.

  against_server.py <case>…   with AIFIRST_URL, AIFIRST_TOKEN and CONNECTION (a connection of files) in the environment

Exit 0: every line is ok.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import uuid
from collections.abc import Callable

import httpx

from aifirst import AsyncClient, Client, Conflict, Denied, Event, Intent, Invalid, NotFound, WaitTimeout, WorkflowDenied, WorkflowFailed
from aifirst.tools import async_tools, tools

CONNECTION = os.environ["CONNECTION"]
ABSENT = "0198c000-0000-7000-8000-000000000001"


def two_files(**more: str) -> Intent:
    intent = Intent("copy a line", labels={"team": "docs"}, deadline=60, **more)
    first = intent.step("fs.write", connection=CONNECTION, path="in.txt", content="a line")
    read = intent.step("fs.read", connection=CONNECTION, path="in.txt", depends_on=first)
    intent.step("fs.write", id="copy", connection=CONNECTION, path="a~b/out.txt", content=read.output["content"])
    return intent


def submit(client: Client) -> object:
    done = client.run(two_files())
    assert done.succeeded and done.labels == {"team": "docs"}, done
    assert [step.status for step in done.steps] == ["succeeded"] * 3
    assert done.output("copy")["created"] is True and done.output("fs-read")["content"] == "a line"
    again = client.workflow(done)
    assert again.id == done.id and again.ended_at is not None and again.ended_at >= again.created_at
    return done.id


def odd_names(client: Client) -> object:
    """References through names that need escaping, and data that looks like a reference."""
    intent = Intent("odd names")
    value = {"a/b": {"c~d": [{"": "found"}]}, "data": {"$ref": "#/steps/x/output"}}
    first = intent.step("noop", value=value)
    intent.step("noop", id="b", value=first.output["value"]["a/b"]["c~d"][0][""])
    intent.step("noop", id="c", value=first.output["value"]["data"])
    done = client.run(intent)
    assert done.output("b") == {"value": "found"} and done.output("c") == {"value": {"$ref": "#/steps/x/output"}}
    return done.output("noop")["value"] == value


def slow(client: Client) -> object:
    """Waits beyond what one answer waits, by live events."""
    intent = Intent("sleep")
    intent.step("timer.sleep", ms=1500)
    submitted = client.submit(intent)
    try:
        client.wait(submitted, timeout=0.3)
        raise AssertionError("it did not take longer")
    except WaitTimeout as late:
        assert late.workflow_id == submitted.workflow_id and not late.workflow.ended  # type: ignore[union-attr]
    return client.wait(submitted).status


def failed(client: Client) -> object:
    intent = Intent("write and fail")
    first = intent.step("fs.write", connection=CONNECTION, path="gone.txt", content="x")
    intent.step("fs.read", connection=CONNECTION, path="missing.txt", depends_on=first)
    try:
        client.run(intent)
    except WorkflowFailed as error:
        assert error.workflow.status == "rolledBack" and error.code == "NOT_FOUND", error
        undo = error.workflow.step("fs-write").undo
        assert undo is not None and undo.verified
        return str(error)
    raise AssertionError("it did not fail")


def denied(client: Client) -> object:
    intent = Intent("delete")
    intent.step("fs.delete", connection=CONNECTION, path="kept.txt")
    try:
        client.run(intent)
    except WorkflowDenied as error:
        assert isinstance(error, Denied) and error.workflow.status == "rejected" and error.code == "POLICY_DENIED"
        return str(error)
    raise AssertionError("it was permitted")


def refused(client: Client) -> object:
    intent = Intent("wrong in two ways")
    intent.step("fs.write", connection=CONNECTION, path="../out", content=7, colour="red")
    try:
        client.submit(intent)
    except Invalid as error:
        pointers = [problem.pointer for problem in error.errors]
        assert error.status == 422 and len(pointers) >= 2 and "/steps/0/input/colour" in pointers, error
    for call in (client.workflow, client.rollback, client.events):
        try:
            call(ABSENT)
            raise AssertionError("it was found")
        except NotFound as error:
            assert error.status == 404
    try:
        Client(client.url, "aifirst_wrong").capabilities()
    except Denied as error:
        return error.code
    raise AssertionError("a wrong token was taken")


def plans(client: Client) -> object:
    intent = Intent("planned")
    intent.step("fs.write", connection=CONNECTION, path="planned.txt", content="planned")
    plan = client.plan(intent)
    assert plan.allowed and plan.steps[0].undo["how"] == "exact" and plan.steps[0].preview is not None
    assert client.apply(plan).succeeded
    other = client.plan(intent)
    intent.step("fs.delete", connection=CONNECTION, path="kept.txt")
    assert not client.plan(intent).allowed
    changed = Intent("in between")
    changed.step("fs.append", connection=CONNECTION, path="planned.txt", content="!")
    client.run(changed)
    try:
        client.apply(other.id)
    except Conflict as stale:
        return stale.code
    raise AssertionError("a stale plan ran")


def rollback(client: Client) -> object:
    intent = Intent("to be taken back")
    intent.step("fs.write", connection=CONNECTION, path="back.txt", content="x")
    done = client.run(intent)
    back = client.rollback(done, reason="not wanted", timeout=30)
    assert back.status == "rolledBack" and back.steps[0].undo is not None and back.steps[0].undo.verified, back
    try:
        client.rollback(done)
    except Conflict as error:
        return error.code
    return client.workflow(done).status


def control(client: Client) -> object:
    intent = Intent("stopped on the way")
    first = intent.step("timer.sleep", ms=700)
    intent.step("noop", depends_on=first)
    paused = client.submit(intent)
    client.pause(paused, reason="a look")
    assert client.wait(paused, check=False).status == "paused"
    assert client.resume(paused, timeout=30).succeeded
    cancelled = client.submit(intent)
    return client.cancel(cancelled, timeout=30).status


def live(client: Client) -> object:
    intent = Intent("watched")
    first = intent.step("timer.sleep", ms=400)
    intent.step("noop", depends_on=first)
    submitted = client.submit(intent)
    seen = list(client.live_events(submitted))
    facts = [event.fact for event in seen]
    assert facts[0] == "intent-submitted" and facts[-1] == "workflow-ended" and facts.count("step-succeeded") == 2, facts
    assert [event.sequence for event in seen] == sorted({event.sequence for event in seen})
    assert [event.id for event in client.events(submitted)] == [event.id for event in seen]
    middle = seen[2].sequence
    assert [event.id for event in client.live_events(submitted, after=middle)] == [event.id for event in seen[3:]]
    return facts


def repeated(client: Client) -> object:
    """The answer to the first is lost after it was taken; the same key finds it."""
    key = str(uuid.uuid4())
    lost: list[str] = []

    class Lossy(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            answer = super().handle_request(request)
            if not lost:
                lost.append(request.headers["idempotency-key"])
                answer.close()
                raise httpx.ReadError("the connection broke")
            assert request.headers["idempotency-key"] == lost[0]
            return answer

    intent = Intent("once")
    intent.step("fs.append", connection=CONNECTION, path="once.txt", content="line\n")
    with Client(transport=Lossy()) as lossy:
        submitted = lossy.submit(intent)
    assert lost and submitted.replayed
    first = client.run(intent, idempotency_key=key)
    second = client.submit(intent, idempotency_key=key)
    assert second.workflow_id == first.id and second.replayed
    try:
        client.submit(two_files(), idempotency_key=key)
    except Conflict as error:
        return error.code
    raise AssertionError("another intent was taken under the same key")


def as_tools(client: Client) -> object:
    found = {tool.description.name: tool for tool in tools(client)}
    assert "fs_write" in found and "fs_delete" not in found and "plan_intent" not in found, list(found)
    assert CONNECTION in json.dumps(found["fs_write"].description.input_schema)
    assert found["fs_write"](connection=CONNECTION, path="tool.txt", content="t", mode=None)["created"] is True
    assert found["fs_read"].description.read_only and not found["fs_write"].description.read_only
    assert [tool.description.capability for tool in tools(client, include="timer.*")] == ["timer.sleep"]
    assert found["noop"](value={"$ref": "#/steps/a/output"}) == {"value": {"$ref": "#/steps/a/output"}}
    try:
        found["fs_write"](connection=CONNECTION, path=7)
    except Invalid as error:
        assert error.pointer in ("/path", "/content") and "`path` (required)" in str(error), error
        return str(error)
    raise AssertionError("wrong arguments were taken")


def asynchronous(_: Client) -> object:
    async def main() -> object:
        async with AsyncClient() as client:
            done = await asyncio.gather(*(client.run(numbered(n)) for n in range(5)))
            assert all(one.succeeded for one in done)
            plan = await client.plan(numbered(9))
            assert (await client.apply(plan)).succeeded
            submitted = await client.submit(numbered(7))
            seen = [event.fact async for event in client.live_events(submitted)]
            assert seen[-1] == "workflow-ended"
            async for event in client.live_events(submitted):
                assert isinstance(event, Event)
                break
            assert (await client.rollback(submitted, timeout=30)).status == "rolledBack"
            named = {tool.description.name: tool for tool in await async_tools(client, include=["noop", "fs.*"])}
            assert await named["noop"](value=1) == {"value": 1}
            return sorted(named)

    def numbered(n: int) -> Intent:
        intent = Intent(f"number {n}")
        intent.step("noop", value=n)
        return intent

    return asyncio.run(main())


def outage(client: Client) -> object:
    """Told on standard output when the server may be restarted, and goes on over it."""
    intent = Intent("through a restart")
    first = intent.step("timer.sleep", ms=2_000)
    intent.step("noop", depends_on=first)
    submitted = client.submit(intent)
    facts: list[str] = []
    watching = threading.Thread(target=lambda: facts.extend(event.fact for event in client.live_events(submitted)))
    watching.start()
    print(json.dumps({"case": "restart now", "ok": True}), flush=True)
    done = client.wait(submitted)
    watching.join(60)
    assert done.succeeded and facts.count("intent-submitted") == 1 and facts[-1] == "workflow-ended", facts
    return facts


CASES: dict[str, Callable[[Client], object]] = {
    one.__name__: one
    for one in (submit, odd_names, slow, failed, denied, refused, plans, rollback, control, live, repeated, as_tools, asynchronous, outage)
}  # fmt: skip


def main() -> int:
    bad = 0
    with Client() as client:
        for name in sys.argv[1:]:
            try:
                line = {"case": name, "ok": True, "said": CASES[name](client)}
            except Exception as error:  # Why any: the line tells it, and the others still run.
                bad += 1
                line = {"case": name, "ok": False, "said": f"{type(error).__name__}: {error}"}
            print(json.dumps(line), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
