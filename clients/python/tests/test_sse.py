from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifirst._sse import ServerEvent, SseParser


def parsed(*chunks: bytes) -> list[ServerEvent]:
    parser = SseParser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


STREAM = "\ufeff: hello\r\nid: 1\nevent: a\ndata: {\"x\": \"ü🗂\"}\n\n:\n\ndata:two\rdata: lines\r\r\nid: 3\nretry: 5\ndata\n\nunknown: x\n\ndata: not ended".encode()
EVENTS = [ServerEvent("1", "a", '{"x": "ü🗂"}'), ServerEvent("1", "message", "two\nlines"), ServerEvent("3", "message", "")]


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_events_are_the_same_however_the_bytes_are_cut(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    assert parsed(*(STREAM[a:b] for a, b in zip(places, places[1:], strict=False))) == EVENTS


def test_an_id_stays_until_there_is_another() -> None:
    assert [event.id for event in parsed(b"id: 7\ndata: a\n\ndata: b\n\nid\ndata: c\n\nid: x\0\ndata: d\n\n")] == ["7", "7", "", ""]


def test_an_event_without_end_is_not_kept_for_ever() -> None:
    parser = SseParser()
    with pytest.raises(ValueError, match="16 MiB"):
        for _ in range(20):
            list(parser.feed(b"x" * 1024 * 1024))
