"""Histories of a rollout on a real registry, against a second account of what should happen."""

import contextlib
import random
import sqlite3
from collections import Counter
from datetime import timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rollout_reference import GAP, MAX, MIN, Reference
from rollout_worlds import START, World, a_config, a_version
from sqlalchemy import event

from flows.rollout.begin import begin_rollout
from flows.rollout.tick import tick
from registry.assignment import TOTAL
from registry.errors import RegistryError
from registry.records.plan import CHAMPION, Guards
from registry.records.policy import PromotionPolicy
from registry.records.rollout import Step
from registry.records.verdict import Decision
from registry.steering import abort, pause, resume, skip
from registry.store.registry import Registry

STRATEGIES = ((0, 10, 50, 100), (10, 50, 100), (100,), (0,), (50,), (0, 100), (0, 0, 50))
LOOKS = ("good",) * 12 + ("bad", "slight", "even", "few", "unlabelled", "missing", "nan", "srm", "away")
JUMPS = (600, 600, 600, 900, 1200, 1200, 60, 0, 1201, 7200, 86_400, -1, -900, -7200)
PEOPLE = ("pause", "resume", "resume", "skip", "skip", "abort", "roll_back", "candidate")
DEEDS = ("look",) * 22 + ("sign",) * 5 + PEOPLE + ("two", "two", "kill", "kill", "kill")
SIGNERS = (("ann", "ml_lead"), ("bob", "business_owner"), ("bob", "business_owner"), ("Ann ", "business_owner"))
counted: Counter[str] = Counter()


class Killed(BaseException):
    """The process is gone."""


class Life:
    """One registry for all histories; every one begins with a copy of the same."""

    def __init__(self):
        self.registry = Registry.open("sqlite://")
        for name in ("v1.0.0", "v1.1.0"):
            self.registry.register_version(a_version(name))
        self.registry.install_first(
            "churn", "v1.0.0", guards=Guards(), salt="churn.first", actor="test", reason="first", at=START
        )
        self._born = sqlite3.connect(":memory:")
        self._raw().backup(self._born)
        self.statements, self.deadline = 0, None
        event.listen(self.registry._engine, "before_cursor_execute", self._count)
        self.configs = {
            (asks, end): a_config(require_approval=asks, on_expiry=end)
            for asks in (True, False)
            for end in ("abort", "hold")
        }

    def reborn(self):
        self._born.backup(self._raw())

    @contextlib.contextmanager
    def dying(self, statement):
        """Be killed at a statement, if there are as many; what has not committed by then has not happened."""
        self.statements, self.deadline = 0, statement
        try:
            yield
        except Killed:
            counted["killed"] += 1
        finally:
            self.deadline = None

    def _count(self, *_):
        self.statements += 1
        if self.deadline is not None and self.statements >= self.deadline:
            raise Killed

    def _raw(self):
        with self.registry._engine.connect() as connection:
            return connection.connection.driver_connection


@pytest.fixture(scope="module")
def life():
    life = Life()
    yield life
    life.registry.close()


class History:
    """One rollout, and what the reference says of it."""

    def __init__(self, life, dice):
        life.reborn()
        self.life, self.registry, self.dice = life, life.registry, dice
        shares, on_timeout = dice.choice(STRATEGIES), dice.choice(("ask", "ask", "advance", "hold", "roll_back"))
        asks, end = dice.random() < 0.6, dice.choice(("abort", "hold"))
        self.config, self.gap = life.configs[asks, end], dice.choice((GAP, GAP, None))
        self.now, self.world = START, World(self.registry)
        steps = tuple(Step(share=s * TOTAL // 100, min_s=MIN, max_s=MAX, on_timeout=on_timeout) for s in shares)
        self.rollout = begin_rollout(
            self.config, self.registry, model="churn", challenger="v1.1.0", decision=None, actor="ann", reason="test",
            at=START, steps=steps,
        )  # fmt: skip
        self.reference = Reference(shares, on_timeout, asks, end, self.gap, START)
        self.epoch, self.decisions = 1, 0

    def tick(self, world, meanwhile=None):
        self.world.now, self.world.meanwhile = world, None
        first = (lambda *_: meanwhile()) if meanwhile else (lambda *_: None)
        return tick(self.registry, self.world, "churn", self.config, self.now, longest_gap=self.gap, first=first)

    def look(self):
        world = self.dice.choice(LOOKS)
        expected = self.reference.look(self.now, world)
        move = self.tick(world)
        counted[f"move {move.kind}"] += 1
        assert move.kind == expected, (world, move.said)

    def two(self):
        """Another tick moves the rollout between the look and the commit of the first."""
        world = self.dice.choice(LOOKS)
        expected, kinds = self.reference.look(self.now, world), []
        first = self.tick(world, meanwhile=lambda: kinds.append(self.tick(world).kind))
        if expected in ("hold", "none"):
            assert (first.kind, kinds) == (expected, [])
        else:
            counted["races"] += 1
            assert (first.kind, kinds) == ("hold", [expected])

    def kill(self):
        """Whatever a killed tick has done, it has done wholly or not at all; what comes next goes on from there."""
        world, before = self.dice.choice(LOOKS), self.reference.clone()
        move = self.reference.look(self.now, world)
        with self.life.dying(self.dice.randint(1, 70)):
            assert self.tick(world).kind == move
            return
        if self.state() != self.expected():
            self.reference = before

    def sign(self):
        (person, role), yes = self.dice.choice(SIGNERS), self.dice.random() < 0.96
        self.same(
            self.reference.sign(person, role, yes, self.now),
            lambda: self.registry.sign(
                self.rollout.id, actor=person, role=role, reason="read it", at=self.now,
                answer="approve" if yes else "reject",
            ),
        )  # fmt: skip

    def pause(self):
        self.same(self.reference.pause(), lambda: pause(self.registry, "churn", **self.who()))

    def resume(self):
        self.same(self.reference.resume(self.now), lambda: resume(self.registry, "churn", **self.who()))

    def skip(self):
        self.same(self.reference.skip(self.now), lambda: skip(self.registry, "churn", **self.who()))

    def abort(self):
        if self.dice.random() < 0.3:
            self.same(self.reference.abort(), lambda: abort(self.registry, "churn", **self.who()))

    def roll_back(self):
        if not self.reference.over and self.dice.random() < 0.3:
            self.same(self.reference.roll_back(), lambda: self.registry.roll_back("churn", **self.who()))

    def candidate(self):
        """The decision that people are shown is replaced: nobody has agreed to the new one."""
        rollout = self.registry.active_rollout("churn")
        if rollout is None:
            return
        self.decisions += 1
        self.registry.save_decision(a_decision(f"d-{self.decisions}"))
        changed = msgspec.structs.replace(rollout, revision=rollout.revision + 1, decision_id=f"d-{self.decisions}")
        self.registry.move_rollout(changed, actor="test", reason="another decision", at=self.now)
        self.reference.change_candidate()

    def who(self):
        return {"actor": "ann", "reason": "a person", "at": self.now}

    def same(self, expected, deed):
        """A person is refused exactly where the reference says so."""
        try:
            deed()
            done = True
        except RegistryError:
            done = False
        counted["refused" if not done else "done"] += 1
        assert done == expected

    def state(self):
        rollout, pulse = self.registry.rollout(self.rollout.id), self.registry.pulse_of(self.rollout.id)
        mine = pulse is not None and pulse.step == rollout.step and rollout.active
        question = rollout.waiting.question if rollout.waiting and rollout.active else None
        baked = (round(pulse.baked_s, 3), pulse.at) if mine else (0.0, None)
        proven = rollout.active and rollout.proven
        return rollout.status, rollout.step, question, proven, baked, rollout.revision

    def expected(self):
        r = self.reference
        baked = (0.0, None) if r.over or r.last is None else (round(r.baked, 3), r.last)
        return r.status, r.step, r.question, r.proven and not r.over, baked, r.moves + 1

    def check(self):
        assert self.state() == self.expected()
        plan, stages = self.registry.plan("churn"), {v.version: v.stage for v in self.registry.versions("churn")}
        r = self.reference
        assert plan.version_of(CHAMPION) == r.production
        assert [v for v, stage in stages.items() if stage == "production"] == [r.production]
        assert stages["v1.1.0"] == r.stage
        assert plan.weight_of("challenger") == r.share * TOTAL // 100, "the committed step's share, and no other"
        assert plan.paused == (r.status == "paused")
        assert plan.epoch >= self.epoch
        self.epoch = plan.epoch


def a_decision(name):
    return Decision(
        id=name, model="churn", champion="v1.0.0", challenger="v1.1.0", kind="holdout", outcome="promote",
        headline="better", findings=(), policy=PromotionPolicy(metric="accuracy"), created_at=START,
    )  # fmt: skip


def live(life, seed):
    dice = random.Random(seed)
    history = History(life, dice)
    history.check()
    for _ in range(dice.randint(5, 40)):
        history.now += timedelta(seconds=dice.choice(JUMPS))
        getattr(history, dice.choice(DEEDS))()
        history.check()
        counted["deeds"] += 1
        if history.reference.over and dice.random() < 0.5:
            break
    counted["histories"] += 1
    counted[f"ended {history.reference.status}"] += 1
    if seed % 50 == 0:
        assert history.registry.verify_audit() == []


@settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_no_history_differs_from_the_reference(life, seed):
    live(life, seed)
    assert counted["histories"]


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_ten_thousand_histories_without_a_difference(life, capsys):
    counted.clear()
    for seed in range(10_000):
        live(life, seed)
    with capsys.disabled():
        print("\n" + "\n".join(f"{name}: {n:,}" for name, n in sorted(counted.items())))

    assert counted["histories"] == 10_000
