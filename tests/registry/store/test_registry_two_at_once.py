"""Two promotions, two rollbacks, or one against the other, at the same moment: one wins, the other hears who."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier

import msgspec
import promotion_racing
import pytest
from postgres_making import BOTH
from promotion_racing import Turn, act, prepare

from registry.store.registry import Registry

Meet = Callable[[list[Turn]], list[str]]
ROUNDS = pytest.mark.parametrize("rounds", [5, pytest.param(200, marks=pytest.mark.long)])
KINDS = pytest.mark.parametrize("kind", ["threads", "processes"])


@contextmanager
def threads(registry: Registry, _: str) -> Iterator[Meet]:
    """Two threads that share the registry."""
    barrier = Barrier(2)

    def at_once(turn: Turn) -> str:
        barrier.wait()
        return act(registry, turn)

    with ThreadPoolExecutor(2) as pool:
        yield lambda turns: list(pool.map(at_once, turns))


@contextmanager
def processes(_: Registry, url: str) -> Iterator[Meet]:
    """Two processes, each with a registry of its own."""
    word = [sys.executable, promotion_racing.__file__, url]
    here = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(promotion_racing.__file__).parent), *sys.path])}
    peers = [subprocess.Popen(word, stdin=-1, stdout=-1, text=True, bufsize=1, env=here) for _ in range(2)]

    def meet(turns: list[Turn]) -> list[str]:
        for peer, turn in zip(peers, turns, strict=True):
            peer.stdin.write(msgspec.json.encode(turn).decode() + "\n")
        return [peer.stdout.readline().strip() for peer in peers]

    try:
        assert [peer.stdout.readline() for peer in peers] == ["ready\n"] * 2
        yield meet
    finally:
        for peer in peers:
            peer.communicate(timeout=60)


def played(url, kind, rounds, verbs, check):
    """Play rounds; *check* each, and the whole at the end; returns who won how often."""
    won = Counter[str]()
    with Registry.open(url) as registry, {"threads": threads, "processes": processes}[kind](registry, url) as meet:
        for _ in range(rounds):
            turns = prepare(registry, verbs)
            heard = meet(turns)
            check(registry, turns, heard)
            won.update(turn.actor for turn, word in zip(turns, heard, strict=True) if word == "done")
            assert len(registry.versions("churn", "production")) == 1
            assert registry.champion("churn").version == registry.plan("churn").version_of("champion")
        assert registry.verify_audit() == []
    return won


@BOTH
@KINDS
@ROUNDS
def test_of_two_promotions_one_wins_and_the_other_hears_who(url, kind, rounds):
    def check(registry, turns, heard):
        loser = exactly_one(turns, heard, "PlanConflict")
        assert "was first" in loser
        assert registry.champion("churn").version == "v1.2.0"
        assert registry.rollout(turns[0].rollout).revision == 2

    won = played(url, kind, rounds, ("promote", "promote"), check)
    assert won.total() == rounds


@BOTH
@KINDS
@ROUNDS
def test_of_two_rollbacks_one_acts_and_the_other_says_so(url, kind, rounds):
    def check(registry, turns, heard):
        loser = exactly_one(turns, heard, "PlanConflict")
        assert "rolled it back while this was asked" in loser
        assert registry.champion("churn").version == "v1.1.0"
        assert len([i for i in registry.incidents("churn") if i.epoch > turns[0].epoch]) == 1

    won = played(url, kind, rounds, ("roll_back", "roll_back"), check)
    assert won.total() == rounds


@BOTH
@KINDS
@ROUNDS
def test_a_rollback_always_wins_against_a_promotion(url, kind, rounds):
    def check(registry, turns, heard):
        assert heard[1] == "done"
        assert heard[0] == "done" or "bob was first" in heard[0]
        assert registry.champion("churn").version == "v1.1.0"
        assert registry.plan("churn").challengers == ()
        assert registry.active_rollout("churn") is None

    won = played(url, kind, rounds, ("promote", "roll_back"), check)
    assert won["bob"] == rounds


@BOTH
@KINDS
@ROUNDS
def test_nobody_agrees_to_what_has_ended(url, kind, rounds):
    def check(registry, turns, heard):
        assert heard[1] == "done"
        assert heard[0] == "done" or "is aborted" in heard[0]
        assert len(registry.approvals(turns[0].rollout)) == (heard[0] == "done")
        mine = [e.action for e in registry.audit("churn", limit=4) if e.subject == turns[0].rollout]
        assert mine[0] == "rollout.aborted"

    won = played(url, kind, rounds, ("approve", "abort"), check)
    assert won["bob"] == rounds


def exactly_one(turns: list[Turn], heard: list[str], refusal: str) -> str:
    """What the one said that lost, which names the one that won."""
    assert sorted(word == "done" for word in heard) == [False, True], heard
    place = heard.index("done")
    assert heard[1 - place].startswith(refusal), heard
    assert turns[place].actor in heard[1 - place]
    return heard[1 - place]
