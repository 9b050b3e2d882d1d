import threading
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from flows.comparison.live import decide_live
from flows.errors import Unreachable
from flows.rollout.begin import begin_rollout
from flows.rollout.errors import ApprovalRefused, RolloutRefused
from flows.rollout.observe import rows_of
from flows.rollout.tick import tick
from registry.approval import is_approved
from registry.assignment import TOTAL
from registry.errors import StageConflict
from registry.records.live import Moments
from registry.records.policy import PromotionPolicy
from registry.records.verdict import Decision
from registry.store.registry import Registry

START = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)


def decided(outcome="promote", challenger="v1.1.0", champion="v1.0.0", name="d-1"):
    return Decision(
        id=name,
        model="churn",
        champion=champion,
        challenger=challenger,
        kind="holdout",
        outcome=outcome,
        headline="it is better",
        findings=(),
        policy=PromotionPolicy(metric="accuracy", require_approval=False),
        created_at=START,
    )


def approve(registry, rollout, *, actor, role, reason="read it"):
    """Whether everybody has agreed by now."""
    return registry.sign(rollout.id, actor=actor, role=role, reason=reason, at=START).complete


def begun(registry, config, decision=None):
    if decision:
        registry.save_decision(decision)
    return begin_rollout(
        config, registry, model="churn", challenger="v1.1.0", decision=decision, actor="ann", reason="test", at=START
    )


def stage(registry, version):
    return registry.version("churn", version).stage


def test_without_a_rollout_a_tick_does_nothing(registry, live, config):
    assert tick(registry, live, "churn", config, START).kind == "none"
    assert registry.plan("churn").epoch == 1


def test_a_good_challenger_walks_all_the_way_to_production(registry, live, config):
    rollout = begun(registry, config)
    now, kinds, shares = START, [], []
    for _ in range(4):
        kinds.append(tick(registry, live, "churn", config, now).kind)
        shares.append(registry.plan("churn").weight_of("challenger"))
        now += 2 * DAY

    assert kinds == ["start", "advance", "advance", "promote"]
    assert shares == [0, 100_000, TOTAL, 0]
    assert registry.rollout(rollout.id).status == "succeeded"
    assert (stage(registry, "v1.1.0"), stage(registry, "v1.0.0")) == ("production", "archived")
    assert registry.plan("churn").version_of("champion") == "v1.1.0"
    assert registry.verify_audit() == []


def test_the_shadow_step_watches_and_is_named_in_the_phase(registry, live, config):
    rollout = begun(registry, config)
    tick(registry, live, "churn", config, START)
    plan = registry.plan("churn")

    assert (plan.shadows, plan.phase, plan.rollout_id) == (("v1.1.0",), f"{rollout.id}.0", rollout.id)
    assert stage(registry, "v1.1.0") == "shadow"


def test_a_second_tick_at_once_changes_nothing(registry, live, config):
    begun(registry, config)
    tick(registry, live, "churn", config, START)
    before = registry.active_rollout("churn")

    assert tick(registry, live, "churn", config, START).kind == "hold"
    assert registry.active_rollout("churn") == before
    assert registry.plan("churn").epoch == 2


def test_a_worse_challenger_is_taken_off_at_once_and_rejected(registry, live, config):
    rollout = begun(registry, config)
    tick(registry, live, "churn", config, START)
    live.challenger_loss = 0.40

    assert tick(registry, live, "churn", config, START).kind == "roll_back"
    assert registry.rollout(rollout.id).status == "rolled_back"
    assert stage(registry, "v1.1.0") == "rejected"
    assert registry.plan("churn").shadows == ()
    assert registry.plan("churn").phase == f"{rollout.id}.rolled_back"
    assert tick(registry, live, "churn", config, START).kind == "none"


def test_the_decision_behind_a_move_is_kept(registry, live, config):
    begun(registry, config)
    tick(registry, live, "churn", config, START)
    move = tick(registry, live, "churn", config, START + DAY)

    assert registry.decision(move.decision.id).outcome == "promote"


def test_nothing_advances_while_the_router_is_away(registry, config):
    class Away:
        def metrics(self, model, **asked):
            raise Unreachable("The router does not answer.", "It is down.", "understudy up")

    begun(registry, config)
    tick(registry, Away(), "churn", config, START)
    move = tick(registry, Away(), "churn", config, START + 99 * DAY)

    assert move.kind == "hold"
    assert "does not answer" in move.said


def test_without_any_label_a_step_holds_even_for_ever(registry, live, config):
    begun(registry, config)
    tick(registry, live, "churn", config, START)
    live.n = 0

    assert tick(registry, live, "churn", config, START + 99 * DAY).kind == "hold"


def test_too_few_labels_ask_a_person_after_the_longest_stay(registry, live, config):
    begun(registry, config)
    tick(registry, live, "churn", config, START)
    live.n = 50
    move = tick(registry, live, "churn", config, START + 99 * DAY)

    waiting = registry.active_rollout("churn").waiting
    assert (move.kind, move.outcome, waiting.question) == ("wait", "inconclusive", "inconclusive")
    assert tick(registry, live, "churn", config, START + 100 * DAY).kind == "hold"


def test_a_verdict_that_comes_while_people_are_asked_what_to_do_goes_on(registry, live, config):
    test_too_few_labels_ask_a_person_after_the_longest_stay(registry, live, config)
    live.n = 4000

    assert tick(registry, live, "churn", config, START + 101 * DAY).kind == "advance"


def test_a_loss_that_is_no_number_holds(registry, live, config):
    begun(registry, config)
    tick(registry, live, "churn", config, START)
    live.challenger_loss = 0.1
    honest = live.metrics

    def poisoned(model, **asked):
        numbers = honest(model)
        phase = numbers.phases[0]
        shadow = msgspec.structs.replace(
            phase.shadows["v1.1.0"], loss_difference=Moments(n=4000, mean=float("nan"), m2=1.0)
        )
        return msgspec.structs.replace(numbers, phases=(msgspec.structs.replace(phase, shadows={"v1.1.0": shadow}),))

    live.metrics = poisoned

    assert tick(registry, live, "churn", config, START + 9 * DAY).kind == "hold"


def test_a_tick_that_dies_in_its_transaction_has_changed_nothing(registry, live, config, monkeypatch):
    begun(registry, config)
    tick(registry, live, "churn", config, START)
    before = registry.active_rollout("churn"), registry.plan("churn")

    def die(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("registry.store.rollouts.publish", die)
        with pytest.raises(KeyboardInterrupt):
            tick(registry, live, "churn", config, START + DAY)

    assert (registry.active_rollout("churn"), registry.plan("churn")) == before
    assert tick(registry, live, "churn", config, START + DAY).kind == "advance"


def test_of_many_ticks_at_once_exactly_one_moves(tmp_path, registry, live, config):
    begun(registry, config)
    gate, kinds = threading.Barrier(4), []

    def run():
        with Registry.open(f"sqlite:///{tmp_path / 'registry.sqlite'}") as own:
            gate.wait()
            kinds.append(tick(own, live, "churn", config, START).kind)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert kinds.count("start") == 1
    assert registry.plan("churn").epoch == 2


def test_a_rollout_that_the_router_ended_meanwhile_is_left_alone(registry, live, config):
    """The champion must not be rolled back a second time, to the version before it."""
    begun(registry, config)
    tick(registry, live, "churn", config, START)
    live.challenger_loss = 0.40
    honest = live.metrics

    def while_somebody_rolls_back(model, **asked):
        numbers = honest(model)
        registry.roll_back("churn", actor="control", reason="errors", at=START)
        return numbers

    live.metrics = while_somebody_rolls_back

    assert tick(registry, live, "churn", config, START).kind == "hold"
    assert registry.champion("churn").version == "v1.0.0"
    assert registry.rollouts("churn")[0].said == "errors"


def test_a_plan_that_the_router_paused_holds_but_still_rolls_back(registry, live, config):
    begun(registry, config)
    tick(registry, live, "churn", config, START)
    plan = registry.plan("churn")
    registry.publish_plan(msgspec.structs.replace(plan, epoch=plan.epoch + 1, paused=True))

    assert tick(registry, live, "churn", config, START + 9 * DAY).kind == "hold"
    live.challenger_loss = 0.40
    assert tick(registry, live, "churn", config, START + 9 * DAY).kind == "roll_back"


def test_a_doubtful_decision_waits_for_two_different_people(registry, live, config):
    rollout = begun(registry, config, decided("needs_approval"))
    assert rollout.status == "waiting_approval"
    assert tick(registry, live, "churn", config, START).kind == "hold"

    assert not approve(registry, rollout, actor="ann", role="ml_lead")
    with pytest.raises(ApprovalRefused, match="Another person"):
        approve(registry, rollout, actor="ann", role="business_owner", reason="me again")
    assert tick(registry, live, "churn", config, START).kind == "hold"

    assert approve(registry, rollout, actor="bob", role="business_owner")
    assert tick(registry, live, "churn", config, START).kind == "start"


def test_an_approval_of_another_decision_does_not_count(registry, live, config):
    rollout = begun(registry, config, decided("needs_approval"))
    for actor, role in (("ann", "ml_lead"), ("bob", "business_owner")):
        approve(registry, rollout, actor=actor, role=role)
    registry.save_decision(decided("needs_approval", name="d-2"))
    other = msgspec.structs.replace(rollout, revision=2, decision_id="d-2")
    registry.move_rollout(other, actor="rollout", reason="looked again", at=START)

    kinds = [tick(registry, live, "churn", config, START).kind for _ in range(2)]
    assert kinds == ["wait", "hold"], "people are asked again about what it is now"
    assert registry.gate(rollout.id).missing == ("ml_lead", "business_owner")


def test_a_policy_with_approval_asks_after_the_shadow_and_goes_on_when_approved(registry, live, configured):
    config = configured(require_approval=True)
    rollout = begun(registry, config)
    kinds = [tick(registry, live, "churn", config, START + n * DAY).kind for n in range(3)]
    assert kinds == ["start", "wait", "hold"]
    assert registry.plan("churn").weight_of("challenger") == 0

    approve(registry, rollout, actor="ann", role="ml_lead")
    approve(registry, rollout, actor="bob", role="business_owner")
    kinds = [tick(registry, live, "churn", config, START + 3 * DAY).kind for _ in range(2)]

    assert kinds == ["advance", "hold"]
    assert registry.plan("churn").weight_of("challenger") == 100_000


def test_an_unknown_role_cannot_approve(registry, config):
    rollout = begun(registry, config, decided("needs_approval"))

    with pytest.raises(ApprovalRefused, match="ml_lead, business_owner"):
        approve(registry, rollout, actor="ann", role="intern", reason="why not")


def test_one_person_in_both_roles_is_not_two():
    given = [{"actor": "ann", "role": role, "decision_digest": "d"} for role in ("ml_lead", "business_owner")]

    assert not is_approved(given, "d")


@pytest.mark.parametrize("outcome", ["reject", "invalid"])
def test_a_bad_decision_begins_nothing(registry, config, outcome):
    with pytest.raises(RolloutRefused, match=outcome):
        begun(registry, config, decided(outcome))
    assert registry.active_rollout("churn") is None


def test_a_decision_about_an_earlier_champion_begins_nothing(registry, config):
    with pytest.raises(RolloutRefused, match=r"the champion is v1\.0\.0"):
        begun(registry, config, decided(champion="v0.9.0"))


def test_only_one_rollout_of_a_model_at_a_time(registry, config):
    begun(registry, config)

    with pytest.raises(StageConflict):
        begun(registry, config)


def test_an_archived_version_may_be_tried_again(registry, live, config):
    registry.set_stage("churn", "v1.1.0", "archived", actor="ann", reason="old", at=START)
    begun(registry, config)

    assert tick(registry, live, "churn", config, START).kind == "start"


def test_a_shadow_in_favour_of_a_kpi_is_no_proof_of_it(registry, live, configured):
    config = configured(metric="accuracy")
    policy = PromotionPolicy(metric="revenue", require_approval=False)
    begun(registry, config, msgspec.structs.replace(decided(), policy=policy))
    for day in range(2):
        move = tick(registry, live, "churn", config, START + day * DAY)

    assert move.kind == "advance"
    assert not registry.active_rollout("churn").proven


def test_a_move_does_not_rest_on_another_verdict_that_a_killed_tick_has_left(registry, live, config):
    begun(registry, config)
    tick(registry, live, "churn", config, START)
    cases = []

    def killed(case):
        cases.append(case)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tick(registry, live, "churn", config, START + DAY, report=killed)
    registry.save_decision(msgspec.structs.replace(decide_live(cases[0]), outcome="reject"))

    move = tick(registry, live, "churn", config, START + DAY)

    assert (move.kind, move.decision.outcome) == ("advance", "promote")
    assert move.decision.id == f"{cases[0].decision_id}-2"
    assert registry.decision(move.decision.id) == move.decision


def test_a_tick_that_comes_second_takes_the_decision_of_the_first(registry, live, config):
    begun(registry, config)
    tick(registry, live, "churn", config, START)
    first = []

    def late(case):
        mine = decide_live(case)
        first.append(msgspec.structs.replace(mine, headline="the other one was first"))
        registry.save_decision(first[0])
        return mine

    assert tick(registry, live, "churn", config, START + DAY, report=late).decision == first[0]


def test_planned_looks_take_ripe_rows_and_none_once_the_goal_is_proven(registry, live, configured, monkeypatch):
    config, asked = configured(method="fixed", horizon=100, min_label_age="1h"), []
    monkeypatch.setattr(live, "rows_raw", lambda model, **wanted: asked.append(wanted) or b"")
    begun(registry, config)
    rollout = msgspec.structs.replace(registry.active_rollout("churn"), step=1)
    for proven in (False, True):
        rows_of(msgspec.structs.replace(rollout, proven=proven), live, config, 5000.0)

    assert [one["until"] for one in asked] == [1400.0]
