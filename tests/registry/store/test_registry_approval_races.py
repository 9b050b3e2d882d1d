"""Sign-offs at the same moment: one person gets one role, and a no and a yes never both win."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from postgres_making import BOTH
from registry_making import NOON, WHO, a_rollout, install

from registry.errors import Refusal
from registry.store.registry import Registry

HERE = Path(__file__).parent.parent
ROUNDS = pytest.mark.parametrize("rounds", [3, pytest.param(100, marks=pytest.mark.long)])
SIGNER = """
import sys
sys.path.insert(0, sys.argv[1])
from registry_making import NOON
from registry.errors import Refusal
from registry.store.registry import Registry

with Registry.open(sys.argv[2]) as registry:
    print("ready", flush=True)
    for line in sys.stdin:
        name, actor, role, answer = line.split()
        try:
            registry.sign(name, actor=actor, role=role, reason="at once", answer=answer, at=NOON)
            print("taken", flush=True)
        except Refusal as refusal:
            print(type(refusal).__name__, flush=True)
"""


def asked(registry):
    name = registry.next_rollout_id("churn")
    registry.start_rollout(a_rollout(name, status="waiting_approval"), **WHO)
    return name


def end(registry):
    active = registry.active_rollout("churn")
    if active is not None:
        registry.sign(active.id, actor="zoe", role="ml_lead", reason="next round", answer="reject", at=NOON)


def at_once(*calls):
    gate, said = threading.Barrier(len(calls)), []

    def run(call):
        gate.wait()
        try:
            call()
            said.append("taken")
        except Refusal as refusal:
            said.append(type(refusal).__name__)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(said)


@BOTH
@ROUNDS
def test_two_threads_of_one_person_get_one_role(url, rounds):
    with Registry.open(url) as registry:
        install(registry, "v1.1.0")
        for _ in range(rounds):
            name = asked(registry)

            def sign(actor, role, name=name):
                return lambda: registry.sign(name, actor=actor, role=role, reason="at once", at=NOON)

            said = at_once(sign("ann", "ml_lead"), sign("Ann ", "business_owner"))

            assert said == ["ApprovalForbidden", "taken"]
            assert len(registry.approvals(name)) == 1
            assert not registry.gate(name).complete
            end(registry)
        assert registry.verify_audit() == []


@ROUNDS
def test_two_processes_of_one_person_get_one_role(url, rounds):
    with Registry.open(url) as registry, Signers(url) as signers:
        install(registry, "v1.1.0")
        for _ in range(rounds):
            name = asked(registry)

            said = signers.at_once(f"{name} ann ml_lead approve", f"{name} ANN business_owner approve")

            assert sorted(said) == ["ApprovalForbidden", "taken"]
            assert len(registry.approvals(name)) == 1
            end(registry)
        assert registry.verify_audit() == []


@BOTH
@ROUNDS
def test_of_a_yes_and_a_no_at_once_the_no_always_ends_it(url, rounds):
    with Registry.open(url) as registry:
        install(registry, "v1.1.0")
        for _ in range(rounds):
            name = asked(registry)

            def answer(actor, role, said, name=name):
                return lambda: registry.sign(name, actor=actor, role=role, reason="at once", answer=said, at=NOON)

            said = at_once(answer("ann", "ml_lead", "approve"), answer("bob", "business_owner", "reject"))

            assert said in (["taken", "taken"], ["StageConflict", "taken"])
            assert registry.rollout(name).status == "aborted"
            assert len(registry.approvals(name)) == said.count("taken") - 1
        assert registry.verify_audit() == []


class Signers:
    """Two processes that sign when they are told to."""

    def __init__(self, url):
        self._peers = [
            subprocess.Popen(
                [sys.executable, "-c", SIGNER, str(HERE), url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]

    def __enter__(self):
        assert [peer.stdout.readline() for peer in self._peers] == ["ready\n"] * 2
        return self

    def __exit__(self, *error):
        for peer in self._peers:
            peer.communicate(timeout=30)

    def at_once(self, *lines):
        for peer, line in zip(self._peers, lines, strict=True):
            peer.stdin.write(f"{line}\n")
        for peer in self._peers:
            peer.stdin.flush()
        return [peer.stdout.readline().strip() for peer in self._peers]
