"""Nobody turns a connection against the worker, and who has asked is answered before it ends."""

import json
import resource
import socket
import time
from contextlib import ExitStack, suppress

import pytest
from wire_making import FEATURES, Answers, ask, request, row

from router.hot import connection

LONG = FEATURES | {"x": True}  # only the long path takes a boolean for a number
JAVA = (
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA"
)


@pytest.mark.parametrize("features", [FEATURES, LONG])
def test_who_hangs_up_halfway_is_still_answered(served, features):
    with served.connected() as wire:
        wire.sendall(b"".join(request(row("k", id=str(i), features=features)) for i in range(20)))
        wire.shutdown(socket.SHUT_WR)
        found = Answers().read(wire, 20)
        assert wire.recv(1) == b""

    assert [answer["prediction_id"] for _, answer in found] == [str(i) for i in range(20)]


@pytest.mark.parametrize("features", [FEATURES, LONG])
def test_garbage_behind_a_request_does_not_take_its_answer_away(served, features):
    with served.connected() as wire:
        wire.sendall(request(row("k", features=features)) + request(row("k", features=features)) + b"!!!\r\n\r\n")
        answers = Answers()
        answers.read(wire, 4)

    assert [status for status, _ in answers.found][:2] == [200, 200] and answers.closed


def test_a_broken_body_behind_a_request_on_the_long_path_is_refused_in_its_turn(served):
    broken = b"POST /v1/models/m/outcomes HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"
    with served.connected() as wire:
        wire.sendall(request(row("k", features=LONG)) + broken)
        answers = Answers()
        answers.read(wire, 3)

    assert [status for status, _ in answers.found] == [200, 400] and answers.closed


def test_who_would_rather_speak_another_protocol_is_answered_in_this_one(served):
    """Java's own client asks for HTTP/2 with its first request, body and all."""
    whole = request(row("k", id="java"), JAVA)
    with served.connected() as wire:
        [(status, answer), (again, _)] = ask(wire, whole, request(row("k")))
        assert (status, answer["prediction_id"], again) == (200, "java", 200)
    with served.connected() as wire:
        for i in range(len(whole)):
            wire.sendall(whole[i : i + 1])
        assert Answers().read(wire, 1)[0][0] == 200


@pytest.mark.parametrize("start", [b"POST /", b"GET /healthz HTTP/1.1\r\nx: ", b"GET /healthz HTTP/1.1\r\n"])
def test_a_head_without_an_end_is_refused(served, start):
    with served.connected() as wire:
        wire.sendall(start)
        with pytest.raises(OSError):
            for _ in range(2000):
                wire.sendall(b"x: y\r\n" * 200 if start.endswith(b"\n") else b"x" * 1000)
                time.sleep(0.0002)


def test_requests_that_wait_for_an_earlier_one_are_bounded(served):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with served.connected() as wire:
        wire.sendall(b"GET /healthz HTTP/1.1\r\n\r\n" * 20_000)
        answers = Answers()
        answers.read(wire, 20_000)

    assert answers.closed and connection.MOST_WAITING <= len(answers.found) < 20_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000  # KiB


@pytest.mark.parametrize("first", [b"", request(b"", method=b"GET", path=b"/openapi.json") * 5])
def test_answers_that_nobody_reads_are_bounded(served, first):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with served.connected() as wire, suppress(OSError):  # the server waits, or has enough of us
        wire.sendall(first)
        wire.settimeout(1)
        for _ in range(2000):
            wire.sendall(request(row("k")) * 100)

    assert served.turns.answered < 50_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000  # KiB
    with served.connected() as wire:
        assert ask(wire, request(row("k")))[0][0] == 200


def test_who_is_answered_by_both_paths_has_as_much_time_for_the_next_question(served):
    with served.connected() as wire:
        for features in (FEATURES, LONG, LONG, LONG):
            assert ask(wire, request(row("k", features=features)))[0][0] == 200
            time.sleep(0.6)  # of the 1 s that it may be idle
        assert ask(wire, request(row("k")))[0][0] == 200


def test_who_connects_and_says_nothing_is_let_go(served):
    with served.connected() as wire:
        wire.settimeout(5)
        assert wire.recv(1) == b""


def test_a_request_that_stalls_is_given_up(served, monkeypatch):
    monkeypatch.setattr(connection, "STALLED_S", 1.5)
    begun = [b"POST", request(row("k"))[:-5], request(row("k"), b"expect: x")[:-5]]
    with ExitStack() as stack:
        wires = [stack.enter_context(served.connected()) for _ in begun]
        for wire, start in zip(wires, begun, strict=True):
            wire.sendall(start)
        time.sleep(1.2)  # longer than they might be idle
        for wire in wires:
            wire.sendall(b" ")
            wire.settimeout(5)
        assert [wire.recv(1) for wire in wires] == [b"", b"", b""]


def test_half_a_request_is_not_taken_for_a_whole_one(served):
    line = json.dumps({"prediction_id": "p", "value": 1}).encode() + b"\n"
    head = b"POST /v1/models/m/outcomes HTTP/1.1\r\ncontent-type: application/x-ndjson\r\ncontent-length: 9999\r\n\r\n"
    with served.connected() as wire:
        wire.sendall(head + line * 3)
    with served.connected() as wire:
        assert ask(wire, request(row("k")))[0][0] == 200
    time.sleep(0.1)

    assert not list((served.folder / "events").glob("outcomes-*"))
