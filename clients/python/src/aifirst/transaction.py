"""A transaction as a block: steps are run one by one, each takes effect at once, and together they are kept or undone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any

import anyio

from ._transactions import Added, Course, reason_of, told
from .intent import Ref, StepHandle
from .models import Step, Workflow

if TYPE_CHECKING:
    from .aio import AsyncClient
    from .client import Client
    from .tools import AsyncTool, Tool

__all__ = ["AsyncTransaction", "AsyncTransactionStep", "Transaction", "TransactionStep"]

#: How long taking it back may hold up a program that is being ended, in seconds.
_ENDING_MAX = 30.0


class _Step(StepHandle):
    """A step of a transaction. As of an intent, `output` refers to what it answers, within the input of later steps."""

    __slots__ = ("_added", "_course")

    def __init__(self, course: Course, added: Added) -> None:
        self.id = added.handle.id
        self.output: Ref = added.handle.output
        self._course = course
        self._added = added

    @property
    def last_seen(self) -> Step | None:
        """As it was last shown: with its decision, risk and resources."""
        return self._added.step


class TransactionStep(_Step):
    """One step of a `Transaction`."""

    __slots__ = ("_client",)

    def __init__(self, client: Client, course: Course, added: Added) -> None:
        super().__init__(course, added)
        self._client = client

    def result(self, *, timeout: float | None = None) -> Any:
        """Waits for it: what it answered.

        :param timeout: in seconds; the transaction's unless given
        :raises StepFailed: it had no effect, and the transaction stands
        :raises WaitTimeout: it goes on
        """
        return self._client._run(self._course.result(self._added, timeout))


class AsyncTransactionStep(_Step):
    """As `TransactionStep`, to be awaited."""

    __slots__ = ("_client",)

    def __init__(self, client: AsyncClient, course: Course, added: Added) -> None:
        super().__init__(course, added)
        self._client = client

    async def result(self, *, timeout: float | None = None) -> Any:
        """Waits for it: what it answered.

        :param timeout: in seconds; the transaction's unless given
        :raises StepFailed: it had no effect, and the transaction stands
        :raises WaitTimeout: it goes on
        """
        return await self._client._run(self._course.result(self._added, timeout))


class _Transaction:
    def __init__(self, course: Course) -> None:
        self._course = course

    @property
    def id(self) -> str:
        """Of its workflow."""
        return self._course.id

    @property
    def goal(self) -> str:
        return self._course.goal

    @property
    def outcome(self) -> Workflow | None:
        """The workflow after it has ended; None before."""
        return self._course.found if self._course.over else None

    def __repr__(self) -> str:
        return f"<transaction {self.goal!r}, {self.id if self._course.begun else 'not begun'}>"


class Transaction(_Transaction):
    """Of `Client.transaction`. A block of `with` commits at its end, and an exception takes everything back first."""

    def __init__(self, client: Client, course: Course) -> None:
        super().__init__(course)
        self._client = client

    def __enter__(self) -> Transaction:
        self.begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # Why neither once a commit was asked for: it may be committed by now, or somebody holds it who decides.
        if self._course.over or (error is not None and self._course.commit_sent):
            return
        if error is not None:
            self._take_back(error)
            return
        try:
            self.commit()
        except BaseException as problem:
            if not self._course.commit_sent:
                self._take_back(problem)
            raise

    def begin(self) -> None:
        """What `with` does; for use without it, together with `commit` and `rollback`."""
        self._client._run(self._course.begin())

    def call(self, capability: str, /, *, id: str | None = None, input: Mapping[str, Any] | None = None, **fields: Any) -> Any:
        """Runs one capability now: what it answered.

        What the capability takes is given by name, or in `input`. `id` is its key: the same call under it acts once.

        :raises StepFailed: it had no effect, and the transaction stands: the block may go on otherwise
        :raises Invalid: it was wrong, and nothing was done
        :raises WaitTimeout: it goes on
        """
        added = self._course.made(capability, id, (), None, None, input, fields)
        return self._client._run(self._course.result(added, None))

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
    ) -> TransactionStep:
        """Starts a step and does not wait for its end: several run side by side. The parameters are those of `Intent.step`.

        A step that nobody has waited for is waited for before the commit.
        """
        added = self._course.made(capability, id, depends_on, timeout, attempts, input, fields)
        self._client._run(self._course.add(added))
        return TransactionStep(self._client, self._course, added)

    def tools(self, *, include: Iterable[str] = ("*",), limit: int | None = None, timeout: float = 300.0) -> list[Tool]:
        """What the agent may do, as tools for a model whose calls are steps of this transaction; see `aifirst.tools.tools`."""
        from .tools import tools

        return tools(self, include=include, limit=limit, timeout=timeout)

    def workflow(self) -> Workflow:
        """As it is now."""
        return self._client._run(self._course.look())

    def commit(self) -> Workflow:
        """Keeps everything, after what still runs; the end of the block does so by itself.

        :raises StepFailed: of a step that nobody had waited for: it is not committed yet
        :raises TransactionFailed: it has gone back instead, such as after too long a silence
        :raises WorkflowParked: somebody holds it
        """
        return self._client._run(self._course.commit())

    def rollback(self, reason: str = "taken back by its agent") -> Workflow:
        """Takes everything back and waits for that; an exception in the block does so by itself.

        :raises TransactionFailed: something stands: others are in the way
        """
        return self._client._run(self._course.rollback(reason))

    def _take_back(self, cause: BaseException) -> None:
        problem: Exception | None = None
        try:
            self._client._run(self._course.order_back(reason_of(cause)))
            self._client._run(self._course.wait_back(None if isinstance(cause, Exception) else _ENDING_MAX))
        except Exception as found:
            problem = found
        if isinstance(cause, Exception):
            told(self._course, cause, problem)


class AsyncTransaction(_Transaction):
    """Of `AsyncClient.transaction`. A block of `async with` commits at its end, and an exception takes everything back first."""

    def __init__(self, client: AsyncClient, course: Course) -> None:
        super().__init__(course)
        self._client = client

    async def __aenter__(self) -> AsyncTransaction:
        await self.begin()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # Why neither once a commit was asked for: it may be committed by now, or somebody holds it who decides.
        if self._course.over or (error is not None and self._course.commit_sent):
            return
        if error is not None:
            await self._take_back(error)
            return
        try:
            await self.commit()
        except BaseException as problem:
            if not self._course.commit_sent:
                await self._take_back(problem)
            raise

    async def begin(self) -> None:
        """What `async with` does; for use without it, together with `commit` and `rollback`."""
        await self._client._run(self._course.begin())

    async def call(self, capability: str, /, *, id: str | None = None, input: Mapping[str, Any] | None = None, **fields: Any) -> Any:
        """Runs one capability now: what it answered.

        What the capability takes is given by name, or in `input`. `id` is its key: the same call under it acts once.

        :raises StepFailed: it had no effect, and the transaction stands: the block may go on otherwise
        :raises Invalid: it was wrong, and nothing was done
        :raises WaitTimeout: it goes on
        """
        added = self._course.made(capability, id, (), None, None, input, fields)
        return await self._client._run(self._course.result(added, None))

    async def step(
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
    ) -> AsyncTransactionStep:
        """Starts a step and does not wait for its end: several run side by side. The parameters are those of `Intent.step`.

        A step that nobody has waited for is waited for before the commit.
        """
        added = self._course.made(capability, id, depends_on, timeout, attempts, input, fields)
        await self._client._run(self._course.add(added))
        return AsyncTransactionStep(self._client, self._course, added)

    async def tools(self, *, include: Iterable[str] = ("*",), limit: int | None = None, timeout: float = 300.0) -> list[AsyncTool]:
        """What the agent may do, as tools for a model whose calls are steps of this transaction; see `aifirst.tools.async_tools`."""
        from .tools import async_tools

        return await async_tools(self, include=include, limit=limit, timeout=timeout)

    async def workflow(self) -> Workflow:
        """As it is now."""
        return await self._client._run(self._course.look())

    async def commit(self) -> Workflow:
        """Keeps everything, after what still runs; the end of the block does so by itself.

        :raises StepFailed: of a step that nobody had waited for: it is not committed yet
        :raises TransactionFailed: it has gone back instead, such as after too long a silence
        :raises WorkflowParked: somebody holds it
        """
        return await self._client._run(self._course.commit())

    async def rollback(self, reason: str = "taken back by its agent") -> Workflow:
        """Takes everything back and waits for that; an exception in the block does so by itself.

        :raises TransactionFailed: something stands: others are in the way
        """
        return await self._client._run(self._course.rollback(reason))

    async def _take_back(self, cause: BaseException) -> None:
        problem: Exception | None = None
        try:
            # Why shielded: a cancelled block is cancelled still, and its transaction would be left to the idle time.
            with anyio.move_on_after(_ENDING_MAX, shield=True):
                await self._client._run(self._course.order_back(reason_of(cause)))
                if not isinstance(cause, Exception):
                    await self._client._run(self._course.wait_back(_ENDING_MAX))
            if isinstance(cause, Exception):
                await self._client._run(self._course.wait_back(None))
        except Exception as found:
            problem = found
        if isinstance(cause, Exception):
            told(self._course, cause, problem)
