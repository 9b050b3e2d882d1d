"""The serving port without a network: any body is answered, and nothing answered is unlogged."""

import asyncio

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from router_making import Constant, Raises, Source, plan_of

from registry.errors import ArtifactRefused
from registry.eventlog.segments import SegmentReader, SegmentWriter
from router.app import RouterApp
from router.board import Board
from router.index.lookup import Lookup
from router.models import ModelCache
from router.outcomes import OutcomeLog
from router.plans import PlanWatcher
from router.sentry import Sentry
from router.tally import Tallies
from router.worker import Worker

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["key", "features", "rows", "id", "time", "x", "value"]), inner, max_size=5)
    ),
    max_leaves=12,
)
NEAR_MISSES = st.fixed_dictionaries(
    {"features": st.fixed_dictionaries({"x": JSON}) | JSON}, optional={"key": JSON, "id": JSON, "time": JSON}
)
BODIES = st.one_of(
    st.binary(max_size=60),
    (JSON | NEAR_MISSES | st.fixed_dictionaries({"rows": st.lists(NEAR_MISSES, max_size=3)})).map(msgspec.json.encode),
)


class Served:
    def __init__(self, folder, challenger=None):
        def load(version):
            return (challenger or Constant(0.9)) if version.version == "v1.1.0" else Constant(0.1)

        self.folder, self.source = folder, Source(plan_of())
        watcher = PlanWatcher(self.source, ModelCache(load), folder / "plans")
        watcher.refresh()
        self.writer = SegmentWriter(folder / "events", "worker")
        tallies = Tallies()
        sentry = Sentry(Board.join(folder, "worker"), tallies, watcher.snapshots, watcher.stop)
        kept = OutcomeLog(self.writer, Lookup(folder / "index.sqlite"))
        self.app = RouterApp(Worker(watcher=watcher, writer=self.writer, kept=kept, tallies=tallies, sentry=sentry))

    def ask(self, method, path, **wanted):
        async def send():
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://router") as client:
                return await client.request(method, path, **wanted)

        return asyncio.run(send())

    def predict(self, body):
        return self.ask(
            "POST", "/v1/models/m/predict", **({"content": body} if type(body) is bytes else {"json": body})
        )

    def logged(self):
        reader = SegmentReader(self.folder / "events", ("worker",))
        return [event for path in reader.segments() for event in reader.read(path, 0)[0]]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    return Served(tmp_path_factory.mktemp("router"))


@settings(max_examples=3 * settings.default.max_examples, deadline=None)
@given(body=BODIES)
def test_any_body_is_answered_or_refused_by_name_and_never_a_500(served, body):
    answer = served.predict(body)

    if answer.status_code == 200:
        document = answer.json()
        rows = document.get("rows", [document])
        assert all(row["score"] in (0.1, 0.9) and row["prediction_id"] for row in rows)
    else:
        assert 400 <= answer.status_code < 500
        assert set(answer.json()) == {"error", "why", "mend"}


@settings(max_examples=2 * settings.default.max_examples, deadline=None)
@given(body=BODIES, content_type=st.sampled_from(["application/json", "application/x-ndjson", ""]))
def test_any_outcomes_are_answered_row_by_row_or_refused_and_never_a_500(served, body, content_type):
    answer = served.ask("POST", "/v1/models/m/outcomes", content=body, headers={"content-type": content_type})

    assert answer.status_code < 500
    document = answer.json()
    if "error" not in document:
        statuses = {row["status"] for row in document.get("rows", [document])}
        assert statuses <= {"accepted", "duplicate", "conflict", "invalid"}


def test_nesting_of_any_depth_is_refused_not_a_500(served):
    for depth in (10, 500, 900, *range(940, 1010), 5000):
        for opening, closing in (("[", "]"), ('{"a":', "}")):
            value = opening * depth + "1" + closing * depth
            assert served.predict(f'{{"features": {{"x": {value}}}}}'.encode()).status_code in (400, 422), depth


@pytest.mark.parametrize("key", [None, "", 1.5, True, {"a": 1}, [1], 10**19])
def test_a_key_of_any_kind_is_answered_and_an_unusable_one_by_the_champion(served, key):
    answer = served.predict({"key": key, "features": {"x": 1}}).json()

    if answer["reason"] != "bucket":
        assert (answer["variant"], answer["score"]) == ("champion", 0.1)
    assert (answer["reason"] == "bucket") == (key == 10**19)


def test_every_answer_is_logged_under_its_id_before_it_leaves(tmp_path):
    router = Served(tmp_path)
    answers = router.predict({"rows": [{"key": f"k{i}", "features": {"x": i}} for i in range(30)]}).json()["rows"]

    logged = router.logged()
    assert [event.id for event in logged] == [answer["prediction_id"] for answer in answers]
    assert [event.served for event in logged] == [answer["variant"] for answer in answers]
    assert {answer["variant"] for answer in answers} == {"champion", "challenger"}
    assert len({event.id for event in logged}) == 30


def test_a_failing_challenger_is_invisible_to_callers_and_counted_for_operators(tmp_path):
    router = Served(tmp_path, challenger=Raises(0.9))
    answers = router.predict({"rows": [{"key": f"k{i}", "features": {"x": i}} for i in range(30)]}).json()["rows"]
    theirs = sum(answer["assigned"] == "challenger" for answer in answers)

    assert {answer["variant"] for answer in answers} == {"champion"}
    assert 0 < theirs < 30
    families = {f.name: f for f in text_string_to_metric_families(router.ask("GET", "/metrics").text)}
    counted = {
        (sample.labels["variant"], sample.labels["outcome"]): sample.value
        for sample in families["understudy_predictions"].samples
        if sample.name.endswith("_total")
    }
    assert counted["challenger", "fallback"] == theirs


def test_a_router_that_cannot_log_still_answers_and_says_so(tmp_path):
    (tmp_path / "events").write_text("a file where the folder should be")
    router = Served(tmp_path)

    assert router.predict({"key": "a", "features": {"x": 1}}).status_code == 200
    ready = router.ask("GET", "/readyz").json()
    assert (ready["status"], ready["unlogged"]) == ("degraded", 1)
    assert router.ask("POST", "/v1/models/m/outcomes", json={"prediction_id": "p", "value": 1}).status_code == 503


def test_an_unknown_model_is_404_and_names_those_that_are_served(served):
    for path in ("predict", "outcomes"):
        answer = served.ask("POST", f"/v1/models/nobody/{path}", json={"features": {"x": 1}})
        assert answer.status_code == 404
        assert "serves: m" in answer.json()["why"]


def test_a_model_whose_artifact_was_refused_is_503_and_says_why(served, caplog):
    served.app._worker.watcher._cache = ModelCache(refused)
    served.source.publish(msgspec.structs.replace(plan_of(), model="torn"))
    for _ in range(2):
        served.app._worker.watcher.refresh()

    for path in ("predict", "outcomes"):
        answer = served.ask("POST", f"/v1/models/torn/{path}", json={"features": {"x": 1}})
        assert answer.status_code == 503
        assert answer.json()["error"] == "torn is not served."
        assert "model.ubj was altered" in answer.json()["why"]
    assert caplog.text.count("model.ubj was altered") == 1


def refused(version):
    raise ArtifactRefused(f"The artifact {version.version} was not loaded.", "model.ubj was altered.", "Restore it.")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/models/m/predict", 405),
        ("DELETE", "/v1/models/m/outcomes", 405),
        ("GET", "/v1/nothing", 404),
        ("POST", "/healthz", 404),
        ("GET", "/healthz", 200),
        ("HEAD", "/readyz", 200),
        ("GET", "/docs", 200),
        ("GET", "/openapi.json", 200),
    ],
)
def test_paths_and_methods(served, method, path, status):
    assert served.ask(method, path).status_code == status


def test_the_metrics_are_text_that_prometheus_understands(served):
    served.predict({"key": "a", "features": {"x": 1}})
    families = {f.name: f for f in text_string_to_metric_families(served.ask("GET", "/metrics").text)}

    assert {"understudy_predictions", "understudy_latency_ms", "understudy_plan_epoch"} <= set(families)
    buckets = [s.value for s in families["understudy_latency_ms"].samples if s.name.endswith("_bucket")]
    assert buckets
