"""The load at a fixed rate tells the truth about a server that stands still, or goes away."""

import asyncio
import math
import time

import pytest
from rig.pace import Answer, pace, quantile, requests_of, summary

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Answers at once, but stands still, or hangs up, at the requests with these numbers."""

    def __init__(self, *, still: int | None = None, hang_up: int | None = None) -> None:
        self.still, self.hang_up, self.asked, self.bodies = still, hang_up, 0, []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readline():
            while (line := await reader.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length"):
                    length = int(line.split(b":")[1])
            self.bodies.append(await reader.readexactly(length))
            assert head.startswith(b"POST /p ")
            self.asked += 1
            if self.asked == self.still:
                time.sleep(0.3)
            if self.asked == self.hang_up:
                break
            writer.write(OK)
        writer.close()


def load(tmp_path, server: Server, **how: float) -> list[Answer]:
    bodies = tmp_path / "bodies"
    bodies.write_text('{"a":1}\n{"a":2}')

    async def run() -> list[Answer]:
        serving = await asyncio.start_server(server, "127.0.0.1", 0)
        port = serving.sockets[0].getsockname()[1]
        answers = await pace(port, requests_of("/p", bodies), connections=4, **how)
        serving.close()
        await asyncio.sleep(0.05)
        return answers

    return asyncio.run(run())


def test_every_request_is_sent_at_its_rate_and_answered(tmp_path):
    server = Server()

    answers = load(tmp_path, server, rate=200, seconds=0.5)

    assert sorted(answer.number for answer in answers) == list(range(100))
    assert {answer.status for answer in answers} == {200}
    assert sorted(server.bodies) == [b'{"a":1}'] * 50 + [b'{"a":2}'] * 50
    due = sorted(answer.due for answer in answers)
    assert due[-1] - due[0] == pytest.approx(0.495)


def test_a_server_that_stands_still_delays_all_who_were_due_meanwhile(tmp_path):
    answers = load(tmp_path, Server(still=20), rate=200, seconds=0.5)

    late = [answer for answer in answers if answer.latency_ms > 100]
    assert len(late) >= 35  # 0.3 s at 200 a second are 60, those in the last 0.1 s wait less
    assert summary(answers)["p99_ms"] > 250


def test_a_request_without_an_answer_has_failed_and_the_others_go_on(tmp_path):
    answers = load(tmp_path, Server(hang_up=10), rate=200, seconds=0.25)

    failed = [answer for answer in answers if answer.status != 200]
    assert (len(answers), len(failed), failed[0].status) == (50, 1, 0)


def test_a_quantile_is_a_value_that_was_seen():
    values = [5.0, 1.0, 4.0, 2.0, 3.0]

    assert [quantile(values, share) for share in (0.0, 0.2, 0.5, 0.99, 1.0)] == [1.0, 1.0, 3.0, 5.0, 5.0]
    assert math.isnan(quantile([], 0.5))
