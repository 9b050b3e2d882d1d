"""Rows of many callers share requests; a caller's bad rows, deadline or leaving is nobody else's."""

import asyncio
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upstream_making import closing, remote_of, truth

from registry.records.upstream import Upstream
from registry.upstream.failed import UpstreamFailed
from router.remote.gathering import MOST_ROWS, Gatherer


class Server:
    """Stands in for the network: answers each row by its own number, unless one is `bad`."""

    def __init__(self, pause=0.0, bad="none", gate=None):
        self.asked, self.pause, self.bad, self.gate = [], pause, bad, gate
        self.under_way = self.most = 0

    async def ask(self, rows, *, deadline_ms, retry):
        self.asked.append([row["x"] for row in rows])
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            async with asyncio.timeout(deadline_ms / 1000):
                await asyncio.sleep(self.pause)
                if self.gate:
                    await self.gate.wait()
        except TimeoutError as error:
            raise UpstreamFailed("deadline") from error
        finally:
            self.under_way -= 1
        if self.bad in [row["x"] for row in rows]:
            raise UpstreamFailed("upstream_4xx")
        return [row["x"] * 2 for row in rows]


def rows(*numbers):
    return [{"x": number} for number in numbers]


def gathered(server, most, *asked):
    """What each caller got; callers are (rows, deadline_ms, retry)."""

    async def run():
        gatherer = Gatherer(server, most)
        calls = [gatherer.ask(rows, deadline_ms=deadline, retry=retry) for rows, deadline, retry in asked]
        found = await asyncio.gather(*calls, return_exceptions=True)
        assert not gatherer._waiting
        await asyncio.sleep(0)
        assert not gatherer._calls
        return found

    return asyncio.run(run())


def test_callers_of_one_turn_share_a_request_and_each_gets_its_own():
    server = Server()

    found = gathered(server, 4, (rows(1, 2), 1000, False), (rows(3), 1000, False), (rows(4, 5), 1000, False))

    assert found == [[2, 4], [6], [8, 10]]
    assert server.asked == [[1, 2, 3, 4, 5]]


def test_champion_and_challenger_rows_never_share_a_request():
    server = Server()
    gathered(server, 4, (rows(1), 1000, False), (rows(2), 1000, True), (rows(3), 1000, True))

    assert server.asked == [[1], [2, 3]]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=1, max_size=80),
    st.integers(1, 5),
)
def test_everybody_gets_their_own_answer_within_the_bounds(sizes, most):
    numbers = itertools.count()
    asked = [(rows(*itertools.islice(numbers, size)), 5000, retry) for size, retry in sizes]
    server = Server()

    found = gathered(server, most, *asked)

    assert found == [[row["x"] * 2 for row in mine] for mine, _, _ in asked]
    assert server.most <= most
    assert max(map(len, server.asked)) <= MOST_ROWS
    assert sorted(number for call in server.asked for number in call) == list(range(sum(size for size, _ in sizes)))


def test_a_request_larger_than_the_bound_goes_by_itself_in_one():
    server = Server()
    found = gathered(server, 4, (rows(1), 1000, False), (rows(*range(MOST_ROWS + 5)), 1000, False))

    assert [len(call) for call in server.asked] == [1, MOST_ROWS + 5]
    assert len(found[1]) == MOST_ROWS + 5


def test_a_row_that_the_upstream_refuses_costs_a_champions_neighbours_nothing():
    server = Server(bad=13)
    found = gathered(server, 2, (rows(1), 1000, True), (rows(13), 1000, True), (rows(3), 1000, True))

    assert found[0] == [2]
    assert found[2] == [6]
    assert found[1].reason == "upstream_4xx"
    assert server.asked == [[1, 13, 3], [1], [13], [3]]


def test_challengers_are_never_asked_again_and_go_alone_for_a_while():
    server = Server(bad=13)

    async def run():
        gatherer = Gatherer(server, 2)

        async def ask(*numbers):
            calls = [gatherer.ask(rows(number), deadline_ms=1000, retry=False) for number in numbers]
            return await asyncio.gather(*calls, return_exceptions=True)

        first, second = await ask(1, 13), await ask(2, 3)
        gatherer._alone_until = 0.0
        return first, second, await ask(4, 5)

    first, second, third = asyncio.run(run())

    assert [found.reason for found in first] == ["upstream_4xx", "upstream_4xx"]
    assert (second, third) == ([[4], [6]], [[8], [10]])
    assert server.asked == [[1, 13], [2], [3], [4, 5]]


def test_a_deadline_is_of_the_caller_who_has_it():
    server = Server(pause=0.15)
    found = gathered(server, 1, (rows(1), 50, False), (rows(2), 2000, False))

    assert found[0].reason == "deadline"
    assert found[1] == [4]


def test_who_waits_for_a_free_connection_leaves_in_one_request():
    async def run():
        server = Server(gate=asyncio.Event())
        gatherer = Gatherer(server, 1)
        first = asyncio.create_task(gatherer.ask(rows(0), deadline_ms=2000, retry=False))
        await asyncio.sleep(0.01)
        others = [asyncio.create_task(gatherer.ask(rows(n), deadline_ms=2000, retry=False)) for n in range(1, 6)]
        given_up = others.pop(2)
        await asyncio.sleep(0.01)
        given_up.cancel()
        server.gate.set()
        return server, await asyncio.gather(first, *others)

    server, found = asyncio.run(run())

    assert found == [[0], [2], [4], [8], [10]]
    assert server.asked == [[0], [1, 2, 4, 5]]


def test_a_call_that_nobody_waits_for_any_more_is_ended():
    async def run():
        server = Server(gate=asyncio.Event())
        gatherer = Gatherer(server, 1)
        waiting = [asyncio.create_task(gatherer.ask(rows(n), deadline_ms=60_000, retry=False)) for n in range(3)]
        await asyncio.sleep(0.01)
        for task in waiting:
            assert server.under_way == 1
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await asyncio.sleep(0.01)
        return server.under_way, len(gatherer._calls)

    assert asyncio.run(run()) == (0, 0)


def test_what_nobody_thought_of_is_a_failure_of_these_rows_only():
    class Broken(Server):
        async def ask(self, rows, *, deadline_ms, retry):
            raise RuntimeError("unthinkable")

    found = gathered(Broken(), 1, (rows(1), 1000, False), (rows(2), 1000, True))

    assert [error.reason for error in found] == ["raised", "raised"]


def test_a_hundred_callers_at_once_are_a_few_requests_to_a_real_server(served):
    remote = remote_of(Upstream(url=f"{served.url}/score", protocol="json", connections=2))
    callers = [[{"x": n / 50, "c": "a"}] for n in range(100)]

    async def crowd():
        return await asyncio.gather(*[remote.ask(mine, deadline_ms=5000) for mine in callers])

    found = closing(remote, crowd)

    assert found == [[pytest.approx(truth(mine[0]))] for mine in callers]
    assert len(served.asked) == 1
