from datetime import timedelta
from html import escape

import msgspec
import pytest
from training_making import NOW, make_config, make_frame

from flows.client import RouterClient
from flows.errors import DataError
from flows.training.errors import RetrainingRefused
from flows.training.first import train_first
from flows.training.retraining import run_retraining
from flows.training.scratch import Begun, Scratch
from flows.training.summary import summary
from registry.errors import NotFound, StageConflict
from registry.records.retraining import RetrainingEvent

QUICK = {"trials": 0, "families": ["linear"], "min_rows": 200}
EASY = {"min_improvement": 0.0, "min_holdout": 50, "require_approval": False}


def quick(**more):
    return make_config(training=QUICK, promotion=EASY, **more)


def retrain(shop, **more):
    return run_retraining(shop, **({"actor": "ann"} | more))


def asked(registry, trigger="drift"):
    event = RetrainingEvent(
        id=registry.next_event_id(NOW),
        model="churn",
        trigger_type=trigger,
        severity="HIGH",
        drift_type="concept",
        trigger_reason="error rises",
        triggered_at=NOW - timedelta(hours=1),
    )
    registry.add_retraining_event(event)
    return event.id


@pytest.fixture
def champion(make_shop):
    """v1.0.0, trained on the first 1000 of 2000 rows, before the truth turned."""
    return retrain(make_shop(make_frame(2000, turn=1000).head(1000), quick())).version


@pytest.fixture
def turned():
    return make_frame(2000, turn=1000)


def better():
    """Remember little, so that the turned truth is learned."""
    return quick().model_copy(update={"training": quick().training.model_copy(update={"window": timedelta(days=30)})})


def test_the_first_version_is_installed_and_answers_everybody(make_shop, registry):
    done = retrain(make_shop(make_frame(600), quick()), trigger="manual", reason="start")

    plan = registry.plan("churn")
    assert done.outcome == "installed"
    assert registry.champion("churn").version == "v1.0.0"
    assert plan.version_of("champion") == "v1.0.0"
    assert plan.guards.deadline_ms == 250
    assert done.event.execution_successful is True
    assert done.event.accuracy == done.version.metrics["accuracy"]


def test_a_better_challenger_goes_into_a_rollout_and_the_event_says_what_was_gained(
    make_shop, registry, champion, turned
):
    event_id = asked(registry)

    done = retrain(make_shop(turned, better()), event_id=event_id)

    event = registry.retraining_event(event_id)
    assert done.outcome == "rollout"
    assert done.decision.outcome == "promote"
    assert registry.active_rollout("churn").challenger == "v1.1.0"
    assert registry.active_rollout("churn").decision_id == done.decision.id
    assert registry.decision(done.decision.id) == done.decision
    assert (event.execution_attempted, event.execution_successful) == (True, True)
    assert event.retrained_version == "v1.1.0"
    assert event.improvement_accuracy > 50
    assert event.completed_at == NOW
    assert event.execution_metrics["outcome"] == "rollout"
    assert event.execution_metrics["started_at"] == NOW.isoformat()
    assert event.execution_metrics["new_rows"] == done.version.data.new_rows
    assert registry.version("churn", "v1.1.0").parent == "v1.0.0"


def test_the_report_and_the_summary_tell_the_same_verdict(make_shop, settings, champion, turned):
    shop = make_shop(turned, better())
    done = retrain(shop)

    text = summary(shop, done)

    assert escape(done.decision.headline) in (settings.reports_dir / done.decision.report).read_text()
    assert done.decision.headline in text
    assert "## v1.1.0 of churn" in text
    assert "### Holdout" in text


def test_rows_that_the_champion_has_learned_from_decide_nothing(make_shop, registry, champion, turned):
    done = retrain(make_shop(turned.head(1010), quick()))

    assert done.decision.outcome == "continue"
    assert done.decision.findings[-1].said == "40 of 50 held-out rows were left out: the champion has learned from them"
    assert done.version.baseline_metrics == {}
    assert done.event.improvement_accuracy is None


def test_a_worse_challenger_is_rejected_and_nobody_is_asked(make_shop, registry, turned):
    retrain(make_shop(turned.tail(1000).head(500), quick()))
    noise_only = quick(features={"numeric": ["b"]})

    done = retrain(make_shop(turned, noise_only))

    assert done.outcome == "rejected"
    assert registry.version("churn", done.version.version).stage == "rejected"
    assert registry.rollouts("churn") == []
    assert done.event.execution_successful is True
    assert "surely worse" in done.event.notes


def test_a_challenger_that_needs_approval_waits_for_people(make_shop, registry, champion, turned):
    demanding = better().promotion.model_copy(update={"min_improvement": 1000.0})
    config = better().model_copy(update={"promotion": demanding})

    done = retrain(make_shop(turned, config))

    assert done.outcome == "waiting_approval"
    assert registry.active_rollout("churn").status == "waiting_approval"


def test_an_active_rollout_is_not_disturbed(make_shop, registry, champion, turned):
    first = retrain(make_shop(turned, better()))

    done = retrain(make_shop(turned, better()), event_id=asked(registry))

    assert done.outcome == "refused"
    assert f"rollout {first.rollout.id} of v1.1.0 is running" in done.said
    assert done.event.execution_attempted is False
    assert done.event.completed_at is not None
    assert registry.active_rollout("churn") == first.rollout
    assert len(registry.versions("churn")) == 2


def test_force_rolls_the_old_rollout_back_first(make_shop, registry, champion, turned):
    first = retrain(make_shop(turned, better()))
    refused = retrain(make_shop(turned, better()), event_id=asked(registry))

    done = retrain(make_shop(turned, better()), event_id=refused.event.id, force=True)

    assert done.outcome == "rollout"
    assert registry.rollout(first.rollout.id).status == "rolled_back"
    assert registry.version("churn", "v1.1.0").stage == "rejected"
    assert registry.active_rollout("churn").challenger == "v1.1.1"


def test_a_completed_event_is_not_trained_again(make_shop, registry, champion, turned):
    event_id = asked(registry)
    first = retrain(make_shop(turned, better()), event_id=event_id)

    again = retrain(make_shop(turned, better()), event_id=event_id)

    assert again.outcome == "known"
    assert again.event == first.event
    assert len(registry.versions("churn")) == 2


def test_a_failure_is_recorded_and_raised(make_shop, registry):
    event_id = asked(registry)

    with pytest.raises(DataError):
        retrain(make_shop(make_frame(50), quick()), event_id=event_id)

    event = registry.retraining_event(event_id)
    assert (event.execution_attempted, event.execution_successful) == (True, False)
    assert "needed: 200" in event.notes
    assert event.completed_at == NOW


def test_a_failed_event_may_be_tried_again(make_shop, registry):
    event_id = asked(registry)
    with pytest.raises(DataError):
        retrain(make_shop(make_frame(50), quick()), event_id=event_id)

    done = retrain(make_shop(make_frame(600), quick()), event_id=event_id)

    assert done.outcome == "installed"
    assert registry.retraining_event(event_id).execution_successful is True


class Killed(BaseException):
    """As a process ends that is killed: nothing is written afterwards."""


@pytest.fixture
def kill(monkeypatch):
    """Die at a place of the retraining, once."""
    from flows.training import retraining

    def at(name):
        true = getattr(retraining, name)

        def die(*args, **kwargs):
            monkeypatch.setattr(retraining, name, true)
            monkeypatch.setattr(retraining, "_record_failure", lambda *_: None)
            raise Killed

        monkeypatch.setattr(retraining, name, die)

    yield at


def test_killed_before_the_comparison_it_trains_again_under_the_next_number(
    make_shop, registry, champion, turned, kill
):
    event_id = asked(registry)
    kill("judge")
    with pytest.raises(Killed):
        retrain(make_shop(turned, better()), event_id=event_id)

    done = retrain(make_shop(turned, better()), event_id=event_id)

    assert registry.version("churn", "v1.1.0").stage == "rejected"
    assert done.version.version == "v1.1.1"
    assert registry.active_rollout("churn").challenger == "v1.1.1"


def test_killed_after_the_comparison_it_goes_on_without_training(make_shop, registry, champion, turned, kill):
    event_id = asked(registry)
    kill("follow")
    with pytest.raises(Killed):
        retrain(make_shop(turned, better()), event_id=event_id)

    done = retrain(make_shop(lambda: pytest.fail("read again"), better()), event_id=event_id)

    assert done.version.version == "v1.1.0"
    assert registry.active_rollout("churn").challenger == "v1.1.0"


def test_killed_after_the_rollout_began_it_only_closes_the_event(make_shop, registry, champion, turned, monkeypatch):
    from flows.training import events, retraining

    event_id = asked(registry)
    with monkeypatch.context() as dying:
        dying.setattr(events, "succeeded", lambda *_, **__: (_ for _ in ()).throw(Killed()))
        dying.setattr(retraining, "_record_failure", lambda *_: None)
        with pytest.raises(Killed):
            retrain(make_shop(turned, better()), event_id=event_id)

    done = retrain(make_shop(lambda: pytest.fail("read again"), better()), event_id=event_id)

    assert done.outcome == "rollout"
    assert len(registry.rollouts("churn")) == 1
    assert registry.retraining_event(event_id).execution_successful is True


def test_killed_before_the_first_champion_was_installed_it_installs_it(make_shop, registry, kill):
    event_id = asked(registry)
    kill("follow")
    with pytest.raises(Killed):
        retrain(make_shop(make_frame(600), quick()), event_id=event_id)

    done = retrain(make_shop(lambda: pytest.fail("read again"), quick()), event_id=event_id)

    assert done.outcome == "installed"
    assert registry.champion("churn").version == "v1.0.0"


def test_killed_after_its_last_word_it_leaves_no_finished_parts_for_ever(make_shop, registry, monkeypatch):
    with monkeypatch.context() as dying:
        dying.setattr(Scratch, "remove", lambda _: (_ for _ in ()).throw(Killed()))
        dying.setattr(Scratch, "begin", begin_once)
        with pytest.raises(Killed):
            retrain(shop := make_shop(make_frame(600), quick()))
    left = Scratch.of(shop.settings, registry.retraining_events()[0].id)
    assert left.exists

    retrain(shop)

    assert not left.folder.exists()


def begin_once(scratch, key, as_of):
    """As `Scratch.begin` where nothing was begun, without a look for what to remove."""
    begun = Begun(key, as_of)
    scratch.folder.mkdir(parents=True)
    scratch._keep("begun.json", msgspec.json.encode(begun))
    return begun


def test_an_event_of_another_model_is_refused(make_shop, registry):
    event_id = asked(registry)
    other = quick().model_copy(update={"model": "fraud"})

    with pytest.raises(RetrainingRefused, match="is about churn"):
        retrain(make_shop(make_frame(600), other), event_id=event_id)


def test_an_unknown_event_is_refused(make_shop):
    with pytest.raises(NotFound, match="retrain_20260301_009"):
        retrain(make_shop(make_frame(600), quick()), event_id="retrain_20260301_009")


def test_an_event_of_its_own_says_who_asked_and_how_urgent_it_is(make_shop, registry):
    done = retrain(make_shop(make_frame(600), quick()), trigger="emergency", actor="ann")

    event = registry.retraining_event(done.event.id)
    assert event.id == "retrain_20260301_001"
    assert (event.trigger_type, event.severity) == ("emergency", "CRITICAL")
    assert event.trigger_reason == "asked for by ann"


def test_the_first_champion_can_be_trained_from_a_table(settings, registry, artifacts):
    version = train_first(
        quick(),
        make_frame(600),
        settings=settings,
        registry=registry,
        artifacts=artifacts,
        actor="ann",
        as_of=NOW,
    )

    assert registry.champion("churn").version == version.version == "v1.0.0"
    assert registry.retraining_events("churn")[0].trigger_type == "initial"
    assert artifacts.open("churn", "v1.0.0", version.artifact_digest).is_dir()


def test_a_second_first_champion_is_refused(settings, registry, artifacts):
    parts = {"settings": settings, "registry": registry, "artifacts": artifacts, "actor": "ann", "as_of": NOW}
    train_first(quick(), make_frame(600), **parts)

    with pytest.raises(StageConflict, match=r"v1\.0\.0 is in production already"):
        train_first(quick(), make_frame(600), **parts)
    assert len(registry.retraining_events("churn")) == 1


def test_rows_later_than_the_models_clock_are_not_learned_from(make_shop):
    done = retrain(make_shop(make_frame(600), quick(), clock=lambda: NOW - timedelta(hours=100)))

    assert done.version.data.end == NOW - timedelta(hours=100)
    assert done.version.data.rows == 500


def test_without_a_router_the_retraining_fails_politely(make_shop, registry, settings):
    from flows.data import history
    from flows.errors import Unreachable

    config, event_id = quick(), asked(registry)
    with RouterClient(settings, timeout=1.0) as client, pytest.raises(Unreachable):
        retrain(make_shop(lambda: history(client, config, settings), config), event_id=event_id)

    assert "Unreachable" in registry.retraining_event(event_id).notes
