"""
A process that promotes, rolls back, signs, aborts and watches without end, until it is killed.

`python promotion_killing.py URL` forks such a process for every line that it reads, writes its number, and waits for
its end: what is loaded is loaded once.
"""

import os
import random
import sys

import msgspec
from registry_making import WHO, a_notice, a_plan, a_rollout, a_watch

from registry.errors import RegistryError
from registry.records.rollout import Rollout
from registry.store.registry import Registry

VERSIONS = ("v1.0.0", "v1.1.0", "v1.2.0")


def frantic(registry: Registry, dice: random.Random) -> None:
    """Whatever comes to mind; what is refused is refused."""
    verbs = [begin, promote, promote, roll_back, take_off, abort, sign, look, beat]
    while True:
        try:
            dice.choice(verbs)(registry, dice)
        except RegistryError:
            continue


def begin(registry: Registry, dice: random.Random) -> None:
    champion = registry.champion("churn").version
    challenger = dice.choice([version for version in VERSIONS if version != champion])
    if registry.version("churn", challenger).stage == "rejected":
        registry.set_stage("churn", challenger, "staging", **WHO)
    name = registry.next_rollout_id("churn")
    registry.start_rollout(a_rollout(name, champion=champion, challenger=challenger), **WHO)


def promote(registry: Registry, _: random.Random) -> None:
    rollout, plan = under_way(registry), registry.plan("churn")
    registry.move_rollout(
        moved(rollout, status="succeeded"),
        plan=a_plan(plan.epoch + 1, champion=rollout.challenger),
        stages={rollout.challenger: "production", rollout.champion: "archived"},
        watch=a_watch(
            registry.next_watch_id("churn"), rollout_id=rollout.id, version=rollout.challenger, former=rollout.champion
        ),
        notices=[a_notice(f"{rollout.id}:promote")],
        **WHO,
    )


def roll_back(registry: Registry, dice: random.Random) -> None:
    registry.roll_back("churn", to=dice.choice([None, *VERSIONS]), **WHO)


def take_off(registry: Registry, _: random.Random) -> None:
    rollout, plan = under_way(registry), registry.plan("churn")
    following = a_plan(plan.epoch + 1, champion=rollout.champion, phase=f"{rollout.id}.rolled_back")
    ended = moved(rollout, status="rolled_back")
    registry.move_rollout(ended, plan=following, stages={rollout.challenger: "rejected"}, **WHO)


def abort(registry: Registry, _: random.Random) -> None:
    registry.move_rollout(moved(under_way(registry), status="aborted"), **WHO)


def sign(registry: Registry, dice: random.Random) -> None:
    registry.sign(under_way(registry).id, role="ml_lead", **WHO | {"actor": dice.choice(["ann", "bob"])})


def look(registry: Registry, dice: random.Random) -> None:
    watch = registry.watch("churn")
    if watch is not None:
        status = dice.choice(["active", "active", "passed"])
        registry.move_watch(msgspec.structs.replace(watch, looks=watch.looks + 1, status=status), **WHO)


def beat(registry: Registry, dice: random.Random) -> None:
    registry.pulse(under_way(registry).id, step=0, baked_s=dice.uniform(0, 60), at=WHO["at"])


def under_way(registry: Registry) -> Rollout:
    rollout = registry.active_rollout("churn")
    if rollout is None:
        raise RegistryError("Nothing moved.", "Nothing is under way.", "Begin.")
    return rollout


def moved(rollout: Rollout, **changes: object) -> Rollout:
    return msgspec.structs.replace(rollout, revision=rollout.revision + 1, **changes)


if __name__ == "__main__":
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            with Registry.open(sys.argv[1]) as opened:
                print(os.getpid(), flush=True)
                frantic(opened, random.Random(int(line)))
        os.waitpid(child, 0)
        print("gone", flush=True)
