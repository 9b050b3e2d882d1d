"""Rollouts in front of live callers: kept, taken back by one click, turned bad on the way, turned bad afterwards."""

import json
import math
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from rollout_story import Callers, fitted, people, write_configuration
from waiting import until

from registry.assignment import TOTAL
from registry.store.registry import Registry

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800), pytest.mark.filterwarnings("default")]
KEPT, TURNED, SOURED = "churn", "upsell", "renewal"
OLD, NEW = "v1.0.0", "v1.1.0"
GOES_ALONE = {"metric": "log_loss", "min_labelled": 100, "require_approval": False}
SHARES = [0, 100_000, 500_000, TOTAL]


@pytest.fixture(scope="module")
def told():
    with people() as heard:
        yield heard


@pytest.fixture(scope="module")
def registry(settings, place):
    with Registry.open(settings.registry_url) as registry:
        yield registry


@pytest.fixture(scope="module")
def served(place, told, tmp_path_factory):
    """Makes a model with a champion in service and a better challenger in staging."""

    def serve(model, **changes):
        folder = tmp_path_factory.mktemp(model)
        *files, holdout = fitted(folder)
        commands = [("init", str(write_configuration(folder, model, told.urls, changes)))]
        commands += [("models", "publish", model, str(one), "--data", str(holdout), "--actor", "cleo") for one in files]
        commands += [("promote", model, OLD, "--reason", "the first one", "--actor", "cleo")]
        for words in commands:
            done = place.run(*words, seconds=300)
            assert done.returncode == 0, f"{words}: {done.stderr}"

    return serve


@pytest.fixture(scope="module")
def kept(served, pages, registry, settings, prefect):
    """The rollout of a good challenger, from the click to the watch."""
    served(KEPT)
    times = {}
    with Callers(settings, KEPT).calling() as callers:
        until(lambda: len(callers.asked) > 200, 120)
        begun = begin_in_the_browser(pages, prefect, KEPT, times)
        rollout = asked_for_approval(registry, KEPT)
        look_at(pages, begun, "rollout-begun")
        before_the_gate = list(callers.asked)
        signed_at = agree(pages, prefect, registry, rollout.id, times)
        first = until(lambda: next((one for one in callers.asked if one.version == NEW), None), 300)
        times["second sign-off to first caller answered by the challenger"] = first.at - signed_at
        watch_the_steps(pages, registry, rollout, times)
        watch = until(lambda: registry.watches(KEPT), 120)[0]
        promoted_at = time.time()
        until(lambda: len(callers.since(promoted_at + 2)) > 200, 120)
    times["clicks that the busy server refused"] = pages.busy
    times["answers"] = len(callers.asked)
    print(json.dumps(times, indent=1))
    return SimpleNamespace(rollout=registry.rollout(rollout.id), callers=callers, before=before_the_gate, watch=watch)


@pytest.fixture(scope="module")
def turned(served, pages, registry, settings, place):
    """The rollout of a challenger that turns bad while it answers half of the callers."""
    served(TURNED)
    times = {}
    with Callers(settings, TURNED).calling() as callers:
        until(lambda: len(callers.asked) > 200, 120)
        said = place.run("promote", TURNED, NEW, "--reason", "better on the holdout", "--actor", "cleo", seconds=300)
        assert said.returncode == 0, said.stderr
        rollout = asked_for_approval(registry, TURNED)
        for name, role in (("Ann", "ml_lead"), ("Bob", "business_owner")):
            words = ("approve", TURNED, "--role", role, "--actor", name, "--reason", "I have read the report")
            assert place.run(*words, seconds=240).returncode == 0
        until(lambda: 0.3 < share_of_the_challenger(callers) < 0.7, 400)
        callers.turn()
        until(lambda: registry.rollout(rollout.id).status == "rolled_back", 300)
        times["first bad label to the rollback"] = time.time() - callers.turned_at
        last = until(lambda: quiet_since(callers), 120)
        times["first bad label to the last caller of the challenger"] = last - callers.turned_at
        incident = until(lambda: registry.incidents(TURNED), 120)[0]
    times["answers"] = len(callers.asked)
    print(json.dumps(times, indent=1))
    return SimpleNamespace(rollout=registry.rollout(rollout.id), callers=callers, incident=incident)


@pytest.fixture(scope="module")
def clicked_back(kept, pages, registry, settings):
    """The former champion, brought back by one click, with nothing typed."""
    with Callers(settings, KEPT).calling() as callers:
        until(lambda: len(callers.asked) > 100, 120)
        clicked = time.time()
        answer = pages.quick_run("rollback-on-demand")
        assert answer.run, answer.said
        first = until(lambda: next((one for one in callers.asked if one.version == OLD), None), 240)
        pages.run(answer.run)
        pages.wait_for_state("Completed")
        pages.shot("rollback-by-click")
        until(lambda: quiet_since(callers), 120)
    print(f"click on the rollback to the first caller of the former champion: {first.at - clicked:.1f} s")
    return SimpleNamespace(callers=callers, incident=registry.incidents(KEPT)[0])


@pytest.fixture(scope="module")
def soured(served, registry, settings, place):
    """A champion that turns bad after its promotion."""
    served(SOURED, rollout={"strategy": "direct", "speed": 8640}, promotion=GOES_ALONE)
    with Callers(settings, SOURED).calling() as callers:
        until(lambda: len(callers.asked) > 200, 120)
        said = place.run("promote", SOURED, NEW, "--reason", "better on the holdout", "--actor", "cleo", seconds=300)
        assert said.returncode == 0, said.stderr
        until(lambda: registry.watch(SOURED), 300)
        promoted = time.time()
        until(lambda: len(callers.since(promoted + 1)) > 500, 120)
        callers.turn()
        incident = until(lambda: next(iter(registry.incidents(SOURED)), None), 300)
        taken = time.time() - callers.turned_at
        last = until(lambda: quiet_since(callers), 120)
    spoilt = sum(one.version == NEW for one in callers.since(callers.turned_at))
    print(f"first bad label to the incident: {taken:.1f} s, to the last caller of it: {last - callers.turned_at:.1f} s")
    print(f"answers that it gave meanwhile: {spoilt}")
    return SimpleNamespace(callers=callers, incident=incident)


def share_of_the_challenger(callers):
    newest = callers.asked[-500:]
    return sum(one.version == NEW for one in newest) / max(len(newest), 1)


def quiet_since(callers):
    """When the challenger answered last, once nobody has heard of it for a while."""
    if share_of_the_challenger(callers) > 0:
        return None
    return max(one.at for one in callers.asked if one.version == NEW)


def asked_for_approval(registry, model):
    rollout = until(lambda: registry.active_rollout(model), 240)
    until(lambda: registry.rollout(rollout.id).status == "waiting_approval", 400)
    return rollout


def begin_in_the_browser(pages, prefect, model, times):
    """Fill in the form of the promotion; returns the run."""
    pages.form("promote-on-demand")
    for label, value in (
        ("model", model),
        ("version", NEW),
        ("actor", "cleo"),
        ("reason", "better on the holdout"),
    ):
        pages.fill(label, value)
    pages.shot("promote-form")
    clicked = datetime.now(UTC)
    answer = pages.submit()
    assert answer.run, answer.said
    pages.run(answer.run)
    pages.wait_for_state("Completed")
    started = prefect.read_flow_run(answer.run).start_time
    times["click to run started"] = (started - clicked).total_seconds()
    return answer.run


def look_at(pages, run, name):
    """Keep the page of a run, and every artifact of it, if somebody wants pictures."""
    if pages.shots is None:
        return
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
    """Two people answer the form, and one of them tries it twice; returns when the second one clicked."""
    answers = (("Ann", "ml_lead", "first"), ("Ann", "business_owner", "again"), ("Bob", "business_owner", "second"))
    for turn, (name, role, shown) in enumerate(answers):
        signed = len(registry.approvals(rollout))
        run = until(lambda turn=turn: asleep(prefect, f"answer-{turn}"), 240).id
        clicked = sign(pages, run, name, role, shown)
        if shown == "again":
            continue
        until(lambda signed=signed: len(registry.approvals(rollout)) > signed, 240)
        times[f"{shown} sign-off: click to its row in the registry"] = time.time() - clicked
    look_at(pages, run, "gate-answered")
    return clicked


def asleep(prefect, key):
    """The run that shows its form number *key*, if it is there."""
    return next((run for run in waiting_runs(prefect) if run.state.state_details.pause_key == key), None)


def sign(pages, run, name, role, shown):
    """Fill in the form of the gate; returns when it was sent."""
    said = pages.question(run)
    assert ("The last answer was not taken" in said) == (shown == "second"), said
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
    key, seen, began = f"rollout-{rollout.model}", registry.rollout(rollout.id).step, time.time()
    while (now := registry.rollout(rollout.id)).active:
        assert time.time() < began + 900, f"{now.status} at step {now.step}: {now.said}"
        if now.step != seen:
            times[f"step {seen} ended after"], seen = round(time.time() - began, 1), now.step
            if pages.shots is not None:
                pages.artifact(key)
                pages.shot(f"rollout-step-{now.step}")
        time.sleep(0.2)
    assert now.status == "succeeded", now.said
    times["promoted after"] = round(time.time() - began, 1)
    pages.artifact(key)
    pages.shot("rollout-promoted")


def test_the_good_challenger_is_the_only_version_in_production(kept, registry):
    stages = {one.version: one.stage for one in registry.versions(KEPT)}

    assert stages == {OLD: "archived", NEW: "production"}
    assert [one.share for one in kept.rollout.results] == SHARES
    assert {one.outcome for one in kept.rollout.results} == {"successful"}
    assert registry.verify_audit() == []


def test_two_people_have_signed_and_nobody_was_answered_before(kept, registry):
    signed = registry.approvals(kept.rollout.id)

    assert [(one["actor"], one["role"]) for one in signed] == [("Ann", "ml_lead"), ("Bob", "business_owner")]
    assert {one.version for one in kept.before} == {OLD}


def test_no_caller_was_left_without_an_answer(kept):
    assert kept.callers.failed == []


def test_everybody_was_answered_as_a_committed_plan_says_and_shares_are_within_binomial_bounds(kept, registry):
    assert against_the_plans(registry, kept.callers) == []


def test_after_the_promotion_the_new_champion_answers_everybody_and_is_watched(kept):
    last = kept.callers.asked[-100:]

    assert {(one.version, one.variant) for one in last} == {(NEW, "champion")}
    assert (kept.watch.version, kept.watch.former) == (NEW, OLD)


def test_people_heard_of_every_turn_by_http_and_by_mail(kept, told):
    assert unheard(told, f"{KEPT}: {NEW} waits for approval", f"{KEPT}: {NEW} is the champion") == []


def test_one_click_gives_the_callers_back_to_the_former_champion(clicked_back, registry):
    stages = {one.version: one.stage for one in registry.versions(KEPT)}

    assert stages == {OLD: "production", NEW: "archived"}
    assert clicked_back.incident.kind == "person"
    assert clicked_back.callers.failed == []
    assert {one.version for one in clicked_back.callers.asked[-100:]} == {OLD}


@pytest.mark.long
def test_a_champion_that_turned_bad_after_its_promotion_was_taken_back_by_the_watch(soured, registry, told):
    stages = {one.version: one.stage for one in registry.versions(SOURED)}

    assert stages[OLD] == "production"
    assert (soured.incident.kind, soured.incident.version, soured.incident.restored) == ("watch", NEW, OLD)
    assert [one.status for one in registry.watches(SOURED)] == ["rolled_back"]
    assert soured.callers.failed == []
    assert {one.version for one in soured.callers.asked[-100:]} == {OLD}
    assert unheard(told, f"{SOURED}: {NEW} is the champion", f"{SOURED}: {NEW} was rolled back") == []


def test_the_challenger_that_turned_bad_was_taken_off_and_its_end_is_written_up(turned, registry, pages, prefect):
    stages = {one.version: one.stage for one in registry.versions(TURNED)}
    key = f"incident-{TURNED}-{turned.incident.id}"

    assert stages == {OLD: "production", NEW: "rejected"}
    assert (turned.incident.version, turned.incident.restored) == (NEW, OLD)
    assert turned.incident.kind in ("guard", "rollout")  # whoever saw it first
    assert registry.verify_audit() == []
    until(lambda: key in artifacts(prefect), 400)
    assert NEW in pages.artifact(key)
    pages.shot("incident")


def artifacts(prefect):
    return [one.key for one in prefect.read_artifacts(limit=200)]


def test_the_champion_answers_everybody_again_and_nobody_was_left_without_an_answer(turned, registry):
    last = turned.callers.asked[-100:]

    assert {(one.version, one.variant) for one in last} == {(OLD, "champion")}
    assert turned.callers.failed == []
    assert against_the_plans(registry, turned.callers) == []


def test_people_heard_of_the_rollback_by_http_and_by_mail(turned, told):
    assert unheard(told, f"{TURNED}: {NEW} waits for approval", f"{TURNED}: {NEW} was rolled back") == []


def unheard(told, *wanted):
    """What of all that is wanted was not mailed; or everything that was posted, if the order was another."""
    until(lambda: all(words in told.titles() for words in wanted), 240)
    places = [told.titles().index(words) for words in wanted]
    mails = [" ".join(mail.split("\n\n")[0].split()) for mail in told.mails]
    print("\n".join(told.titles()))
    missing = [words for words in wanted if not any(words in mail for mail in mails)]
    return missing if places == sorted(places) else told.titles()


def against_the_plans(registry, callers):
    """Answers that no committed plan would have given, and shares beyond five standard deviations of what plans say."""
    plans, by_epoch, faults = {one.epoch: one for one in registry.plans(callers.model, limit=None)}, {}, []
    for one in callers.asked:
        plan = plans[one.epoch]
        dealt = one.version == plan.version_of(plan.assign(one.key).variant) or one.reason != "bucket"
        if not dealt or one.at <= plan.created_at.timestamp() - 1:
            faults.append(one)
        by_epoch.setdefault(one.epoch, []).append(one.variant == "challenger")
    for epoch, seen in by_epoch.items():
        weight, n = plans[epoch].weight_of("challenger") / TOTAL, len(seen)
        slack = 5 * math.sqrt(weight * (1 - weight) * n) + 1
        if abs(sum(seen) - weight * n) > slack:
            faults.append(f"{sum(seen)} of {n} at {weight:.0%} by plan {epoch}")
    return faults
