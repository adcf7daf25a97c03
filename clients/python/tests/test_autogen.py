from __future__ import annotations

import asyncio
import time

import pytest
from scripted import Answer, Asked, problem, scripted, workflow
from test_tools import CAPABILITIES, DONE, LISTED, SCHEMA

from aifirst import AsyncClient, Invalid

pytest.importorskip("autogen_core")
from autogen_core import CancellationToken  # noqa: E402

from aifirst.autogen import GovernedTool, tools  # noqa: E402


async def write_tool(client: AsyncClient) -> GovernedTool:
    (found,) = await tools(client, include="fs.write", labels={"team": "x"})
    return found


def test_a_tool_shows_its_own_schema_and_answers_with_the_output() -> None:
    async def main(url: str) -> None:
        async with AsyncClient(url, "t") as client:
            tool = await write_tool(client)
            assert tool.schema["parameters"]["properties"] == SCHEMA["properties"] and tool.schema["parameters"]["required"] == ["path"]
            answer = await tool.run_json({"path": "a", "copy": {"model_config": None}}, CancellationToken())
            assert tool.return_value_as_string(answer) == '{"path": "a"}'

    with scripted(CAPABILITIES, LISTED, DONE) as server:
        asyncio.run(main(server.url))
    assert server.asked[-1].body["labels"] == {"via": "python", "framework": "autogen", "team": "x"}
    assert server.asked[-1].body["steps"][0]["input"] == {"path": "a", "copy": {"model_config": None}}


def test_what_fails_is_raised() -> None:
    async def main(url: str) -> None:
        async with AsyncClient(url, "t") as client:
            with pytest.raises(Invalid, match="Nothing was done"):
                await (await write_tool(client)).run_json({"path": 7}, CancellationToken())

    with scripted(CAPABILITIES, LISTED, problem(422, "INVALID_INPUT")) as server:
        asyncio.run(main(server.url))


def test_a_cancelled_call_is_waited_for_no_longer() -> None:
    def slow(_: Asked) -> Answer:
        time.sleep(1)
        return workflow()

    async def main(url: str) -> float:
        async with AsyncClient(url, "t") as client:
            tool, token = await write_tool(client), CancellationToken()
            began = time.monotonic()
            asyncio.get_running_loop().call_later(0.1, token.cancel)
            with pytest.raises(asyncio.CancelledError):
                await tool.run_json({"path": "a"}, token)
            return time.monotonic() - began

    with scripted(CAPABILITIES, LISTED, slow) as server:
        assert asyncio.run(main(server.url)) < 0.9
