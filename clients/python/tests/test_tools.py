from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from scripted import Answer, problem, scripted, step, workflow

from aifirst import Client, Invalid, Unavailable
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
