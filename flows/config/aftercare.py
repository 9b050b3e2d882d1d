"""Sections `validation`, `tracking` and `retention` of a model's YAML file."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import Field, field_validator

from flows.config.section import Count, Name, Period, Section

Positive = Annotated[float, Field(gt=0)]
STORES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks")


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

    @field_validator("uri")
    @classmethod
    def _usable(cls, uri: str | None) -> str | None:
        mistake = store_mistake(uri) if uri is not None else None
        if mistake is not None:
            raise ValueError(" ".join(mistake))
        return uri


class Retention(Section):
    """Which artifacts are kept."""

    archived: Annotated[int, Field(ge=0)] = Field(
        default=10, description="Newest archived versions whose artifacts are kept; never fewer than a rollback needs"
    )
    rejected: Annotated[int, Field(ge=0)] = Field(default=10, description="The same of rejected ones")


def store_mistake(uri: str) -> tuple[str, str] | None:
    """
    Why MLflow cannot work with an address, and the mend; None if it can.

    Example:
        >>> store_mistake("mlruns")[0]
        'mlruns is neither a server nor a database; MLflow refuses folders of files.'
    """
    kind = uri.partition("://")[0] if "://" in uri else ""
    if kind == "postgresql+psycopg":
        return (
            f"{shown(uri)} uses psycopg 3, with which MLflow's own registry fails (mlflow#24592).",
            "Write postgresql+psycopg2:// and install psycopg2-binary, or name an MLflow server (http://...).",
        )
    if kind.partition("+")[0] not in STORES and uri != "databricks":
        return (
            f"{shown(uri)} is neither a server nor a database; MLflow refuses folders of files.",
            "Name a server (http://...) or a database (sqlite:///...).",
        )
    return None


def shown(uri: str) -> str:
    """An address, or a text with addresses, without their users and passwords."""
    return re.sub(r"//[^/@\s]*@", "//***@", uri)
