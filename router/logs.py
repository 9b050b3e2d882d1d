"""Logs and traces of the serving processes: who asked, what came of it; never what was asked."""

import json
import logging
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple, TextIO

from router.operations.settings import ServeSettings

_LOG = logging.getLogger("understudy.router.requests")
_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)


class Trace(NamedTuple):
    """
    Where a request belongs, by W3C Trace Context.

    Attributes:
        trace_id: 32 hex digits, of the caller's whole operation.
        span_id: 16 hex digits, of this request here.
        flags: 2 hex digits; "01" if the caller records it.
    """

    trace_id: str
    span_id: str
    flags: str

    @property
    def header(self) -> bytes:
        """The value of `traceparent` for the answer, and for requests that this one causes."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}".encode()


def trace_of(header: bytes) -> Trace | None:
    """
    The place of a request under its caller's, with a span id of its own; None if the header is not valid.

    Source:
        W3C Trace Context (2021), section 3.2: version ff and ids of zeros only are invalid;
        a higher version is read as 00 if more follows behind its flags.
    """
    found = _PARENT.fullmatch(header)
    if found is None:
        return None
    version, trace_id, parent_id, flags, rest = found.groups()
    if version == b"ff" or (version == b"00" and rest) or not int(trace_id, 16) or not int(parent_id, 16):
        return None
    return Trace(trace_id.decode(), secrets.token_hex(8), f"{int(flags, 16) & 1:02x}")


class RequestLog:
    """
    Lines about refused and failed requests, at a bounded rate.

    Neither features nor keys are in them: those are in the event log, by prediction id.

    Args:
        per_s: Most lines a second; what is left out is counted in the next line.
        clock: Seconds, never going back.
    """

    def __init__(self, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._clock = per_s, clock
        self._room, self._at = per_s, clock()
        self._suppressed = 0

    def refused(self, status: int, reason: str, *, model: str = "", trace: Trace | None = None) -> None:
        """A request that was not answered because of what it was; *reason* is ours, and holds no value of it."""
        self._say(logging.INFO, "refused", status=status, reason=reason, model=model, trace=trace)

    def failed(
        self, status: int, reason: str, *, model: str = "", prediction_id: str | None = None, trace: Trace | None = None
    ) -> None:
        """A request that got an error although nothing was wrong with it."""
        self._say(
            logging.ERROR, "failed", status=status, reason=reason, model=model, prediction_id=prediction_id, trace=trace
        )

    def _say(self, level: int, word: str, *, trace: Trace | None, **facts: Any) -> None:
        if not self._may():
            self._suppressed += 1
            return
        if trace is not None:
            facts |= {"trace_id": trace.trace_id, "span_id": trace.span_id}
        if self._suppressed:
            facts["suppressed"], self._suppressed = self._suppressed, 0
        said = {name: _bounded(value) for name, value in facts.items() if value not in (None, "")}
        shown = " ".join(f"{name}={value!r}" for name, value in said.items())
        _LOG.log(level, "request %s: %s", word, shown, extra={"facts": {"outcome": word, **said}})

    def _may(self) -> bool:
        now = self._clock()
        self._room = min(self._per_s, self._room + (now - self._at) * self._per_s)
        self._at = now
        if self._room < 1:
            return False
        self._room -= 1
        return True


class JsonLines(logging.Formatter):
    """One JSON object per line: time, level, logger, message, and the facts of a request."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        facts: dict[str, Any] = getattr(record, "facts", {})
        document = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": f"request {facts['outcome']}" if "outcome" in facts else record.getMessage(),
            "pid": record.process,
            **facts,
        }
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps(document, default=str)


def configure_logs(settings: ServeSettings | None = None, stream: TextIO = sys.stderr) -> RequestLog:
    """Send our loggers to *stream* in the chosen format; gives the log of requests."""
    chosen = settings or ServeSettings()
    handler = logging.StreamHandler(stream)
    if chosen.log_format == "json":
        handler.setFormatter(JsonLines())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    ours = logging.getLogger("understudy")
    ours.handlers[:] = [handler]
    ours.setLevel(logging.INFO)
    ours.propagate = False
    return RequestLog(chosen.log_per_s)


def _bounded(value: Any) -> Any:
    return value[:200] if isinstance(value, str) else value


Span = Callable[[str, bytes | None], Any]


def spans(settings: ServeSettings | None = None) -> Span | None:
    """
    Make OpenTelemetry spans, if that is switched on; None otherwise, so that a request costs one comparison.

    The exporter is chosen by OpenTelemetry's own means (`opentelemetry-instrument`, `OTEL_*`); without one
    the spans go nowhere.

    Returns:
        A context manager of a span, from its name and the caller's `traceparent`.
    """
    if not (settings or ServeSettings()).tracing:
        return None
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    tracer, propagator = trace.get_tracer("understudy.router"), TraceContextTextMapPropagator()

    @contextmanager
    def span(name: str, traceparent: bytes | None) -> Iterator[Any]:
        carrier = {"traceparent": traceparent.decode("latin-1")} if traceparent else {}
        with tracer.start_as_current_span(name, propagator.extract(carrier), kind=trace.SpanKind.SERVER) as made:
            yield made

    return span
