"""The short path on the wire: whatever a client does to its connection, its requests are answered in order."""

import json
import select
import sys
import time

import pytest
from wire_making import FEATURES, Answers, ask, request, row


def test_a_prediction_takes_the_short_path_and_is_logged(served):
    with served.connected() as connection:
        [(status, answer)] = ask(connection, request(row("k")))

    assert (status, answer["epoch"], served.turns.answered) == (200, 2, 1)
    [event] = served.logged()
    assert event.id == answer["prediction_id"] and event.features == FEATURES


def test_pipelined_requests_of_both_paths_are_answered_in_their_order(served):
    odd = request(row("b", features=FEATURES | {"x": True}), b"expect-nothing: x")
    wrong, page = request(b"{"), request(b"", method=b"GET", path=b"/healthz")
    with served.connected() as connection:
        found = ask(
            connection,
            request(row("a", id="1")),
            odd,
            request(row("c", id="3")),
            wrong,
            page,
            request(row("d", id="6")),
        )

    assert [status for status, _ in found] == [200, 200, 200, 400, 200, 200]
    assert [found[i][1]["prediction_id"] for i in (0, 2, 5)] == ["1", "3", "6"]


def test_a_request_may_come_byte_by_byte(served):
    with served.connected() as connection:
        whole = request(row("k", id="slow"))
        for i in range(len(whole)):
            connection.sendall(whole[i : i + 1])
        [(status, answer)] = Answers().read(connection, 1)

    assert (status, answer["prediction_id"], served.turns.answered) == (200, "slow", 1)


@pytest.mark.parametrize(("header", "version"), [(b"connection: close", b"1.1"), (b"x: y", b"1.0")])
def test_a_connection_that_is_to_be_closed_is_closed_behind_the_answer(served, header, version):
    with served.connected() as connection:
        connection.sendall(request(row("k"), header, version=version))
        answers = Answers()
        [(status, _)] = answers.read(connection, 2)

    assert status == 200 and answers.closed


def test_who_expects_to_be_told_to_continue_is_told(served):
    body = json.dumps(row("k")).encode()
    head = b"POST /v1/models/m/predict HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(
        body
    )
    with served.connected() as connection:
        connection.sendall(head)
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(body)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_chunked_body_is_put_together(served):
    body = json.dumps(row("k", id="c")).encode()
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:]))
    with served.connected() as connection:
        [(status, answer)] = ask(connection, request(chunks + b"0\r\n\r\n", b"transfer-encoding: chunked"))

    assert (status, answer["prediction_id"], served.turns.answered) == (200, "c", 1)


def test_a_long_batch_is_answered_piece_by_piece_on_the_short_path(served):
    with served.connected() as connection:
        rows = [row(str(i), id=f"p{i}") for i in range(6000)]
        [(status, answer)] = ask(connection, request({"rows": rows}))

    assert (status, served.turns.answered) == (200, 6000)
    assert [one["prediction_id"] for one in answer["rows"]] == [one["id"] for one in rows]
    assert sorted(event.id for event in served.logged()) == sorted(one["id"] for one in rows)


def test_a_long_batch_with_an_odd_row_is_answered_or_refused_on_the_long_path(served):
    rows = [row(str(i)) for i in range(3000)]
    with served.connected() as connection:
        [(status, answer)] = ask(connection, request({"rows": [*rows, row("k", features=FEATURES | {"x": True})]}))
        assert (status, len(answer["rows"]), served.turns.answered) == (200, 3001, 0)
        [(status, answer)] = ask(connection, request({"rows": [*rows, row("k", features=FEATURES | {"x": "1"})]}))

    assert status == 422 and "rows[3000].features.x is '1'" in answer["why"]
    assert len(served.logged()) == 3001


@pytest.fixture
def brisk():
    """Client and server are threads of one process: neither may keep the other waiting for long."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.parametrize("last", [FEATURES, FEATURES | {"x": True}, FEATURES | {"x": "1"}])
def test_others_are_answered_while_a_long_batch_is(served, last, brisk):
    """Of the short path, of the long one, refused."""
    features = dict.fromkeys(FEATURES) | {"a colour!": "red" * 40}
    rows = [row(str(i), features=features) for i in range(9999)]
    with served.connected() as slow:
        slow.sendall(request({"rows": [*rows, row("k", features=last)]}))
        others = 0
        while others < 1000 and not select.select([slow], [], [], 0)[0]:
            with served.connected() as quick:  # one that waits for long counts as idle
                assert ask(quick, request(row("k")))[0][0] == 200
            others += 1
        Answers().read(slow, 1)

    assert others > 5


@pytest.mark.parametrize(
    ("made", "status"),
    [
        (request(b"", method=b"GET"), 405),
        (request(row("k"), path=b"/v1/models/other/predict"), 404),
        (request(row("k"), path=b"/v1/models//predict"), 404),
        (request(row("k"), path=b"/v1/models/m/predict?x=1"), 200),
        (request(row("k"), path=b"/v1/models/%6d/predict"), 200),
        (request(row("k", features={})), 422),
        (b"no http at all\r\n\r\n", 400),
    ],
)
def test_whatever_is_not_for_the_short_path_is_answered_as_before(served, made, status):
    with served.connected() as connection:
        connection.sendall(made)
        assert int(connection.recv(4096).split(b" ")[1]) == status
        assert served.turns.answered == 0


def test_an_idle_connection_is_closed_and_a_busy_one_is_not(served):
    with served.connected() as connection:
        for _ in range(4):
            assert ask(connection, request(row("k")))[0][0] == 200
            time.sleep(0.5)
        connection.settimeout(5)
        assert connection.recv(10) == b""


def test_what_was_asked_before_a_shutdown_is_answered(served):
    with served.connected() as connection:
        assert ask(connection, request(row("k")))
        connection.sendall(request(row("k", id="last")))
        served.server.should_exit = True
        assert Answers().read(connection, 1)[0][0] == 200
    served.thread.join(5)
    assert not served.thread.is_alive()


def test_who_vanishes_while_it_waits_harms_nobody(served):
    for _ in range(50):
        with served.connected() as connection:
            connection.sendall(request(row("gone")))
    with served.connected() as connection:
        assert ask(connection, request(row("k")))[0][0] == 200


@pytest.mark.parametrize("extra", [{}, {"x": True}])
def test_both_paths_name_their_place_in_the_callers_trace(served, extra):
    parent = b"00-" + b"ab" * 16 + b"-" + b"cd" * 8 + b"-01"
    with served.connected() as connection:
        connection.sendall(request(row("k", features=FEATURES | extra), b"traceparent: " + parent))
        head = connection.recv(4096).split(b"\r\n\r\n")[0].lower()

    [said] = [line for line in head.split(b"\r\n") if line.startswith(b"traceparent")]
    assert said.startswith(b"traceparent: 00-" + b"ab" * 16 + b"-") and b"cd" * 8 not in said and said.endswith(b"-01")
