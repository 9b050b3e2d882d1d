"""One run of MLflow as it waits to be sent."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from math import isfinite
from typing import Any, Literal, get_args

from registry.records.base import Record
from registry.records.version import ModelVersion

Experiment = Literal[
    "drift_monitoring", "model_comparison", "model_deployment", "retraining_pipeline", "automated_retraining"
]
EXPERIMENTS: tuple[str, ...] = get_args(Experiment)
Status = Literal["RUNNING", "FINISHED", "FAILED"]


class Trial(Record, frozen=True, kw_only=True):
    """
    One setting that a retraining has tried.

    Attributes:
        loss: Less is better; None if the trial was cut off before it had one.
        state: e.g. "complete", "pruned".
        duration_s: None if it was not measured.
    """

    number: int
    family: str
    params: dict[str, Any] = {}
    loss: float | None = None
    state: str = "complete"
    duration_s: float | None = None


class DataSet(Record, frozen=True, kw_only=True):
    """What a run has learned from, or looked at."""

    name: str
    fingerprint: str
    source: str
    rows: int


class Entry(Record, frozen=True, kw_only=True):
    """
    One run, or what has become of one.

    Attributes:
        run: Names the run; two entries of one run are merged, the later one on top.
        part: Which of the entries of the run; one that was written down before is not written again.
        at: When it began, on the model's clock.
        ended: When it ended; None while it goes on.
        params, tags: Texts; metrics: finite numbers.
        trials: A nested run each.
        version: Logged as a model without bytes: its signature, its names and digests.
        attachments: Names of the files that lie beside the entry.
        uri: Of the tracking server; None: whatever the sender's environment says.
    """

    run: str
    part: str = ""
    experiment: Experiment
    name: str
    model: str
    at: datetime
    ended: datetime | None = None
    status: Status = "FINISHED"
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    metrics: dict[str, float] = {}
    trials: tuple[Trial, ...] = ()
    data: DataSet | None = None
    version: ModelVersion | None = None
    attachments: tuple[str, ...] = ()
    uri: str | None = None


def texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Everything that is there, as text."""
    return {name: str(value) for name, value in values.items() if value is not None and value != ""}


def numbers(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Everything that is a finite number; true is 1."""
    found = {name: value for name, value in values.items() if isinstance(value, int | float)}
    return {f"{prefix}{name}": float(value) for name, value in found.items() if isfinite(value)}


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """
    Name what lies deeper by the way to it.

    Example:
        >>> dict(flat({"a": {"b": 1}, "c": 2}))
        {'a.b': 1, 'c': 2}
    """
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
