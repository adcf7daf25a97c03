"""A server on a port of its own that answers by a script, and what it answers with."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ID = "0198c000-0000-7000-8000-000000000001"
INTENT_ID = "0198c000-0000-7000-8000-000000000002"
AT = "2026-01-02T03:04:05.678Z"


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    #: Sent as a stream and then the connection is closed, in place of `body`.
    chunks: tuple[bytes, ...] | None = None
    #: Close without any answer.
    cut: bool = False


@dataclass
class Scripted:
    url: str
    asked: list[Asked]

    @property
    def lines(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.asked]


@contextmanager
def scripted(*answers: Answer | Callable[[Asked], Answer]) -> Iterator[Scripted]:
    """The last answer is given to all that ask later."""
    left = list(answers)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", 0)))
            asked = Asked(self.command, self.path, {name.lower(): text for name, text in self.headers.items()}, json.loads(raw) if raw else None)
            with lock:
                world.asked.append(asked)
                found = left.pop(0) if len(left) > 1 else left[0]
            answer = found(asked) if callable(found) else found
            if answer.cut:
                self.close_connection = True
                return
            self.send_response(answer.status)
            if answer.chunks is not None:
                self.send_header("content-type", "text/event-stream; charset=utf-8")
                self.send_header("connection", "close")
                self.end_headers()
                for chunk in answer.chunks:
                    self.wfile.write(chunk)
                    self.wfile.flush()
                self.close_connection = True
                return
            body = b"" if answer.body is None else json.dumps(answer.body).encode()
            for name, text in {"content-type": "application/json", **answer.headers}.items():
                self.send_header(name, text)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    world = Scripted(f"http://127.0.0.1:{server.server_address[1]}", [])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield world
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def problem(status: int, code: str, detail: str = "it is so", headers: dict[str, str] | None = None, **more: Any) -> Answer:
    errors = more.pop("errors", [{"code": code, "detail": detail, **({"pointer": more["pointer"]} if "pointer" in more else {})}])
    return Answer(status, {"type": "urn:x", "title": "x", "status": status, "code": code, "detail": detail, "errors": errors, **more}, {"content-type": "application/problem+json", **(headers or {})})


def submitted() -> Answer:
    return Answer(202, {"intentId": INTENT_ID, "workflowId": ID}, {"location": f"/v1/workflows/{ID}"})


def step(id: str = "a", status: str = "succeeded", **more: Any) -> dict[str, Any]:
    return {
        "id": id, "capability": "noop", "status": status, "statusReason": None, "attempts": 1, "risk": {"level": "low", "score": 1},
        "decision": {"outcome": "allow", "policies": ["role@1"], "policyVersion": "1", "reason": "permitted", "at": AT},
        "resources": [], "output": {"value": 1}, "error": None, "undo": None, "undoableUntil": None, "startedAt": AT, "endedAt": AT, **more,
    }  # fmt: skip


def workflow(status: str = "completed", steps: list[dict[str, Any]] | None = None, **more: Any) -> Answer:
    ended = status in ("completed", "rolledBack", "rejected", "failed", "cancelled")
    body = {
        "id": ID, "intentId": INTENT_ID, "tenant": "default", "status": status, "statusReason": None, "goal": "g", "agent": "agent", "mode": "saga", "labels": {},
        "steps": [step()] if steps is None else steps, "residue": [], "createdAt": AT, "endedAt": AT if ended else None, **more,
    }  # fmt: skip
    return Answer(more.pop("http", 200), body)


def event(sequence: int, fact: str = "step-started") -> dict[str, Any]:
    return {"specversion": "1.0", "id": f"{ID}/{sequence}", "type": f"aifirst.workflow.{fact}.v1", "source": "orchestrator", "time": AT, "subject": ID, "tenant": "default", "producer": "orchestrator/0", "sequence": sequence, "data": {}}


def sent(sequence: int, fact: str = "step-started") -> bytes:
    found = event(sequence, fact)
    return f"id: {sequence}\nevent: {found['type']}\ndata: {json.dumps(found)}\n\n".encode()
