"""Kinds of parameters of flows: the server refuses what they do not allow, before a run begins."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from registry.records.base import utc

_FIRST = datetime(1900, 1, 1, tzinfo=UTC)
_AHEAD = timedelta(minutes=5)  # clocks differ

ModelName = Annotated[str, Field(pattern=r"^([a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?)?$", examples=["churn"])]
"""Empty counts as absent: a cleared field of a form is sent as an empty text."""
VersionName = Annotated[str, Field(pattern=r"^(v[0-9]+\.[0-9]+\.[0-9]+)?$", examples=["v1.2.0"])]
"""Empty counts as absent."""
Actor = Annotated[str, Field(min_length=1, max_length=100, pattern=r"\S", examples=["ada"])]
Reason = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"\S")]
Note = Annotated[str, Field(max_length=1000)]
"""A reason that may be left out."""
EventId = Annotated[str, Field(pattern=r"^(retrain_[0-9]{8}_[0-9]{3,})?$", examples=["retrain_20260301_001"])]
"""Empty counts as absent."""
RunId = Annotated[str, Field(pattern=r"^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$")]
"""Of a flow run; empty counts as absent."""


def _played(at: datetime) -> datetime:
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    if not _FIRST <= aware <= datetime.now(UTC) + _AHEAD:
        raise ValueError(f"{at.isoformat()} is in the future or before {_FIRST.year}: leave it empty, or name the past")
    return utc(at)


Moment = Annotated[datetime, AfterValidator(_played)]
"""
On the model's clock, UTC if it names no zone. What is to come is refused: it would end every waiting time at once, and
stand in the audit trail for ever.
"""
Days = Annotated[int, Field(ge=1, le=3650)]

FROM_THE_FORM = "prefect-ui"
"""Who asks where a form was left as it is: Prefect's server does not say who pressed the button."""
