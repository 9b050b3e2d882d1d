"""
Two who act on one model at the same moment: what each does, and what each hears.

`python promotion_racing.py URL` is a rival of its own process: it says "ready", reads one Turn per line and writes what
came of it.
"""

import sys
from typing import Any

import msgspec
from registry_making import NOON, WHO, a_plan, a_rollout, install, succeed

from registry.errors import RegistryError
from registry.store.registry import Registry


class Turn(msgspec.Struct):
    """What one rival does, with what it has read before."""

    verb: str
    actor: str
    rollout: str = ""
    epoch: int = 0


def act(registry: Registry, turn: Turn) -> str:
    """Do it; "done", or the refusal."""
    try:
        VERBS[turn.verb](registry, turn)
    except RegistryError as refusal:
        return f"{type(refusal).__name__}: {refusal}"
    return "done"


def promote(registry: Registry, turn: Turn) -> None:
    started = a_rollout(turn.rollout, champion="v1.1.0", challenger="v1.2.0")
    done = msgspec.structs.replace(started, revision=2, status="succeeded", said="promoted")
    stages: dict[str, Any] = {"v1.2.0": "production", "v1.1.0": "archived"}
    registry.move_rollout(done, plan=a_plan(turn.epoch + 1, champion="v1.2.0"), stages=stages, **said(turn))


def roll_back(registry: Registry, turn: Turn) -> None:
    registry.roll_back("churn", seen=turn.epoch, **said(turn))


def abort(registry: Registry, turn: Turn) -> None:
    started = a_rollout(turn.rollout, champion="v1.1.0", challenger="v1.2.0")
    registry.move_rollout(msgspec.structs.replace(started, revision=2, status="aborted", said="aborted"), **said(turn))


def approve(registry: Registry, turn: Turn) -> None:
    registry.sign(turn.rollout, role="ml_lead", **said(turn))


VERBS = {"promote": promote, "roll_back": roll_back, "abort": abort, "approve": approve}


def said(turn: Turn) -> dict[str, Any]:
    return {"actor": turn.actor, "reason": f"{turn.actor} wants to {turn.verb}", "at": NOON}


def prepare(registry: Registry, verbs: tuple[str, str]) -> list[Turn]:
    """Bring the model to where these two verbs meet: v1.1.0 is champion after v1.0.0, v1.2.0 is tried, or is it."""
    champion = registry.champion("churn")
    if champion is None:
        install(registry, "v1.1.0", "v1.2.0")
        succeed(registry, "v1.1.0")
    elif champion.version == "v1.2.0":
        registry.roll_back("churn", **WHO)
    if registry.version("churn", "v1.2.0").stage == "rejected":
        registry.set_stage("churn", "v1.2.0", "staging", **WHO)
    name = registry.next_rollout_id("churn")
    if verbs == ("roll_back", "roll_back"):
        succeed(registry, "v1.2.0", name)
    else:
        registry.start_rollout(a_rollout(name, champion="v1.1.0", challenger="v1.2.0"), **WHO)
    plan = registry.plan("churn")
    assert plan is not None
    return [Turn(verb, actor, name, plan.epoch) for verb, actor in zip(verbs, ("ann", "bob"), strict=True)]


if __name__ == "__main__":
    with Registry.open(sys.argv[1]) as opened:
        print("ready", flush=True)
        for line in sys.stdin:
            print(act(opened, msgspec.json.decode(line, type=Turn)), flush=True)
