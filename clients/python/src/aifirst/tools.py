"""What an agent may do, as tools for a model: callables with a JSON Schema, without any framework.

A call is a workflow of one step: decided by policy, recorded, and taken back like any other. `tools` lists what policy
does not rule out for the token at this moment; that is a convenience, and policy decides at every call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, Protocol

from . import _calls
from ._listed import ToolDescription, listed_tools
from ._request import Call
from .aio import AsyncClient
from .client import Client
from .transaction import AsyncTransaction, Transaction

__all__ = ["AsyncTool", "Tool", "ToolDescription", "async_tools", "tools"]


class _Act(Protocol):
    """How a call is made: as a workflow of its own, or as a step of a transaction."""

    def __call__(self, capability: str, arguments: Mapping[str, Any], takes: str, labels: Mapping[str, str], key: str | None, timeout: float) -> Call[Any]: ...


@dataclass(frozen=True)
class _Calling:
    tool: ToolDescription
    labels: Mapping[str, str]
    timeout: float
    act: _Act = field(repr=False)

    def call(self, arguments: Mapping[str, Any], key: str | None) -> Call[Any]:
        return self.act(self.tool.capability, self.tool.given(arguments), self.tool.takes, self.labels, key, self.timeout)


class Tool:
    """`tool(path="a.txt", connection="docs")` answers with the capability's output, or raises an `AiFirstError` whose
    text a model can act on."""

    def __init__(self, client: Client, calling: _Calling) -> None:
        self._client = client
        self._calling = calling
        self.description = calling.tool
        self.__name__ = calling.tool.name
        self.__doc__ = calling.tool.description

    def __call__(self, **arguments: Any) -> Any:
        return self.call(arguments)

    def call(self, arguments: Mapping[str, Any], *, idempotency_key: str | None = None) -> Any:
        """As a model gives them; with a key a repeat is the same call."""
        return self._client._run(self._calling.call(arguments, idempotency_key))

    def __repr__(self) -> str:
        return f"<tool {self.description.name}>"


class AsyncTool:
    """As `Tool`, to be awaited."""

    def __init__(self, client: AsyncClient, calling: _Calling) -> None:
        self._client = client
        self._calling = calling
        self.description = calling.tool
        self.__name__ = calling.tool.name
        self.__doc__ = calling.tool.description

    async def __call__(self, **arguments: Any) -> Any:
        return await self.call(arguments)

    async def call(self, arguments: Mapping[str, Any], *, idempotency_key: str | None = None) -> Any:
        """As a model gives them; with a key a repeat is the same call."""
        return await self._client._run(self._calling.call(arguments, idempotency_key))

    def __repr__(self) -> str:
        return f"<tool {self.description.name}>"


def tools(
    client: Client | Transaction,
    *,
    include: Iterable[str] = ("*",),
    limit: int | None = None,
    timeout: float = 300.0,
    labels: Mapping[str, str] | None = None,
) -> list[Tool]:
    """What the client's agent may do. Of a transaction: calls are steps of it, which are kept or undone together.

    :param include: names of capabilities, with `*`: ("fs.*", "sql.query")
    :param limit: no more of them than that; all unless given
    :param timeout: how long a call waits for its end, in seconds
    :param labels: of the workflows that calls become, beside `via: python`; within a transaction they are that one's
    """
    asking, act = (client._client, client._course.call_tool) if isinstance(client, Transaction) else (client, partial(_calls.call_tool, client._settings))
    listed = asking._run(listed_tools(asking._settings, _wanted(include), _checked(limit)))
    return [Tool(asking, calling) for calling in _callings(listed, act, timeout, labels)]


async def async_tools(
    client: AsyncClient | AsyncTransaction,
    *,
    include: Iterable[str] = ("*",),
    limit: int | None = None,
    timeout: float = 300.0,
    labels: Mapping[str, str] | None = None,
) -> list[AsyncTool]:
    """As `tools`."""
    asking, act = (client._client, client._course.call_tool) if isinstance(client, AsyncTransaction) else (client, partial(_calls.call_tool, client._settings))
    listed = await asking._run(listed_tools(asking._settings, _wanted(include), _checked(limit)))
    return [AsyncTool(asking, calling) for calling in _callings(listed, act, timeout, labels)]


def _wanted(include: Iterable[str]) -> Callable[[str], bool]:
    patterns = [include] if isinstance(include, str) else list(include)
    return lambda name: any(fnmatchcase(name, pattern) for pattern in patterns)


def _checked(limit: int | None) -> int | None:
    if limit is not None and (isinstance(limit, bool) or limit < 1):
        raise ValueError("limit is a whole number from 1 on, or None for all")
    return limit


def _callings(listed: Iterable[ToolDescription], act: _Act, timeout: float, labels: Mapping[str, str] | None) -> list[_Calling]:
    marked = {"via": "python", **(labels or {})}
    return [_Calling(one, marked, timeout, act) for one in listed]
