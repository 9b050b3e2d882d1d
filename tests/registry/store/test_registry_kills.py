"""Killed at any moment, a promotion or a rollback has happened with all that belongs to it, or not at all."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import promotion_killing
import pytest
from registry_making import install

from registry.store.registry import Registry


@pytest.mark.parametrize("kills", [20, pytest.param(100, marks=pytest.mark.long)])
def test_a_killed_process_leaves_nothing_half_written(url, kills):
    with Registry.open(url) as registry:
        install(registry, "v1.1.0", "v1.2.0")
        seen = killed(registry, url, kills)

        assert seen["promoted"] > 0
        assert seen["rolled_back"] > 0


def killed(registry, url, kills):
    """Kill so often, look each time; what was there at the end."""
    here = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(promotion_killing.__file__).parent), *sys.path])}
    words = [sys.executable, promotion_killing.__file__, url]
    dice, peer = random.Random(7), subprocess.Popen(words, stdin=-1, stdout=-1, text=True, bufsize=1, env=here)
    assert peer.stdout.readline() == "ready\n"
    try:
        for number in range(kills):
            peer.stdin.write(f"{number}\n")
            victim = int(peer.stdout.readline())
            wait_for_work(registry)
            time.sleep(dice.uniform(0.0, 0.1))
            os.kill(victim, signal.SIGKILL)
            assert peer.stdout.readline() == "gone\n"
            seen = looked_at(registry)
    finally:
        peer.communicate(timeout=60)
    return seen


def wait_for_work(registry):
    """On a busy machine a process may need long before it does anything."""
    before, until = registry.audit(limit=1), time.monotonic() + 10
    while registry.audit(limit=1) == before and time.monotonic() < until:
        time.sleep(0.002)


def looked_at(registry):
    """Everything that was written together is there together."""
    plans = registry.plans("churn", limit=None)
    rollouts, watches, incidents = registry.rollouts("churn"), registry.watches("churn"), registry.incidents("churn")
    keys = {notice.key for notice in registry.notices("churn")}
    promoted = {rollout.id for rollout in rollouts if rollout.status == "succeeded"}
    back = {plan.epoch for plan in plans if plan.phase.startswith("rollback.") or plan.phase.endswith(".rolled_back")}

    assert registry.verify_audit() == []
    assert [plan.epoch for plan in plans] == list(range(len(plans), 0, -1))
    assert [v.version for v in registry.versions("churn", "production")] == [plans[0].version_of("champion")]
    assert sum(rollout.active for rollout in rollouts) <= 1
    assert sum(watch.status == "active" for watch in watches) <= 1
    assert {watch.rollout_id for watch in watches} == promoted
    assert {f"{name}:promote" for name in promoted} == {key for key in keys if key.endswith(":promote")}
    assert {incident.epoch for incident in incidents} == back
    assert {w.version for w in watches if w.status == "active"} <= {plans[0].version_of("champion")}
    assert all(rollout.status != "rolled_back" or in_an_incident(rollout, incidents) for rollout in rollouts)
    return {"promoted": len(promoted), "rolled_back": len(back)}


def in_an_incident(rollout, incidents):
    return any(incident.rollout_id == rollout.id for incident in incidents)
