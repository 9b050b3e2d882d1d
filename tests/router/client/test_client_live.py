"""The clients, their examples and curl against a real router, half of whose callers belong to a model server."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from router_live import wait_for

from registry.eventlog.segments import SHADOWS, SegmentReader
from registry.store.registry import Registry
from router.client import Client, NotAnswered, OutcomeRow, Refused, Row

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples" / "clients"
ROWS = [Row(features={"age": 41, "visits": n, "channel": "search"}, key=f"lead-{n}") for n in range(40)]


@pytest.fixture
def router(leads, upstreams):
    upstreams.mood = "good"
    with Client(leads.settings.router_url) as client:
        wait_for(lambda: challengers(client), "the circuit to close")
        yield client


def challengers(client):
    return [answer for answer in client.predict_many("leads", ROWS) if answer.variant == "challenger"]


def run(leads, *command):
    environ = os.environ | {"ROUTER": leads.settings.router_url, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_the_example_asks_and_tells(leads, router):
    said = run(leads, sys.executable, str(EXAMPLES / "predict.py"))

    assert re.match(r"0\.\d{3} says (champion|challenger) v1\.\d\.0 \(prediction [0-9a-f]{32}\)\naccepted\n", said)
    assert said.endswith("['accepted', 'accepted', 'accepted']\n")


def test_the_example_of_an_event_loop_asks_and_tells(leads, router):
    assert run(leads, sys.executable, str(EXAMPLES / "predict_async.py")) == "10 of 10 will buy\nTrue\n"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_example_of_curl_asks_and_tells(leads, router):
    answer, outcome, many = run(leads, "sh", str(EXAMPLES / "predict.sh")).splitlines()

    assert msgspec.json.decode(answer)["prediction_id"].startswith("curl-")
    assert msgspec.json.decode(outcome)["status"] == "accepted"
    assert [row["status"] for row in msgspec.json.decode(many)["rows"]] == ["accepted", "accepted"]


def test_a_model_server_answers_its_callers_and_the_champion_the_others(router):
    answers = router.predict_many("leads", ROWS)

    by_variant = {answer.variant: answer for answer in answers}
    assert by_variant["challenger"].score == 0.9
    assert by_variant["champion"].score == pytest.approx(0.7310586)
    assert not any(answer.fell_back for answer in answers)
    again = router.predict_many("leads", ROWS)
    assert [answer.variant for answer in again] == [answer.variant for answer in answers]


@pytest.mark.parametrize(("mood", "reason"), [("hung", "deadline"), ("500", "upstream_5xx")])
def test_whatever_the_model_server_does_every_caller_gets_a_number_in_time(router, upstreams, mood, reason):
    upstreams.mood = mood
    seen, slowest = set(), 0.0
    for row in ROWS:
        began = time.perf_counter()
        answer = router.predict("leads", row.features, key=row.key)
        slowest = max(slowest, time.perf_counter() - began)
        assert answer.score is not None
        if answer.assigned == "challenger":
            assert answer.fell_back
            seen.add(answer.reason)

    assert seen >= {reason, "breaker_open"}
    assert slowest < 1.5


def test_outcomes_are_told_twice_and_counted_once(router):
    answer = router.predict("leads", ROWS[0].features, key="twice")
    first, second = (router.outcome("leads", 1, prediction_id=answer.prediction_id) for _ in range(2))
    wrong = router.outcomes("leads", [OutcomeRow(value=2.5, key="a", prediction_id="b")])

    assert first.kept
    assert second.kept
    assert (wrong[0].status, wrong[0].kept) == ("invalid", False)


def test_the_words_of_the_router_reach_the_caller(router):
    with pytest.raises(Refused) as refused:
        router.predict("leads", {"age": "old", "visits": 1})
    assert "features.age is 'old'" in refused.value.why
    assert "features.channel is missing" in refused.value.why

    with pytest.raises(Refused, match="This router serves: leads"):
        router.predict("lead", {})


def test_a_model_server_as_champion_that_fails_is_an_error_with_ids(router, upstreams):
    assert {answer.score for answer in router.predict_many("sidecar", ROWS)} == {0.9}

    for mood, reason in (("500", "champion_upstream_5xx"), ("hung", "champion_deadline"), ("nan", "champion_")):
        upstreams.mood = mood
        with pytest.raises(NotAnswered, match=reason) as failed:
            router.predict_many("sidecar", ROWS[:2])
        assert all(len(answer.prediction_id) == 32 and answer.failed for answer in failed.value.answers)

    upstreams.mood = "good"
    assert router.predict("sidecar", ROWS[0].features).score == 0.9


def test_a_model_server_is_a_shadow_too_and_of_itself_shows_the_noise(leads, router):
    with Registry.open(leads.settings.registry_url) as registry:
        plan = registry.plan("sidecar")
        registry.publish_plan(msgspec.structs.replace(plan, epoch=2, shadows=("v1.0.0",)))
    leads.start("shadow")
    wait_for(lambda: router.predict("sidecar", ROWS[0].features).epoch == 2, "the next plan")
    asked = router.predict("sidecar", ROWS[0].features, prediction_id="copied")
    copies = []

    def copied():
        reader = SegmentReader(leads.settings.events_dir, (SHADOWS,))
        copies[:] = [event for path in reader.segments() for event in reader.read(path, 0)[0] if event.id == "copied"]
        return copies

    wait_for(copied, "the copy")
    assert asked.score == 0.9
    assert [(copy.version, copy.score, copy.error, copy.dropped) for copy in copies] == [("v1.0.0", 0.9, None, None)]
