from __future__ import annotations

import json
import os

import pytest
from scripted import Answer, problem, scripted
from test_tools import CAPABILITIES, DONE, LISTED, SCHEMA

from aifirst import Client

os.environ.update(CREWAI_DISABLE_TELEMETRY="true", CREWAI_TRACING_ENABLED="false", OTEL_SDK_DISABLED="true")
pytest.importorskip("crewai")
from crewai.tools.tool_failure import ToolFailure  # noqa: E402

from aifirst.crewai import GovernedTool, tools  # noqa: E402


def write_tool(client: Client) -> GovernedTool:
    (found,) = tools(client, include="fs.write")
    return found


def test_a_tool_shows_its_own_schema_and_is_never_answered_from_a_cache() -> None:
    with scripted(CAPABILITIES, LISTED, DONE) as server, Client(server.url, "t") as client:
        tool = write_tool(client)
        assert tool.args_schema.model_json_schema()["properties"] == SCHEMA["properties"] and tool.cache_function({}, "x") is False
        # As its strict schemas make models call: with null for what is left out.
        assert json.loads(tool.run(path="a", mode=None, note=None)) == {"path": "a"}
    assert server.asked[-1].body["steps"][0]["input"] == {"path": "a", "note": None}
    assert server.asked[-1].body["labels"] == {"via": "python", "framework": "crewai"}


@pytest.mark.parametrize(
    ("answer", "code", "retryable"),
    [
        (problem(422, "INVALID_INPUT"), "INVALID_INPUT", False),
        (problem(429, "RATE_LIMITED", headers={"retry-after": "90"}), "RATE_LIMITED", True),
        (problem(503, "OVERLOADED", headers={"retry-after": "90"}), "OVERLOADED", True),
        (problem(503, "UNAVAILABLE", headers={"retry-after": "90"}), "UNAVAILABLE", False),
        (Answer(cut=True), "NO_ANSWER", False),
    ],
)
def test_what_fails_is_a_failure_that_says_whether_to_call_again(answer: Answer, code: str, retryable: bool) -> None:
    with scripted(CAPABILITIES, LISTED, answer) as server, Client(server.url, "t", retry_for=0) as client:
        failure = write_tool(client).run(path="a")
    assert isinstance(failure, ToolFailure) and failure.details == {"code": code} and failure.retryable is retryable
    assert failure.as_agent_message().startswith(code) and ("Nothing was done" in failure.message) == (retryable or code == "INVALID_INPUT")
