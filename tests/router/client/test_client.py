"""Both clients: the same calls, the same patience, the same errors."""

import asyncio
import pickle
import subprocess
import sys
from datetime import UTC, datetime

import httpx
import numpy as np
import pytest
from client_making import LOST, Scripted, answer_of

from registry.errors import Refusal
from router.client import AsyncClient, Client, NotAnswered, OutcomeRow, Refused, Retries, Row, Unavailable

QUICK = Retries(first_s=0.001, most_s=0.01)
REFUSED = {"error": "Nothing was predicted.", "why": "features.x is missing.", "mend": "Send it."}


class Sync:
    def __init__(self, url, **options):
        self._url, self._options = url, options

    def __getattr__(self, name):
        def call(*args, **kwargs):
            with Client(self._url, retries=QUICK, **self._options) as client:
                return getattr(client, name)(*args, **kwargs)

        return call


class Async(Sync):
    def __getattr__(self, name):
        async def run(*args, **kwargs):
            async with AsyncClient(self._url, retries=QUICK, **self._options) as client:
                return await getattr(client, name)(*args, **kwargs)

        return lambda *args, **kwargs: asyncio.run(run(*args, **kwargs))


both = pytest.mark.parametrize("client", [Sync, Async])


@both
def test_a_prediction_is_typed_and_carries_an_id_made_before_it_is_asked(client):
    with Scripted() as server:
        answer = client(server.url).predict("leads", {"x": 1.5, "c": None}, key="k1")

    ((path, body),) = server.heard
    assert path == "/v1/models/leads/predict"
    assert body["rows"] == [{"key": "k1", "features": {"x": 1.5, "c": None}, "id": answer.prediction_id}]
    assert (answer.score, answer.prediction, answer.epoch, len(answer.prediction_id)) == (0.25, 0, 3, 32)
    assert answer.fell_back
    assert not answer.failed


@both
@pytest.mark.parametrize("trouble", [[503], [429], [LOST], [503, LOST]])
def test_what_may_pass_is_asked_again_under_the_same_id(client, trouble):
    with Scripted(*trouble) as server:
        answer = client(server.url).predict("leads", [1, 2])

    assert len(server.heard) == len(trouble) + 1
    assert {body["rows"][0]["id"] for _, body in server.heard} == {answer.prediction_id}


@both
def test_patience_ends_and_says_what_it_met(client):
    with Scripted(503, 503, 503) as server, pytest.raises(Unavailable, match="asked 3 times"):
        client(server.url).predict("leads", [1])
    assert len(server.heard) == 3

    with pytest.raises(Unavailable, match="did not answer") as failed:
        client("http://127.0.0.1:9").outcome("leads", 1, key="k")
    assert "ConnectError" in failed.value.why


@both
@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_refusal_is_told_with_what_why_and_mend_and_is_not_asked_again(client, status):
    with Scripted((status, {}, REFUSED)) as server, pytest.raises(Refused) as refused:
        client(server.url).predict("leads", {})

    assert len(server.heard) == 1
    assert (refused.value.what, refused.value.why, refused.value.mend) == tuple(REFUSED.values())
    assert refused.value.status == status
    assert isinstance(refused.value, Refusal)


@both
@pytest.mark.parametrize("status", [500, 504])
def test_a_champion_that_failed_on_some_rows_gives_the_answers_of_the_others(client, status):
    rows = [answer_of({"id": "a"}), answer_of({"id": "b"}, None)]
    said = {"error": "The champion failed.", "rows": rows}
    with Scripted((status, {}, said)) as server, pytest.raises(NotAnswered) as failed:
        client(server.url).predict_many("leads", [Row(features=[1]), Row(features=[2])])

    assert len(server.heard) == 1
    assert [(answer.prediction_id, answer.failed) for answer in failed.value.answers] == [("a", False), ("b", True)]
    assert "1 of 2 rows" in failed.value.what
    assert pickle.loads(pickle.dumps(failed.value)).answers == failed.value.answers


@both
def test_an_answer_that_is_late_is_not_asked_again(client):
    with Scripted() as server:
        server.pause = 0.5
        with pytest.raises(Unavailable, match="ReadTimeout"):
            client(server.url, timeout=0.1).predict("leads", [1])

    assert len(server.heard) == 1


@both
@pytest.mark.parametrize("said", [b"<html>", b'{"rows": [{}]}', b"[]"])
def test_an_answer_of_somebody_else_is_no_answer(client, said):
    with Scripted((200, {}, said)) as server, pytest.raises(Unavailable, match="not understood"):
        client(server.url).predict("leads", [1])


@both
def test_outcomes_by_key_carry_their_moment_so_that_asking_again_tells_the_same(client):
    with Scripted(LOST) as server:
        client(server.url).outcome("leads", 295.0, key=17, metric="revenue")

    first, second = (body[0] for _, body in server.heard)
    assert first == second
    assert (first["key"], first["metric"], first["value"]) == (17, "revenue", 295.0)
    assert first["time"] > 1.7e9


@both
def test_many_rows_go_in_parts_and_come_back_in_order(client):
    rows = [Row(features=[n], id=f"p{n}") for n in range(11_000)]
    told = [OutcomeRow(value=1, prediction_id=f"p{n}") for n in range(5_001)]
    with Scripted() as server:
        answers = client(server.url).predict_many("leads", rows)
        statuses = client(server.url).outcomes("leads", told)
        nothing = client(server.url).predict_many("leads", [])

    assert [answer.prediction_id for answer in answers] == [row.id for row in rows]
    assert [len(body["rows"]) for _, body in server.heard[:3]] == [5_000, 5_000, 1_000]
    assert [status.kept for status in statuses] == [True] * 5_001
    assert nothing == []


@both
def test_numbers_of_numpy_dates_and_nan_are_written_as_json(client):
    row = {"a": np.float32(0.5), "b": np.int64(3), "c": float("nan"), "d": np.float32("nan"), "e": np.float64(0.25)}
    with Scripted() as server:
        client(server.url).predict("leads", row, time=datetime(2026, 1, 1, tzinfo=UTC))
        client(server.url).outcome("leads", 1, prediction_id="p", time=datetime(2026, 1, 1))  # noqa: DTZ001 - naive is UTC

    assert server.heard[0][1]["rows"][0]["features"] == {"a": 0.5, "b": 3, "c": None, "d": None, "e": 0.25}
    assert server.heard[0][1]["rows"][0]["time"] == server.heard[1][1][0]["time"] == 1767225600.0


@both
@pytest.mark.parametrize(
    "features", [{"x": object()}, {"x": {1, 2}, "y": 1j}, {"x": "\ud800"}, {"x": np.array([1, 2])}]
)
def test_what_is_no_json_is_refused_before_anything_is_sent(client, features):
    with Scripted() as server, pytest.raises(Refused, match="cannot be written as JSON"):
        client(server.url).predict("leads", features)

    assert server.heard == []


def test_names_of_models_cannot_leave_their_place_in_the_path():
    with Scripted() as server:
        Sync(server.url).predict("../admin?x=1#y", [1])

    assert server.heard[0][0] == "/v1/models/..%2Fadmin%3Fx%3D1%23y/predict"


def test_pauses_grow_with_jitter_and_heed_the_router_within_bounds():
    busy, told = httpx.Response(503), httpx.Response(503, headers={"retry-after": "1"})
    patience = Retries(attempts=10, first_s=0.1, most_s=2.0)

    assert [patience.pause(busy, attempt, lambda: 1.0) for attempt in (1, 2, 3, 9)] == [0.1, 0.2, 0.4, 2.0]
    assert patience.pause(busy, 5, lambda: 0.0) == 0.0
    assert patience.pause(told, 1, lambda: 0.5) == pytest.approx(1.05)
    assert patience.pause(httpx.Response(503, headers={"retry-after": "99999"}), 1) == 2.0
    assert patience.pause(httpx.Response(503, headers={"retry-after": "soon"}), 1, lambda: 1.0) == 0.1
    assert patience.pause(busy, 10) is None
    assert patience.pause(httpx.Response(500), 1) is None
    assert patience.pause(httpx.ReadTimeout("late"), 1) is None


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"first_s": -1.0}, {"first_s": 3.0}])
def test_patience_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="makes no sense"):
        Retries(**wrong)


def test_importing_the_client_imports_nothing_of_the_router():
    heavy = ("bentoml", "xgboost", "numpy", "numba", "pandas", "sqlalchemy", "pydantic", "starlette", "uvicorn")
    code = f"import sys, router.client; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "[]"
