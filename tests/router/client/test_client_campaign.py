"""Half a minute of moods: `pytest -m long -s tests/router/client/test_client_campaign.py`."""

import random
import threading
import time
from collections import Counter

import pytest
from router_live import wait_for

from router.client import Client, ClientError

pytestmark = pytest.mark.long
SECONDS, CALLERS = 30.0, 8
FEATURES = {"age": 41, "visits": 2, "channel": "search"}


def test_no_caller_ever_pays_for_the_moods_of_a_model_server(leads, upstreams):
    until, reasons, spent, wrong = time.monotonic() + SECONDS, Counter(), [], []

    def call(number):
        dice = random.Random(number)
        with Client(leads.settings.router_url, timeout=10) as client:
            while time.monotonic() < until:
                began = time.perf_counter()
                try:
                    answer = client.predict("leads", FEATURES, key=f"lead-{dice.randrange(10_000)}")
                except ClientError as error:
                    wrong.append(error)
                    continue
                spent.append((time.perf_counter() - began) * 1000)
                reasons[answer.reason] += 1
                if answer.score not in (0.9, pytest.approx(0.7310586)):
                    wrong.append(answer)

    callers = [threading.Thread(target=call, args=(number,)) for number in range(CALLERS)]
    for thread in callers:
        thread.start()
    dice = random.Random(7)
    while time.monotonic() < until:
        upstreams.mood = dice.choice(["good", "good", "500", "nan", "hung"])
        time.sleep(0.4)
    for thread in callers:
        thread.join()

    spent.sort()
    print(
        f"\n{len(spent)} calls, {len(wrong)} wrong; p50 {spent[len(spent) // 2]:.1f} ms, "
        f"p99 {spent[int(len(spent) * 0.99)]:.1f} ms, worst {spent[-1]:.1f} ms; {dict(reasons)}"
    )
    assert wrong == []
    assert {"bucket", "deadline", "upstream_5xx", "breaker_open"} <= set(reasons)
    assert spent[-1] < 2000
    upstreams.mood = "good"
    with Client(leads.settings.router_url) as client:
        wait_for(lambda: client.predict("leads", FEATURES, key="lead-1").reason == "bucket", "calm")
