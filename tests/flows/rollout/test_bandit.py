"""A weight that follows the evidence: phases of its own, callers who stay, and no more wrong promotions."""

from datetime import timedelta

import msgspec
import numpy as np
import pytest
from bandit_making import Sums, live_on, phase
from hypothesis import given
from hypothesis import strategies as st
from rollout_worlds import START, World, a_config, a_version
from scipy.special import ndtr

from flows.cli.rollout import step_text
from flows.comparison.live import compare_live
from flows.rollout.bandit import due_turn, next_weight
from flows.rollout.begin import begin_rollout
from flows.rollout.describe import markdown
from flows.rollout.machine import Evidence, Look, next_move
from flows.rollout.tick import tick
from flows.stats.adaptive.thompson import thompson_weights
from flows.stats.bayes.beliefs import Normal
from flows.stats.sequential.strata import Cell, stratified_gain
from registry.assignment import TOTAL
from registry.ramp import step_plan
from registry.records.live import ModelMetrics
from registry.records.plan import Guards
from registry.records.policy import PromotionPolicy
from registry.records.rollout import Rollout, Step
from registry.store.registry import Registry

HOUR = 3600.0
WAYS = {"bandit": {"weighting": True}, "ab": {"weighting": False}, "added up": {"weighting": True, "pooled": True}}
BANDIT = Step(
    share=100_000, min_s=6 * HOUR, max_s=48 * HOUR, weighting="thompson", floor=50_000, every_s=HOUR, on_timeout="ask"
)


def rollout(**changes):
    fields = {
        "id": "r-0001",
        "model": "churn",
        "champion": "v1.0.0",
        "challenger": "v1.1.0",
        "steps": (BANDIT,),
        "policy": PromotionPolicy(metric="accuracy", require_approval=False),
        "salt": "churn.r-0001",
        "step": 0,
        "weight": 100_000,
        "step_started_at": START,
        "created_at": START,
    }
    return Rollout(**fields | changes)


def judged(weights_counts, turn):
    """A decision over phases of (weight, right of the champion of n, right of the challenger of m)."""
    phases = tuple(phase(f"r-0001.0{f'.w{i}' if i else ''}", *one) for i, one in enumerate(weights_counts))
    metrics = ModelMetrics(model="churn", epoch=2, phases=phases)
    state = rollout(turn=turn)
    return compare_live(model="churn", rollout=state, metrics=metrics, task="binary", decision_id="d", at=START), phases


def test_a_better_arm_gets_more_and_never_all():
    _, phases = judged([(0.1, (720, 900), (95, 100))], 0)

    weight = next_weight(rollout(), phases, "binary", HOUR)

    assert weight.turn == 1
    assert 900_000 < weight.share <= TOTAL - BANDIT.floor


def test_a_worse_arm_keeps_its_floor():
    _, phases = judged([(0.1, (720, 900), (40, 100))], 0)

    assert next_weight(rollout(), phases, "binary", HOUR).share == pytest.approx(BANDIT.floor, abs=10)


def test_without_two_values_the_weight_stays():
    _, phases = judged([(0.1, (8, 9), (1, 1))], 0)

    assert next_weight(rollout(), phases, "binary", HOUR) is None
    assert next_weight(rollout(), (), "binary", HOUR) is None


def test_weights_that_nobody_was_there_to_set_are_left_out():
    assert [due_turn(BANDIT, turn, hours * HOUR) for turn, hours in ((0, 0.9), (0, 1), (1, 1.5), (1, 7.2))] == [
        None,
        1,
        None,
        7,
    ]


def test_adding_up_would_mislead_and_strata_do_not():
    """Equal arms in a good and a bad hour: the challenger had most of the bad one."""
    good, bad = (0.1, (8100, 9000), (900, 1000)), (0.9, (500, 1000), (4500, 9000))
    found, _ = judged([good, bad], 1)
    primary = found.findings[0]

    assert primary.estimate == pytest.approx(0.0, abs=1e-12)
    assert (primary.challenger - primary.champion, found.outcome) == (pytest.approx(0.0, abs=1e-12), "continue")


def test_a_loss_in_every_weight_is_seen_although_the_sums_look_like_a_gain():
    hours = [(0.9, (850, 1000), (7200, 9000)), (0.1, (3600, 9000), (300, 1000))]
    found, _ = judged(hours, 1)

    assert (8050 - 550) > 0
    assert found.outcome == "reject"


def test_a_split_that_deals_wrongly_in_one_weight_blocks():
    found, _ = judged([(0.1, (8100, 9000), (950, 1000)), (0.5, (6300, 7000), (2700, 3000))], 1)

    assert found.outcome == "invalid"
    assert "w1" in found.headline


@given(
    weights=st.lists(st.integers(1, TOTAL - 1), min_size=2, max_size=6), keys=st.lists(st.text(min_size=1), max_size=30)
)
def test_whoever_has_the_challenger_keeps_it_while_it_grows(weights, keys):
    state, plan = rollout(), None
    for turn, weight in enumerate(sorted(weights)):
        before = plan
        plan = step_plan(state, 0, before or _first(), actor="a", reason="r", at=START, weight=weight, turn=turn)
        mine = [key for key in keys if before and before.assign(key).variant == "challenger"]
        assert all(plan.assign(key).variant == "challenger" for key in mine)
        assert plan.weight_of("challenger") == weight


def test_the_guards_of_all_weights_together_stay_within_alpha():
    plans = [step_plan(rollout(), 0, _first(), actor="a", reason="r", at=START, weight=9, turn=n) for n in range(500)]

    assert sum(plan.guards.alpha for plan in plans) < Guards().alpha
    assert [plan.phase for plan in plans[:3]] == ["r-0001.0", "r-0001.0.w1", "r-0001.0.w2"]


def _first():
    from registry.records.plan import CHAMPION, Arm, Slice, TrafficPlan

    return TrafficPlan(
        model="churn",
        epoch=1,
        phase="first",
        salt="churn",
        slices=(Slice(variant=CHAMPION, weight=TOTAL),),
        arms=(Arm(variant=CHAMPION, version="v1.0.0"),),
        created_at=START,
        actor="a",
        reason="r",
    )


class Phases(World):
    """Remembers every weight that it has seen, as a router does."""

    def __init__(self, registry):
        super().__init__(registry)
        self.past = {}

    def metrics(self, model, *, min_label_age=0.0):
        seen = super().metrics(model)
        self.past |= {one.phase: one for one in seen.phases}
        return msgspec.structs.replace(seen, phases=tuple(self.past.values()))


def test_a_bandit_moves_its_weight_by_commits_and_promotes_in_the_end():
    with Registry.open("sqlite://") as registry:
        for name in ("v1.0.0", "v1.1.0"):
            registry.register_version(a_version(name))
        registry.install_first("churn", "v1.0.0", guards=Guards(), salt="churn.first", actor="t", reason="t", at=START)
        config = a_config(require_approval=False)
        begin_rollout(
            config, registry, model="churn", challenger="v1.1.0", decision=None, actor="ann", reason="test",
            at=START, steps=(BANDIT,),
        )  # fmt: skip
        router, kinds, weights = Phases(registry), [], []
        for half_hours in range(16):
            move = tick(registry, router, "churn", config, START + half_hours * timedelta(minutes=30))
            kinds.append(move.kind)
            weights.append(registry.plan("churn").weight_of("challenger"))
        done = registry.rollouts("churn")[0]

    assert kinds[:4] == ["start", "hold", "weigh", "hold"]
    assert (weights[0], weights[1]) == (100_000, 100_000)
    assert 900_000 < weights[2] <= 950_000
    assert (kinds.index("promote"), done.status) == (12, "succeeded"), "after its shortest stay of six hours"
    assert done.results[-1].share > 900_000


def test_the_simulation_judges_as_the_flows_do():
    dice, sums, strata = np.random.default_rng(1), Sums(1), []
    for n in ((180, 20), (100, 100), (30, 170), (200, 0)):
        right = [int(dice.binomial(size, 0.7)) for size in n]
        sums.add(np.array(n)[:, None], np.array(right)[:, None])
        strata.append(tuple(_cell(*one) for one in zip(n, right, strict=True)))

    gain = stratified_gain(strata)
    assert [float(one[0]) for one in sums.gain()] == pytest.approx([gain.estimate, gain.error, gain.time])
    arms = {"champion": Normal(mean=0.0, sd=gain.error / 2**0.5, n=1)}
    arms["challenger"] = Normal(mean=gain.estimate, sd=gain.error / 2**0.5, n=1)
    assert thompson_weights(arms).best["challenger"] == pytest.approx(ndtr(gain.estimate / gain.error), abs=1e-6)


def test_a_bandit_loses_less_per_request_and_takes_longer_to_decide():
    bandit, split = (live_on(np.random.default_rng(1), 500, gain=0.05, weighting=how).means() for how in (True, False))

    assert bandit["regret"] / bandit["requests"] < 0.6 * split["regret"] / split["requests"]
    assert bandit["requests"] > split["requests"]
    assert bandit["promoted"] > 0.95


def test_equal_arms_are_hardly_ever_promoted_however_the_weight_moves(record_property):
    for name, how in WAYS.items():
        seen = live_on(np.random.default_rng(2), 2000, gain=0.0, **how).means()
        record_property(name, seen["promoted"])
        assert name == "added up" or seen["promoted"] <= 0.025 + 3 * (0.025 * 0.975 / 2000) ** 0.5


@pytest.mark.long
def test_ten_thousand_lives_of_every_kind(capsys):
    for gain in (0.0, 0.01, 0.03, 0.05, -0.03):
        for name, how in WAYS.items():
            seen = live_on(np.random.default_rng(3), 10_000, gain=gain, **how).means()
            with capsys.disabled():
                print(f"\n{name}, gain {gain:+.2f}: {seen}")
            assert gain or name == "added up" or seen["promoted"] <= 0.025


def _cell(n, right):
    mean = right / n if n else 0.0
    return Cell(n, mean, n * mean * (1 - mean))


def test_people_read_the_weight_that_callers_meet_and_not_the_first_one():
    here = rollout(weight=950_000, turn=46)
    better, _ = judged([(0.1, (1440, 1800), (200, 200))], 0)
    move = next_move(here, Look(now=START, baked_s=7 * HOUR, decision=better, evidence=Evidence(200, 200)))

    assert move.kind == "promote", move.said
    assert move.said.startswith("95 % of callers succeeded")
    assert step_text(here) == "1 of 1: 95 % of callers"
    assert "95 % of callers |" in markdown("churn", here, move)
