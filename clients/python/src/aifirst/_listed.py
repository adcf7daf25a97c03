"""What an agent may do, as the server's MCP endpoint shows it to models."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from ._calls import capabilities
from ._request import Call, Response, Settings, document_of, refused, request
from ._sse import SseParser
from .errors import AiFirstError
from .models import Capability

_REVISION = "2025-11-25"
#: The server answers one search with so many at most.
_FOUND_MAX = 20
_NAME_MAX = 64
#: Of a description, in one question.
_WORDS_MAX = 12
_WORD = re.compile(r"[^\W_]+")


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


def listed_tools(settings: Settings, wanted: Callable[[str], bool], limit: int | None) -> Call[list[ToolDescription]]:
    """The capabilities that policy does not rule out for this token. The server lists the first of them; of the others it is asked one by one."""
    # Why: among the tools stand also those for intents, which are no capabilities. A capability's title is its name.
    known = {one.name: one for one in (yield from capabilities(settings))}
    listed, every = yield from _listed(settings, known)
    found = [one for one in listed if wanted(one.capability)]
    if not every and (limit is None or len(found) < limit):
        seen = {one.capability for one in listed}
        yield from _sought(settings, known, [name for name in sorted(known) if name not in seen and wanted(name)], found, limit)
    return found[:limit]


def _listed(settings: Settings, known: Mapping[str, Capability]) -> Call[tuple[list[ToolDescription], bool]]:
    """Those that are listed, and whether these are all."""
    items: list[ToolDescription] = []
    every = True
    cursor: str | None = None
    while True:
        result = yield from _asked(settings, "tools/list", {} if cursor is None else {"cursor": cursor})
        for tool in result.get("tools", ()):
            capability = known.get(tool.get("title", ""))
            if capability is not None:
                hints = tool.get("annotations", {})
                read_only, destructive = bool(hints.get("readOnlyHint", False)), bool(hints.get("destructiveHint", True))
                items.append(ToolDescription(tool["name"], capability.name, tool.get("description", ""), _own(tool["inputSchema"], capability), _unwrapped(tool.get("outputSchema", {}), capability), read_only, destructive))
            # Why: that tool is there only where there are more than are listed.
            elif tool.get("name") == "find_capabilities":
                every = False
        cursor = result.get("nextCursor")
        if cursor is None:
            return items, every


#: The argument by which calls by MCP name what they belong to. Here it is known without.
_TRANSACTION = "transaction"


def _own(schema: Mapping[str, Any], capability: Capability) -> Mapping[str, Any]:
    properties = schema.get("properties", {})
    if _TRANSACTION not in properties or _TRANSACTION in capability.input_schema.get("properties", {}):
        return schema
    return {**schema, "properties": {name: one for name, one in properties.items() if name != _TRANSACTION}}


def _unwrapped(schema: Mapping[str, Any], capability: Capability) -> Mapping[str, Any]:
    """By MCP an output that is no object stands in one. Here it is answered as it is."""
    properties = schema.get("properties", {})
    return properties["output"] if capability.output_schema.get("type", "object") != "object" and list(properties) == ["output"] else schema


def _sought(settings: Settings, known: Mapping[str, Capability], names: Sequence[str], found: list[ToolDescription], limit: int | None) -> Call[None]:
    """Asks for those that are not listed until it is known of each whether it may be called; many by one question where they are few of a kind."""
    sought, judged, said = set(names), set[str](), set[str]()
    for name in names:
        capability = known[name]
        words = [word.lower() for word in _WORD.findall(name)]
        # Why at last with words of its description: a name may be a part of many others'.
        for query in (words[:1], words, [*words, *(word.lower() for word in _WORD.findall(capability.description)[:_WORDS_MAX])]):
            if name in judged or " ".join(query) in said:
                continue
            said.add(" ".join(query))
            answer = yield from _asked(settings, "tools/call", {"name": "find_capabilities", "arguments": {"query": " ".join(query), "limit": _FOUND_MAX}})
            content = answer.get("structuredContent")
            if not isinstance(content, dict) or answer.get("isError"):
                raise AiFirstError("NO_TOOLS", "the server could not be asked for the capabilities beyond those that it lists", status=200)
            fitting = [item for item in content["items"] if item["capability"] in sought and item["capability"] not in judged]
            found.extend(_found(item, known[item["capability"]]) for item in fitting)
            judged.update(item["capability"] for item in fitting)
            if limit is not None and len(found) >= limit:
                return
            if content["more"] == 0:
                # Why: all that fit were shown, so that policy rules the others out.
                judged.update(other for other in sought if all(word in f"{other} {known[other].description}".lower() for word in query))
        if name not in judged:
            judged.add(name)
            found.append(_unseen(capability, {one.name for one in found}))
            if limit is not None and len(found) >= limit:
                return


def _found(item: Mapping[str, Any], capability: Capability) -> ToolDescription:
    return ToolDescription(item["tool"], capability.name, item["description"], _own(item["inputSchema"], capability), _unwrapped(item.get("outputSchema", {}), capability), *_hints(capability))


def _unseen(capability: Capability, taken: Container[str]) -> ToolDescription:
    """One of which it can't be known beforehand whether it is permitted: its call will tell."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", capability.name)
    if len(name) > _NAME_MAX or name in taken:
        digest = sha256(capability.name.encode()).hexdigest()[:8]
        name = f"{name[: _NAME_MAX - 9]}_{digest}"
    return ToolDescription(name, capability.name, capability.description, capability.input_schema, capability.output_schema, *_hints(capability))


def _hints(capability: Capability) -> tuple[bool, bool]:
    read_only = capability.reversibility == "readOnly"
    return read_only, not read_only and not (capability.reversibility == "reversible" and capability.undo == "exact")


def _asked(settings: Settings, method: str, params: Mapping[str, Any]) -> Call[Mapping[str, Any]]:
    headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": _REVISION}
    response = yield from request(settings, "POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, headers=headers)
    if response.status != 200:
        raise refused(response)
    answer = _rpc(response)
    result = answer.get("result")
    if not isinstance(result, dict):
        error = answer.get("error")
        raise AiFirstError("NO_TOOLS", str(error.get("message")) if isinstance(error, dict) else "the list of tools could not be read", status=200)
    return result


def _rpc(response: Response) -> Mapping[str, Any]:
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        return document_of(response)
    for event in SseParser().feed(response.body):
        message = json.loads(event.data)
        if isinstance(message, dict) and message.get("id") == 1:
            return message
    return {}
