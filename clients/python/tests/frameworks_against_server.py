"""Real agents of AutoGen and of CrewAI, with models that follow a script, against a real server.

  frameworks_against_server.py autogen_agent crewai_agent   with the environment of against_server.py

Prints a JSON line for each; exit 0: every line is ok.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aifirst import AsyncClient, Client, Intent

CONNECTION = os.environ["CONNECTION"]
Call = tuple[str, dict[str, Any]]

#: What a model calls, one after the other: a write, a read, what is wrong, what is not there, and the same twice.
def script(path: str) -> list[Call]:
    return [
        ("fs_write", {"connection": CONNECTION, "path": path, "content": "by an agent"}),
        ("fs_read", {"connection": CONNECTION, "path": path}),
        ("fs_write", {"connection": CONNECTION, "path": f"../{path}", "content": 7}),
        ("fs_read", {"connection": CONNECTION, "path": "no-such.txt"}),
        ("fs_append", {"connection": CONNECTION, "path": path, "content": "!"}),
        ("fs_append", {"connection": CONNECTION, "path": path, "content": "!"}),
    ]


def check(answers: list[str], framework: str) -> object:
    """@param answers what the model was told after each call"""
    assert len(answers) == 6, answers
    assert json.loads(answers[0])["created"] is True and json.loads(answers[1])["content"] == "by an agent", answers
    assert "INVALID" in answers[2] and "Nothing was done" in answers[2] and "`path` (required)" in answers[2], answers[2]
    assert "NOT_FOUND" in answers[3] and "nothing at that path" in answers[3], answers[3]
    look = Intent("look")
    look.step("fs.read", id="a", connection=CONNECTION, path=f"{framework}.txt")
    with Client() as client:
        content = client.run(look).output("a")["content"]
    # Why twice: a framework that answers the second call from what it has kept has left out an act.
    assert content == "by an agent!!", content
    return framework


def autogen_agent() -> object:
    from autogen_agentchat.agents import AssistantAgent
    from autogen_agentchat.messages import ToolCallExecutionEvent
    from autogen_core import FunctionCall
    from autogen_core.models import CreateResult, ModelFamily, RequestUsage
    from autogen_ext.models.replay import ReplayChatCompletionClient

    from aifirst.autogen import tools

    script_of_model = script("autogen.txt")
    usage = RequestUsage(prompt_tokens=1, completion_tokens=1)
    calls = [
        CreateResult(finish_reason="function_calls", content=[FunctionCall(id=f"c{n}", name=name, arguments=json.dumps(given))], usage=usage, cached=False)
        for n, (name, given) in enumerate(script_of_model)
    ]  # fmt: skip
    end = CreateResult(finish_reason="stop", content="done", usage=usage, cached=False)

    async def main() -> list[str]:
        async with AsyncClient() as client:
            found = await tools(client, include=["fs.*"])
            assert {"fs_write", "fs_read", "fs_append"} <= {tool.name for tool in found}
            schema = next(tool for tool in found if tool.name == "fs_write").schema
            assert schema["parameters"]["required"] and CONNECTION in json.dumps(schema)
            info: Any = {"vision": False, "function_calling": True, "json_output": False, "family": ModelFamily.UNKNOWN, "structured_output": False}
            model = ReplayChatCompletionClient([*calls, end], model_info=info)
            agent = AssistantAgent("clerk", model_client=model, tools=list(found), max_tool_iterations=len(script_of_model) + 1)
            result = await agent.run(task="write and read")
            events = [message for message in result.messages if isinstance(message, ToolCallExecutionEvent)]
            assert [bool(one.is_error) for event in events for one in event.content] == [False, False, True, True, False, False]
            return [str(one.content) for event in events for one in event.content]

    return check(asyncio.run(main()), "autogen")


@contextmanager
def scripted_endpoint(calls: list[Call]) -> Iterator[tuple[str, list[Any]]]:
    """OpenAI-compatible: calls by the script, then says that it is done. Keeps what it is asked."""
    asked: list[Any] = []
    left = list(enumerate(calls))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            message: dict[str, Any] = {"role": "assistant", "content": "done"}
            if left:
                number, (name, given) = left.pop(0)
                message = {"role": "assistant", "content": None, "tool_calls": [{"id": f"c{number}", "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}]}
            choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if message["content"] is None else "stop"}
            body = json.dumps({"id": "x", "object": "chat.completion", "created": 0, "model": "scripted", "choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", asked
    finally:
        server.shutdown()
        server.server_close()


def crewai_agent() -> object:
    from crewai import LLM, Agent, Crew, Task

    from aifirst.crewai import tools

    calls = script("crewai.txt")
    with Client() as client, scripted_endpoint(calls) as (url, asked):
        found = tools(client, include=["fs.*"])
        model = LLM(model="openai/gpt-4o-mini", base_url=url, api_key="none")
        agent = Agent(role="clerk", goal="keep files", backstory="A careful clerk.", tools=found, llm=model, max_iter=len(calls) + 3)
        task = Task(description="write and read", expected_output="done", agent=agent)
        Crew(agents=[agent], tasks=[task]).kickoff()
        offered = {one["function"]["name"]: one["function"]["parameters"] for one in asked[0]["tools"]}
        assert CONNECTION in json.dumps(offered["fs_write"]), offered
        return check([one["content"] for one in asked[-1]["messages"] if one["role"] == "tool"], "crewai")


def main() -> int:
    bad = 0
    for name in sys.argv[1:]:
        try:
            line = {"case": name, "ok": True, "said": {"autogen_agent": autogen_agent, "crewai_agent": crewai_agent}[name]()}
        except Exception as error:  # Why any: the line tells it, and the others still run.
            bad += 1
            line = {"case": name, "ok": False, "said": f"{type(error).__name__}: {error}"}
        print(json.dumps(line), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
