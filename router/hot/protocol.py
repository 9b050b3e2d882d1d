"""
The HTTP protocol of a worker: uvicorn's own, with a short path for predictions.

The parser is httptools, as in uvicorn's protocol. A request that the short path cannot
take, or cannot answer, goes on as if this class were not there.
"""

import asyncio
from functools import lru_cache
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from router.hot.turn import Turns
from router.logs import trace_of
from router.operations.drain import DRAIN

MOST_BYTES = 256 << 10
"""Longer bodies take the long path, which reads them piece by piece."""
_START, _END = b"/v1/models/", b"/predict"
_turns: Turns | None = None
_known_head: tuple[list[tuple[bytes, bytes]] | None, bytes] = (None, b"")


def use(turns: Turns | None) -> None:
    """Answer predictions of this process by *turns* from now on."""
    global _turns
    _turns = turns


class HotProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._model = ""  # of the request on the short path; empty on the long one
        self._chunks = b""
        self._asked = False  # the short path holds a request of this connection
        self._plain = True  # no header that only the long path understands
        self._parent = b""  # its place in the caller's trace
        self._begun = False  # a request is on its way in, or waits for its answer
        self._answered_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def on_message_begin(self) -> None:
        """Start a request; what it needs on the long path is made when it takes it."""
        if self._asked and _turns is not None:
            _turns.flush()  # pipelined: answers leave in the order of the questions
        self._begun, self._plain, self._parent = True, True, b""
        self.url, self.headers, self._model, self._chunks = b"", [], "", b""

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep it for the long path."""
        length = len(name)
        if length == 6 and name.lower() == b"expect":
            self._plain = False
        elif length == 11 and name.lower() == b"traceparent":
            self._parent = value
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Choose the path."""
        model, parser = _model_of(self.url), self.parser
        if (
            model
            and _turns is not None
            and self._plain
            and parser.get_method() == b"POST"
            and parser.should_keep_alive()
            and parser.get_http_version() == "1.1"
            and not parser.should_upgrade()
            and (self.cycle is None or self.cycle.response_complete)
        ):
            self._model = model
        else:
            self._begin_long_path()

    def _should_upgrade(self) -> bool:
        """Never: nothing here speaks WebSocket, and a handshake that is none would wait for ever."""
        return False

    def on_body(self, body: bytes) -> None:
        """Collect it."""
        if not self._model:
            super().on_body(body)
            return
        self._chunks = self._chunks + body if self._chunks else body
        if len(self._chunks) > MOST_BYTES:
            self._begin_long_path()
            super().on_body(self._chunks)

    def on_message_complete(self) -> None:
        """Hand the request over."""
        if self._model and _turns is not None:
            self._asked = True
            _turns.add(self._model, self, self._chunks)
        else:
            super().on_message_complete()

    def answer(self, body: bytes) -> None:
        """Send the answer of the short path."""
        self._asked = False
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            head = _head(self.server_state.default_headers)
            trace = _traced(self._parent) if self._parent else b""
            self.transport.write(b"%b%bcontent-length: %d\r\n\r\n%b" % (head, trace, len(body), body))
            if DRAIN.on:
                self.transport.close()  # the head has said so
            else:
                self._wait_for_more()

    def take_long_path(self) -> None:
        """Have the application answer."""
        self._asked = False
        if not self.transport.is_closing():
            self._begin_long_path()
            super().on_body(self._chunks)
            super().on_message_complete()

    def shutdown(self) -> None:
        """Answer what was asked, then close."""
        if self._asked and _turns is not None:
            _turns.flush()
        super().shutdown()

    def pause_writing(self) -> None:
        """Who does not read answers asks no more questions."""
        super().pause_writing()
        self.flow.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        self.flow.resume_reading()

    def _begin_long_path(self) -> None:
        url, headers = self.url, self.headers
        self._model = ""
        super().on_message_begin()
        self.url = url
        for name, value in headers:
            super().on_header(name, value)
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """The long path has answered."""
        self._begun = False
        super().on_response_complete()

    def _wait_for_more(self) -> None:
        # One timer per connection that looks now and then, not one per answer.
        self._begun, self._answered_at = False, self.loop.time()
        if self._timer is None:
            self._timer = self.loop.call_later(self.timeout_keep_alive, self._close_if_idle)

    def _close_if_idle(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        left = self.timeout_keep_alive - (self.loop.time() - self._answered_at)
        if left <= 0.001 and not self._begun:
            self.transport.close()
        else:
            self._timer = self.loop.call_later(left if left > 0.001 else self.timeout_keep_alive, self._close_if_idle)


@lru_cache(maxsize=256)
def _model_of(url: bytes) -> str:
    """The model that a predict route names; empty for other routes."""
    ours = url.startswith(_START) and url.endswith(_END) and len(url) > len(_START) + len(_END)
    return url[len(_START) : -len(_END)].decode("latin-1") if ours else ""


def _traced(parent: bytes) -> bytes:
    trace = trace_of(parent)
    return b"traceparent: %b\r\n" % trace.header if trace else b""


def _head(headers: list[tuple[bytes, bytes]]) -> bytes:
    """Everything before the content length; uvicorn makes a new list of headers each second, for the date."""
    global _known_head
    known, head = _known_head
    if known is not headers:
        said = b"".join(b"%b: %b\r\n" % header for header in headers)
        head = STATUS_LINE[200] + said + b"content-type: application/json\r\n"
        _known_head = (headers, head)
    return head
