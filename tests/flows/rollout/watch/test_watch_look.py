"""One look at a new champion, with a real registry."""

import dataclasses
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from rollout_worlds import a_version

from flows.cli.underway import under_way
from flows.errors import Unreachable
from flows.rollout.watch.describe import markdown
from flows.rollout.watch.look import look
from registry.ramp import promotion_plan
from registry.records.live import ModelMetrics, Moments, PhaseMetrics, ShadowMetrics, VariantMetrics
from registry.records.policy import PromotionPolicy
from registry.records.rollout import Rollout, Step
from registry.records.watch import WatchLimits
from registry.watching import over, watch_of

HOUR, START = timedelta(hours=1), datetime(2026, 1, 5, tzinfo=UTC)


class Seen:
    """What a router reports of the newest phase; may be away."""

    def __init__(self, registry):
        self.registry, self.n, self.failed, self.worse, self.away = registry, 1000, 0, 0.0, False

    def metrics(self, model, *, min_label_age=0.0):
        if self.away:
            raise Unreachable("The router does not answer.", "It is away.", "Start it.")
        plan = self.registry.plan(model)
        champion = VariantMetrics(
            version=plan.version_of("champion"),
            assigned=self.n,
            served=self.n - self.failed,
            errors={"champion_raised": self.failed},
            latency_ms=Moments(n=self.n, mean=5.0, m2=self.n * 1.0),
            loss=Moments(n=self.n, mean=0.2, m2=self.n * 0.01),
            keys=self.n,
        )
        shadows = {
            one: ShadowMetrics(
                version=one, pairs=self.n, loss_difference=Moments(n=self.n, mean=self.worse, m2=self.n * 0.01)
            )
            for one in plan.shadows
        }
        phase = PhaseMetrics(
            phase=plan.phase,
            first_epoch=plan.epoch,
            last_epoch=plan.epoch,
            variants={"champion": champion},
            shadows=shadows,
        )
        return ModelMetrics(model=model, epoch=plan.epoch, phases=(phase,))

    def events(self, model, *, limit=100):
        return []


@pytest.fixture
def router(desk):
    return Seen(desk.registry)


@pytest.fixture
def watching(desk, router):
    """The desk, with v1.1.0 promoted an hour ago and watched for two days."""
    made = dataclasses.replace(desk, client=router)
    promote(made.registry, router, at=START)
    return made


def promote(registry, router, at, challenger="v1.1.0", watch_s=172_800.0):
    plan = registry.plan("churn")
    rollout = Rollout(
        id=registry.next_rollout_id("churn"),
        model="churn",
        champion=plan.version_of("champion"),
        challenger=challenger,
        steps=(Step(share=1_000_000, min_s=0, max_s=0),),
        policy=PromotionPolicy(metric="brier", require_approval=False),
        salt="s",
        step_started_at=at,
        created_at=at,
        watch=WatchLimits(),
        watch_s=watch_s,
    )
    registry.start_rollout(rollout, actor="test", reason="test", at=at)
    watch = watch_of(rollout, router.metrics("churn"), plan, at)
    done = msgspec.structs.replace(rollout, revision=2, status="succeeded")
    stages = {challenger: "production", rollout.champion: "archived"}
    new = promotion_plan(rollout, plan, actor="test", reason="won", at=at, watch=watch)
    registry.move_rollout(done, plan=new, stages=stages, actor="test", reason="won", at=at, watch=watch)
    return new


def began(desk):
    return desk.registry.watches("churn")[0].began_at


def test_a_healthy_champion_goes_on_being_watched(watching):
    seen = look(watching, "churn", began(watching) + HOUR)

    assert seen.kind == "hold"
    assert seen.said.startswith("47 hours left: 0 of 1000 requests failed")
    assert watching.registry.watch("churn").looks == 1
    assert watching.registry.plan("churn").shadows == ("v1.0.0",)


def test_one_that_breaks_a_limit_gives_way_and_the_incident_has_the_numbers(watching, router):
    router.worse = 0.05

    seen = look(watching, "churn", began(watching) + HOUR)

    registry = watching.registry
    assert seen.kind == "roll_back"
    assert registry.champion("churn").version == "v1.0.0"
    assert (registry.watch("churn"), registry.watches("churn")[0].status) == (None, "rolled_back")
    incident = registry.incidents("churn")[0]
    assert (incident.kind, incident.actor, incident.version) == ("watch", "watch", "v1.1.0")
    figures = {figure["name"]: figure for figure in incident.facts["figures"]}
    assert figures["loss"]["broken"] is True
    assert 0 < figures["loss"]["low"] < 0.05 < figures["loss"]["high"]
    assert look(watching, "churn", began(watching) + HOUR).kind == "none"


def test_a_watch_that_is_over_passes_and_the_former_champion_rests(watching):
    seen = look(watching, "churn", began(watching) + 48 * HOUR)

    registry = watching.registry
    assert seen.kind == "pass"
    assert registry.watches("churn")[0].status == "passed"
    plan = registry.plan("churn")
    assert (bool(plan.watch), plan.shadows, plan.version_of("champion")) == (False, (), "v1.1.0")
    told = [notice for notice in registry.notices("churn") if notice.kind == "watch.passed"]
    assert len(told) == 1
    assert look(watching, "churn", began(watching) + 49 * HOUR).kind == "none"


def test_a_watch_does_not_pass_while_nothing_can_be_seen(watching, router):
    router.away = True

    seen = look(watching, "churn", began(watching) + 50 * HOUR)

    assert (seen.kind, watching.registry.watch("churn").status) == ("hold", "active")


def test_a_watch_without_callers_goes_on_past_its_time_and_people_hear_of_it_once(watching, router):
    registry, over_at = watching.registry, began(watching) + 48 * HOUR
    router.n = 0

    looks = [look(watching, "churn", over_at + hour * HOUR) for hour in range(3)]

    assert {seen.kind for seen in looks} == {"hold"}
    said = "the time is over, but the watch goes on for lack of data: no request has come yet"
    assert registry.watch("churn").said.startswith(said)
    (line,) = [line.said for line in under_way(registry, over_at) if line.what == "watch"]
    assert line.startswith(f"churn: v1.1.0 past its time, until it can be judged: {said}")
    assert registry.plan("churn").shadows == ("v1.0.0",), "the former champion stays warm"
    told = [notice for notice in registry.notices("churn") if notice.kind.startswith("watch.")]
    assert [notice.kind for notice in told] == ["watch.extended"]


@pytest.mark.parametrize(("callers", "kind"), [(1, "hold"), (29, "hold"), (30, "pass")])
def test_thirty_callers_are_enough_to_end_a_watch_whose_time_is_over(watching, router, callers, kind):
    router.n = callers

    assert look(watching, "churn", began(watching) + 72 * HOUR).kind == kind


def test_a_watch_that_saw_no_labels_says_so_when_it_passes(watching, router):
    router.n = 50

    seen = look(watching, "churn", began(watching) + 48 * HOUR)

    told = [notice for notice in watching.registry.notices("churn") if notice.kind == "watch.passed"]
    assert (seen.kind, seen.said.partition(", but for ")[2]) == (
        "pass",
        "loss, of which too little was seen",
    )
    assert "Too little was seen to judge its loss." in told[0].body


def test_few_callers_who_all_fail_are_enough_to_take_it_back(watching, router):
    router.n = router.failed = 20

    assert look(watching, "churn", began(watching) + HOUR).kind == "roll_back"


def test_numbers_that_are_none_end_no_watch_and_hide_no_failures(watching, router):
    router.worse = float("nan")

    seen = look(watching, "churn", began(watching) + 50 * HOUR)
    router.failed = 500
    then = look(watching, "churn", began(watching) + 51 * HOUR)

    assert (seen.kind, "is no number" in seen.said) == ("hold", True)
    assert (then.kind, watching.registry.champion("churn").version) == ("roll_back", "v1.0.0")
    assert watching.registry.incidents("churn")[0].facts["figures"][-1]["estimate"] is None


def test_a_look_that_was_killed_between_plan_and_watch_is_finished_by_the_next(watching):
    registry, at = watching.registry, began(watching) + 48 * HOUR
    registry.publish_plan(over(registry.plan("churn"), actor="watch", reason="killed after this", at=at))

    assert look(watching, "churn", at).kind == "pass"
    assert registry.watches("churn")[0].status == "passed"


def test_a_plan_whose_watch_is_over_is_put_right(watching):
    registry, at = watching.registry, began(watching) + HOUR
    ended = msgspec.structs.replace(registry.watch("churn"), status="passed")
    registry.move_watch(ended, actor="test", reason="killed after this", at=at)

    assert look(watching, "churn", at).kind == "none"
    assert not registry.plan("churn").watch
    assert look(watching, "churn", at).said == "churn has no new champion that is being watched"


def test_a_new_promotion_replaces_the_watch(watching, router):
    at = began(watching) + HOUR
    watching.registry.register_version(a_version("v1.2.0"))
    promote(watching.registry, router, at, "v1.2.0")

    assert [watch.status for watch in watching.registry.watches("churn")] == ["active", "replaced"]
    assert watching.registry.plan("churn").watch.former == "v1.1.0"
    assert look(watching, "churn", at).kind == "hold"


def test_no_time_watches_nobody(desk, router):
    plan = promote(desk.registry, router, START, watch_s=0.0)

    assert (bool(plan.watch), desk.registry.watch("churn")) == (False, None)
    assert look(dataclasses.replace(desk, client=router), "churn", START).kind == "none"


def test_the_page_in_prefect_shows_every_limit(watching):
    at = began(watching) + HOUR
    seen = look(watching, "churn", at)

    text = markdown(seen, seen.watch, at)

    assert "# churn: v1.1.0 is being watched" in text
    assert "| errors (share of requests) | 0 |" in text
    assert "kept" in text
