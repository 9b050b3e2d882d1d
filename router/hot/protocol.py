"""
The HTTP protocol of a worker: uvicorn's own, with a short path for predictions.

The parser is httptools, as in uvicorn's protocol. A request that the short path cannot
take, or cannot answer, goes on as if this class were not there.
"""

from functools import lru_cache
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from router.hot.connection import Connection, Unheeded
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


class HotProtocol(Connection):
    """One connection."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._model = ""  # of the request on the short path; empty on the long one
        self._chunks = b""
        self._asked = False  # the short path holds a request of this connection
        self._plain = True  # no header that only the long path understands
        self._parent = b""  # its place in the caller's trace

    def on_message_begin(self) -> None:
        """Start a request; what it needs on the long path is made when it takes it."""
        if self._asked:
            self.flush()  # pipelined: answers leave in the order of the questions
        self.incoming, self.head, self._plain, self._parent = True, 0, True, b""
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
        self.head = -1
        model, parser = _model_of(self.url), self.parser
        if parser.should_upgrade():
            if parser.get_method() == b"CONNECT":
                raise Unheeded
            self.upgrading = True
        elif (
            model
            and _turns is not None
            and self._plain
            and parser.get_method() == b"POST"
            and parser.should_keep_alive()
            and parser.get_http_version() == "1.1"
            and (self.cycle is None or self.cycle.response_complete)
        ):
            self._model = model
        else:
            self._begin_long_path()

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
        if self.upgrading:
            return
        self.incoming = False
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

    def take_long_path(self) -> None:
        """Have the application answer."""
        self._asked = False
        if not self.transport.is_closing():
            self._begin_long_path()
            super().on_body(self._chunks)
            super().on_message_complete()

    def flush(self) -> None:
        """Answer what was asked."""
        if self._asked and _turns is not None:
            _turns.flush()

    def shutdown(self) -> None:
        """Answer what was asked, then close."""
        self.flush()
        super().shutdown()

    def _begin_long_path(self) -> None:
        url, headers = self.url, self.headers
        self._model = ""
        super().on_message_begin()
        self.url = url
        for name, value in headers:
            super().on_header(name, value)
        super().on_headers_complete()


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
