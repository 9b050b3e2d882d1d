"""The admin port, over a real registry."""

import pytest
from admin_making import SAID

from registry.eventlog.events import Observed, Predicted
from registry.eventlog.segments import SegmentWriter


def test_pausing_and_resuming_are_plans_of_their_own(admin, registry):
    assert admin.post("/v1/models/m/pause", json=SAID).json()["paused"] is True
    assert admin.post("/v1/models/m/resume", json=SAID).json()["paused"] is False
    assert [plan.epoch for plan in registry.plans("m")] == [3, 2, 1]


def test_what_is_so_already_is_left_alone(admin, registry):
    assert admin.post("/v1/models/m/resume", json=SAID).json()["epoch"] == 1
    assert admin.post("/v1/models/m/pause", json=SAID).json()["epoch"] == 2
    assert admin.post("/v1/models/m/pause", json=SAID).json()["epoch"] == 2
    assert [plan.epoch for plan in registry.plans("m")] == [2, 1]


@pytest.mark.parametrize("said", [{}, {"actor": "ann"}, {"reason": "x"}, {"actor": " ", "reason": "x"}, []])
def test_nobody_changes_anything_without_name_and_reason(admin, registry, said):
    answer = admin.post("/v1/models/m/rollback", json=said)

    assert answer.status_code == 422
    assert "missing" in answer.json()["why"]
    assert len(registry.plans("m")) == 1


def test_an_unknown_model_is_404_with_its_mend(admin):
    answer = admin.get("/v1/models/nobody/plan")

    assert answer.status_code == 404
    assert set(answer.json()) == {"error", "why", "mend"}


def test_a_plan_that_does_not_follow_the_newest_is_a_conflict(admin, registry):
    plan = registry.plan("m")

    answer = admin.put("/v1/models/m/plan", content=plan.to_json())

    assert answer.status_code == 409
    assert len(registry.plans("m")) == 1


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"model": "m"}', b"\xff", b'{"model": "\xe9"}', b"[" * 5000])
def test_what_is_no_plan_is_refused(admin, body):
    assert admin.put("/v1/models/m/plan", content=body).status_code == 422


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic secret", "bearer secret"])
def test_without_the_token_nothing_is_shown(admin, header):
    answer = admin.get("/v1/models", headers={"Authorization": header})

    assert answer.status_code == 401
    assert "models" not in answer.json()


def test_a_query_that_is_no_number_is_refused_by_name(admin):
    answer = admin.get("/v1/models/m/rows", params={"after": "soon"})

    assert answer.status_code == 422
    assert "after is 'soon'" in answer.json()["why"]


@pytest.mark.parametrize("name", ["after", "limit", "newest", "since", "until"])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999", "x", ""])
def test_what_is_no_finite_number_is_refused_by_name(admin, name, value):
    answer = admin.get("/v1/models/m/rows", params={name: value})

    assert answer.status_code == 422
    assert answer.json()["why"].startswith(f"{name} is '{value}', expected")


@pytest.mark.parametrize("value", ["-1", "0.5", "1e300"])
@pytest.mark.parametrize("path", ["rows", "events"])
def test_a_limit_is_a_whole_number(admin, path, value):
    assert admin.get(f"/v1/models/m/{path}", params={"limit": value}).status_code == 422


@pytest.mark.parametrize("value", ["maybe", "", "tru", "2"])
def test_labelled_is_true_or_false_and_nothing_between(admin, value):
    answer = admin.get("/v1/models/m/rows", params={"labelled": value})

    assert answer.status_code == 422
    assert f"labelled is '{value}', expected true or false" in answer.json()["why"]


@pytest.mark.parametrize("to", [5, [], ["v1.0.0"], {}, False])
def test_a_rollback_to_what_is_no_version_changes_nothing(admin, registry, to):
    answer = admin.post("/v1/models/m/rollback", json={**SAID, "to": to})

    assert answer.status_code == 422
    assert "expected a version" in answer.json()["why"]
    assert len(registry.plans("m")) == 1


@pytest.mark.parametrize(
    "body", [b"[" * 5000, b"{", b"\xff", b'{"actor": "\xe9"}', b'{"actor": "a", "reason": "\\ud800"}']
)
@pytest.mark.parametrize("verb", ["rollback", "pause", "resume"])
def test_a_body_that_is_no_json_changes_nothing(admin, registry, verb, body):
    assert admin.post(f"/v1/models/m/{verb}", content=body).status_code == 422
    assert len(registry.plans("m")) == 1


def test_rows_and_metrics_are_those_asked_for(settings, admin):
    row = {"model": "m", "features": {"x": 1.0}, "served": "champion", "assigned": "champion", "epoch": 1}
    row |= {"assigned_version": "v1.0.0", "version": "v1.0.0", "enrolled": True, "reason": "bucket", "weight": 10**6}
    row |= {"score": 0.5, "prediction": 1, "latency_ms": 1.0}
    SegmentWriter(settings.events_dir, "worker").append(
        [
            Predicted(**row, id="p", key="a", time=0.0, phase="r-0001.0"),
            Predicted(**row, id="q", key="a", time=100.0, phase="r-0001.1"),
            *(Observed(model="m", id=f"o{i}", prediction_id=i, metric="label", value=1.0, time=100.0) for i in "pq"),
        ]
    )

    def labelled(answer):
        document = answer.json()
        assert document["clock"] == 100.0
        return [phase["variants"]["champion"]["units"].get("loss", {"n": 0})["n"] for phase in document["phases"]]

    assert labelled(admin.post("/v1/models/m/sync")) == [1, 1]
    assert labelled(admin.post("/v1/models/m/sync", params={"min_label_age": "0.5"})) == [1, 0]
    assert labelled(admin.get("/v1/models/m/metrics", params={"min_label_age": "100.5"})) == [0, 0]
    assert labelled(admin.get("/v1/models/m/metrics")) == [1, 1]
    [line] = admin.get("/v1/models/m/rows", params={"phase": "r-0001.1"}).text.splitlines()
    assert '"prediction_id":"q"' in line
    assert '"weight":1000000' in line


@pytest.mark.parametrize("value", ["-1", "nan", "1d", ""])
@pytest.mark.parametrize(("method", "path"), [("GET", "metrics"), ("POST", "sync")])
def test_the_least_age_of_a_label_is_in_seconds(admin, method, path, value):
    answer = admin.request(method, f"/v1/models/m/{path}", params={"min_label_age": value})

    assert answer.status_code == 422
    assert answer.json()["why"].startswith(f"min_label_age is '{value}', expected")


def test_everything_can_be_read_before_the_first_request(admin):
    metrics = admin.get("/v1/models/m/metrics").json()

    assert (metrics["predictions"], metrics["sequence"], metrics["phases"]) == (0, 0, [])
    assert admin.get("/v1/models/m/rows").text == ""
    assert admin.get("/v1/models/m/events").json() == {"events": []}
    assert admin.get("/v1/models").json() == {"models": ["m"]}
