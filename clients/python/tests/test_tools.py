from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from scripted import Answer, Asked, problem, scripted, step, workflow

from aifirst import AiFirstError, AsyncClient, Client, Invalid, StepFailed, Unavailable
from aifirst.tools import tools

ROOT = Path(__file__).parent.parent
SCHEMA = {
    "type": "object", "required": ["path"],
    "properties": {"path": {"type": "string"}, "mode": {"type": "string"}, "note": {"type": ["string", "null"]}, "any": {}, "either": {"anyOf": [{"type": "string"}, {"type": "null"}]}, "one": {"enum": ["a", "b"]}},
}  # fmt: skip
CAPABILITY = {
    "name": "fs.write", "version": "1", "adapter": "os", "reversibility": "reversible", "baseRisk": {"level": "low", "score": 1}, "outcome": "conditional", "undo": "exact",
    "description": "Writes a file.", "inputSchema": SCHEMA, "outputSchema": {},
}  # fmt: skip
CAPABILITIES = Answer(200, {"items": [CAPABILITY, {**CAPABILITY, "name": "fs.read"}], "next": None})
WRITE = {"name": "fs_write", "title": "fs.write", "description": "Writes a file. Undone exactly.", "inputSchema": SCHEMA, "annotations": {"readOnlyHint": False, "destructiveHint": False}}
OWN = {"name": "plan_intent", "title": "Plan an intent", "inputSchema": {"type": "object"}}
LISTED = Answer(200, {"jsonrpc": "2.0", "id": 1, "result": {"tools": [WRITE, {**WRITE, "name": "fs_read", "title": "fs.read"}, OWN]}})
DONE = workflow(steps=[step("call", output={"path": "a"})])


def test_tools_are_the_capabilities_that_the_server_lists() -> None:
    with scripted(CAPABILITIES, LISTED, DONE) as server, Client(server.url, "t") as client:
        found = tools(client)
        assert [one.description.capability for one in found] == ["fs.write", "fs.read"]
        write = found[0]
        assert write.__name__ == "fs_write" and write.description.definition["function"]["parameters"] == SCHEMA and not write.description.destructive
        assert write(path="a", mode=None, note=None, any=None, either=None, one=None) == {"path": "a"}
    body = server.asked[-1].body
    assert body == {
        "goal": "tool call of fs.write", "labels": {"via": "python"},
        "steps": [{"id": "call", "capability": "fs.write", "input": {"path": "a", "note": None, "any": None, "either": None}}],
    }  # fmt: skip
    assert server.asked[1].body["method"] == "tools/list" and server.asked[1].path == "/mcp"


def test_only_what_is_asked_for_is_included_with_labels() -> None:
    for include in ("fs.w*", ["fs.w*"]):
        with scripted(CAPABILITIES, LISTED, DONE) as server, Client(server.url, "t") as client:
            (write,) = tools(client, include=include, labels={"framework": "mine"})
            write.call({"path": {"$ref": "#/steps/x/output"}}, idempotency_key="k")
        body = server.asked[-1].body
        assert body["labels"] == {"via": "python", "framework": "mine"} and server.asked[-1].headers["idempotency-key"] == "k"
        assert body["steps"][0]["input"] == {"path": {"$literal": {"$ref": "#/steps/x/output"}}}


def test_wrong_arguments_are_told_by_their_name() -> None:
    wrong = problem(422, "INVALID_INPUT", "must be string", pointer="/steps/0/input/path")
    with scripted(CAPABILITIES, LISTED, wrong) as server, Client(server.url, "t") as client, pytest.raises(Invalid) as caught:
        tools(client)[0](path=7)
    assert caught.value.pointer == "/path" and "Nothing was done. `fs_write` takes `path` (required), `mode`" in str(caught.value)


def test_who_does_not_know_whether_it_was_done_is_told_to_look() -> None:
    with scripted(CAPABILITIES, LISTED, Answer(cut=True)) as server, Client(server.url, "t", retry_for=0) as client, pytest.raises(Unavailable) as caught:
        tools(client)[0](path="a")
    assert str(caught.value).endswith("\nIt is not known whether it was done: look before it is called again.") and caught.value.idempotency_key is not None


def test_who_was_turned_away_after_an_answer_was_lost_does_not_know_either() -> None:
    turned_away = problem(429, "RATE_LIMITED", headers={"retry-after": "90"})
    with scripted(CAPABILITIES, LISTED, Answer(cut=True), turned_away) as server, Client(server.url, "t", retry_for=10) as client, pytest.raises(Unavailable, match="It is not known"):
        tools(client)[0](path="a")
    with scripted(CAPABILITIES, LISTED, turned_away) as server, Client(server.url, "t", retry_for=10) as client, pytest.raises(Unavailable, match="Nothing was done: call it again later"):
        tools(client)[0](path="a")


def test_tools_of_a_transaction_are_steps_of_it() -> None:
    begun, failed = Answer(201, workflow("running", []).body), Answer(200, step("fs-write", "failed", output=None, error={"code": "DENIED_BY_TARGET", "detail": "no", "clean": True}))
    wrong = problem(422, "INVALID_INPUT", "must be string", pointer="/input/path")
    done = Answer(200, step("fs-write", output={"path": "a"}))
    with scripted(begun, CAPABILITIES, LISTED, done, failed, wrong, done, done, workflow()) as server, Client(server.url, "t") as client:
        with client.transaction("g") as tx:
            write = tx.tools(include="fs.write")[0]
            assert write(path="a", mode=None) == {"path": "a"}
            with pytest.raises(StepFailed, match="the transaction stands"):
                write(path="a")
            with pytest.raises(Invalid, match="Nothing was done by it, and the transaction stands. `fs_write` takes") as caught:
                write(path=7)
            assert caught.value.pointer == "/path"
            write.call({"path": {"$ref": "x"}, "id": 1}, idempotency_key="k-1")
            write.call({"path": "a"}, idempotency_key="a key with spaces")
    steps = [one.body for one in server.asked if "/steps" in one.path]
    assert [one["id"] for one in steps[:4]] == ["fs-write", "fs-write-2", "fs-write-3", "k-1"] and len(steps[4]["id"]) == 64
    assert steps[0]["input"] == {"path": "a"} and steps[3]["input"] == {"path": {"$literal": {"$ref": "x"}}, "id": 1}


def test_who_does_not_know_of_a_step_is_told_to_look() -> None:
    begun = Answer(201, workflow("running", []).body)
    with scripted(begun, CAPABILITIES, LISTED, Answer(cut=True)) as server, Client(server.url, "t", retry_for=0) as client:
        tx = client.transaction("g")
        tx.begin()
        with pytest.raises(Unavailable, match="look before it is called again. Taking the transaction back undoes it in either case"):
            tx.tools()[0](path="a")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_asynchronous_tools_are_the_same(backend: str) -> None:
    if backend == "trio":
        pytest.importorskip("trio")

    async def main(url: str) -> None:
        async with AsyncClient(url, "t") as client, client.transaction("g") as tx:
            (read,) = await tx.tools(include="fs.read", limit=1)
            assert await read(path="a") == {"value": 1} and "fs_read" in repr(read)

    with scripted(Answer(201, workflow("running", []).body), CAPABILITIES, LISTED, Answer(200, step()), workflow()) as server:
        anyio.run(main, server.url, backend=backend)


def test_the_argument_by_which_calls_by_mcp_name_a_transaction_is_none_here() -> None:
    named = {**SCHEMA, "properties": {**SCHEMA["properties"], "transaction": {"type": "string"}}}  # type: ignore[dict-item]
    own = {**CAPABILITY, "name": "bank.pay", "inputSchema": named, "outputSchema": {"type": "array"}}
    wrapped = {"type": "object", "properties": {"output": {"type": "array"}}, "required": ["output"]}
    capabilities = Answer(200, {"items": [CAPABILITY, own], "next": None})
    listed = [{**WRITE, "inputSchema": named}, {**WRITE, "name": "bank_pay", "title": "bank.pay", "inputSchema": named, "outputSchema": wrapped}]
    with scripted(capabilities, Answer(200, {"jsonrpc": "2.0", "id": 1, "result": {"tools": listed}})) as server, Client(server.url, "t") as client:
        write, pay = tools(client)
    assert write.description.input_schema == SCHEMA and pay.description.input_schema == named and pay.description.output_schema == {"type": "array"}


class Many:
    """A server with more capabilities than it lists: `count` of a connected system, of which every third may be called."""

    def __init__(self, count: int, listed: int = 2) -> None:
        self.names = [f"api.crm.op{n}" for n in range(count)]
        self.listed = listed
        self.asked: list[str] = []

    def capability(self, name: str) -> dict[str, Any]:
        return {**CAPABILITY, "name": name, "adapter": "http", "description": f"Does {name.replace('.', ' ')}."}

    def may(self) -> list[str]:
        return self.names[::3]

    def __call__(self, asked: Asked) -> Answer:
        if asked.path.startswith("/v1/capabilities"):
            return Answer(200, {"items": [self.capability(name) for name in self.names], "next": None})
        if asked.body["method"] == "tools/list":
            at = int(asked.body["params"].get("cursor", 0))
            result: dict[str, Any] = {"tools": [{**WRITE, "name": one.replace(".", "_"), "title": one} for one in self.may()[at : at + 1]]}
            if at + 1 < self.listed:
                result["nextCursor"] = str(at + 1)
            elif len(self.may()) > self.listed:
                result["tools"].append({"name": "find_capabilities", "title": "Find capabilities", "inputSchema": {}})
            return Answer(200, {"jsonrpc": "2.0", "id": 1, "result": result})
        query = asked.body["params"]["arguments"]["query"]
        self.asked.append(query)
        fitting = [name for name in self.may() if all(word in f"{name} {self.capability(name)['description']}" for word in query.split())]
        items = [{"capability": name, "tool": name.replace(".", "_"), "description": "d", "reversibility": "reversible", "inputSchema": SCHEMA, "outputSchema": {}} for name in fitting[:20]]
        return Answer(200, {"jsonrpc": "2.0", "id": 1, "result": {"structuredContent": {"items": items, "more": len(fitting) - len(items)}}})


def test_all_are_there_also_where_the_server_lists_the_first_alone() -> None:
    world = Many(150)
    with scripted(world) as server, Client(server.url, "t") as client:
        found = tools(client)
    assert sorted(one.description.capability for one in found) == sorted(world.may()) and not found[-1].description.destructive
    assert len(world.asked) == len(set(world.asked)) < 120


def test_what_is_not_asked_for_is_not_looked_for() -> None:
    world = Many(150)
    with scripted(world) as server, Client(server.url, "t") as client:
        assert [one.description.capability for one in tools(client, include=["api.crm.op9*"])] == ["api.crm.op9", "api.crm.op90", "api.crm.op93", "api.crm.op96", "api.crm.op99"]
        world.asked.clear()
        assert len(tools(client, limit=2)) == 2 and world.asked == []
        assert len(tools(client, limit=9)) == 9 and len(world.asked) == 1
        for wrong in (0, -1, True):
            with pytest.raises(ValueError, match="limit"):
                tools(client, limit=wrong)


def test_few_are_found_by_one_question() -> None:
    world = Many(24)
    with scripted(world) as server, Client(server.url, "t") as client:
        assert len(tools(client)) == 8
    assert world.asked == ["api"]


def test_what_can_not_be_found_out_is_left_to_its_call() -> None:
    """Twenty that all fit whatever is asked for one of them: it is there, and its call tells whether it may be made."""
    world = Many(90)
    original = world.capability
    world.names = [*[f"api.x{n}.call" for n in range(89)], "api.call"]
    world.capability = lambda name: {**original(name), "description": "does api call"}  # type: ignore[method-assign]
    world.may = lambda: world.names  # type: ignore[method-assign]
    with scripted(world) as server, Client(server.url, "t") as client:
        found = {one.description.capability: one.description for one in tools(client)}
    assert len(found) == 90 and found["api.call"].name == "api_call" and found["api.call"].input_schema == SCHEMA


def test_a_search_that_fails_is_told() -> None:
    world = Many(90)

    def answer(asked: Asked) -> Answer:
        found = world(asked)
        return found if (asked.body or {}).get("method") != "tools/call" else Answer(200, {"jsonrpc": "2.0", "id": 1, "result": {"isError": True}})

    with scripted(answer) as server, Client(server.url, "t") as client, pytest.raises(AiFirstError, match="beyond those"):
        tools(client)


@pytest.mark.parametrize(("body", "said"), [({"error": {"code": -32603, "message": "UNAVAILABLE: later"}}, "UNAVAILABLE: later"), ({}, "could not be read")])
def test_a_list_that_is_none_is_told(body: dict[str, Any], said: str) -> None:
    with scripted(CAPABILITIES, Answer(200, {"jsonrpc": "2.0", "id": 1, **body})) as server, Client(server.url, "t") as client, pytest.raises(Exception, match=said):
        tools(client)


@pytest.mark.parametrize(("module", "lacking", "extra"), [("aifirst.autogen", "autogen_core", "aifirst[autogen]"), ("aifirst.crewai", "crewai", "aifirst[crewai]"), ("aifirst.kafka", "cryptography.hazmat.primitives", "aifirst[kafka]")])
def test_what_lacks_is_told_with_the_extra_that_brings_it(module: str, lacking: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name == lacking or name.startswith(f"{lacking}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, lacking, None)
    monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(ImportError, match=re.escape(extra)):
        importlib.import_module(module)


def test_the_package_needs_no_framework_and_says_its_version() -> None:
    program = "import sys, aifirst, aifirst.tools; print(aifirst.__version__, [n for n in ('autogen_core', 'crewai', 'pydantic', 'cryptography') if n in sys.modules])"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}).stdout
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None and said.strip() == f"{version[1]} []"
