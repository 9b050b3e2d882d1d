"""
A connection that cannot be turned against its worker: uvicorn's own, with bounds and an orderly end.

Who asks, and then hangs up or sends what is no HTTP, is answered first. Heads, waiting
requests and answers that nobody reads are bounded, and so are pauses.
"""

import asyncio
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MOST_HEAD: Final = 64 << 10
"""Bytes of a head that comes in several reads; one read has at most 256 kB."""
MOST_WAITING: Final = 128
"""Requests of one connection that wait for the answer to an earlier one."""
STALLED_S: Final = 60.0
"""Longest pause in the middle of a request."""
_REFUSED: Final = (b"content-type: text/plain; charset=utf-8", b"connection: close")


class Unheeded(Exception):
    """A request that is not answered; raised while it is parsed, it ends the connection."""


class Connection(HttpToolsProtocol):
    """
    One connection.

    Attributes:
        incoming: A request is on its way in.
        head: Bytes of its head that were parsed before this read; -1 behind the head.
        upgrading: The parser has left the body of the request to another protocol.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.incoming = self.upgrading = self._ending = False
        self.head = -1
        self._moved_at, self._unread = self.loop.time(), -1
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; who says nothing is not waited for any longer than who has been answered."""
        super().connection_made(transport)
        self._look_in(self.timeout_keep_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse it; whatever is no HTTP ends the connection."""
        if self._ending:
            return
        self._moved_at = self.loop.time()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as behind:
            self._stay(data[behind.args[0] :])
        except httptools.HttpParserError:
            self._refuse(400, b"Invalid HTTP request received.")
        else:
            if self.head >= 0:
                self._grown(len(data))

    def eof_received(self) -> bool:  # type: ignore[override]
        """Who has said everything may still wait for the answers."""
        return self._answer_then_close()

    def flush(self) -> None:
        """Answer what waits elsewhere than in uvicorn's own queue."""

    def on_message_begin(self) -> None:
        """Start a request."""
        if len(self.pipeline) >= MOST_WAITING:
            raise Unheeded
        super().on_message_begin()

    def on_response_complete(self) -> None:
        """Send no more than is read."""
        self._moved_at = self.loop.time()
        super().on_response_complete()
        self._unset_keepalive_if_required()  # there is a timer already
        if self.flow.write_paused:
            self.flow.pause_reading()

    def pause_writing(self) -> None:
        """Who does not read answers asks no more questions."""
        super().pause_writing()
        self.flow.pause_reading()

    def resume_writing(self) -> None:
        """Go on, unless there are questions enough."""
        super().resume_writing()
        if not self.pipeline:
            self.flow.resume_reading()

    def _should_upgrade(self) -> bool:
        """Never: nothing here speaks another protocol."""
        return False

    def _stay(self, rest: bytes) -> None:
        """
        Go on with HTTP/1.1, although the sender would rather speak something else.

        The parser has left the body to the other protocol, so the head is parsed once more, as if
        nothing else had been asked for. Java's own client asks for h2c with its first request.

        Source:
            RFC 9110, section 7.8: a server may ignore the field.
        """
        self.upgrading = False
        kept = b"".join(b"%b: %b\r\n" % header for header in self.headers if header[0].lower() != b"upgrade")
        head = b"%b %b HTTP/1.1\r\n%b\r\n" % (self.parser.get_method(), self.url, kept)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.data_received(head + rest)

    def _grown(self, size: int) -> None:
        self.head += size
        if self.head > MOST_HEAD:
            self._refuse(431, b"The head of the request exceeds %d bytes." % MOST_HEAD)

    def _refuse(self, status: int, text: bytes) -> None:
        """Say what is wrong, unless others on this connection are to be answered first."""
        if self._answer_then_close() or self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            length = b"content-length: %d" % len(text)
            lines = [*map(b"%b: %b".__mod__, self.server_state.default_headers), *_REFUSED, length]
            self.transport.write(b"%b%b\r\n\r\n%b" % (STATUS_LINE[status], b"\r\n".join(lines), text))
        self.transport.close()

    def _answer_then_close(self) -> bool:
        """Whether somebody still waits for an answer; the connection ends behind the last one."""
        self._ending = True
        self.flush()
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return False
        cycle.keep_alive = False
        if cycle.more_body:
            if not self.pipeline:
                return False
            self.pipeline[0] = (cycle, _cut_short)
        return True

    def _look_in(self, seconds: float) -> None:
        self._timer = self.loop.call_later(max(seconds, 0.1), self._look)

    def _look(self) -> None:
        """End what is idle, or has stalled; one timer that looks now and then, not one per answer."""
        if self.transport.is_closing():
            self._give_up()
            return
        cycle, wait = self.cycle, float(self.timeout_keep_alive)
        if cycle is None or cycle.response_complete or (cycle.more_body and not self.pipeline):  # nothing is owed
            left = (STALLED_S if self.incoming else wait) - (self.loop.time() - self._moved_at)
            if left <= 0.001:
                self.transport.close()
            else:
                wait = min(left, wait)
        self._look_in(wait)

    def _give_up(self) -> None:
        """Closing waits for those who still read; for those who do not, for one look."""
        unread = self.transport.get_write_buffer_size()
        if unread == self._unread:
            self.transport.abort()
        else:
            self._unread = unread
            self._look_in(self.timeout_keep_alive)


async def _cut_short(_scope: Any, _receive: Any, send: Any) -> None:
    """Answer a request that its sender did not finish, behind others that it did."""
    text = b"The request was not finished."
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(text))]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": text})
