"""Logs say who asked and what came of it; traces follow the W3C."""

import io
import json
import logging
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.logs import RequestLog, configure_logs, spans, trace_of
from router.operations.settings import ServeSettings

VALID = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_request_keeps_its_trace_and_gets_a_span_of_its_own():
    trace = trace_of(VALID)

    assert (trace.trace_id, trace.flags) == ("4bf92f3577b34da6a3ce929d0e0e4736", "01")
    assert trace.span_id != "00f067aa0ba902b7"
    assert trace.header == f"00-{trace.trace_id}-{trace.span_id}-01".encode()
    assert trace_of(trace.header).trace_id == trace.trace_id


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"00",
        VALID.upper(),
        VALID + b"-more",
        VALID[:-1],
        b"ff" + VALID[2:],
        b"00-" + b"0" * 32 + VALID[35:],
        VALID[:36] + b"0" * 16 + b"-01",
        b" " + VALID,
        VALID + b"\n",
        VALID.replace(b"-", b"_"),
    ],
)
def test_a_header_that_is_not_valid_is_no_trace(header):
    assert trace_of(header) is None


def test_a_version_to_come_is_read_as_far_as_it_is_known():
    assert trace_of(b"01" + VALID[2:] + b"-new-field").trace_id == VALID[3:35].decode()
    assert trace_of(b"cc" + VALID[2:-2] + b"ff").flags == "01"


@given(st.binary(max_size=80))
def test_no_header_breaks_the_reader(header):
    trace = trace_of(header)

    assert trace is None or trace_of(trace.header) is not None


def written(log_format, say):
    paper = io.StringIO()
    say(configure_logs(ServeSettings(log_format=log_format), paper))
    return paper.getvalue().splitlines()


@pytest.fixture(autouse=True)
def _loggers_as_before():
    ours = logging.getLogger("understudy")
    before = (ours.handlers[:], ours.level, ours.propagate)
    yield
    ours.handlers[:], ours.propagate = before[0], before[2]
    ours.setLevel(before[1])


def test_a_failed_request_is_a_line_of_json_with_prediction_and_trace():
    trace = trace_of(VALID)
    [line] = written("json", lambda log: log.failed(500, "raised", model="churn", prediction_id="p1", trace=trace))
    said = json.loads(line)

    assert said.pop("time").endswith("+00:00")
    assert said.pop("pid") > 0
    assert said == {
        "level": "error",
        "logger": "understudy.router.requests",
        "message": "request failed",
        "outcome": "failed",
        "status": 500,
        "reason": "raised",
        "model": "churn",
        "prediction_id": "p1",
        "trace_id": trace.trace_id,
        "span_id": trace.span_id,
    }


def test_the_same_is_one_line_of_text_for_people_whatever_is_in_it():
    [line] = written("text", lambda log: log.refused(422, "BadRequest", model="a\nb\x1b[31m" + "x" * 500))

    assert line.endswith("x'")
    assert "request refused: status=422 reason='BadRequest' model='a\\nb\\x1b[31mxxx" in line
    assert len(line) < 400


def test_a_flood_is_cut_and_what_was_left_out_is_counted():
    now = [0.0]
    log, paper = RequestLog(5, lambda: now[0]), io.StringIO()
    configure_logs(ServeSettings(log_format="json"), paper)
    for _ in range(100):
        log.refused(422, "BadRequest")
    now[0] = 1.0
    log.refused(422, "BadRequest")
    lines = [json.loads(line) for line in paper.getvalue().splitlines()]

    assert len(lines) == 6
    assert lines[-1]["suppressed"] == 95


def test_an_exception_is_in_the_same_line():
    def fail(_log):
        try:
            raise ValueError("boom")
        except ValueError:
            logging.getLogger("understudy.router").exception("it failed")

    [line] = written("json", fail)

    assert "ValueError: boom" in json.loads(line)["exception"]


def test_spans_are_off_unless_they_are_wanted_and_then_follow_the_caller():
    assert spans(ServeSettings()) is None
    code = (
        "from router.logs import spans; from router.operations.settings import ServeSettings\n"
        "from opentelemetry import trace; from opentelemetry.sdk.trace import TracerProvider\n"
        "trace.set_tracer_provider(TracerProvider())\n"
        "span = spans(ServeSettings(tracing=True))\n"
        f"with span('predict', {VALID!r}) as made:\n"
        "    print(format(made.get_span_context().trace_id, '032x'))\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert said.stdout.strip() == "4bf92f3577b34da6a3ce929d0e0e4736", said.stderr
