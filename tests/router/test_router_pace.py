"""Long work in pieces, one per turn of the event loop, whoever does it."""

import asyncio
from itertools import pairwise

import pytest

from router.pace import Pace


def test_few_items_are_done_at_once_and_many_piece_by_piece():
    async def done(count):
        return await Pace().each(range(count), 10, list)

    assert asyncio.run(done(10)) == [list(range(10))]
    assert asyncio.run(done(25)) == [list(range(10)), list(range(10, 20)), list(range(20, 25))]


def test_those_who_work_long_take_turns_and_others_come_in_between():
    said = []

    async def work(name, pace):
        await pace.each(range(30), 10, lambda piece: said.append(f"{name}{piece[0] // 10}"))

    async def talk():
        while len(said) < 30:
            await asyncio.sleep(0)
            said.append("-")

    async def all_of_them():
        pace = Pace()
        await asyncio.gather(work("a", pace), work("b", pace), talk())

    asyncio.run(all_of_them())
    assert [one for one in said if one != "-"] == ["a0", "b0", "a1", "b1", "a2", "b2"]
    assert all("-" in pair for pair in pairwise(said))


def test_a_piece_that_fails_lets_the_others_go_on():
    async def both():
        pace = Pace()
        with pytest.raises(ZeroDivisionError):
            await pace.each(range(20), 10, lambda piece: 1 / piece[0])
        return await pace.each(range(20), 10, len)

    assert asyncio.run(both()) == [10, 10]
