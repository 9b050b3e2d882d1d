"""Whatever an upstream does, it ends by the deadline and under one of few words."""

import asyncio
import time

import pytest
from upstream_making import ROWS, SCORES, Rude, ask_once, closing, remote_of

from registry.records.upstream import Upstream
from registry.upstream.failed import UpstreamFailed
from router.models import reason_of


def upstream_of(served, **changes):
    return Upstream(**{"url": f"{served.url}/score", "protocol": "json", **changes})


def failure(remote, deadline_ms=2000.0, **options):
    with pytest.raises(UpstreamFailed) as refused:
        ask_once(remote, deadline_ms=deadline_ms, **options)
    return reason_of(refused.value)


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        ("500", "upstream_5xx"),
        ("404", "upstream_4xx"),
        ("redirect", "upstream_3xx"),
        ("204", "not_json"),
        ("text", "not_json"),
        ("empty", "not_json"),
        ("deep", "not_json"),
        ("gzip", "not_json"),
        ("huge", "too_large"),
        ("list", "wrong_shape"),
        ("fewer", "wrong_shape"),
        ("words", "wrong_shape"),
        ("true", "wrong_shape"),
        ("hung", "deadline"),
    ],
)
def test_an_answer_that_is_none_has_its_reason(served, mood, reason):
    served.mood = mood

    assert failure(remote_of(upstream_of(served)), deadline_ms=300 if mood == "hung" else 5000) == reason


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (b"", "unreachable"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", "unreachable"),
        (b"HTTP/1.1 200 OK\r\ncontent-le", "unreachable"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "unreachable"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "unreachable"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000, "unreachable"),
    ],
)
def test_a_connection_that_breaks_off_is_unreachable(reply, reason):
    rude = Rude(reply)

    assert failure(remote_of(Upstream(url=rude.url, protocol="json"))) == reason
    rude.close()


def test_nobody_listening_is_unreachable():
    assert failure(remote_of(Upstream(url="http://127.0.0.1:9/", protocol="json"))) == "unreachable"


def test_bytes_that_trickle_in_do_not_stretch_the_deadline():
    rude = Rude(b"HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\n" + b" " * 30, pause=0.05)
    remote = remote_of(Upstream(url=rude.url, protocol="json"))

    began = time.perf_counter()
    assert failure(remote, deadline_ms=300) == "deadline"
    spent = time.perf_counter() - began
    with pytest.raises(UpstreamFailed, match="deadline"):
        remote.score_now(ROWS, timeout=0.3)

    assert spent < 1.0
    rude.close()
    remote.retire()


def test_a_champion_is_asked_once_more_after_a_closed_connection_and_a_challenger_never():
    good = b'HTTP/1.1 200 OK\r\ncontent-length: 29\r\n\r\n{"predictions":[0.1,0.2,0.3]}'
    stale = Rude(b"", good)
    assert ask_once(remote_of(Upstream(url=stale.url, protocol="json")), retry=True) == [0.1, 0.2, 0.3]
    assert stale.connections == 2

    hopeless, once, half = Rude(b""), Rude(b"", good), Rude(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{")
    assert failure(remote_of(Upstream(url=hopeless.url, protocol="json")), retry=True) == "unreachable"
    assert failure(remote_of(Upstream(url=once.url, protocol="json"))) == "unreachable"
    assert failure(remote_of(Upstream(url=half.url, protocol="json")), retry=True) == "unreachable"
    assert (hopeless.connections, once.connections, half.connections) == (2, 1, 1)
    for server in (stale, hopeless, once, half):
        server.close()


def test_connections_are_kept_and_given_back_whatever_happens(served):
    remote = remote_of(upstream_of(served, connections=2))

    async def many():
        for mood in ("hung", "huge", "500", "redirect", "text") * 4:
            served.mood = mood
            asked = [remote.ask(ROWS, deadline_ms=60) for _ in range(4)]
            for found in await asyncio.gather(*asked, return_exceptions=True):
                assert isinstance(found, UpstreamFailed)
        served.mood = "good"
        return await asyncio.gather(*[remote.ask(ROWS, deadline_ms=5000) for _ in range(20)])

    assert closing(remote, many) == [pytest.approx(SCORES)] * 20


def test_a_request_given_up_by_its_caller_gives_its_connection_back(served):
    remote = remote_of(upstream_of(served, connections=1))

    async def given_up():
        served.mood = "hung"
        for _ in range(10):
            task = asyncio.create_task(remote.ask(ROWS, deadline_ms=60_000))
            await asyncio.sleep(0.02)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        served.mood = "good"
        return await remote.ask(ROWS, deadline_ms=5000)

    assert closing(remote, given_up) == pytest.approx(SCORES)


def test_waiting_for_a_connection_counts_towards_the_deadline(served):
    served.mood = "hung"
    remote = remote_of(upstream_of(served, connections=1))

    async def crowd():
        began = time.perf_counter()
        found = await asyncio.gather(*[remote.ask(ROWS, deadline_ms=200) for _ in range(10)], return_exceptions=True)
        return time.perf_counter() - began, {reason_of(error) for error in found}

    spent, reasons = closing(remote, crowd)

    assert reasons == {"deadline"}
    assert spent < 1.5


def test_after_retiring_connections_are_closed_and_whoever_asks_still_gets_an_answer(served):
    remote = remote_of(upstream_of(served))

    async def retired():
        await remote.ask(ROWS)
        waiting = asyncio.create_task(remote.ask(ROWS))
        await asyncio.sleep(0)
        await asyncio.to_thread(remote.retire)
        first = await waiting
        await asyncio.sleep(0.05)
        return first, await remote.ask(ROWS), len(remote._caller._clients)

    first, second, left = closing(remote, retired)

    assert first == second == pytest.approx(SCORES)
    assert left == 0
