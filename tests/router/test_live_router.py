"""The three processes together, over HTTP, as callers and operators see them."""

import time

import httpx
import psutil
import pytest
from router_live import Live, plan_after, wait_for

from registry.store.registry import Registry

pytestmark = pytest.mark.timeout(120)


def rows(count: int, start: int = 0) -> list[dict]:
    return [
        {"key": f"k{i}", "features": {"x": (i % 7) / 7, "c": "ab"[i % 2]}, "id": f"p{i}", "time": 1000.0 + i}
        for i in range(start, start + count)
    ]


def labels(count: int, start: int = 0) -> list[dict]:
    return [{"prediction_id": f"p{i}", "value": i % 2, "time": 2000.0 + i} for i in range(start, start + count)]


def test_the_loop_of_a_prediction_its_shadow_its_label_and_a_rollback(live: Live, registry: Registry):
    live.start("router", "control", "shadow")
    shadowing = plan_after(registry, 0, phase="shadow", shadows=("v1.1.0",))
    registry.publish_plan(shadowing)
    live.wait_for_epoch(2)

    answers = live.predict(rows(200))
    statuses = live.http.post("/v1/models/m/outcomes", json=labels(200)).json()["rows"]
    metrics = live.sync()

    assert {answer["variant"] for answer in answers} == {"champion"}
    assert {status["status"] for status in statuses} == {"accepted"}
    phase = metrics["phases"][-1]
    champion, shadow = phase["variants"]["champion"], phase["shadows"]["v1.1.0"]
    assert (champion["assigned"], champion["served"], champion["loss"]["n"]) == (200, 200, 200)
    assert (shadow["copies"], shadow["scored"], shadow["pairs"]) == (200, 200, 200)
    assert metrics["outcomes"] == {"joined": 200}

    live.admin.put("/v1/models/m/plan", content=plan_after(registry, 500_000).to_json()).raise_for_status()
    live.wait_for_epoch(3)
    answers = live.predict(rows(200, start=200))
    share = sum(answer["variant"] == "challenger" for answer in answers)
    assert 60 < share < 140
    assert {a["model_version"] for a in answers if a["variant"] == "challenger"} == {"v1.1.0"}
    metrics = live.sync()
    assert metrics["phases"][-1]["variants"]["challenger"]["served"] == share

    started = time.monotonic()
    back = live.admin.post("/v1/models/m/rollback", json={"reason": "test"})
    assert back.status_code == 200, back.text
    live.wait_for_epoch(4)
    assert all(answer["variant"] == "champion" for answer in live.predict(rows(50, start=400)))
    assert time.monotonic() - started < 2


def test_kill_9_of_every_process_loses_and_doubles_nothing(live: Live, registry: Registry):
    live.start("router", "control", "shadow")
    registry.publish_plan(plan_after(registry, 300_000, shadows=("v1.1.0",)))
    live.wait_for_epoch(2)
    sent = 0
    for victim in ("worker", "control", "shadow", "router", "control"):
        live.predict(rows(40, start=sent))
        live.http.post("/v1/models/m/outcomes", json=labels(40, start=sent)).raise_for_status()
        sent += 40
        if victim == "worker":
            worker = psutil.Process(live.http.get("/readyz").json()["worker"])
            worker.kill()
            wait_for(lambda dead=worker: live.http.get("/readyz").json()["worker"] != dead.pid, "new worker")
        else:
            live.kill(victim)
            live.start(victim)

    live.predict(rows(40, start=sent))
    metrics = live.sync()

    assert metrics["predictions"] == sent + 40
    assert metrics["outcomes"] == {"joined": sent}
    shadow = metrics["phases"][-1]["shadows"]["v1.1.0"]
    assert shadow["scored"] == shadow["copies"] > 0


def test_a_repeated_prediction_id_and_a_repeated_label_count_once(live: Live):
    live.start("router", "control")
    live.predict(rows(10))
    live.predict(rows(10))
    for body in (labels(10), labels(10), [{"prediction_id": "p1", "value": 0}]):
        live.http.post("/v1/models/m/outcomes", json=body).raise_for_status()
        metrics = live.sync()

    assert metrics["predictions"] == 10
    assert metrics["outcomes"]["joined"] == 10


def test_hostile_bodies_are_refused_by_name_and_kill_nobody(live: Live):
    live.start("router")
    pid = live.http.get("/readyz").json()["worker"]
    bodies = [
        b"",
        b"{",
        b"[]",
        b"null",
        b"NaN",
        b'{"features": {"x": NaN, "c": "a"}}',
        b'{"features": {"x": 1e999, "c": "a"}}',
        b'{"features": {"x": ' + b"9" * 5000 + b', "c": "a"}}',
        b'{"features": {"x": "1", "c": 2}}',
        b'{"features": {"x": 1}}',
        b'{"features": {"x": 1, "c": "a", "z": 1}}',
        b'{"features": [1]}',
        b'{"rows": []}',
        b'{"rows": 7}',
        b'{"id": "' + b"i" * 1_000_000 + b'", "features": [1, "a"]}',
        b"[" * 100_000,
        b'{"features": {"x": 1, "c": "\\ud800"}}',
        b"\xff\xfe",
    ]

    for body in bodies:
        answer = live.http.post("/v1/models/m/predict", content=body)
        assert 400 <= answer.status_code < 500, (body[:60], answer.status_code)
        assert set(answer.json()) == {"error", "why", "mend"}, body[:60]
        assert live.http.post("/v1/models/m/outcomes", content=body).status_code < 500, body[:60]

    odd = live.http.post("/v1/models/m/predict", content=b'{"key": "\\ud800", "features": [1, "a"]}').json()
    assert (odd["variant"], odd["reason"]) == ("champion", "unusable_key")
    assert live.http.post("/v1/models/nobody/predict", json={"features": []}).status_code == 404
    assert live.http.get("/readyz").json()["worker"] == pid


def test_no_admin_route_answers_without_the_token(live: Live):
    live.start("router", "control")
    calls = [
        ("GET", "/v1/models"),
        *[("GET", f"/v1/models/m/{name}") for name in ("plan", "plans", "metrics", "rows", "events")],
        *[("POST", f"/v1/models/m/{name}") for name in ("rollback", "pause", "resume", "sync")],
        ("PUT", "/v1/models/m/plan"),
    ]

    with httpx.Client(base_url=live.settings.admin_url, trust_env=False) as stranger:
        codes = {stranger.request(method, path, json={}).status_code for method, path in calls}

    assert codes <= {401, 429}


def test_the_router_starts_from_the_last_good_plan_when_the_registry_is_gone(live: Live, registry: Registry):
    live.start("router")
    live.kill("router")
    registry.close()
    live.settings.registry_file.rename(live.settings.home / "elsewhere.sqlite")

    live.start("router")

    assert live.predict(rows(1))[0]["model_version"] == "v1.0.0"
    assert live.http.get("/readyz").json()["status"] == "degraded"


def test_two_workers_log_join_and_obey_as_one(live: Live, registry: Registry):
    live.workers = 2
    live.start("router", "control")
    registry.publish_plan(plan_after(registry, 300_000))
    seen = both_workers(live, lambda ready: ready["epochs"].get("m") == 2)

    for start in range(0, 400, 10):
        with httpx.Client(base_url=live.settings.router_url, timeout=20, trust_env=False) as fresh:
            fresh.post("/v1/models/m/predict", json={"rows": rows(10, start)}).raise_for_status()
            fresh.post("/v1/models/m/outcomes", json=labels(10, start)).raise_for_status()
    metrics = live.sync()
    assert (metrics["predictions"], metrics["outcomes"]) == (400, {"joined": 400})
    assert len(list(live.settings.events_dir.glob("worker-*"))) == 2

    live.admin.post("/v1/models/m/rollback", json={"reason": "test"}).raise_for_status()
    assert both_workers(live, lambda ready: ready["epochs"].get("m") == 3) == seen


def both_workers(live: Live, said) -> set[int]:
    """Ask over new connections until two workers have said so; returns their process ids."""
    found: set[int] = set()

    def ask() -> bool:
        with httpx.Client(base_url=live.settings.router_url, timeout=20, trust_env=False) as fresh:
            ready = fresh.get("/readyz").json()
        if said(ready):
            found.add(ready["worker"])
        return len(found) == 2

    wait_for(ask, "two workers")
    return found
