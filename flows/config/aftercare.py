"""Sections `validation`, `tracking` and `retention` of a model's YAML file."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from flows.config.section import Count, Name, Period, Section

Positive = Annotated[float, Field(gt=0)]


class Slice(Section):
    """Rows on which a challenger must not be much worse than the champion."""

    name: Name
    where: Name = Field(description="Condition over features, in SQL, e.g. `age > 60 and job = 'retired'`")


class Validation(Section):
    """What a version must show, in a router of its own, before it leaves staging."""

    enabled: bool = True
    rows: Count = Field(default=500, description="Holdout rows that the router is asked for")
    latency_ms: Positive = Field(default=50.0, description="99 of 100 answers must be faster")
    memory_mb: Positive = Field(default=1024.0, description="What the version may add to a router worker")
    slices: tuple[Slice, ...] = ()
    slice_rows: Count = Field(default=100, description="Slices with fewer rows are not judged")
    slice_loss: Positive = Field(
        default=0.1, description="Share by which the loss of a slice may be above the champion's"
    )
    tests: tuple[Name, ...] = Field(
        default=(), description="Functions `module:function` of your own, given the version"
    )
    timeout: Period = Field(default=timedelta(minutes=5), description="After which a validation has failed")


class Tracking(Section):
    """Runs in MLflow."""

    enabled: bool = True
    uri: Name | None = Field(
        default=None, description="Tracking server; MLFLOW_TRACKING_URI, or a file in the state folder, if absent"
    )
    trials: bool = Field(default=True, description="One nested run per trial")
    mirror: bool = Field(default=True, description="Repeat versions, aliases and stages in MLflow's registry")


class Retention(Section):
    """Which artifacts are kept."""

    archived: Annotated[int, Field(ge=0)] = Field(
        default=10, description="Newest archived versions whose artifacts are kept; never fewer than a rollback needs"
    )
    rejected: Annotated[int, Field(ge=0)] = Field(default=10, description="The same of rejected ones")
