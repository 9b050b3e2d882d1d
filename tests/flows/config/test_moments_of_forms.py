"""The moment that a form names: the past, on the model's clock."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from flows.config.forms import Moment

MOMENT = TypeAdapter(Moment)


@pytest.mark.parametrize(
    "said", ["2999-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "1899-12-31T23:59:59Z", "yesterday"]
)
def test_a_moment_that_cannot_be_meant_is_refused(said):
    with pytest.raises(ValidationError, match=r"the past|valid datetime"):
        MOMENT.validate_python(said)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2026-03-01T10:00:00+02:00", datetime(2026, 3, 1, 8, tzinfo=UTC)),
        ("1998-05-05T12:00:00", datetime(1998, 5, 5, 12, tzinfo=UTC)),
    ],
)
def test_a_moment_of_the_past_is_taken_in_utc(said, meant):
    assert MOMENT.validate_python(said) == meant


def test_a_clock_that_is_a_little_ahead_is_forgiven():
    soon = datetime.now(UTC) + timedelta(minutes=1)

    assert MOMENT.validate_python(soon) == soon
