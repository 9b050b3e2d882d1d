"""Changes have threads of their own; neither readers nor statistics keep one waiting."""

import asyncio
import sqlite3
import threading
import time

import pytest
from admin_making import SAID
from router_live import plan_after

from router.admin.lanes import Lane
from router.admin.refusals import Busy
from router.lastgood import override_of


def test_a_rollback_does_not_wait_for_statistics_and_its_note_is_told_after_them(admin, keeper, registry):
    registry.publish_plan(plan_after(registry, 100_000))
    computing, done = threading.Event(), threading.Event()

    def statistics():
        with keeper._lock:
            computing.set()
            done.wait(10)

    thread = threading.Thread(target=statistics)
    thread.start()
    computing.wait(10)
    began = time.monotonic()
    answer = admin.post("/v1/models/m/rollback", json=SAID)
    spent = time.monotonic() - began
    done.set()
    thread.join()

    assert (answer.status_code, spent < 5) == (200, True)
    assert [note["kind"] for note in admin.get("/v1/models/m/events").json()["events"]] == ["rolled_back"]


def test_a_rollback_does_not_wait_for_changes_that_wait_for_the_registry(admin, registry, settings):
    registry.publish_plan(plan_after(registry, 100_000))
    lock = sqlite3.connect(settings.registry_file, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    asked = [threading.Thread(target=admin.post, args=("/v1/models/m/pause",), kwargs={"json": SAID}) for _ in range(5)]
    asked.append(threading.Thread(target=admin.post, args=("/v1/models/m/rollback",), kwargs={"json": SAID}))
    for one in asked:
        one.start()
        time.sleep(0.05)
    began = time.monotonic()
    while not (off := override_of(settings.run_dir / "plans", "m")) and time.monotonic() - began < 5:
        time.sleep(0.01)

    lock.execute("ROLLBACK")
    for one in asked:
        one.join()
    assert (off.epoch, off.actor) == (2, "ann")
    assert registry.plan("m").challengers == ()


def test_a_full_lane_refuses_at_once_and_others_go_on():
    async def play():
        release, full, free = threading.Event(), Lane("full", 1, most=2), Lane("free", 1)
        waiting = [asyncio.create_task(full.run(release.wait)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Busy, match="2 requests of this kind"):
            await full.run(release.wait)
        other = await free.run(lambda: "done")
        release.set()
        return other, await asyncio.gather(*waiting), await full.run(lambda: "again")

    assert asyncio.run(play()) == ("done", [True, True], "again")


def test_items_come_in_order_and_end():
    async def play():
        return [item async for item in Lane("rows", 2).each(iter([b"a", b"b", b"c"]))]

    assert asyncio.run(play()) == [b"a", b"b", b"c"]
