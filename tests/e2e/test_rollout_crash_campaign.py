"""
Many kill -9 at random moments of rollouts under live traffic: always a lawful state, and an end by itself.

Worker, flow runs, Prefect server, router, control process, all of them, and the supervisor with all of them are
killed while challengers take the stage one after the other: every third is bad and must be taken off. Two people sign
whenever they are asked. UNDERSTUDY_KILLS is the number of kills, UNDERSTUDY_KILL_PAUSE the mean pause in seconds:

    UNDERSTUDY_KILLS=200 pytest -m long -s tests/e2e/test_rollout_crash_campaign.py
"""

import os
import threading
import time
from collections import Counter

import pytest
from rollout_storm import MODEL, PEOPLE, Caller, Manager, Storm, Watcher, publish_versions

from registry.store.registry import Registry

pytestmark = [pytest.mark.long, pytest.mark.timeout(3 * 3600)]
KILLS, PAUSE_S = int(os.environ.get("UNDERSTUDY_KILLS", "20")), float(os.environ.get("UNDERSTUDY_KILL_PAUSE", "5"))
SEED = int(os.environ.get("UNDERSTUDY_KILL_SEED", "0"))
ENDS_WITHIN_S = 420


def test_a_rollout_survives_any_kill_and_ends_by_itself(place, settings, tmp_path, capsys):
    publish_versions(place, settings, tmp_path, count=max(6, KILLS // 6))
    done = place.run("promote", MODEL, "v1.0.0", "--reason", "first", "--actor", "eve", seconds=120)
    assert done.returncode == 0, done.stderr
    stop, storm = threading.Event(), Storm(place, SEED)
    with Registry.open(settings.registry_url) as registry:
        caller = Caller(settings, registry, stop)
        manager, watcher = Manager(place, registry, caller, stop), Watcher(registry, stop)
        for one in (caller, manager, watcher):
            one.start()
        began = time.monotonic()
        for victim in storm.plan(KILLS):
            storm.kill(victim)
            storm.rest(victim, PAUSE_S)
        took = time.monotonic() - began
        manager.begin_more = False
        ended = ends_by_itself(registry)
        watcher.look()
        stop.set()
        for one in (caller, manager, watcher):
            one.join(30)
        with capsys.disabled():
            report(registry, storm, caller, manager, watcher, took, ended)

        assert sum(storm.counts.values()) >= 0.9 * KILLS, "some found nobody to kill"
        assert watcher.unlawful == []
        assert caller.wrong == [], "answers by another plan than the one they name"
        assert ended is not None, f"the last rollout had not ended after {ENDS_WITHIN_S} s"
        assert registry.verify_audit() == []
        no_sign_off_is_lost_or_used_twice(registry, manager)


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
    digests = Counter(digest for _, _, _, digest in kept)
    assert max(digests.values(), default=0) <= len(PEOPLE), "one question was signed for in two rollouts"
    for rollout in registry.rollouts(MODEL):
        given = {(role, actor) for id_, role, actor, _ in kept if id_ == rollout.id}
        answered_callers = any(step.share > 0 for step in rollout.results)
        assert not answered_callers or given == set(PEOPLE.items()), f"{rollout.id} went on without both"


def report(registry, storm, caller, manager, watcher, took, ended):
    ends = Counter(one.status for one in registry.rollouts(MODEL))
    print(f"\n{sum(storm.counts.values())} kills in {took:.0f} s: {dict(storm.counts)}")
    print(f"rollouts: {dict(ends)}; sign-offs: {len(set(manager.signed))}; looks of the watcher: {watcher.looks}")
    print(f"callers: {dict(caller.statuses)}; refused: {dict(manager.refused)}")
    print(
        f"unlawful: {len(watcher.unlawful)}; wrong answers: {len(caller.wrong)}; the last rollout ended after {ended}"
    )
