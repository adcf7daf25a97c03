from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

import anyio
import pytest
from scripted import AT, ID, Answer, Asked, problem, scripted, step, workflow

from aifirst import AiFirstError, AsyncClient, Client, Conflict, Denied, Invalid, NotFound, StepDenied, StepFailed, TransactionFailed, Unavailable, WaitTimeout, WorkflowParked

CUT = Answer(cut=True)
STEPS = f"POST /v1/workflows/{ID}/steps"
COMMIT = f"POST /v1/workflows/{ID}/commit"
CANCEL = f"POST /v1/workflows/{ID}/cancel"
LOOK = f"GET /v1/workflows/{ID}"
BEGUN = Answer(201, workflow("running", [], interactive={"idleTimeoutMs": 60_000, "committing": False}).body)
UNDONE = {"status": "done", "verified": True, "reason": None}


def client(url: str, **more: Any) -> Client:
    return Client(url, "t", **{"retry_for": 10.0, **more})


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("_calls", "_request"):
        monkeypatch.setattr(f"aifirst.{module}.FIRST_PAUSE", 0.01)
    monkeypatch.setattr("aifirst._transactions._LATE_MAX", 0.3)


def done(id: str = "a", **more: Any) -> Answer:
    return Answer(200, step(id, **more))


def under_way(id: str = "a") -> Answer:
    return Answer(202, step(id, "running", output=None, endedAt=None))


def failed(id: str = "a", code: str = "NOT_FOUND", status: str = "failed", **more: Any) -> Answer:
    return Answer(200, step(id, status, output=None, error={"code": code, "detail": "it is not there", "clean": True}, **more))


def ordered(status: str = "rollingBack") -> Answer:
    return Answer(202, workflow(status).body)


def back(steps: int = 1) -> Answer:
    return workflow("rolledBack", [step(str(n), "undone", undo=UNDONE) for n in range(steps)])


def reason(code: str, detail: str = "it is so", *actions: dict[str, Any]) -> dict[str, Any]:
    return {"code": code, "detail": detail, "since": AT, "actions": list(actions)}


def paths(lines: list[str]) -> list[str]:
    return [line.split("?")[0] for line in lines]


# --- a block --------------------------------------------------------------------------------------------------------------


def test_a_block_begins_acts_and_commits() -> None:
    with scripted(BEGUN, done("fs-write", output={"path": "a"}), done("fs-read", output={"content": "x"}), workflow()) as server, client(server.url) as calls:
        with calls.transaction("tidy up", idle_timeout=60, deadline=3600, labels={"team": "x"}, subjects=["customer:1"]) as tx:
            assert tx.id == ID and tx.outcome is None
            assert tx.call("fs.write", connection="docs", path="a", content="x") == {"path": "a"}
            assert tx.call("fs.read", input={"path": "a", "id": 7}, connection="docs") == {"content": "x"}
        assert tx.outcome is not None and tx.outcome.succeeded
    assert paths(server.lines) == ["POST /v1/workflows", STEPS, STEPS, COMMIT]
    assert server.asked[0].body == {"goal": "tidy up", "idleTimeoutMs": 60_000, "deadlineMs": 3_600_000, "labels": {"team": "x"}, "subjects": ["customer:1"]}
    assert len(server.asked[0].headers["idempotency-key"]) > 30
    assert server.asked[1].body == {"id": "fs-write", "capability": "fs.write", "input": {"connection": "docs", "path": "a", "content": "x"}}
    assert server.asked[2].body["input"] == {"connection": "docs", "path": "a", "id": 7}
    assert server.lines[1].endswith("?wait=30")


def test_a_step_that_takes_longer_is_asked_for_again_under_its_id() -> None:
    with scripted(BEGUN, CUT, problem(503, "UNAVAILABLE", headers={"retry-after": "0"}), under_way(), done(), workflow()) as server, client(server.url) as calls:
        with calls.transaction("g") as tx:
            assert tx.call("noop") == {"value": 1}
    assert paths(server.lines) == ["POST /v1/workflows", *[STEPS] * 4, COMMIT]
    assert {one.body["id"] for one in server.asked[1:5]} == {"noop"}


def test_a_lost_beginning_is_asked_for_again_under_its_key() -> None:
    with scripted(CUT, BEGUN, workflow()) as server, client(server.url) as calls:
        with calls.transaction("g", idempotency_key="mine"):
            pass
    assert [one.headers.get("idempotency-key") for one in server.asked] == ["mine", "mine", None]


def test_the_same_capability_again_is_another_step() -> None:
    with scripted(BEGUN, done(), done(), done(), done(), workflow()) as server, client(server.url) as calls:
        with calls.transaction("g") as tx:
            for _ in range(2):
                tx.call("fs.write")
            # By its own id it is the same one: an answer that was lost is asked for again.
            tx.call("fs.write", id="mine")
            tx.call("fs.write", id="mine")
    assert [one.body["id"] for one in server.asked[1:5]] == ["fs-write", "fs-write-2", "mine", "mine"]


def test_steps_run_side_by_side_and_refer_to_one_another() -> None:
    with scripted(BEGUN, under_way("slow"), under_way("b"), done("b"), done("slow", output={"rows": [1]}), workflow()) as server, client(server.url) as calls:
        with calls.transaction("g") as tx:
            slow = tx.step("sql.query", id="slow", attempts=3, timeout=90)
            other = tx.step("noop", id="b", value=slow.output["rows"][0], depends_on=slow)
            assert slow.last_seen is not None and slow.last_seen.status == "running"
            assert other.result() == {"value": 1}
    # Nobody has asked for the slow one: it is waited for before the commit.
    assert server.lines == ["POST /v1/workflows", f"{STEPS}?wait=0", f"{STEPS}?wait=0", f"{STEPS}?wait=30", f"{STEPS}?wait=30", f"{COMMIT}?wait=30"]
    assert server.asked[1].body == {"id": "slow", "capability": "sql.query", "input": {}, "retry": {"attemptsMax": 3}, "timeoutMs": 90_000}
    assert server.asked[2].body == {"id": "b", "capability": "noop", "input": {"value": {"$ref": "#/steps/slow/output/rows/0"}}, "dependsOn": ["slow"]}
    assert server.asked[4].body["id"] == "slow"


def test_what_is_of_another_transaction_is_refused_here() -> None:
    with scripted(BEGUN, under_way(), BEGUN, problem(500, "X")) as server, client(server.url) as calls:
        one, other = calls.transaction("one"), calls.transaction("other")
        one.begin()
        handle = one.step("noop")
        other.begin()
        with pytest.raises(ValueError, match="of another intent"):
            other.call("noop", value=handle.output)
    assert len(server.asked) == 3


# --- what fails ---------------------------------------------------------------------------------------------------------


def test_a_step_that_fails_leaves_the_transaction_standing() -> None:
    with scripted(BEGUN, failed("fs-read"), done("fs-write"), workflow(statusReason=reason("STEPS_FAILED"))) as server, client(server.url) as calls:
        with calls.transaction("g") as tx:
            with pytest.raises(StepFailed) as caught:
                tx.call("fs.read", path="b")
            tx.call("fs.write", path="b")
    assert caught.value.code == "NOT_FOUND" and caught.value.step.id == "fs-read" and caught.value.workflow_id == ID and caught.value.workflow is None
    assert str(caught.value) == "NOT_FOUND: step `fs-read` (noop): it is not there\nIt had no effect, and the transaction stands with what was done before: go on otherwise."
    assert paths(server.lines)[-1] == COMMIT


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (failed(code="POLICY_DENIED"), "denied again"),
        (failed(code="LOCKED"), "do without what another holds, or call it again later"),
        (failed(code="DEPENDENCY_FAILED", status="skipped"), "go on otherwise"),
        (Answer(200, step("a", "undone", output=None)), "is being taken back"),
        (Answer(200, step("a", "unknown", output=None, statusReason=reason("OUTCOME_UNKNOWN", "who knows", {"method": "POST", "path": "/resolve", "by": "administrator"}))), "waits for somebody: POST /resolve (by administrator). Do not call it again"),
    ],
)  # fmt: skip
def test_what_became_of_a_step_is_told_so_that_a_model_can_act_on_it(answer: Answer, said: str) -> None:
    with scripted(BEGUN, answer) as server, client(server.url) as calls:
        tx = calls.transaction("g")
        tx.begin()
        with pytest.raises(StepFailed) as caught:
            tx.call("noop")
    assert said in str(caught.value)
    assert isinstance(caught.value, Denied) == isinstance(caught.value, StepDenied) == (caught.value.code == "POLICY_DENIED")


def test_a_failure_that_nobody_has_seen_is_not_kept() -> None:
    with scripted(BEGUN, under_way(), failed(), ordered(), back()) as server, client(server.url) as calls:
        with pytest.raises(StepFailed) as caught, calls.transaction("g") as tx:
            tx.step("noop", id="a")
    assert paths(server.lines) == ["POST /v1/workflows", STEPS, STEPS, CANCEL, LOOK]
    assert "1 step that had been done is undone and verified" in str(caught.value) and "stands with" not in str(caught.value)


def test_what_is_wrong_is_told_and_is_no_step() -> None:
    wrong = problem(422, "INVALID_INPUT", "must be string", pointer="/input/path")
    with scripted(BEGUN, wrong, done(), workflow()) as server, client(server.url) as calls:
        with calls.transaction("g") as tx:
            with pytest.raises(Invalid) as caught:
                tx.call("fs.write", path=7)
            tx.call("fs.write", path="a")
    assert caught.value.pointer == "/input/path" and paths(server.lines) == ["POST /v1/workflows", STEPS, STEPS, COMMIT]


def test_a_step_that_takes_too_long_goes_on_and_is_waited_for_at_the_end() -> None:
    with scripted(BEGUN, under_way(), under_way(), done(), workflow()) as server, client(server.url) as calls:
        with calls.transaction("g") as tx:
            slow = tx.step("noop", id="a")
            with pytest.raises(WaitTimeout, match="step `a` of workflow") as caught:
                slow.result(timeout=0)
    assert caught.value.workflow_id == ID and caught.value.step == "a"
    assert server.lines == ["POST /v1/workflows", f"{STEPS}?wait=0", f"{STEPS}?wait=0", f"{STEPS}?wait=30", f"{COMMIT}?wait=30"]


def test_what_does_not_show_yet_is_asked_for_again() -> None:
    with scripted(BEGUN, problem(404, "NOT_FOUND"), done(), workflow()) as server, client(server.url) as calls, calls.transaction("g") as tx:
        assert tx.call("noop") == {"value": 1}
    with scripted(BEGUN, problem(404, "NOT_FOUND")) as server, client(server.url) as calls:
        tx = calls.transaction("g")
        tx.begin()
        with pytest.raises(NotFound):
            tx.call("noop")


@pytest.mark.parametrize(("more", "said"), [({"status": "paused"}, "is held, and stands"), ({"status": "rolledBack"}, "takes no more steps")])
def test_a_transaction_that_takes_no_step_says_why(more: dict[str, Any], said: str) -> None:
    refusal = problem(409, "WRONG_STATE", "a transaction that is so")
    with scripted(BEGUN, Answer(409, {**refusal.body, **more}, refusal.headers)) as server, client(server.url) as calls:
        tx = calls.transaction("g")
        tx.begin()
        with pytest.raises(Conflict, match=said):
            tx.call("noop")


def test_a_step_of_which_nothing_is_known_is_named_with_its_key() -> None:
    with scripted(BEGUN, CUT) as server, client(server.url, retry_for=0.0) as calls:
        tx = calls.transaction("g")
        tx.begin()
        with pytest.raises(Unavailable, match="the same call with id='noop' finds out and acts once") as caught:
            tx.call("noop")
    assert caught.value.perhaps_done and caught.value.workflow_id == ID
    with scripted(BEGUN, problem(429, "RATE_LIMITED", headers={"retry-after": "90"})) as server, client(server.url) as calls:
        tx = calls.transaction("g")
        tx.begin()
        with pytest.raises(Unavailable, match="`noop` was not taken") as caught:
            tx.call("noop")
    assert not caught.value.perhaps_done and caught.value.workflow_id is None


# --- taken back -----------------------------------------------------------------------------------------------------------


def test_an_exception_takes_everything_back_first() -> None:
    with scripted(BEGUN, done(), ordered(), workflow("rollingBack"), Answer(chunks=()), back(2)) as server, client(server.url) as calls:
        with pytest.raises(ZeroDivisionError) as caught, calls.transaction("g") as tx:
            tx.call("noop")
            1 / 0  # noqa: B018
    assert tx.outcome is not None and tx.outcome.status == "rolledBack"
    assert server.asked[2].body == {"reason": "the block of the transaction ended with ZeroDivisionError"}
    if sys.version_info >= (3, 11):
        assert caught.value.__notes__ == [f"2 steps that had been done are undone and verified. Workflow {ID} is rolledBack."]


def test_a_failed_step_that_ends_the_block_says_what_was_undone() -> None:
    with scripted(BEGUN, done(), failed("b"), ordered(), back()) as server, client(server.url) as calls:
        with pytest.raises(StepFailed) as caught, calls.transaction("g") as tx:
            tx.call("noop")
            tx.call("noop")
    assert str(caught.value) == f"NOT_FOUND: step `b` (noop): it is not there\n1 step that had been done is undone and verified. Workflow {ID} is rolledBack."
    assert caught.value.workflow is tx.outcome and tx.outcome is not None


def test_what_can_not_be_taken_back_is_told() -> None:
    residue = [{"step": "a", "resource": "file://a", "what": "a.txt is as the step left it", "why": "somebody has changed it", "action": "x"}]
    blocked = workflow("rollbackBlocked", [step(undo={"status": "blocked", "verified": False, "reason": "x"})], residue=residue, statusReason=reason("TARGET_CHANGED", "a.txt has been changed", {"method": "POST", "path": "/rollback", "by": "administrator"}))
    with scripted(BEGUN, done(), ordered(), blocked) as server, client(server.url) as calls:
        with pytest.raises(TransactionFailed) as caught, calls.transaction("g") as tx:
            tx.call("noop")
            raise KeyError("mine")
    assert isinstance(caught.value.__cause__, KeyError) and caught.value.code == "TARGET_CHANGED" and caught.value.workflow.status == "rollbackBlocked"
    text = str(caught.value)
    assert "its block had ended with KeyError: 'mine'" in text and "What stands: file://a (a.txt is as the step left it)" in text and "POST /rollback (by administrator)" in text


def test_who_does_not_know_whether_it_is_taken_back_is_told_what_will_be() -> None:
    with scripted(BEGUN, CUT) as server, client(server.url, retry_for=0.0) as calls:
        with pytest.raises(Unavailable, match="takes itself back when it has been left alone") as caught, calls.transaction("g"):
            raise KeyError("mine")
    assert isinstance(caught.value.__cause__, KeyError) and caught.value.workflow_id == ID


def test_what_has_gone_back_already_is_not_taken_back_again() -> None:
    idle = workflow("rolledBack", [], statusReason=reason("IDLE", "nobody spoke to it"))
    with scripted(BEGUN, problem(409, "WRONG_STATE"), problem(409, "WRONG_STATE"), idle, idle) as server, client(server.url) as calls:
        with pytest.raises(Conflict), calls.transaction("g") as tx:
            tx.call("noop")
    assert paths(server.lines) == ["POST /v1/workflows", STEPS, CANCEL, LOOK, LOOK]


def test_a_commit_that_finds_it_gone_says_so() -> None:
    idle = workflow("rolledBack", [step(undo=UNDONE)], statusReason=reason("IDLE", "nobody spoke to it for 1000 ms"))
    with scripted(BEGUN, problem(409, "WRONG_STATE"), idle) as server, client(server.url) as calls:
        with pytest.raises(TransactionFailed, match="nobody spoke to it for 1000 ms") as caught, calls.transaction("g"):
            pass
    assert caught.value.code == "IDLE" and "1 step that had been done is undone" in str(caught.value) and paths(server.lines) == ["POST /v1/workflows", COMMIT, LOOK]


def test_a_commit_that_is_held_is_left_to_whoever_holds_it() -> None:
    paused = workflow("paused", statusReason=reason("KILL_SWITCH"))
    with scripted(BEGUN, problem(409, "WRONG_STATE"), paused) as server, client(server.url) as calls:
        with pytest.raises(WorkflowParked), calls.transaction("g"):
            pass
    with scripted(BEGUN, problem(409, "WRONG_STATE"), paused) as server, client(server.url) as calls:
        with pytest.raises(WorkflowParked), calls.transaction("g") as tx:
            tx.commit()
    assert CANCEL not in server.lines


def test_a_commit_that_nobody_answers_may_have_been_made() -> None:
    with scripted(BEGUN, CUT) as server, client(server.url, retry_for=0.0) as calls:
        with pytest.raises(Unavailable, match="It is not known whether transaction .* is committed"), calls.transaction("g"):
            pass
    assert CANCEL not in server.lines


def test_a_commit_is_waited_for() -> None:
    with scripted(BEGUN, Answer(202, workflow("committing").body), workflow()) as server, client(server.url) as calls, calls.transaction("g"):
        pass
    assert paths(server.lines) == ["POST /v1/workflows", COMMIT, COMMIT]


def test_it_may_be_ended_by_a_word_within_the_block() -> None:
    with scripted(BEGUN, ordered(), back()) as server, client(server.url) as calls:
        with calls.transaction("g") as tx:
            assert tx.rollback("changed my mind").status == "rolledBack"
    assert paths(server.lines) == ["POST /v1/workflows", CANCEL, LOOK] and server.asked[1].body == {"reason": "changed my mind"}
    with scripted(BEGUN, workflow()) as server, client(server.url) as calls, pytest.raises(KeyError):
        with calls.transaction("g") as tx:
            tx.commit()
            raise KeyError("after it")
    assert len(server.asked) == 2


def test_a_program_that_is_interrupted_takes_it_back_and_ends() -> None:
    with scripted(BEGUN, ordered(), back()) as server, client(server.url) as calls:
        with pytest.raises(KeyboardInterrupt), calls.transaction("g"):
            raise KeyboardInterrupt
    assert paths(server.lines)[1:] == [CANCEL, LOOK]
    with scripted(BEGUN, CUT) as server, client(server.url, retry_for=0.0) as calls:
        with pytest.raises(KeyboardInterrupt), calls.transaction("g"):
            raise KeyboardInterrupt


def test_what_was_not_begun_or_begun_twice_is_refused_here() -> None:
    with scripted(BEGUN) as server, client(server.url) as calls:
        tx = calls.transaction("g")
        assert "not begun" in repr(tx)
        for use in (lambda: tx.call("noop"), lambda: tx.id, tx.commit):
            with pytest.raises(RuntimeError, match="has not begun"):
                use()
        tx.begin()
        assert ID in repr(tx)
        with pytest.raises(RuntimeError, match="begun already"):
            tx.begin()
        for wrong in ({"idle_timeout": 0}, {"deadline": float("inf")}):
            with pytest.raises(ValueError, match="number of seconds"):
                calls.transaction("g", **wrong)
    with scripted(problem(422, "INVALID_FIELD", pointer="/idleTimeoutMs")) as server, client(server.url) as calls, pytest.raises(Invalid):
        with calls.transaction("g"):
            raise AssertionError("it ran")


def test_threads_act_in_one_transaction_with_ids_of_their_own() -> None:
    def answer(asked: Asked) -> Answer:
        return BEGUN if asked.path == "/v1/workflows" else workflow() if "/commit" in asked.path else done(asked.body["id"])

    with scripted(answer) as server, client(server.url) as calls:
        with calls.transaction("g") as tx:
            threads = [threading.Thread(target=lambda: tx.call("noop")) for _ in range(8)]
            for one in threads:
                one.start()
            for one in threads:
                one.join()
    assert len({one.body["id"] for one in server.asked if "/steps" in one.path}) == 8


# --- the asynchronous one is the same ---------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_asynchronous_one_does_the_same(backend: str) -> None:
    if backend == "trio":
        pytest.importorskip("trio")

    async def main(url: str) -> None:
        async with AsyncClient(url, "t", retry_for=10) as calls:
            async with calls.transaction("g", idle_timeout=60) as tx:
                assert await tx.call("noop") == {"value": 1}
                slow = await tx.step("noop")
                with pytest.raises(StepFailed):
                    await slow.result()
                assert (await tx.workflow()).status == "running"
            assert tx.outcome is not None and tx.outcome.succeeded
            with pytest.raises(KeyError):
                async with calls.transaction("g"):
                    raise KeyError("mine")

    with scripted(BEGUN, done(), under_way("noop-2"), failed("noop-2"), workflow("running"), workflow(), BEGUN, ordered(), back()) as server:
        anyio.run(main, server.url, backend=backend)
    assert paths(server.lines) == ["POST /v1/workflows", STEPS, STEPS, STEPS, LOOK, COMMIT, "POST /v1/workflows", CANCEL, LOOK]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancelled_block_is_taken_back_before_it_ends(backend: str) -> None:
    if backend == "trio":
        pytest.importorskip("trio")

    async def main(url: str) -> bool:
        async with AsyncClient(url, "t", retry_for=10) as calls:
            with anyio.move_on_after(0.2) as scope:
                async with calls.transaction("g"):
                    await anyio.sleep(30)
            return scope.cancelled_caught

    with scripted(BEGUN, ordered(), workflow("rollingBack"), Answer(chunks=()), back()) as server:
        assert anyio.run(main, server.url, backend=backend)
    assert paths(server.lines)[:3] == ["POST /v1/workflows", CANCEL, LOOK] and server.lines[-1] == LOOK


def test_a_cancelled_task_stays_cancelled() -> None:
    async def main(url: str) -> None:
        async def work() -> None:
            async with AsyncClient(url, "t") as calls, calls.transaction("g"):
                began.set()
                await asyncio.sleep(30)

        began = asyncio.Event()
        task = asyncio.create_task(work())
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with scripted(BEGUN, ordered(), back()) as server:
        asyncio.run(main(server.url))
    assert paths(server.lines) == ["POST /v1/workflows", CANCEL, LOOK]


def test_both_kinds_have_the_same_calls() -> None:
    from aifirst import AsyncTransaction, AsyncTransactionStep, Transaction, TransactionStep

    def public(kind: type) -> set[str]:
        return {name for name in dir(kind) if not name.startswith("_")}

    assert public(Transaction) == public(AsyncTransaction) and public(TransactionStep) == public(AsyncTransactionStep)


# --- rollbacks that are looked at first -----------------------------------------------------------------------------------

DEPENDENT = {"workflow": ID, "step": "z", "agent": "other", "kind": "overwrote", "resource": "file://a", "at": AT, "blocks": True}
CONFLICT = {"resource": "file://a", "what": "a.txt", "expected": "x", "found": "y", "before": None, "after": "x", "current": "y"}
PREVIEW = {
    "workflow": ID, "status": "completed", "digest": "d-1", "onConflict": "skip", "dependents": [DEPENDENT], "dependentsTruncated": False,
    "steps": [
        {"order": 1, "id": "b", "capability": "fs.write", "outcome": "wouldBlock", "summary": "s", "conflicts": [CONFLICT], "truncated": False, "reason": "changed"},
        {"order": 2, "id": "a", "capability": "fs.write", "outcome": "wouldUndo", "summary": "s", "conflicts": {"sealed": True}, "truncated": False, "reason": None},
    ],
}  # fmt: skip


def test_a_rollback_is_looked_at_and_just_that_is_done() -> None:
    with scripted(Answer(200, PREVIEW), ordered(), ordered(), ordered()) as server, client(server.url) as calls:
        preview = calls.preview_rollback(ID, on_conflict="skip")
        assert [one.outcome for one in preview.steps] == ["wouldBlock", "wouldUndo"] and not preview.clear
        assert preview.steps[0].conflicts is not None and preview.steps[0].conflicts[0].current == "y" and preview.steps[1].conflicts is None
        assert preview.dependents[0].blocks and preview.dependents[0].at.year == 2026
        calls.rollback(ID, reason="no", digest=preview)
        calls.rollback(ID, digest="d-2", on_conflict="block")
        calls.rollback(ID)
        with pytest.raises(ValueError, match="block or skip"):
            calls.rollback(ID, on_conflict="force")  # type: ignore[arg-type]
    assert [one.body for one in server.asked] == [{"preview": True, "onConflict": "skip"}, {"reason": "no", "onConflict": "skip", "digest": "d-1"}, {"digest": "d-2"}, {}]


@pytest.mark.parametrize(("code", "more", "said"), [("IN_USE", {"dependents": [DEPENDENT]}, "Roll those back first"), ("PLAN_STALE", {"moved": [{"what": "targets"}, {"what": "dependents"}], "dependents": []}, "look at it anew")])
def test_who_is_in_the_way_of_a_rollback_is_named(code: str, more: dict[str, Any], said: str) -> None:
    with scripted(problem(409, code, **more)) as server, client(server.url) as calls, pytest.raises(Conflict, match=said) as caught:
        calls.rollback(ID)
    assert [one.step for one in caught.value.dependents] == (["z"] if code == "IN_USE" else [])
    assert caught.value.moved == (() if code == "IN_USE" else ("targets", "dependents"))


def test_what_was_left_standing_is_told() -> None:
    residue = [{"step": "a", "resource": "file://a", "what": "a.txt", "why": "changed", "action": "x"}]
    skipped = workflow("rolledBack", [step(undo={"status": "skipped", "verified": False, "reason": "changed"})], residue=residue)
    with scripted(skipped) as server, client(server.url) as calls, pytest.raises(AiFirstError, match=r"What stands: file://a \(a\.txt\)"):
        calls.wait(ID)
