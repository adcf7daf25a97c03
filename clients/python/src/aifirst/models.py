"""What the server answers with. Each keeps the whole answer in `raw`: later servers may say more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, cast

__all__ = [
    "Action",
    "Capability",
    "Decision",
    "Dependent",
    "Event",
    "Interactive",
    "OnConflict",
    "Parent",
    "Plan",
    "PlannedStep",
    "PreviewedUndo",
    "Residue",
    "Risk",
    "RollbackPreview",
    "StatusReason",
    "Step",
    "StepError",
    "Submitted",
    "Undo",
    "UndoConflict",
    "Workflow",
]

Json = Any
#: What becomes of a step that others are in the way of: it waits for a person, or is left standing.
OnConflict = Literal["block", "skip"]
#: Ended for good, unless somebody rolls it back.
ENDED = frozenset({"completed", "rolledBack", "rejected", "failed", "cancelled"})
#: Nothing moves until somebody acts.
PARKED = frozenset({"paused", "awaitingApproval", "rollbackBlocked"})


def time_of(text: str | None) -> datetime | None:
    # Why the replacement: Python 3.10 does not read `Z`.
    return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00"))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _raw() -> Any:
    return field(repr=False, compare=False)


@dataclass(frozen=True)
class Submitted:
    """An intent that was accepted. `replayed`: it had been before, under the same key."""

    intent_id: str
    workflow_id: str
    idempotency_key: str
    replayed: bool = False


@dataclass(frozen=True)
class Action:
    """What somebody can do now; `by` says who."""

    method: str
    path: str
    by: str
    body: Json = None


@dataclass(frozen=True)
class StatusReason:
    code: str
    detail: str
    since: datetime
    actions: tuple[Action, ...] = ()

    @classmethod
    def of(cls, raw: Mapping[str, Any] | None) -> StatusReason | None:
        if raw is None:
            return None
        actions = tuple(Action(one["method"], one["path"], one["by"], one.get("body")) for one in raw["actions"])
        return cls(raw["code"], raw["detail"], _time(raw["since"]), actions)


@dataclass(frozen=True)
class Risk:
    level: str
    score: float
    factors: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Risk:
        return cls(raw["level"], raw["score"], tuple(raw.get("factors", ())))


@dataclass(frozen=True)
class Decision:
    """`outcome`: allow, deny, modify, approve or defer. `policies` determined it, each as name@version."""

    outcome: str
    policies: tuple[str, ...]
    policy_version: str
    reason: str
    at: datetime

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Decision:
        return cls(raw["outcome"], tuple(raw["policies"]), raw["policyVersion"], raw["reason"], _time(raw["at"]))


@dataclass(frozen=True)
class StepError:
    """`clean`: nothing left the adapter, or the target said a definite no."""

    code: str
    detail: str
    clean: bool


@dataclass(frozen=True)
class Undo:
    """`verified`: the target was read again, and is as it was before."""

    status: str
    verified: bool
    reason: str | None


@dataclass(frozen=True)
class Residue:
    """What stands although it was meant to be gone."""

    step: str
    resource: str
    what: str
    why: str
    action: str


@dataclass(frozen=True)
class Step:
    id: str
    capability: str
    status: str
    status_reason: StatusReason | None
    attempts: int
    risk: Risk
    decision: Decision | None
    resources: tuple[str, ...]
    output: Json = field(repr=False)
    error: StepError | None
    undo: Undo | None
    undoable_until: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    raw: Mapping[str, Any] = _raw()

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Step:
        error, undo, decision = raw["error"], raw["undo"], raw["decision"]
        return cls(
            id=raw["id"],
            capability=raw["capability"],
            status=raw["status"],
            status_reason=StatusReason.of(raw["statusReason"]),
            attempts=raw["attempts"],
            risk=Risk.of(raw["risk"]),
            decision=None if decision is None else Decision.of(decision),
            resources=tuple(raw["resources"]),
            output=raw.get("output"),
            error=None if error is None else StepError(error["code"], error["detail"], error["clean"]),
            undo=None if undo is None else Undo(undo["status"], undo["verified"], undo["reason"]),
            undoable_until=time_of(raw["undoableUntil"]),
            started_at=time_of(raw["startedAt"]),
            ended_at=time_of(raw["endedAt"]),
            raw=raw,
        )


@dataclass(frozen=True)
class Interactive:
    """Of a transaction whose steps are added one by one."""

    idle_timeout: float
    committing: bool


@dataclass(frozen=True)
class Parent:
    """Of a workflow that is done for a task: whose step gave it, and on behalf of whom. `root` is the workflow whose transaction it belongs to."""

    workflow: str
    step: str
    task: str
    root: str
    chain: tuple[str, ...]


@dataclass(frozen=True)
class Workflow:
    """The transaction that carries an intent out."""

    id: str
    intent_id: str
    status: str
    status_reason: StatusReason | None
    goal: str
    agent: str
    mode: str
    labels: Mapping[str, str]
    steps: tuple[Step, ...]
    residue: tuple[Residue, ...]
    interactive: Interactive | None
    parent: Parent | None
    created_at: datetime
    ended_at: datetime | None
    raw: Mapping[str, Any] = _raw()

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Workflow:
        interactive, parent = raw.get("interactive"), raw.get("parent")
        return cls(
            id=raw["id"],
            intent_id=raw["intentId"],
            status=raw["status"],
            status_reason=StatusReason.of(raw["statusReason"]),
            goal=raw["goal"],
            agent=raw["agent"],
            mode=raw["mode"],
            labels=raw["labels"],
            steps=tuple(Step.of(one) for one in raw["steps"]),
            residue=tuple(Residue(one["step"], one["resource"], one["what"], one["why"], one["action"]) for one in raw["residue"]),
            interactive=None if interactive is None else Interactive(interactive["idleTimeoutMs"] / 1000, interactive["committing"]),
            parent=None if parent is None else Parent(parent["workflow"], parent["step"], parent["task"], parent["root"], tuple(parent["chain"])),
            created_at=_time(raw["createdAt"]),
            ended_at=time_of(raw["endedAt"]),
            raw=raw,
        )

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def parked(self) -> bool:
        """It waits for somebody; `status_reason` says for whom and why."""
        return self.status in PARKED

    @property
    def succeeded(self) -> bool:
        return self.status == "completed"

    @property
    def failed_step(self) -> Step | None:
        """The first step with an error."""
        return next((one for one in self.steps if one.error is not None), None)

    def step(self, id: str) -> Step:
        for one in self.steps:
            if one.id == id:
                return one
        raise KeyError(f"workflow {self.id} has no step `{id}`; it has {', '.join(one.id for one in self.steps)}")

    def output(self, step: str) -> Json:
        """What a step answered; None while it has not succeeded."""
        return self.step(step).output


@dataclass(frozen=True)
class PlannedStep:
    """`preview`: what would change (None where that can't be said: `preview_error` says why). `undo["how"]`: exact, compensating or none."""

    order: int
    id: str
    capability: str
    decision: Decision
    risk: Risk
    preview: Mapping[str, Any] | None
    preview_error: Mapping[str, Any] | None
    undo: Mapping[str, Any]
    raw: Mapping[str, Any] = _raw()

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> PlannedStep:
        return cls(
            raw["order"], raw["id"], raw["capability"], Decision.of(raw["decision"]), Risk.of(raw["risk"]),
            raw["preview"], raw.get("previewError"), raw["undo"], raw,
        )  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What an intent would do. `point_of_no_return`: the first step after which not everything can be undone."""

    id: str
    digest: str
    steps: tuple[PlannedStep, ...]
    point_of_no_return: str | None
    created_at: datetime
    expires_at: datetime
    raw: Mapping[str, Any] = _raw()

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Plan:
        steps = tuple(PlannedStep.of(one) for one in raw["steps"])
        return cls(raw["planId"], raw["digest"], steps, raw["pointOfNoReturn"], _time(raw["createdAt"]), _time(raw["expiresAt"]), raw)

    @property
    def allowed(self) -> bool:
        """Whether policy would allow every step."""
        return all(step.decision.outcome == "allow" for step in self.steps)


@dataclass(frozen=True)
class UndoConflict:
    """One thing in the way of an undo: as it was before the step, as the step left it, and as it is now. None: it was not there."""

    resource: str
    what: str
    expected: str
    found: str
    before: Json = field(repr=False)
    after: Json = field(repr=False)
    current: Json = field(repr=False)

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> UndoConflict:
        return cls(raw["resource"], raw["what"], raw["expected"], raw["found"], raw.get("before"), raw.get("after"), raw.get("current"))


@dataclass(frozen=True)
class PreviewedUndo:
    """What a rollback would do with a step. `outcome`: wouldUndo, nothingToDo, wouldBlock, irreversible or cannotTell.

    `conflicts` hold content; None: it is not shown to the caller. `truncated`: there is more of them.
    """

    order: int
    id: str
    capability: str
    outcome: str
    summary: str
    reason: str | None
    conflicts: tuple[UndoConflict, ...] | None
    truncated: bool

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> PreviewedUndo:
        found = raw["conflicts"]
        conflicts = tuple(UndoConflict.of(one) for one in found) if isinstance(found, list) else None
        return cls(raw["order"], raw["id"], raw["capability"], raw["outcome"], raw["summary"], raw["reason"], conflicts, raw["truncated"])


@dataclass(frozen=True)
class Dependent:
    """A step of another workflow that came after: it `overwrote` or `read` what is to be taken back. `blocks`: it has to be rolled back first."""

    workflow: str
    step: str
    agent: str
    kind: str
    resource: str
    at: datetime
    blocks: bool

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Dependent:
        return cls(raw["workflow"], raw["step"], raw["agent"], raw["kind"], raw["resource"], _time(raw["at"]), raw["blocks"])


@dataclass(frozen=True)
class RollbackPreview:
    """What a rollback would do, in the order in which it would. Hand it to `rollback` as `digest`: just that is done, or nothing."""

    workflow: str
    status: str
    digest: str
    on_conflict: OnConflict
    steps: tuple[PreviewedUndo, ...]
    dependents: tuple[Dependent, ...]
    dependents_truncated: bool
    raw: Mapping[str, Any] = _raw()

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> RollbackPreview:
        steps, dependents = tuple(PreviewedUndo.of(one) for one in raw["steps"]), tuple(Dependent.of(one) for one in raw["dependents"])
        return cls(raw["workflow"], raw["status"], raw["digest"], cast(OnConflict, raw["onConflict"]), steps, dependents, raw["dependentsTruncated"], raw)

    @property
    def clear(self) -> bool:
        """Whether every step would be put back, and nobody who came after is in the way."""
        return all(step.outcome in ("wouldUndo", "nothingToDo") for step in self.steps) and not self.dependents_truncated and not any(one.blocks for one in self.dependents)


@dataclass(frozen=True)
class Event:
    """A fact of a workflow, as a CloudEvent. `fact` is its short name, such as `step-succeeded`."""

    id: str
    type: str
    source: str
    time: datetime
    subject: str
    sequence: int
    data: Mapping[str, Any] = field(repr=False)
    raw: Mapping[str, Any] = _raw()

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Event:
        return cls(raw["id"], raw["type"], raw["source"], _time(raw["time"]), raw["subject"], raw.get("sequence", 0), raw["data"], raw)

    @property
    def fact(self) -> str:
        return self.type.removeprefix("aifirst.workflow.").rsplit(".", 1)[0]


@dataclass(frozen=True)
class Capability:
    """One named action. `reversibility`: readOnly, reversible, compensable or irreversible."""

    name: str
    version: str
    adapter: str
    description: str
    reversibility: str
    base_risk: Risk
    outcome: str
    undo: str
    input_schema: Mapping[str, Any] = field(repr=False)
    output_schema: Mapping[str, Any] = field(repr=False)
    raw: Mapping[str, Any] = _raw()

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Capability:
        return cls(
            raw["name"], raw["version"], raw["adapter"], raw["description"], raw["reversibility"], Risk.of(raw["baseRisk"]),
            raw["outcome"], raw["undo"], raw["inputSchema"], raw["outputSchema"], raw,
        )  # fmt: skip
