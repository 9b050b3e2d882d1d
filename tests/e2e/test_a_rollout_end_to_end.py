"""A rollout in front of live callers, steered by people in a browser; then one whose challenger turns bad."""

import json
import math
import threading
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import httpx
import pytest
from rollout_story import MODEL, Callers, fitted, people, write_configuration

from registry.assignment import TOTAL
from registry.store.registry import Registry

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200), pytest.mark.filterwarnings("default")]
GOOD, BAD = "v1.1.0", "v1.2.0"
SHARES = [0, 100_000, 500_000, TOTAL]


@pytest.fixture(scope="module")
def told():
    with people() as heard:
        yield heard


@pytest.fixture(scope="module")
def ready(place, settings, told, tmp_path_factory):
    """A champion in service, two challengers in staging."""
    folder = tmp_path_factory.mktemp("story")
    champion, challenger, holdout = fitted(folder)
    commands = [("init", str(write_configuration(folder, told.urls)))]
    commands += [
        ("models", "publish", MODEL, str(file), "--data", str(holdout), "--actor", "cleo")
        for file in (champion, challenger, challenger)
    ]
    commands += [("promote", MODEL, "v1.0.0", "--reason", "the first one", "--actor", "cleo")]
    for words in commands:
        done = place.run(*words, seconds=120)
        assert done.returncode == 0, f"{words}: {done.stderr}"
    return folder


@pytest.fixture(scope="module")
def registry(settings, ready):
    with Registry.open(settings.registry_url) as registry:
        yield registry


@pytest.fixture(scope="module")
def looks(settings, ready):
    """Looks as often as a compressed clock asks for; each is a run of the deployment, one at a time."""
    ended = threading.Event()
    thread = threading.Thread(target=look_again, args=(settings, ended), name="looks")
    thread.start()
    yield
    ended.set()
    thread.join(60)


def look_again(settings, ended):
    base = settings.prefect_api_url
    with httpx.Client(base_url=base, trust_env=False, timeout=60) as http:
        deployment = http.get("/deployments/name/rollout/rollout-every-5-minutes").json()["id"]
        while not ended.wait(1.0):
            run = http.post(f"/deployments/{deployment}/create_flow_run", json={}).json().get("id")
            while run and not ended.wait(0.5):
                found = http.get(f"/flow_runs/{run}")
                if found.status_code == 200 and found.json()["end_time"]:
                    break


@pytest.fixture(scope="module")
def story(looks, place, pages, registry, settings, prefect, ready, told):
    """The rollout of the good challenger, from the click to the watch."""
    times = {}
    with Callers(settings).calling() as callers:
        until(lambda: len(callers.asked) > 200, 60)
        begun = begin_in_the_browser(pages, prefect, GOOD, times)
        rollout = until(lambda: registry.active_rollout(MODEL), 60)
        until(lambda: registry.rollout(rollout.id).status == "waiting_approval", 180)
        look_at(pages, begun, "rollout-shadow")
        before_the_gate = list(callers.asked)
        signed_at = agree(pages, prefect, registry, rollout.id, times)
        first = until(lambda: next((one for one in callers.asked if one.version == GOOD), None), 90)
        times["second sign-off to first caller answered by the challenger"] = first.at - signed_at
        watch_the_steps(pages, registry, rollout.id, times)
        watch = until(lambda: registry.watches(MODEL), 30)[0]
        promoted_at = time.time()
        until(lambda: len(callers.since(promoted_at + 2)) > 200, 60)
    print(json.dumps(times, indent=1))
    return SimpleNamespace(
        rollout=registry.rollout(rollout.id), callers=callers, before=before_the_gate, watch=watch, times=times
    )


def begin_in_the_browser(pages, prefect, version, times):
    """Fill in the form of the promotion; returns the run."""
    pages.form("promote-on-demand")
    for label, value in (
        ("model", MODEL),
        ("version", version),
        ("actor", "cleo"),
        ("reason", "better on the holdout"),
    ):
        pages.fill(label, value)
    pages.shot(f"promote-{version}")
    clicked = datetime.now(UTC)
    answer = pages.submit()
    assert answer.run, answer.said
    pages.run(answer.run)
    pages.wait_for_state("Completed")
    started = prefect.read_flow_run(answer.run).start_time
    times["click to run started"] = (started - clicked).total_seconds()
    return answer.run


def look_at(pages, run, name):
    """Keep the page of a run, and every artifact of it."""
    pages.run(run)
    pages.shot(name)
    for key in pages.artifacts():
        pages.artifact(key)
        pages.shot(f"{name}-{key}")
        pages.run(run)


def waiting_runs(prefect):
    """Runs that ask people, newest first."""
    from prefect.client.schemas.filters import FlowRunFilter

    wanted = FlowRunFilter.model_validate({"state": {"name": {"any_": ["Suspended"]}}})
    return prefect.read_flow_runs(flow_run_filter=wanted, limit=20)


def agree(pages, prefect, registry, rollout, times):
    """Two people answer the form; returns when the second one clicked."""
    for name, role, shown in (("Ann", "ml_lead", "first"), ("Bob", "business_owner", "second")):
        signed = len(registry.approvals(rollout))
        run = until(lambda: waiting_runs(prefect), 90)[0].id
        clicked = sign(pages, run, name, role, shown)
        until(lambda signed=signed: len(registry.approvals(rollout)) > signed, 60)
        times[f"{shown} sign-off: click to its row in the registry"] = time.time() - clicked
    look_at(pages, run, "gate-answered")
    return clicked


def sign(pages, run, name, role, shown):
    """Fill in the form of the gate; returns when it was sent."""
    pages.question(run)
    pages.shot(f"gate-{shown}-empty")
    pages.fill("Your name", name)
    pages.choose("Role", role)
    pages.choose("Decision", "yes")
    pages.fill("Reason", "I have read the report")
    pages.shot(f"gate-{shown}")
    clicked = time.time()
    assert pages.answer() == ""
    return clicked


def watch_the_steps(pages, registry, rollout, times):
    """Follow it to its end; a picture of every step."""
    seen, began = registry.rollout(rollout).step, time.time()
    while (now := registry.rollout(rollout)).active:
        assert time.time() < began + 400, f"{now.status} at step {now.step}: {now.said}"
        if now.step != seen:
            times[f"step {seen} took"], seen = round(time.time() - began, 1), now.step
            pages.page.goto(f"{pages.origin}/artifacts/key/rollout-{MODEL}")
            pages.page.wait_for_timeout(1500)
            pages.shot(f"rollout-step-{now.step}")
        time.sleep(0.2)
    assert now.status == "succeeded", now.said
    pages.artifact(f"rollout-{MODEL}")
    pages.shot("rollout-promoted")


def test_the_good_challenger_is_the_only_version_in_production(story, registry):
    stages = {one.version: one.stage for one in registry.versions(MODEL)}

    assert stages == {"v1.0.0": "archived", GOOD: "production", BAD: "staging"}
    assert [one.share for one in story.rollout.results] == SHARES
    assert {one.outcome for one in story.rollout.results} == {"successful"}
    assert registry.verify_audit() == []


def test_two_people_have_signed_and_nobody_was_answered_before(story, registry):
    signed = registry.approvals(story.rollout.id)

    assert [(one["actor"], one["role"]) for one in signed] == [("Ann", "ml_lead"), ("Bob", "business_owner")]
    assert {one.version for one in story.before} == {"v1.0.0"}


def test_no_caller_was_left_without_an_answer(story):
    assert story.callers.failed == []


def test_everybody_was_answered_as_a_committed_plan_says_and_shares_are_within_binomial_bounds(story, registry):
    check_traffic(registry, story.callers.asked)


def check_traffic(registry, asked):
    plans = {one.epoch: one for one in registry.plans(MODEL, limit=None)}
    by_epoch = {}
    for one in asked:
        plan = plans[one.epoch]
        assert one.at > plan.created_at.timestamp() - 1
        assert one.version == plan.version_of(plan.assign(one.key).variant) or one.reason != "bucket"
        by_epoch.setdefault(one.epoch, []).append(one.variant == "challenger")
    for epoch, seen in by_epoch.items():
        weight, n = sum(arm.weight for arm in plans[epoch].challengers) / TOTAL, len(seen)
        slack = 5 * math.sqrt(weight * (1 - weight) * n) + 1
        assert abs(sum(seen) - weight * n) <= slack, f"{sum(seen)} of {n} at {weight:.0%} by plan {epoch}"


def test_after_the_promotion_the_new_champion_answers_everybody_and_is_watched(story):
    last = story.callers.asked[-100:]

    assert {(one.version, one.variant) for one in last} == {(GOOD, "champion")}
    assert (story.watch.version, story.watch.former) == (GOOD, "v1.0.0")


def test_people_heard_of_every_turn_by_http_and_by_mail(story, told):
    wanted = ["waits for approval", "is the champion"]
    until(lambda: all(any(words in title for title in told.titles()) for words in wanted), 60)

    mails = "\n".join(told.mails)
    assert all(words in mails for words in wanted)
    print("\n".join(told.titles()))


def until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)
    return found
