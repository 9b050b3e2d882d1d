"""The demo passes only if every phase did what it should."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from flows.demo.phases import phases
from flows.demo.show import LEAST_ROWS, refuse_short
from flows.errors import ConfigError
from flows.replay.books import Line
from flows.replay.summary import Ending, Retraining, Summary

DRIFT = datetime(2026, 3, 1, tzinfo=UTC)
RETRAINED = Retraining(
    id="retrain_1",
    at=DRIFT + timedelta(days=1),
    trigger="drift",
    reason="error rises",
    successful=True,
    version="v1.1.0",
)
PROMOTED = Ending(
    id="r-0001",
    challenger="v1.1.0",
    champion="v1.0.0",
    status="succeeded",
    at=DRIFT,
    said="100 % succeeded",
    share=1.0,
    watched=300,
    answered=500,
)
BAD = Ending(
    id="r-0002",
    challenger="v1.2.0",
    champion="v1.1.0",
    status="rolled_back",
    at=DRIFT,
    said="loss",
    share=0.2,
    answered=90,
    bad=True,
)
GOOD = Summary(
    name="leads",
    model="leads",
    task="binary",
    metric="accuracy",
    rows=100,
    batches=5,
    start=DRIFT,
    end=DRIFT,
    served={"accuracy": 0.8},
    frozen={"accuracy": 0.6},
    series=(),
    retrainings=(RETRAINED,),
    rollouts=(PROMOTED, BAD),
    rejected=(),
    books=(Line(name="rows answered", expected=100, found=100),),
)


def failed(**changes):
    return [phase.name for phase in phases(msgspec.structs.replace(GOOD, **changes), DRIFT) if not phase.passed]


def but(record, **changes):
    return msgspec.structs.replace(record, **changes)


def test_a_good_demo_passes():
    assert failed() == []


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"retrainings": ()}, "drift detected"),
        ({"retrainings": (but(RETRAINED, at=DRIFT - timedelta(days=1)),)}, "drift detected"),
        ({"retrainings": (but(RETRAINED, successful=False),)}, "retrained"),
        ({"rollouts": (but(PROMOTED, watched=0), BAD)}, "watched in shadow"),
        ({"rollouts": (but(PROMOTED, answered=0), BAD)}, "answered as canary"),
        ({"rollouts": (but(PROMOTED, status="rolled_back"), BAD)}, "promoted"),
        ({"rollouts": (PROMOTED,)}, "bad challenger rolled back"),
        ({"rollouts": (PROMOTED, but(BAD, status="running"))}, "bad challenger rolled back"),
        ({"rollouts": (PROMOTED, but(BAD, share=1.0))}, "bad challenger rolled back"),
        ({"served": {"accuracy": 0.5}}, "the loop paid"),
        ({"books": (Line(name="rows answered", expected=100, found=99),)}, "bookkeeping exact"),
    ],
)
def test_a_phase_that_did_not_happen_fails(changes, name):
    assert name in failed(**changes)


def test_too_few_rows_for_all_phases_are_refused_at_once():
    with pytest.raises(ConfigError, match="at least"):
        refuse_short(LEAST_ROWS - 1)
