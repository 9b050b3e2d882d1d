"""
Ramps up and back for ever, step by step, as rollouts do; a process of its own, to be killed at any point.

Of three rollouts one ends with a promotion, one with a rollback from here, and one with a rollback that
control is asked for over HTTP.
"""

import random
import sys
import time
from datetime import UTC, datetime

import httpx

from registry.errors import Refusal
from registry.records.policy import PromotionPolicy
from registry.records.rollout import Rollout, Step
from registry.store.registry import Registry
from router.admin.steps import Wish, next_step

SHARES = (0, 10_000, 50_000, 100_000, 250_000, 500_000)
VERSIONS = {"v1.0.0", "v1.1.0"}
CAUSE = {"actor": "ramp", "reason": "campaign"}


def move(registry: Registry, admin: httpx.Client) -> None:
    """One move of the rollout that is under way, or the start of the next one."""
    at = datetime.now(UTC)
    rollout, plan = registry.active_rollout("m"), registry.plan("m")
    assert plan is not None
    if rollout is None:
        start(registry, at)
        return
    end = int(rollout.id.removeprefix("r-")) % 3
    if rollout.step + 1 < len(rollout.steps) or end == 0:
        next_step(registry, rollout, plan, Wish(actor="ramp", reason="campaign", at=at))
    elif end == 1:
        registry.roll_back("m", at=at, **CAUSE)
    else:
        admin.post("/v1/models/m/rollback", json={"reason": rollout.id})


def start(registry: Registry, at: datetime) -> None:
    champion, name = registry.champion("m"), registry.next_rollout_id("m")
    assert champion is not None
    [challenger] = VERSIONS - {champion.version}
    if registry.version("m", challenger).stage in ("rejected", "archived"):
        registry.set_stage("m", challenger, "staging", at=at, **CAUSE)
    rollout = Rollout(
        id=name,
        model="m",
        champion=champion.version,
        challenger=challenger,
        steps=tuple(Step(share=share, min_s=0, max_s=1) for share in SHARES),
        policy=PromotionPolicy(metric="log_loss", require_approval=False),
        salt=name,
        step_started_at=at,
        created_at=at,
    )
    registry.start_rollout(rollout, at=at, **CAUSE)


def main(url: str, admin_url: str, token: str, pause_s: float) -> None:
    headers = {"Authorization": f"Bearer {token}", "X-Actor": "ramp"}
    with (
        Registry.open(url) as registry,
        httpx.Client(base_url=admin_url, headers=headers, timeout=5, trust_env=False) as admin,
    ):
        while True:
            try:
                move(registry, admin)
            except (Refusal, httpx.TransportError) as error:
                print(f"{type(error).__name__}: {error}", flush=True)
            time.sleep(random.uniform(0, 2 * pause_s))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]))
