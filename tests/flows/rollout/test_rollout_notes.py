"""People hear once of what the router noted by itself, and nothing twice that they hear of otherwise."""

import threading
from datetime import UTC, datetime

from flows.config.load import register_config
from flows.errors import Unreachable
from flows.rollout.announce import announce_foreign_end
from flows.rollout.notes import tell_notes
from flows.rollout.promote import start

START = datetime(2026, 1, 5, tzinfo=UTC)
FAILING = "epoch 2: 40 of the last 200 requests failed"
SPLIT = "r-0001.1: callers are not split as planned: champion 900 keys, 950 expected. Nothing can be concluded."


def noted(live, *notes):
    for kind, said in notes:
        live.notes.append({"sequence": len(live.notes) + 1, "at": 0.0, "kind": kind, "said": said})


def test_every_kind_is_told_in_order_and_once(desk, live, told):
    noted(live, ("champion_failing", FAILING), ("srm", SPLIT), ("shadow_diff", "r-0001.0: v1.1.0 differs."))
    noted(live, ("degraded", "registry: /secret/path cannot be opened"), ("breaker_open", "of the log only"))

    tell_notes(desk, "churn", START)
    tell_notes(desk, "churn", START)

    assert told() == [
        f"churn: the champion fails: {FAILING}. Nobody takes its place; a ramp is held until "
        "`understudy rollout resume churn`.",
        f"churn: callers are not split as planned: {SPLIT}",
        "churn: how a shadow differs: r-0001.0: v1.1.0 differs.",
        "The router is degraded: registry is in trouble. `understudy status` and GET /readyz of the router say "
        "what it is.",
    ]


def test_what_comes_later_is_told_by_the_next_run(desk, live, told):
    noted(live, ("champion_failing", FAILING))
    tell_notes(desk, "churn", START)
    noted(live, ("recovered", "registry: it was away"))
    tell_notes(desk, "churn", START)

    assert [line.partition(":")[0] for line in told()] == ["churn", "The router has recovered"]


def test_trouble_that_came_and_went_is_told_as_it_ended(desk, live, told):
    troubles = ("degraded", "registry: away"), ("recovered", "registry: away")
    noted(live, *troubles, *troubles, ("degraded", "churn: refused"))

    tell_notes(desk, "churn", START)

    assert [line.partition(".")[0] for line in told()] == [
        "The router has recovered: registry is well again",
        "The router is degraded: churn is in trouble",
    ]


def test_trouble_that_all_models_share_is_told_once_in_a_run(desk, live, registry, config, told):
    register_config(config.model_copy(update={"model": "price"}), desk.settings)
    noted(live, ("degraded", "registry: away"))

    tell_notes(desk, "churn", START)
    tell_notes(desk, "price", START)

    assert len(told()) == 1


def test_a_rollback_is_told_once_by_what_the_registry_wrote_with_it(desk, live, told):
    start(desk, "churn", "v1.1.0", actor="ann", reason="looks good", at=START)
    desk.registry.roll_back("churn", actor="router", reason="error rate 7 %", at=START)
    noted(
        live,
        ("stopped", "epoch 2: error rate 7 %; not in the registry yet"),
        ("rolled_back", "error rate 7 % (by router)"),
    )

    tell_notes(desk, "churn", START)
    announce_foreign_end(desk, "churn", START)
    tell_notes(desk, "churn", START)

    assert len([line for line in told() if "v1.1.0 was rolled back" in line and "error rate 7 %" in line]) == 1
    assert len([line for line in told() if "rolled back" in line]) == 1


def test_a_router_that_is_away_says_nothing_and_is_asked_again(desk, live, told, monkeypatch):
    noted(live, ("champion_failing", FAILING))

    def away(*_, **__):
        raise Unreachable("The router does not answer.", "It is down.", "understudy up")

    with monkeypatch.context() as patched:
        patched.setattr(live, "events", away)
        tell_notes(desk, "churn", START)
    assert told() == []

    tell_notes(desk, "churn", START)
    assert len(told()) == 1


def test_notes_that_are_counted_anew_are_news(desk, live, told):
    noted(live, *[("breaker_open", "for the log")] * 9)
    tell_notes(desk, "churn", START)
    live.notes.clear()
    noted(live, ("champion_failing", FAILING))

    tell_notes(desk, "churn", START)

    assert len(told()) == 1


def test_of_many_runs_at_the_same_moment_one_tells(desk, live, told):
    noted(live, ("champion_failing", FAILING), ("srm", SPLIT))
    runs = [threading.Thread(target=tell_notes, args=(desk, "churn", START)) for _ in range(6)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()

    assert len(told()) == 2
    assert len(desk.registry.notices("churn")) == 2


def test_an_end_that_was_told_long_ago_is_not_told_again(desk, told):
    start(desk, "churn", "v1.1.0", actor="ann", reason="looks good", at=START)
    desk.registry.roll_back("churn", actor="router", reason="error rate 7 %", at=START)
    announce_foreign_end(desk, "churn", START)
    for number in range(250):
        desk.registry.record(actor="a", action="seen", model="churn", subject=str(number), reason="r", at=START)

    assert announce_foreign_end(desk, "churn", START) is None
    assert len([line for line in told() if "was rolled back" in line]) == 1


def test_the_audit_trail_can_be_asked_for_one_kind_of_entry(registry):
    first = registry.audit("churn", action="plan.published")

    assert [entry.action for entry in first] == ["plan.published"]
    assert registry.audit("churn", action="nothing such") == []
    assert len(registry.audit("churn")) > 1
