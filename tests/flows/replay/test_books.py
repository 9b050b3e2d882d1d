"""The books notice every row that is lost, doubled or changed."""

import msgspec
import pytest

from flows.replay.books import Log, LoggedRow, check_books, prediction_id, read_log
from flows.replay.progress import Answer
from registry.records.live import JoinedRow, ModelMetrics, PhaseMetrics, VariantMetrics

ROWS = range(5, 25)


def variant_of(row):
    return "challenger" if row % 4 == 0 else "champion"


def version_of(row):
    return "v1.1.0" if row % 4 == 0 else "v1.0.0"


def answer(row):
    return Answer(row, 1, 0.5, variant_of(row), variant_of(row), version_of(row), 2, "bucket")


def outcomes_of(row):
    return {"label": float(row % 2), "revenue": row * 0.1}


def logged(row):
    return LoggedRow(variant_of(row), variant_of(row), version_of(row), 2, outcomes_of(row))


def case(**changes):
    phase = PhaseMetrics(
        phase="r-0001.1",
        first_epoch=2,
        last_epoch=2,
        variants={
            name: VariantMetrics(version="v1.0.0", assigned=sum(variant_of(row) == name for row in ROWS))
            for name in ("champion", "challenger")
        },
    )
    whole = {
        "name": "r",
        "rows": ROWS,
        "answers": [answer(row) for row in ROWS],
        "log": Log({prediction_id("r", row): logged(row) for row in ROWS}, len(ROWS), len(ROWS), 0),
        "outcomes": {row: outcomes_of(row) for row in ROWS},
        "metrics": ModelMetrics(model="r", epoch=2, phases=(phase,), predictions=len(ROWS)),
        "refused": 0,
    }
    return check_books(**{**whole, **changes})


def wrong(lines):
    return [line.name for line in lines if not line.exact]


def without(row):
    whole = {prediction_id("r", one): logged(one) for one in ROWS if one != row}
    return Log(whole, len(ROWS) - 1, len(ROWS) - 1, 0)


def changed(row, **values):
    whole = {prediction_id("r", one): logged(one) for one in ROWS}
    whole[prediction_id("r", row)] = logged(row)._replace(**values)
    return Log(whole, len(ROWS), len(ROWS), 0)


def test_books_of_a_perfect_replay_are_exact():
    assert wrong(case()) == []


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"answers": [answer(row) for row in ROWS if row != 7]}, "rows answered"),
        ({"answers": [answer(row) for row in [*ROWS, 7]]}, "answers in all"),
        ({"log": without(8)}, "rows in the log"),
        ({"log": changed(8, version="v1.0.0")}, "served by challenger v1.1.0"),
        ({"log": changed(9, epoch=3)}, "answers that differ from the log"),
        ({"log": changed(9, outcomes={"revenue": 0.9})}, "label: joined"),
        ({"log": changed(9, outcomes={"label": 0.0, "revenue": 0.9})}, "label: joined with another value"),
        ({"log": changed(9, outcomes={"label": 1.0, "revenue": 1.9})}, "revenue: sum"),
        ({"refused": 1}, "outcomes refused"),
        ({"metrics": ModelMetrics(model="r", epoch=2, predictions=19)}, "predictions counted by the router"),
        ({"metrics": ModelMetrics(model="r", epoch=2, predictions=20, unlogged=1)}, "predictions not logged"),
        ({"metrics": ModelMetrics(model="r", epoch=2, predictions=20)}, "assignments counted by the router"),
    ],
)
def test_every_kind_of_mistake_is_named(changes, line):
    assert line in wrong(case(**changes))


def test_rows_of_other_callers_are_counted_but_not_compared():
    row = JoinedRow(
        sequence=1,
        prediction_id="r-5",
        key="k",
        time=0.0,
        features={},
        variant="champion",
        assigned="champion",
        model_version="v1.0.0",
        epoch=2,
        phase="first",
        reason="bucket",
        enrolled=True,
        prediction=1,
        score=0.5,
        latency_ms=1.0,
    )
    other = msgspec.structs.replace(row, prediction_id="someone-else", enrolled=False)

    log = read_log([row, other, row], "r")

    assert (list(log.rows), log.total, log.enrolled, log.twice) == (["r-5"], 3, 2, 1)
