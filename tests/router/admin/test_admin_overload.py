"""
However much is asked of the router and of the admin port, a rollback is made within a second.

UNDERSTUDY_ROLLBACKS sets how many. The load is wrk's.
"""

import json
import os
import shutil
import signal
import statistics
import subprocess
import threading
import time
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from admin_making import SAID
from router_live import Live, plan_after, wait_for

from registry.eventlog.events import Observed, Predicted
from registry.eventlog.segments import PREDICTIONS, SegmentWriter
from registry.store.registry import Registry

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
ROLLBACKS = int(os.environ.get("UNDERSTUDY_ROLLBACKS", "100"))
HISTORY = 50_000
BODY = {"rows": [{"key": f"k{i}", "features": {"x": 0.5, "c": "a"}} for i in range(100)]}


@contextmanager
def overload(live: Live, tmp_path, connections: int = 256):
    """Callers who never pause, each with 100 rows at once; yields what wrk says of them, filled in at the end."""
    if shutil.which("wrk") is None:
        pytest.skip("wrk is not installed")
    script, said = tmp_path / "load.lua", []
    script.write_text(f"wrk.method = 'POST'\nwrk.body = [[{json.dumps(BODY)}]]\n")
    url = f"{live.settings.router_url}/v1/models/m/predict"
    command = ["wrk", "-t1", f"-c{connections}", "-d300s", "--latency", "--timeout", "30s", "-s", str(script), url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield said
        finally:
            process.send_signal(signal.SIGINT)
            wanted = ("50%", "99%", "Requests/sec", "Non-2xx", "Socket errors")
            lines = process.communicate(timeout=30)[0].splitlines()
            said += [" ".join(line.split()) for line in lines if line.strip().startswith(wanted)]


@contextmanager
def asking(live: Live, path: str, clients: int):
    """So many clients that ask one page of the admin port over and over; yields the statuses they got."""
    stop, statuses = threading.Event(), []

    def ask() -> None:
        with httpx.Client(base_url=live.settings.admin_url, headers=live.admin.headers, timeout=60) as client:
            while not stop.is_set():
                try:
                    statuses.append(client.get(path).status_code)
                except httpx.TransportError:
                    statuses.append(0)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


def rollbacks(live: Live, registry: Registry, count: int) -> list[float]:
    """Seconds that each took; each takes off a challenger that was just put on."""
    seconds = []
    for number in range(count):
        registry.publish_plan(plan_after(registry, 100_000, phase=f"canary.{number}"))
        began = time.monotonic()
        answer = live.admin.post("/v1/models/m/rollback", json=SAID | {"reason": f"number {number}"}, timeout=60)
        seconds.append(time.monotonic() - began)
        assert answer.status_code == 200, answer.text
        time.sleep(0.05)
        assert answer.json()["slices"] == [{"variant": "champion", "weight": 1_000_000}]
    return seconds


def history(live: Live) -> None:
    """A log of a phase that takes long to read and to sum up."""
    writer = SegmentWriter(live.settings.events_dir, PREDICTIONS)
    common = {"model": "m", "features": {"x": 1.0, "c": "a"}, "served": "champion", "assigned": "champion", "epoch": 1}
    common |= {"assigned_version": "v1.0.0", "version": "v1.0.0", "enrolled": True, "reason": "bucket", "weight": 10**6}
    common |= {"score": 0.5, "prediction": 1, "latency_ms": 1.0, "phase": "first"}
    for start in range(0, HISTORY, 1000):
        ids = range(start, start + 1000)
        writer.append([Predicted(**common, id=f"h{i}", key=f"k{i}", time=1000.0 + i) for i in ids])
        writer.append(
            [Observed(model="m", id=f"o{i}", prediction_id=f"h{i}", metric="label", value=1.0, time=9e5) for i in ids]
        )
    writer.flush()


def told(capsys, name: str, seconds: list[float], *more: object) -> None:
    ordered = sorted(seconds)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    with capsys.disabled():
        middle = statistics.median(seconds)
        print(
            f"\n{name}: {len(seconds)} rollbacks, median {middle:.3f} s, p99 {p99:.3f}, worst {ordered[-1]:.3f}", *more
        )


def test_under_ten_times_the_callers_that_fit_every_rollback_takes_at_most_a_second(live, registry, tmp_path, capsys):
    live.start("router", "control")
    with overload(live, tmp_path) as load:
        time.sleep(2)
        seconds = rollbacks(live, registry, ROLLBACKS)

    told(capsys, "overload", seconds, load)
    assert max(seconds) <= 1.0
    wait_for(lambda: live.http.get("/readyz").json()["epochs"]["m"] == registry.plan("m").epoch, "the last plan")


def test_readers_of_rows_and_metrics_do_not_keep_a_rollback_waiting(live, registry, capsys):
    live.start("router", "control")
    history(live)
    with ExitStack() as stack:
        rows = stack.enter_context(asking(live, "/v1/models/m/rows", 10))
        metrics = stack.enter_context(asking(live, "/v1/models/m/metrics", 20))
        time.sleep(3)
        seconds = rollbacks(live, registry, ROLLBACKS)

    told(capsys, "readers", seconds, f"(meanwhile {len(rows)} rows, {len(metrics)} metrics)")
    assert max(seconds) <= 1.0
    assert set(rows) <= {200}
    assert set(metrics) <= {200}
