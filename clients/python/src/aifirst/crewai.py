"""Capabilities as tools of CrewAI. Needs the extra `aifirst[crewai]`."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from typing import Any

from .client import Client
from .errors import AiFirstError, Unavailable
from .tools import Tool, ToolDescription
from .tools import tools as plain_tools
from .transaction import Transaction

try:
    from crewai.tools import BaseTool
    from crewai.tools.tool_failure import ToolFailure
    from pydantic import BaseModel, ConfigDict, PrivateAttr
except ImportError as error:
    raise ImportError("aifirst.crewai needs CrewAI 1.15.30 or later: pip install 'aifirst[crewai]'") from error

__all__ = ["GovernedTool", "tools"]


def _never(_arguments: Any = None, _result: Any = None) -> bool:
    """CrewAI keeps results and answers the same call from them unless told otherwise: an act would be left out, a read be stale."""
    return False


class GovernedTool(BaseTool):  # type: ignore[misc,unused-ignore]
    """One capability. What fails is answered as a failure of the tool, not raised: CrewAI would call again by itself."""

    _tool: Tool = PrivateAttr()

    def __init__(self, tool: Tool) -> None:
        described = tool.description
        super().__init__(name=described.name, description=described.description, args_schema=_arguments(described), cache_function=_never)
        self._tool = tool

    def _run(self, **arguments: Any) -> Any:
        try:
            return json.dumps(self._tool.call(arguments), ensure_ascii=False)
        except AiFirstError as error:
            # Why without `code`: the text begins with it.
            return ToolFailure(message=str(error), retryable=isinstance(error, Unavailable) and not error.perhaps_done and error.workflow_id is None, details={"code": error.code})


def _arguments(described: ToolDescription) -> type[BaseModel]:
    """A model that takes whatever is given, as the server says what is wrong with it, and shows the capability's own schema."""
    schema = {"title": described.name, "properties": {}, **copy.deepcopy(dict(described.input_schema))}

    class Arguments(BaseModel):
        model_config = ConfigDict(extra="allow", protected_namespaces=())

        @classmethod
        def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:
            return copy.deepcopy(schema)

    return Arguments


def tools(
    client: Client | Transaction,
    *,
    include: Iterable[str] = ("*",),
    limit: int | None = None,
    timeout: float = 300.0,
    labels: Mapping[str, str] | None = None,
) -> list[GovernedTool]:
    """What the client's agent may do, or do within a transaction, for `Agent(tools=…)`; the parameters are those of `aifirst.tools.tools`."""
    found = plain_tools(client, include=include, limit=limit, timeout=timeout, labels={"framework": "crewai", **(labels or {})})
    return [GovernedTool(tool) for tool in found]
