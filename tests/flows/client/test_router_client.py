import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.client import RouterClient, RouterRefused
from flows.client.router import _split
from flows.errors import Unreachable
from registry.assignment import TOTAL
from registry.errors import NotFound, PlanConflict, StageConflict
from registry.home import Settings
from registry.records.live import JoinedRow, ModelMetrics, OutcomeStatus
from registry.records.plan import Arm, Slice, TrafficPlan

PLAN = TrafficPlan(
    model="churn",
    epoch=3,
    phase="first",
    salt="churn",
    slices=(Slice(variant="champion", weight=TOTAL),),
    arms=(Arm(variant="champion", version="v1.0.0"),),
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    actor="ann",
    reason="test",
)


def joined(sequence: int) -> JoinedRow:
    return JoinedRow(
        sequence=sequence,
        prediction_id=f"p{sequence}",
        key="k",
        time=1.0,
        features={"a": 1.5, "name": "é"},
        variant="champion",
        assigned="champion",
        model_version="v1.0.0",
        epoch=1,
        phase="first",
        reason="bucket",
        enrolled=True,
        prediction=1,
        score=0.9,
        latency_ms=1.0,
    )


@pytest.fixture
def client(settings):
    with RouterClient(settings, timeout=2.0) as client:
        yield client


def test_predictions_come_back_in_the_order_of_the_rows(played, client):
    played.say("/v1/models/churn/predict", {"rows": [{"score": 0.1}, {"score": 0.2}]})

    answers = client.predict("churn", [{"key": "a", "features": {"x": 1}}, {"key": "b", "features": {"x": 2}}])

    assert [answer["score"] for answer in answers] == [0.1, 0.2]
    assert [row["key"] for row in played.asked[0].body["rows"]] == ["a", "b"]


def test_outcomes_return_one_status_per_row(played, client):
    played.say(
        "/v1/models/churn/outcomes", {"rows": [{"status": "accepted"}, {"status": "invalid", "said": "no value"}]}
    )

    statuses = client.send_outcomes("churn", [{"prediction_id": "p", "value": 1}, {"prediction_id": "q"}])

    assert statuses == [OutcomeStatus(status="accepted"), OutcomeStatus(status="invalid", said="no value")]


def test_no_outcomes_ask_nobody(played, client):
    assert client.send_outcomes("churn", []) == []
    assert played.asked == []


def test_only_the_admin_port_sees_the_token_and_the_actor(played, client):
    played.say("/v1/models/churn/metrics", ModelMetrics(model="churn", epoch=3).to_dict())
    played.say("/v1/models/churn/predict", {"rows": []})

    assert client.metrics("churn").epoch == 3
    client.predict("churn", [])

    admin, serving = played.asked
    assert (admin.headers["authorization"], admin.headers["x-actor"]) == ("Bearer s3cret", "flows")
    assert "authorization" not in serving.headers


def test_rows_are_streamed_and_filtered_as_asked(played, client):
    played.say("/v1/models/churn/rows", b"".join(joined(n).to_json() + b"\n" for n in range(3)))

    rows = list(client.rows("churn", after=7, newest=3, labelled=True, since=1.5, phase="a & b"))

    assert rows == [joined(0), joined(1), joined(2)]
    assert played.asked[0].query == {"after": "7", "newest": "3", "labelled": "true", "since": "1.5", "phase": "a & b"}


def test_young_labels_can_be_left_out_of_the_metrics(played, client):
    said = ModelMetrics(model="churn", epoch=3, min_label_age_s=86400.0).to_dict()
    played.say("/v1/models/churn/metrics", said)
    played.say("/v1/models/churn/sync", said)

    assert client.metrics("churn", min_label_age=86400.0).min_label_age_s == 86400.0
    assert client.sync("churn", min_label_age=86400.0) == client.metrics("churn")
    assert [asked.query for asked in played.asked] == [{"min_label_age": "86400.0"}] * 2 + [{}]


def test_raw_rows_are_the_bytes_of_the_router(played, client):
    raw = joined(1).to_json() + b"\n"
    played.say("/v1/models/churn/rows", raw)

    assert client.rows_raw("churn", limit=1) == raw


@given(lines=st.lists(st.binary(min_size=1).filter(lambda line: b"\n" not in line)), size=st.integers(1, 9))
def test_lines_survive_any_chunking(lines, size):
    text = b"".join(line + b"\n" for line in lines)
    chunks = (text[start : start + size] for start in range(0, len(text), size))

    assert list(_split(chunks)) == lines


def test_a_plan_is_published_and_read_back(played, client):
    played.say("/v1/models/churn/plan", PLAN.to_json())

    assert client.publish_plan(PLAN) == client.plan("churn") == PLAN
    assert [asked.method for asked in played.asked] == ["PUT", "GET"]


def test_a_step_and_a_share_carry_who_and_why_under_a_key_of_their_own(played, client):
    played.say("/v1/models/churn/advance", PLAN.to_json())

    client.advance("churn", actor="ann", reason="go")
    assert client.advance("churn", actor="ann", reason="go", share=0.25, variant="b") == PLAN

    step, share = played.asked
    assert step.body == {"actor": "ann", "reason": "go"}
    assert share.body == {"actor": "ann", "reason": "go", "share": 0.25, "variant": "b"}
    assert len({step.headers["idempotency-key"], share.headers["idempotency-key"], ""}) == 3


def test_workers_are_told_one_by_one(played, client):
    played.say("/v1/workers", {"workers": [{"worker": 7, "epochs": {"churn": 3}}]})

    assert client.workers() == [{"worker": 7, "epochs": {"churn": 3}}]


def test_a_rollback_carries_who_and_why(played, client):
    played.say("/v1/models/churn/rollback", PLAN.to_json())

    client.rollback("churn", actor="ann", reason="errors", to="v1.0.0")

    asked = played.asked[0]
    assert asked.body == {"actor": "ann", "reason": "errors", "to": "v1.0.0"}
    assert asked.headers["x-actor"] == "ann"


def test_an_actor_beyond_ascii_still_reaches_the_router(played, client):
    played.say("/v1/models/churn/pause", PLAN.to_json())

    client.pause("churn", actor="Zoë", reason="r")

    assert played.asked[0].body["actor"] == "Zoë"


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotFound), (409, StageConflict), (422, RouterRefused), (401, RouterRefused)]
)
def test_a_refusal_keeps_the_words_of_the_router(played, client, status, kind):
    played.say("/v1/models/churn/plan", {"error": "No.", "why": "Because.", "mend": "Do."}, status)

    with pytest.raises(kind) as refused:
        client.plan("churn")

    assert (refused.value.what, refused.value.why, refused.value.mend) == ("No.", "Because.", "Do.")


def test_a_plan_that_somebody_overtook_is_a_conflict_of_plans(played, client):
    played.say("/v1/models/churn/plan", {"error": "No.", "why": "Because.", "mend": "Do."}, 409)

    with pytest.raises(PlanConflict):
        client.publish_plan(PLAN)


def test_a_refusal_in_another_form_still_names_request_and_reason(played, client):
    played.say("/v1/models/churn/plan", b"out of order", 500)

    with pytest.raises(RouterRefused, match=r"GET /v1/models/churn/plan \(500\).*out of order"):
        client.plan("churn")


def test_a_refused_stream_of_rows_is_a_refusal_too(client):
    with pytest.raises(NotFound):
        list(client.rows("nobody"))


def test_a_router_that_is_down_is_unreachable_and_the_mend_is_up():
    with RouterClient(Settings(router_port=9, admin_port=9, admin_token="t")) as client:
        for call in (lambda: client.plan("churn"), lambda: list(client.rows("churn")), client.ready):
            with pytest.raises(Unreachable, match="understudy up"):
                call()


def test_a_router_that_is_too_slow_is_unreachable(played, settings):
    def slowly(_):
        time.sleep(0.5)
        return 200, b"{}"

    played.answers["/readyz"] = slowly
    with RouterClient(settings, timeout=0.1) as client, pytest.raises(Unreachable, match="in time"):
        client.ready()


def test_degraded_is_an_answer_not_an_error(played, client):
    played.say("/readyz", {"status": "degraded", "reasons": ["no plan"]}, 503)

    assert client.ready()["reasons"] == ["no plan"]


def test_waiting_for_an_epoch_waits_for_every_worker(played, settings):
    answers = iter([("1", 2), ("1", 3), ("1", 3), ("2", 2), ("2", 3)])

    def ready(_):
        pid, epoch = next(answers)
        return 200, f'{{"worker": "{pid}", "epochs": {{"churn": {epoch}}}}}'.encode()

    played.answers["/readyz"] = ready
    with RouterClient(settings.model_copy(update={"router_workers": 2})) as client:
        client.wait_for_epoch("churn", 3)

    assert next(answers, None) is None


def test_a_worker_that_stays_behind_is_named(played, client):
    played.say("/readyz", {"worker": "77", "epochs": {"churn": 2}})

    with pytest.raises(Unreachable, match="worker 77 at 2"):
        client.wait_for_epoch("churn", 3, timeout=0.2)
