"""What goes wrong, as exceptions. Every message says what happened, what stands, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .models import Workflow

__all__ = [
    "AiFirstError",
    "Conflict",
    "Denied",
    "Invalid",
    "NotFound",
    "Problem",
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

    def __init__(self, workflow_id: str, seconds: float, workflow: Workflow | None = None) -> None:
        self.workflow_id = workflow_id
        self.workflow = workflow
        super().__init__(
            "STILL_RUNNING",
            f"workflow {workflow_id} has not ended within {seconds:g} s",
            advice="It goes on: wait for it again or cancel it, but do not hand it in again.",
        )


class WorkflowFailed(AiFirstError):
    """The workflow ended otherwise than completed. `workflow` shows what became of each step and what stands."""

    def __init__(self, workflow: Workflow, *, code: str | None = None, advice: str | None = None) -> None:
        self.workflow = workflow
        reason = workflow.status_reason
        failed = workflow.failed_step
        found = failed.error if failed is not None else None
        first = found.code if found is not None else reason.code if reason is not None else workflow.status.upper()
        detail = found.detail if found is not None else reason.detail if reason is not None else f"it ended {workflow.status}"
        if failed is not None:
            detail = f"step `{failed.id}` ({failed.capability}): {detail}"
        super().__init__(code or first, detail, advice=_stands(workflow) if advice is None else advice)


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
        actions = "; ".join(f"{action.method} {action.path} (by {action.by})" for action in reason.actions) if reason is not None else ""
        super().__init__(
            workflow,
            code=reason.code if reason is not None else None,
            advice=f"Workflow {workflow.id} is {workflow.status} and waits for somebody{f': {actions}' if actions else ''}. Do not hand it in again.",
        )


def _stands(workflow: Workflow) -> str:
    undone = [step for step in workflow.steps if step.undo is not None and step.undo.status == "done"]
    if workflow.status == "rolledBack":
        verified = all(step.undo is not None and step.undo.verified for step in undone)
        what = f"{len(undone)} step{'s' if len(undone) != 1 else ''} that had been done {'are' if len(undone) != 1 else 'is'} undone{' and verified' if verified and undone else ''}. " if undone else "Nothing of it stands. "
    elif workflow.status in ("rejected", "cancelled") and not any(step.status == "succeeded" for step in workflow.steps):
        what = "Nothing was done. "
    elif workflow.residue:
        what = "What stands: " + "; ".join(f"{left.resource} ({left.what})" for left in workflow.residue) + ". "
    else:
        done = [step.id for step in workflow.steps if step.status == "succeeded"]
        what = f"Steps that stand: {', '.join(done)}. " if done else "Nothing of it stands. "
    return f"{what}Workflow {workflow.id} is {workflow.status}."
