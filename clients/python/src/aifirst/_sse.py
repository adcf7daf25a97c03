"""Server-Sent Events, as the WHATWG writes them: bytes in, events out."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Iterator
from dataclasses import dataclass

_LINE = re.compile(r"\r\n|\n|\r")
#: More than that without the end of an event is no event of ours.
_CHARACTERS_MAX = 16 * 1024 * 1024


@dataclass(frozen=True)
class ServerEvent:
    id: str
    event: str
    data: str


class SseParser:
    """Of one stream, however its bytes are cut. Comments give nothing."""

    def __init__(self) -> None:
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._first = True
        self._id = ""
        self._event = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[ServerEvent]:
        text = self._rest + self._decoder.decode(chunk)
        if self._first and text:
            text, self._first = text.removeprefix("\ufeff"), False
        start = 0
        for found in _LINE.finditer(text):
            # Why: at the end of a chunk it may be the first half of `\r\n`.
            if found.group() == "\r" and found.end() == len(text):
                break
            event = self._line(text[start : found.start()])
            start = found.end()
            if event is not None:
                yield event
        self._rest = text[start:]
        if len(self._rest) + self._size > _CHARACTERS_MAX:
            raise ValueError("an event of the stream is longer than 16 MiB")

    def _line(self, line: str) -> ServerEvent | None:
        if line == "":
            return self._end()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
            self._size += len(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value
        return None

    def _end(self) -> ServerEvent | None:
        event = ServerEvent(self._id, self._event or "message", "\n".join(self._data)) if self._data else None
        self._data, self._event, self._size = [], "", 0
        return event
