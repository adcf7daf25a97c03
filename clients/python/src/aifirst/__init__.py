"""Client of the AI-First Runtime: intents in, workflows out, all of it undoable."""

from ._calls import raise_for
from ._http import VERSION as __version__
from .aio import AsyncClient
from .client import Client
from .errors import AiFirstError, Conflict, Denied, Invalid, NotFound, Problem, Unavailable, WaitTimeout, WorkflowDenied, WorkflowFailed, WorkflowParked
from .intent import Intent, Literal, Ref, StepHandle
from .models import Action, Capability, Decision, Event, Plan, PlannedStep, Residue, Risk, StatusReason, Step, StepError, Submitted, Undo, Workflow

__all__ = [
    "Action",
    "AiFirstError",
    "AsyncClient",
    "Capability",
    "Client",
    "Conflict",
    "Decision",
    "Denied",
    "Event",
    "Intent",
    "Invalid",
    "Literal",
    "NotFound",
    "Plan",
    "PlannedStep",
    "Problem",
    "Ref",
    "Residue",
    "Risk",
    "StatusReason",
    "Step",
    "StepError",
    "StepHandle",
    "Submitted",
    "Unavailable",
    "Undo",
    "WaitTimeout",
    "Workflow",
    "WorkflowDenied",
    "WorkflowFailed",
    "WorkflowParked",
    "__version__",
    "raise_for",
]
