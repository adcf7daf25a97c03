"""Capabilities as tools of AutoGen. Needs the extra `aifirst[autogen]`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any

from .aio import AsyncClient
from .tools import AsyncTool, async_tools
from .transaction import AsyncTransaction

try:
    from autogen_core import CancellationToken
    from autogen_core.tools import BaseTool, ParametersSchema, ToolSchema
    from pydantic import BaseModel, ConfigDict
except ImportError as error:
    raise ImportError("aifirst.autogen needs AutoGen: pip install 'aifirst[autogen]'") from error

__all__ = ["GovernedTool", "tools"]


class _Arguments(BaseModel):
    """Whatever the model gives: the server says what is wrong with it."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())


class GovernedTool(BaseTool[_Arguments, Any]):  # type: ignore[misc,unused-ignore]
    """One capability. What fails is raised; AutoGen shows its text to the model. A cancelled call is waited for no longer; its workflow goes on."""

    def __init__(self, tool: AsyncTool) -> None:
        super().__init__(_Arguments, object, tool.description.name, tool.description.description)
        self._tool = tool

    @property
    def schema(self) -> ToolSchema:
        """The capability's own, which says more than one made from a class could."""
        wanted = self._tool.description.input_schema
        parameters = ParametersSchema(
            type="object", properties=dict(wanted.get("properties", {})), required=list(wanted.get("required", ())),
            additionalProperties=bool(wanted.get("additionalProperties", True)),
        )  # fmt: skip
        return ToolSchema(name=self.name, description=self.description, parameters=parameters, strict=False)

    async def run(self, args: _Arguments, cancellation_token: CancellationToken) -> Any:
        call = asyncio.ensure_future(self._tool.call(args.model_dump()))
        cancellation_token.link_future(call)
        return await call

    def return_value_as_string(self, value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)


async def tools(
    client: AsyncClient | AsyncTransaction,
    *,
    include: Iterable[str] = ("*",),
    limit: int | None = None,
    timeout: float = 300.0,
    labels: Mapping[str, str] | None = None,
) -> list[GovernedTool]:
    """What the client's agent may do, or do within a transaction, for `AssistantAgent(tools=…)`; the parameters are those of `aifirst.tools.tools`."""
    found = await async_tools(client, include=include, limit=limit, timeout=timeout, labels={"framework": "autogen", **(labels or {})})
    return [GovernedTool(tool) for tool in found]
