"""What an agent may do, as tools for a model: callables with a JSON Schema, without any framework.

A call is a workflow of one step: decided by policy, recorded, and taken back like any other. `tools` lists what policy
does not rule out for the token at this moment; that is a convenience, and policy decides at every call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from . import _calls
from ._request import Call, Settings
from .aio import AsyncClient
from .client import Client

__all__ = ["AsyncTool", "Tool", "ToolDescription", "async_tools", "tools"]


@dataclass(frozen=True)
class ToolDescription:
    """`name` fits what models call tools; `capability` is the name that policies use.

    `input_schema` is a JSON Schema that lists the connections which the agent may use. `read_only`: it changes nothing;
    `destructive`: it can't be undone exactly.
    """

    name: str
    capability: str
    description: str
    input_schema: Mapping[str, Any] = field(repr=False)
    output_schema: Mapping[str, Any] = field(repr=False)
    read_only: bool
    destructive: bool

    @property
    def definition(self) -> dict[str, Any]:
        """As OpenAI-compatible endpoints take it in `tools`."""
        return {"type": "function", "function": {"name": self.name, "description": self.description, "parameters": dict(self.input_schema)}}

    @property
    def takes(self) -> str:
        """Its arguments in a sentence, for who has called it wrongly."""
        required = self.input_schema.get("required", ())
        names = [f"`{name}`{' (required)' if name in required else ''}" for name in self.input_schema.get("properties", {})]
        return f"`{self.name}` takes {', '.join(names)}." if names else f"`{self.name}` takes nothing."

    def given(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Without the nulls that models send for what they leave out, where null is no value."""
        required, properties = self.input_schema.get("required", ()), self.input_schema.get("properties", {})
        return {name: value for name, value in arguments.items() if value is not None or name in required or name not in properties or _takes_null(properties[name])}


def _takes_null(schema: Any) -> bool:
    if not isinstance(schema, Mapping):
        return True
    if "type" in schema:
        return bool(schema["type"] == "null" or (isinstance(schema["type"], (list, tuple)) and "null" in schema["type"]))
    for name in ("anyOf", "oneOf"):
        if name in schema:
            return any(_takes_null(one) for one in schema[name])
    if "enum" in schema:
        return None in schema["enum"]
    return "const" not in schema or schema["const"] is None


@dataclass(frozen=True)
class _Calling:
    tool: ToolDescription
    labels: Mapping[str, str]
    timeout: float
    settings: Settings

    def call(self, arguments: Mapping[str, Any], key: str | None) -> Call[Any]:
        return _calls.call_tool(self.settings, self.tool.capability, self.tool.given(arguments), self.tool.takes, self.labels, key, self.timeout)


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


def tools(client: Client, *, include: Iterable[str] = ("*",), timeout: float = 300.0, labels: Mapping[str, str] | None = None) -> list[Tool]:
    """What the client's agent may do.

    :param include: names of capabilities, with `*`: ("fs.*", "sql.query")
    :param timeout: how long a call waits for its end, in seconds
    :param labels: of the workflows that calls become, beside `via: python`
    """
    listed = client._run(_calls.listed_tools(client._settings))
    return [Tool(client, calling) for calling in _callings(client._settings, listed, include, timeout, labels)]


async def async_tools(client: AsyncClient, *, include: Iterable[str] = ("*",), timeout: float = 300.0, labels: Mapping[str, str] | None = None) -> list[AsyncTool]:
    """As `tools`."""
    listed = await client._run(_calls.listed_tools(client._settings))
    return [AsyncTool(client, calling) for calling in _callings(client._settings, listed, include, timeout, labels)]


def _callings(settings: Settings, listed: Iterable[Mapping[str, Any]], include: Iterable[str], timeout: float, labels: Mapping[str, str] | None) -> list[_Calling]:
    patterns = [include] if isinstance(include, str) else list(include)
    described = [_described(one) for one in listed]
    marked = {"via": "python", **(labels or {})}
    return [_Calling(one, marked, timeout, settings) for one in described if any(fnmatchcase(one.capability, pattern) for pattern in patterns)]


def _described(tool: Mapping[str, Any]) -> ToolDescription:
    hints = tool.get("annotations", {})
    return ToolDescription(
        tool["name"], tool["title"], tool.get("description", ""), tool["inputSchema"], tool.get("outputSchema", {}),
        bool(hints.get("readOnlyHint", False)), bool(hints.get("destructiveHint", True)),
    )  # fmt: skip
