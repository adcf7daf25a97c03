"""Builds intents: `step.output["rows"][0]["name"]` stands for a value that is known only when the workflow runs."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, NoReturn

__all__ = ["Intent", "Literal", "Ref", "StepHandle"]

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
#: Whole numbers beyond lose digits on the way.
_WHOLE_MAX = 2**53
_MEANINGFUL = ("$ref", "$literal")
_MODES = ("saga", "atomic")
_ON_FAILURE = ("rollback", "pause", "keep")


class Ref:
    """A step's output or a part of it. `ref["name"]` and `ref[0]` lead further in."""

    __slots__ = ("_intent", "_step", "_tokens")

    def __init__(self, intent: Intent, step: str, tokens: tuple[str, ...] = ()) -> None:
        self._intent = intent
        self._step = step
        self._tokens = tokens

    @property
    def step(self) -> str:
        return self._step

    @property
    def pointer(self) -> str:
        """Into the output (RFC 6901)."""
        return "".join(f"/{token.replace('~', '~0').replace('/', '~1')}" for token in self._tokens)

    def __getitem__(self, key: str | int) -> Ref:
        if isinstance(key, bool) or not isinstance(key, (str, int)):
            raise TypeError(f"a reference leads on by a name or an index from 0 on, not by {type(key).__name__}")
        if isinstance(key, int) and key < 0:
            raise IndexError("a reference can't count from the end: how long the list is, is known only when the workflow runs")
        return Ref(self._intent, self._step, (*self._tokens, str(key)))

    def to_json(self) -> dict[str, str]:
        return {"$ref": f"#/steps/{self._step}/output{self.pointer}"}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and other._intent is self._intent and other._step == self._step and other._tokens == self._tokens

    def __hash__(self) -> int:
        return hash((id(self._intent), self._step, self._tokens))

    def __repr__(self) -> str:
        return f"<reference to #/steps/{self._step}/output{self.pointer}>"

    # Why: without these a reference would silently become a wrong text, an endless loop or a wrong condition.
    def _unknown(self, *_: object) -> NoReturn:
        raise TypeError(f"{self!r} stands for a value that is known only when the workflow runs: give it to a step as a whole field of its input; it can't be put into a text, looped over or compared by size here")

    def __str__(self) -> str:
        self._unknown()

    def __format__(self, spec: str) -> str:
        self._unknown()

    def __iter__(self) -> Iterator[Any]:
        self._unknown()

    def __len__(self) -> int:
        self._unknown()

    def __bool__(self) -> bool:
        self._unknown()

    def __contains__(self, _: object) -> bool:
        self._unknown()


class Literal:
    """Data as it stands, whatever it looks like. Mappings that hold `$ref` or `$literal` are made so by themselves."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class StepHandle:
    """A step of an intent that is being built; good as `depends_on` of others."""

    __slots__ = ("id", "output")

    def __init__(self, intent: Intent, id: str) -> None:
        self.id = id
        self.output = Ref(intent, id)

    def __repr__(self) -> str:
        return f"<step {self.id}>"


class Intent:
    """What is to be done, as one transaction.

    :param goal: what it is for; people read it in the audit log
    :param mode: "saga" (the default) or "atomic"
    :param on_failure: "rollback" (the default), "pause" (a person decides) or "keep"
    :param deadline: of the whole, in seconds or as a timedelta; ten minutes unless given
    :param labels: names and texts to find it by
    :param subjects: whose data it is about, such as `customer:42`
    """

    def __init__(
        self,
        goal: str,
        *,
        mode: str | None = None,
        on_failure: str | None = None,
        deadline: float | timedelta | None = None,
        labels: Mapping[str, str] | None = None,
        subjects: Iterable[str] | None = None,
    ) -> None:
        if not isinstance(goal, str) or goal == "":
            raise ValueError("an intent has a goal: a text that says what it is for")
        _check("mode", mode, _MODES)
        _check("on_failure", on_failure, _ON_FAILURE)
        self.goal = goal
        self._fields: dict[str, Any] = {"goal": goal}
        if mode is not None:
            self._fields["mode"] = mode
        if on_failure is not None:
            self._fields["onFailure"] = on_failure
        if deadline is not None:
            self._fields["deadlineMs"] = milliseconds("deadline", deadline)
        if labels is not None:
            self._fields["labels"] = dict(labels)
        if subjects is not None:
            self._fields["subjects"] = list(subjects)
        self._steps: dict[str, dict[str, Any]] = {}

    def step(
        self,
        capability: str,
        /,
        *,
        id: str | None = None,
        depends_on: StepHandle | str | Iterable[StepHandle | str] = (),
        timeout: float | timedelta | None = None,
        attempts: int | None = None,
        input: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> StepHandle:
        """Adds a step. What the capability takes is given by name; what is called like a parameter of this method, in `input`.

        :param id: its name, by default made of the capability's, the same every time
        :param depends_on: what must have succeeded before; what a reference leads to need not be named
        :param timeout: of one attempt, in seconds or as a timedelta; 30 s unless given
        :param attempts: how often it is tried at most, after clean failures only
        """
        if id is not None and id in self._steps:
            raise ValueError(f"there is a step `{id}` already")
        step = self._made(capability, id, depends_on, timeout, attempts, input, fields)
        self._steps[step["id"]] = step
        return StepHandle(self, step["id"])

    def _made(
        self,
        capability: str,
        id: str | None,
        depends_on: StepHandle | str | Iterable[StepHandle | str],
        timeout: float | timedelta | None,
        attempts: int | None,
        input: Mapping[str, Any] | None,
        fields: Mapping[str, Any],
    ) -> dict[str, Any]:
        """The JSON of a step, which is not one of the intent's yet."""
        if not isinstance(capability, str) or capability == "":
            raise ValueError("a step names a capability, such as `fs.write`")
        if id is None:
            id = self._free_id(capability)
        elif not isinstance(id, str) or not _ID.fullmatch(id):
            raise ValueError("the id of a step is 1 to 64 letters, digits, `_` or `-`")
        given = dict(input) if input is not None else {}
        twice = given.keys() & fields.keys()
        if twice:
            raise ValueError(f"given by name and in `input`: {', '.join(sorted(twice))}")
        step: dict[str, Any] = {"id": id, "capability": capability, "input": self._object({**given, **fields}, f"step `{id}`: ")}
        before = self._ids(depends_on)
        if before:
            step["dependsOn"] = before
        if timeout is not None:
            step["timeoutMs"] = milliseconds("timeout", timeout)
        if attempts is not None:
            step["retry"] = {"attemptsMax": attempts}
        return step

    def __getitem__(self, id: str) -> StepHandle:
        if id not in self._steps:
            raise KeyError(f"there is no step `{id}`")
        return StepHandle(self, id)

    def __len__(self) -> int:
        return len(self._steps)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<intent {self.goal!r}, {len(self._steps)} step{'s' if len(self._steps) != 1 else ''}>"

    def to_dict(self) -> dict[str, Any]:
        """As it is sent. A copy: what is done to it does not change the intent."""
        if not self._steps:
            raise ValueError("an intent has at least one step")
        copy: dict[str, Any] = json.loads(json.dumps({**self._fields, "steps": list(self._steps.values())}))
        return copy

    def _free_id(self, capability: str) -> str:
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", capability).strip("-")[:56] or "step"
        if stem not in self._steps:
            return stem
        number = 2
        while f"{stem}-{number}" in self._steps:
            number += 1
        return f"{stem}-{number}"

    def _ids(self, steps: StepHandle | str | Iterable[StepHandle | str]) -> list[str]:
        each = [steps] if isinstance(steps, (StepHandle, str)) else list(steps)
        for one in each:
            if isinstance(one, StepHandle) and one.output._intent is not self:
                raise ValueError(f"step `{one.id}` is of another intent")
        return list(dict.fromkeys(one.id if isinstance(one, StepHandle) else one for one in each))

    def _object(self, value: Mapping[str, Any], at: str, data: bool = False) -> dict[str, Any]:
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{at}names of fields are texts, not {type(key).__name__}")
        return {_text(key, at): self._json(field, f"{at}/{key}", data) for key, field in value.items()}

    def _json(self, value: Any, at: str, data: bool) -> Any:
        """@param data: inside of `$literal`, where nothing is a reference."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return _text(value, at)
        if isinstance(value, int):
            if abs(value) > _WHOLE_MAX:
                raise ValueError(f"{at}: whole numbers beyond 2^53 lose digits on the way: send it as a text")
            return int(value)
        if isinstance(value, float):
            if not math.isfinite(value):
                raise ValueError(f"{at}: JSON has no infinite numbers and no NaN")
            return float(value)
        if isinstance(value, Ref):
            if data:
                raise ValueError(f"{at}: what is beside `$ref` or `$literal`, or in a Literal, is data, where no reference is followed")
            if value._intent is not self:
                raise ValueError(f"{at}: {value!r} is of another intent")
            return value.to_json()
        if isinstance(value, StepHandle):
            raise TypeError(f"{at}: that is a step; what it answers is its `.output`")
        if isinstance(value, Literal):
            inner = self._json(value.value, at, True)
            return inner if data else {"$literal": inner}
        if isinstance(value, Mapping):
            escape = not data and any(key in value for key in _MEANINGFUL)
            fields = self._object(value, at, data or escape)
            return {"$literal": fields} if escape else fields
        if isinstance(value, (list, tuple)):
            return [self._json(item, f"{at}/{index}", data) for index, item in enumerate(value)]
        if isinstance(value, (bytes, bytearray, memoryview)):
            raise TypeError(f"{at}: bytes are sent as a text: base64, with `encoding=\"base64\"` where the capability has it")
        raise TypeError(f"{at}: {type(value).__name__} is not of JSON: give a text, a number, a bool, None, a list or a mapping")


def _text(value: str, at: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError(f"{at}: half of a surrogate pair is no text")
    return str.__str__(value)


def _check(name: str, value: str | None, known: tuple[str, ...]) -> None:
    if value is not None and value not in known:
        raise ValueError(f"{name} is one of {', '.join(known)}, not {value!r}")


def milliseconds(name: str, value: float | timedelta) -> int:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not math.isfinite(seconds) or seconds <= 0:
        raise ValueError(f"{name} is a number of seconds above 0, or a timedelta")
    return max(1, round(seconds * 1000))
