"""Many processes at once, and processes killed in the middle, leave a lawful state."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from postgres_making import BOTH
from registry_making import a_plan, a_version, install

from registry.store.registry import Registry

HERE = Path(__file__).parent.parent

PROMOTER = """
import sys
sys.path.insert(0, sys.argv[1])
import msgspec
from registry_making import WHO, a_plan, a_rollout
from registry.errors import PlanConflict, StageConflict, AlreadyExists
from registry.store.registry import Registry

challenger = sys.argv[3]

def promote(registry):
    champion, plan = registry.champion("churn"), registry.plan("churn")
    if champion.version == challenger:
        return "was it"
    rollout = a_rollout(registry.next_rollout_id("churn"), champion=champion.version, challenger=challenger)
    registry.start_rollout(rollout, **WHO)
    registry.move_rollout(
        msgspec.structs.replace(rollout, revision=2, status="succeeded"),
        plan=a_plan(plan.epoch + 1, champion=challenger),
        stages={challenger: "production", champion.version: "archived"}, **WHO)
    return "promoted"

with Registry.open(sys.argv[2]) as registry:
    print("ready", flush=True)
    for _ in sys.stdin:
        try:
            print(promote(registry), flush=True)
        except (PlanConflict, StageConflict, AlreadyExists) as refusal:
            print(type(refusal).__name__, flush=True)
"""

BLIND_PROMOTER = """
import sys, time
from datetime import datetime, UTC
from registry.errors import RegistryError
from registry.store.base import Cause
from registry.store.registry import Registry
from registry.store.stages import promote
from registry.store.versions import lock_model, one_version, production

url, challenger, start = sys.argv[2], sys.argv[3], float(sys.argv[4])
with Registry.open(url) as registry:
    time.sleep(max(0.0, start - time.time()))
    cause = Cause("ann", "race", datetime.now(UTC))
    for _ in range(40):
        with registry._writes() as connection:
            lock_model(connection, "churn")
            champion = production(connection, "churn")
            if champion.version != challenger:
                promote(connection, one_version(connection, "churn", challenger), champion, cause)
        found = [v.version for v in registry.versions("churn", "production")]
        print("one" if len(found) == 1 else f"bad {found}")
"""


def run_at_once(code: str, url: str, challengers: list[str]) -> Counter[str]:
    start = str(time.time() + 1.5)
    peers = [
        subprocess.Popen([sys.executable, "-c", code, str(HERE), url, name, start], stdout=-1, stderr=-1, text=True)
        for name in challengers
    ]
    said = [peer.communicate(timeout=120) for peer in peers]
    assert [peer.returncode for peer in peers] == [0] * len(peers), [err for _, err in said]
    return Counter(word for out, _ in said for word in out.splitlines())


def assert_lawful(registry: Registry) -> None:
    plans = registry.plans("churn", limit=None)
    assert len(registry.versions("churn", "production")) == 1
    assert registry.champion("churn").version == plans[0].version_of("champion")
    assert [plan.epoch for plan in plans] == list(range(len(plans), 0, -1))
    assert sum(rollout.active for rollout in registry.rollouts("churn")) <= 1
    assert registry.verify_audit() == []


class Rivals:
    """Four processes, each with a version that it promotes whenever it is told to."""

    def __init__(self, url: str, challengers: list[str]) -> None:
        words = [[sys.executable, "-c", PROMOTER, str(HERE), url, name] for name in challengers]
        self.peers = [subprocess.Popen(word, stdin=-1, stdout=-1, stderr=-1, text=True, bufsize=1) for word in words]
        assert [peer.stdout.readline() for peer in self.peers] == ["ready\n"] * len(challengers)

    def promote(self) -> list[str]:
        """Let all of them try at once; what each of them met."""
        for peer in self.peers:
            peer.stdin.write("go\n")
        return [peer.stdout.readline().strip() for peer in self.peers]

    def leave(self) -> str:
        """What they complained of."""
        said = [peer.communicate(timeout=60)[1] for peer in self.peers]
        assert [peer.returncode for peer in self.peers] == [0] * len(said), said
        return "".join(said)


@BOTH
@pytest.mark.parametrize("rounds", [5, pytest.param(40, marks=pytest.mark.long)])
def test_four_processes_that_promote_at_once_leave_one_production_in_every_round(url, rounds):
    challengers = ["v1.1.0", "v1.2.0", "v1.3.0", "v1.4.0"]
    with Registry.open(url) as registry:
        install(registry, *challengers)
        rivals = Rivals(url, challengers)
        left, met = Counter[int](), Counter[str]()
        for _ in range(rounds):
            met.update(rivals.promote())
            left[len(registry.versions("churn", "production"))] += 1
        complaints = rivals.leave()

        assert left == {1: rounds}
        assert complaints == ""
        assert met.keys() <= {"promoted", "was it", "PlanConflict", "StageConflict", "AlreadyExists"}
        assert met["promoted"] >= rounds
        assert_lawful(registry)


def test_every_one_of_160_racing_promotions_leaves_one_production(url):
    challengers = ["v1.1.0", "v1.2.0", "v1.3.0", "v1.4.0"]
    with Registry.open(url) as registry:
        install(registry, *challengers)
        said = run_at_once(BLIND_PROMOTER, url, challengers)

        assert said == {"one": 160}
        assert len(registry.versions("churn", "production")) == 1
        assert registry.verify_audit() == []


PUBLISHER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from registry_making import a_plan
from registry.errors import PlanConflict
from registry.store.registry import Registry

url, name, start = sys.argv[2], sys.argv[3], float(sys.argv[4])
with Registry.open(url) as registry:
    time.sleep(max(0.0, start - time.time()))
    for epoch in range(2, 42):
        while registry.plan("churn").epoch < epoch - 1:
            time.sleep(0.001)
        try:
            registry.publish_plan(a_plan(epoch, actor=name))
            print("published")
        except PlanConflict as refusal:
            assert f"Epoch {epoch}" in refusal.what and "newest is epoch" in refusal.why, refusal
            print("conflict")
"""


def test_of_two_publishers_of_one_epoch_one_wins_and_the_other_is_told(url):
    with Registry.open(url) as registry:
        install(registry)
        said = run_at_once(PUBLISHER, url, ["ann", "bob"])

        assert said == {"published": 40, "conflict": 40}
        assert [plan.epoch for plan in registry.plans("churn")] == list(range(41, 0, -1))
        assert registry.verify_audit() == []


FRANTIC = """
import sys
sys.path.insert(0, sys.argv[1])
import msgspec
from registry_making import WHO, a_plan, a_rollout
from registry.store.registry import Registry

with Registry.open(sys.argv[2]) as registry:
    print("ready", flush=True)
    while True:
        champion, plan = registry.champion("churn").version, registry.plan("churn")
        challenger = "v1.1.0" if champion == "v1.0.0" else "v1.0.0"
        rollout = registry.active_rollout("churn")
        if rollout is None:
            name = registry.next_rollout_id("churn")
            rollout = registry.start_rollout(a_rollout(name, champion=champion, challenger=challenger), **WHO)
        moved = msgspec.structs.replace(rollout, revision=rollout.revision + 1, status="succeeded")
        following = a_plan(plan.epoch + 1, champion=challenger)
        registry.move_rollout(moved, plan=following, stages={challenger: "production"}, **WHO)
"""


def test_a_process_killed_in_the_middle_of_promotions_leaves_a_lawful_state(url):
    dice = random.Random(7)
    with Registry.open(url) as registry:
        install(registry, "v1.1.0")
        for _ in range(5):
            before = len(registry.plans("churn", limit=None))
            peer = subprocess.Popen([sys.executable, "-c", FRANTIC, str(HERE), url], stdout=-1)
            assert peer.stdout is not None
            peer.stdout.readline()
            while len(registry.plans("churn", limit=None)) == before:
                assert peer.poll() is None
            time.sleep(dice.uniform(0.0, 0.25))
            os.kill(peer.pid, signal.SIGKILL)
            peer.communicate()
            assert_lawful(registry)


HALF_DONE = """
import os, sys, signal
sys.path.insert(0, sys.argv[1])
from registry_making import NOON
from registry.store import plans
from registry.store.registry import Registry
import registry.store.champions as champions

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

champions.publish = die
with Registry.open(sys.argv[2]) as registry:
    registry.roll_back("churn", to="v1.0.0", actor="ann", reason="r", at=NOON)
"""


def test_a_process_killed_after_the_stages_and_before_the_plan_changed_nothing(url):
    from registry_making import succeed

    with Registry.open(url) as registry:
        install(registry, "v1.1.0")
        succeed(registry, "v1.1.0")
        before = (registry.versions("churn"), registry.plans("churn"), registry.audit())
        peer = subprocess.run([sys.executable, "-c", HALF_DONE, str(HERE), url], check=False, timeout=60)

        assert peer.returncode == -signal.SIGKILL
        assert (registry.versions("churn"), registry.plans("churn"), registry.audit()) == before
        assert_lawful(registry)
        registry.roll_back("churn", actor="ann", reason="now really", at=a_plan().created_at)
        assert_lawful(registry)


def test_threads_may_share_a_registry(url):
    from concurrent.futures import ThreadPoolExecutor

    with Registry.open(url) as registry, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: registry.register_version(a_version(f"v1.{n}.0")), range(40)))

        assert len(registry.versions("churn")) == 40
        assert registry.verify_audit() == []
