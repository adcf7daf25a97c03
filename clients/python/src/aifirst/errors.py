"""What goes wrong, as exceptions. Every message says what happened, what stands, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .models import Dependent, Step, Workflow

__all__ = [
    "AiFirstError",
    "Conflict",
    "Denied",
    "HandOver",
    "Invalid",
    "NotFound",
    "Problem",
    "StepDenied",
    "StepFailed",
    "TaskLost",
    "TransactionFailed",
    "Unavailable",
    "WaitTimeout",
    "WorkflowDenied",
    "WorkflowFailed",
    "WorkflowParked",
]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. `pointer` is a JSON Pointer into what was sent, where a field is meant."""

    code: str
    detail: str
    pointer: str | None = None

    def __str__(self) -> str:
        return f"{self.code}{f' at {self.pointer}' if self.pointer is not None else ''}: {self.detail}"


class AiFirstError(Exception):
    """Anything that this package raises by itself.

    `code` is stable. `status` is that of HTTP, or None where no answer is meant. `errors` holds all that was found,
    the first of them also in `code`, `detail` and `pointer`. `document` is the server's problem (RFC 9457) as it came.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        pointer: str | None = None,
        status: int | None = None,
        errors: tuple[Problem, ...] = (),
        advice: str = "",
        document: Mapping[str, Any] | None = None,
    ) -> None:
        self.code = code
        self.detail = detail
        self.pointer = pointer
        self.status = status
        self.errors = errors or (Problem(code, detail, pointer),)
        self.advice = advice
        self.document: Mapping[str, Any] = document or {}
        super().__init__(self._text())

    def _text(self) -> str:
        return "\n".join([*(str(problem) for problem in self.errors), *([self.advice] if self.advice else [])])


class Denied(AiFirstError):
    """Not permitted: the token is not taken, the call is not this principal's, or policy denied a step."""


class NotFound(AiFirstError):
    """There is no such thing, or it is somebody else's."""


class Conflict(AiFirstError):
    """It stands against what is there: another intent under the same key, a status that does not allow it, a plan that does not hold any more."""

    @property
    def dependents(self) -> tuple[Dependent, ...]:
        """Of a rollback that others are in the way of (`IN_USE`, `PLAN_STALE`): who builds on what it did."""
        from .models import Dependent

        return tuple(Dependent.of(one) for one in self.document.get("dependents", ()))

    @property
    def moved(self) -> tuple[str, ...]:
        """Of `PLAN_STALE`: what is not as it was shown. Of a rollback: `steps`, `dependents`, `targets`; of a plan what the server names."""
        return tuple(str(one["what"]) for one in self.document.get("moved", ()) if isinstance(one, dict) and "what" in one)


class Invalid(AiFirstError):
    """What was sent is wrong; nothing was done. Each problem in `errors` points to the field."""


class Unavailable(AiFirstError):
    """The server did not answer, or asked to come back later, for as long as was tried.

    `retry_after` is what it asked for last, in seconds. Whether a call that acts has acted is not known: the same call
    with the same idempotency key (`idempotency_key`, where there is one) finds out and never acts twice. `workflow_id`
    is there if the intent had been taken and only its end could not be waited for. `perhaps_done` is False where the
    server was only ever too busy to take it: then nothing was done.
    """

    perhaps_done = True

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        retry_after: float | None = None,
        idempotency_key: str | None = None,
        workflow_id: str | None = None,
        status: int | None = None,
        errors: tuple[Problem, ...] = (),
        advice: str | None = None,
        document: Mapping[str, Any] | None = None,
    ) -> None:
        self.retry_after = retry_after
        self.idempotency_key = idempotency_key
        self.workflow_id = workflow_id
        later = "later" if retry_after is None else f"after {retry_after:g} s"
        if advice is None and workflow_id is not None:
            advice = f"Workflow {workflow_id} was taken and goes on: wait for it again {later}, and do not hand it in again."
        elif advice is None and idempotency_key is not None:
            advice = f"Try again {later}, with idempotency_key={idempotency_key!r}: it is not known whether the call was taken, and under its key it acts once."
        elif advice is None:
            advice = f"Try again {later}."
        super().__init__(code, detail, status=status, errors=errors, advice=advice, document=document)

    def again(self, *, workflow_id: str | None = None, advice: str | None = None) -> Unavailable:
        """The same, with more that is known."""
        found = Unavailable(
            self.code, self.detail, retry_after=self.retry_after, idempotency_key=self.idempotency_key, workflow_id=workflow_id or self.workflow_id,
            status=self.status, errors=self.errors, advice=advice, document=self.document,
        )  # fmt: skip
        found.perhaps_done = self.perhaps_done
        return found


class WaitTimeout(AiFirstError, TimeoutError):
    """It takes longer than was waited. It goes on: nothing has failed."""

    def __init__(self, workflow_id: str, seconds: float, workflow: Workflow | None = None, *, step: str | None = None) -> None:
        self.workflow_id = workflow_id
        self.workflow = workflow
        self.step = step
        super().__init__(
            "STILL_RUNNING",
            f"{'' if step is None else f'step `{step}` of '}workflow {workflow_id} has not ended within {seconds:g} s",
            advice="It goes on: wait for it again or cancel it, but do not hand it in again.",
        )


class WorkflowFailed(AiFirstError):
    """The workflow ended otherwise than completed. `workflow` shows what became of each step and what stands."""

    def __init__(self, workflow: Workflow, *, code: str | None = None, detail: str | None = None, advice: str | None = None) -> None:
        self.workflow = workflow
        reason = workflow.status_reason
        failed = workflow.failed_step
        found = failed.error if failed is not None else None
        first = found.code if found is not None else reason.code if reason is not None else workflow.status.upper()
        what = found.detail if found is not None else reason.detail if reason is not None else f"it ended {workflow.status}"
        if failed is not None:
            what = f"step `{failed.id}` ({failed.capability}): {what}"
        super().__init__(code or first, what if detail is None else detail, advice=_stands(workflow) if advice is None else advice)


class WorkflowDenied(WorkflowFailed, Denied):
    """Policy denied a step of the workflow."""

    def __init__(self, workflow: Workflow) -> None:
        super().__init__(
            workflow,
            advice=f"{_stands(workflow)} Handing it in again will be denied again: use what is permitted, or ask whoever administers this agent.",
        )


class WorkflowParked(WorkflowFailed):
    """The workflow has not ended: it waits for somebody. `workflow.status_reason.actions` says who can do what."""

    def __init__(self, workflow: Workflow) -> None:
        reason = workflow.status_reason
        super().__init__(workflow, code=reason.code if reason is not None else None, advice=_waits(workflow))


#: Of a step that goes back together with its transaction.
_GOING_BACK = ("undoing", "undone", "undoBlocked")
_HAD_NO_EFFECT = ("failed", "skipped")


class StepFailed(AiFirstError):
    """A step of a transaction failed, and had no effect: the transaction stands, and its block may go on otherwise.

    `step` is what became of it. `workflow` is None until the transaction is taken back because of it.
    """

    def __init__(self, workflow_id: str, step: Step) -> None:
        self.workflow_id = workflow_id
        self.step = step
        self.workflow: Workflow | None = None
        reason = step.status_reason
        code = step.error.code if step.error is not None else reason.code if reason is not None else step.status.upper()
        detail = step.error.detail if step.error is not None else reason.detail if reason is not None else f"it is {step.status}"
        super().__init__(code, f"step `{step.id}` ({step.capability}): {detail}", advice=self._what_now())

    def _what_now(self) -> str:
        if self.step.status in _GOING_BACK:
            return f"Transaction {self.workflow_id} is being taken back, or is already: nothing of it will stand, and it takes no more calls."
        if self.step.status not in _HAD_NO_EFFECT:
            actions = "; ".join(f"{one.method} {one.path} (by {one.by})" for one in self.step.status_reason.actions) if self.step.status_reason is not None else ""
            return f"Whether it had an effect is not known, and it waits for somebody{f': {actions}' if actions else ''}. Do not call it again."
        locked = self.step.error is not None and self.step.error.code == "LOCKED"
        return f"It had no effect, and the transaction stands with what was done before: {'do without what another holds, or call it again later' if locked else 'go on otherwise'}."

    def taken_back(self, workflow: Workflow, what: str) -> None:
        """After the whole is: now the text says that."""
        self.workflow = workflow
        self.advice = what
        self.args = (self._text(),)


class StepDenied(StepFailed, Denied):
    """Policy denied a step of a transaction."""

    def _what_now(self) -> str:
        return "It had no effect, and the transaction stands with what was done before. Calling it again will be denied again: use what is permitted, or ask whoever administers this agent."


class TransactionFailed(WorkflowFailed):
    """A transaction did not commit, or not all of it could be taken back. `workflow` shows what stands.

    Where its block ended with an exception, that is the `__cause__`.
    """

    def __init__(self, workflow: Workflow, cause: BaseException | None = None) -> None:
        reason = workflow.status_reason
        code = reason.code if reason is not None else workflow.status.upper()
        said = "" if cause is None else f"; its block had ended with {type(cause).__name__}{f': {_first_line(cause)}' if str(cause) else ''}"
        detail = f"transaction {workflow.id}: {reason.detail if reason is not None else f'it is {workflow.status}'}{said}"
        waits = f" {_waits(workflow)}" if workflow.parked else ""
        super().__init__(workflow, code=code, detail=detail, advice=f"{_stands(workflow)}{waits}")


class TaskLost(AiFirstError):
    """The claim of a task is lost: its lease ran out, or the task was withdrawn. The server takes back what was done for it."""

    def __init__(self, task_id: str, detail: str, document: Mapping[str, Any] | None = None) -> None:
        self.task_id = task_id
        super().__init__("TASK_LOST", detail, document=document, advice=f"Stop working on task {task_id}: what was done for it is taken back, and somebody else may have it by now.")


class HandOver(AiFirstError):
    """To be raised by who works a task: it is given back, for another to take."""

    def __init__(self, reason: str) -> None:
        super().__init__("HAND_OVER", reason)


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0][:500] if str(error) else ""


def _waits(workflow: Workflow) -> str:
    reason = workflow.status_reason
    actions = "; ".join(f"{action.method} {action.path} (by {action.by})" for action in reason.actions) if reason is not None else ""
    return f"Workflow {workflow.id} is {workflow.status} and waits for somebody{f': {actions}' if actions else ''}. Do not hand it in again."


def _stands(workflow: Workflow) -> str:
    undone = [step for step in workflow.steps if step.undo is not None and step.undo.status == "done"]
    if workflow.status == "rolledBack":
        verified = all(step.undo is not None and step.undo.verified for step in undone)
        what = f"{len(undone)} step{'s' if len(undone) != 1 else ''} that had been done {'are' if len(undone) != 1 else 'is'} undone{' and verified' if verified and undone else ''}. " if undone else "" if workflow.residue else "Nothing of it stands. "
        what += _residue(workflow)
    elif workflow.residue:
        what = _residue(workflow)
    elif workflow.status in ("rejected", "cancelled"):
        what = "Nothing of it had an effect. " if any(step.status == "succeeded" for step in workflow.steps) else "Nothing was done. "
    else:
        done = [step.id for step in workflow.steps if step.status == "succeeded"]
        what = f"Steps that stand: {', '.join(done)}. " if done else "Nothing of it stands. "
    return f"{what}Workflow {workflow.id} is {workflow.status}."


def _residue(workflow: Workflow) -> str:
    return f"What stands: {'; '.join(f'{left.resource} ({left.what})' for left in workflow.residue)}. " if workflow.residue else ""
