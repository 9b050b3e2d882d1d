"""
Many kill -9 at random moments of rollouts under live traffic: always a lawful state, and an end by itself.

Worker, flow runs, Prefect server, router, control process, all of them, and the supervisor with all of them are
killed while challengers take the stage one after the other: the first and every third after it is bad and must be
taken off. Two people sign whenever they are asked, in a form or without. UNDERSTUDY_KILLS is the number of kills,
UNDERSTUDY_KILL_PAUSE the mean pause in seconds, UNDERSTUDY_KILL_LIMIT the seconds after which no more are made:

    UNDERSTUDY_KILLS=200 pytest -m long -s tests/e2e/test_rollout_crash_campaign.py
"""

import contextlib
import os
import threading
import time
from collections import Counter
from datetime import UTC, datetime

import httpx
import pytest
from rollout_storm import MODEL, PEOPLE, Caller, Storm, Watcher, publish_versions
from rollout_story import people
from storm_books import settled
from storm_people import Manager

from registry.store.registry import Registry

pytestmark = [pytest.mark.long, pytest.mark.timeout(3 * 3600)]
KILLS, PAUSE_S = int(os.environ.get("UNDERSTUDY_KILLS", "20")), float(os.environ.get("UNDERSTUDY_KILL_PAUSE", "8"))
SEED = int(os.environ.get("UNDERSTUDY_KILL_SEED", "0"))
LIMIT_S = float(os.environ.get("UNDERSTUDY_KILL_LIMIT", "7200"))
ENDS_WITHIN_S, SETTLES_WITHIN_S = 420, 480


def test_a_rollout_survives_any_kill_and_ends_by_itself(place, settings, tmp_path, capsys):
    stop, storm = threading.Event(), Storm(place, SEED)
    with people() as heard, Registry.open(settings.registry_url) as registry:
        publish_versions(place, settings, tmp_path, count=max(6, KILLS // 6), urls=heard.urls[:1])
        done = place.run("promote", MODEL, "v1.0.0", "--reason", "first", "--actor", "eve", seconds=300)
        assert done.returncode == 0, done.stderr
        caller = Caller(settings, registry, stop)
        manager, watcher = Manager(place, settings, registry, caller, stop), Watcher(registry, stop)
        manager.server.hasten()
        for one in (caller, manager, watcher):
            one.start()
        took = strike(storm, manager)
        manager.begin_more, calm = False, datetime.now(UTC)
        ended = ends_by_itself(registry)
        left, settling = settled(registry, manager.server, heard, calm, SETTLES_WITHIN_S)
        watcher.look()
        living = [one.is_alive() for one in (caller, manager, watcher)]
        stop.set()
        for one in (caller, manager, watcher):
            one.join(30)
        manager.server.close()
        with capsys.disabled():
            report(storm, caller, manager, watcher, took, ended)
            print(f"settled after {settling:.0f} s: {left}")

        assert all(living), living
        assert watcher.unlawful == []
        assert caller.wrong == [], "answers by another plan than the one they name"
        assert ended is not None, f"the last rollout had not ended after {ENDS_WITHIN_S} s"
        assert registry.verify_audit() == []
        no_sign_off_is_lost_or_used_twice(registry, manager)
        assert left is not None
        assert left.unwritten == [], "one incident per rollback"
        assert left.settled, left
        assert sum(left.twice.values()) <= storm.counts["everything"] + storm.counts["system"], left.twice


def strike(storm, manager):
    """Seconds that it took to make all kills."""
    began = time.monotonic()
    while sum(storm.counts.values()) < KILLS and time.monotonic() - began < LIMIT_S:
        for victim in storm.plan(KILLS - sum(storm.counts.values())):
            storm.kill(victim)
            if victim == "system":
                with contextlib.suppress(httpx.HTTPError):
                    manager.server.hasten()
            storm.rest(victim, PAUSE_S)
            if time.monotonic() - began > LIMIT_S:
                break
    return time.monotonic() - began


def ends_by_itself(registry):
    """Seconds until no rollout is active; None if that takes too long."""
    began = time.monotonic()
    while (took := time.monotonic() - began) < ENDS_WITHIN_S:
        if registry.active_rollout(MODEL) is None:
            return took
        time.sleep(0.5)
    return None


def no_sign_off_is_lost_or_used_twice(registry, manager):
    kept = {
        (rollout.id, one["role"], one["actor"], one["decision_digest"])
        for rollout in registry.rollouts(MODEL)
        for one in registry.approvals(rollout.id)
    }
    assert set(manager.signed) <= kept, "a sign-off that was acknowledged is gone"
    went_on = {rollout.id for rollout in registry.rollouts(MODEL) if any(one.share > 0 for one in rollout.results)}
    answered = {one for one in manager.answered if one[0] in went_on}
    assert answered <= {one[:3] for one in kept}, "an answer that the server acknowledged is gone"
    digests = Counter(digest for _, _, _, digest in kept)
    assert max(digests.values(), default=0) <= len(PEOPLE), "one question was signed for in two rollouts"
    for rollout in registry.rollouts(MODEL):
        given = {(role, actor) for id_, role, actor, _ in kept if id_ == rollout.id}
        answered_callers = any(step.share > 0 for step in rollout.results)
        assert not answered_callers or given == set(PEOPLE.items()), f"{rollout.id} went on without both"


def report(storm, caller, manager, watcher, took, ended):
    print(f"\n{sum(storm.counts.values())} kills in {took:.0f} s: {dict(storm.counts)}; up failed: {storm.failed_ups}")
    print(f"begun: {len(manager.begun)}; sign-offs: {len(set(manager.signed))}, in a form: {len(manager.answered)}")
    print(f"looks of the watcher: {watcher.looks}, refused: {dict(watcher.blind)}")
    print(f"callers: {dict(caller.statuses)}; refused: {dict(manager.refused)}")
    print(
        f"unlawful: {len(watcher.unlawful)}; wrong answers: {len(caller.wrong)}; the last rollout ended after {ended}"
    )
