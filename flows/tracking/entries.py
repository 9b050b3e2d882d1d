"""Turn records into entries: which experiment, which name, which numbers."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from flows.tracking.entry import DataSet, Entry, Status, Trial, flat, numbers, texts
from registry.records.base import utc
from registry.records.retraining import RetrainingEvent
from registry.records.rollout import Rollout
from registry.records.verdict import Decision, Finding
from registry.records.version import ModelVersion

MILLION = 1_000_000
MOST_COLUMNS = 100
"""Features of a look that are shown one by one, the most drifted ones."""
COLUMN = ("psi", "statistic", "adjusted", "missing_change", "drifted")


class Column(Protocol):
    """Drift of one feature."""

    @property
    def name(self) -> str:
        """Of the feature."""

    @property
    def psi(self) -> float:
        """Population stability index."""

    @property
    def statistic(self) -> float:
        """Kolmogorov-Smirnov D, or Cramer's V."""

    @property
    def adjusted(self) -> float:
        """p-value after correction."""

    @property
    def missing_change(self) -> float:
        """Of the share of missing values."""

    @property
    def drifted(self) -> bool:
        """Whether it did."""


class Report(Protocol):
    """Drift of the newest rows."""

    @property
    def said(self) -> str:
        """In one sentence."""

    @property
    def features(self) -> Sequence[Column]:
        """Most drifted first."""

    def metrics(self) -> dict[str, float | None]:
        """Counts and maxima."""


class Verdict(Protocol):
    """Whether to retrain."""

    def to_dict(self) -> dict[str, Any]:
        """Plain builtins."""


class SeenLook(Protocol):
    """One look at a model: `flows.detection.look.Look`."""

    @property
    def model(self) -> str:
        """Name of the model."""

    @property
    def at(self) -> datetime:
        """On the model's clock."""

    @property
    def champion(self) -> str:
        """Version that was looked at."""

    @property
    def event_id(self) -> str | None:
        """Retraining event that was raised, if any."""

    @property
    def held_back(self) -> str | None:
        """Why a triggered decision raised none."""

    @property
    def drift(self) -> Report:
        """Of the features."""

    @property
    def decision(self) -> Verdict:
        """All evidence in one."""


def of_look(look: SeenLook) -> Iterator[Entry]:
    """One run per look; and the beginning of the run of the retraining that it asked for."""
    decided = look.decision.to_dict()
    known = {name: decided.get(name) for name in ("severity", "drift_type", "rule", "trigger", "recommendation")}
    tags = texts(known | {"version": look.champion, "event_id": look.event_id, "held_back": look.held_back})
    yield Entry(
        run=f"{look.model}/look/{utc(look.at):%Y%m%dT%H%M%S.%f}",
        experiment="drift_monitoring",
        name=f"{look.model} {look.at:%Y-%m-%d %H:%M}",
        model=look.model,
        at=look.at,
        ended=look.at,
        tags=tags | texts({"said": look.drift.said, "causes": "; ".join(decided.get("causes", ()))}),
        metrics=_look_numbers(look, decided),
    )
    if look.event_id is not None:
        yield _triggered(look, look.event_id, tags, _look_numbers(look, decided))


def _look_numbers(look: SeenLook, decided: Mapping[str, Any]) -> dict[str, float]:
    """Evidence that rules have seen, the drift report, and the verdict's own numbers."""
    found = numbers(decided.get("evidence", {})) | numbers(look.drift.metrics()) | numbers(decided)
    for column in look.drift.features[:MOST_COLUMNS]:
        found |= numbers({name: getattr(column, name) for name in COLUMN}, f"feature.{column.name}.")
    return found


def _triggered(look: SeenLook, event_id: str, tags: dict[str, str], metrics: dict[str, float]) -> Entry:
    return Entry(
        run=_event_run(look.model, event_id),
        part="triggered",
        experiment="automated_retraining",
        name=event_id,
        model=look.model,
        at=look.at,
        status="RUNNING",
        tags=tags | {"event_id": event_id},
        metrics=metrics,
    )


def of_decision(decision: Decision) -> Entry:
    """One run per verdict."""
    said = {"outcome": decision.outcome, "kind": decision.kind, "decision_id": decision.id}
    sides = {"champion": decision.champion, "challenger": decision.challenger, "version": decision.challenger}
    return Entry(
        run=f"{decision.model}/decision/{decision.id}",
        experiment="model_comparison",
        name=f"{decision.id}: {decision.outcome}",
        model=decision.model,
        at=decision.created_at,
        ended=decision.created_at,
        params=texts(dict(flat(decision.policy.to_dict(), "policy."))),
        tags=texts(said | sides | {"headline": decision.headline, "inputs": decision.inputs} | decision.identities),
        metrics=decision_numbers(decision),
        attachments=("decision.json", "decision.html"),
    )


def decision_numbers(decision: Decision) -> dict[str, float]:
    """Metrics of both sides, and every finding with its interval."""
    found = numbers({"power": decision.power, "more_needed": decision.more_needed})
    for side, metrics in decision.metrics.items():
        found |= numbers(metrics, f"{side}.")
    for finding in decision.findings:
        found |= _finding_numbers(finding)
    return found


def _finding_numbers(finding: Finding) -> dict[str, float]:
    wanted = ("estimate", "low", "high", "p_value", "lift", "n", "passed")
    return numbers({name: getattr(finding, name) for name in wanted}, f"{finding.role}.{finding.name}.")


def of_rollout(rollout: Rollout, kind: str, said: str, at: datetime) -> Entry:
    """One run per move."""
    share = rollout.steps[rollout.step].share / MILLION if rollout.step >= 0 else 0.0
    tags = {
        "kind": kind,
        "said": said,
        "rollout_id": rollout.id,
        "status": rollout.status,
        "champion": rollout.champion,
        "version": rollout.challenger,
        "decision_id": rollout.decision_id,
    }
    return Entry(
        run=f"{rollout.model}/rollout/{rollout.id}/{rollout.revision}",
        experiment="model_deployment",
        name=f"{rollout.id} {rollout.challenger}: {kind}",
        model=rollout.model,
        at=at,
        ended=at,
        status="FAILED" if kind == "roll_back" else "FINISHED",
        tags=texts(tags),
        metrics={"step": float(rollout.step), "share": share, "revision": float(rollout.revision)},
    )


def of_deployment(model: str, version: str, kind: str, said: str, actor: str, at: datetime) -> Entry:
    """One run per change of production that is no move of a rollout."""
    return Entry(
        run=f"{model}/deployment/{version}/{utc(at):%Y%m%dT%H%M%S.%f}",
        experiment="model_deployment",
        name=f"{version}: {kind}",
        model=model,
        at=at,
        ended=at,
        tags=texts({"kind": kind, "said": said, "actor": actor, "version": version}),
    )


def of_candidate(version: ModelVersion, trials: tuple[Trial, ...] = (), files: tuple[str, ...] = ()) -> Entry:
    """Everything that is known of a version: how it was made, from what, and how good it is."""
    return Entry(
        run=version_run(version.model, version.version, version.artifact_digest),
        part="trained",
        experiment="retraining_pipeline",
        name=f"{version.model} {version.version}",
        model=version.model,
        at=version.created_at - timedelta(seconds=max(0.0, version.duration_s)),
        ended=version.created_at,
        params=_version_params(version),
        tags=_version_tags(version),
        metrics=_version_numbers(version),
        trials=trials,
        data=_data(version),
        version=version,
        attachments=files,
    )


def of_retraining(
    event: RetrainingEvent, version: ModelVersion | None, decision: Decision | None, files: tuple[str, ...] = ()
) -> Iterator[Entry]:
    """The outcome of an event; and what it adds to the run of the version, or the run of a failure."""
    yield _closed(event)
    if version is not None:
        yield _judged(event, version, decision, files)
        if event.execution_metrics.get("outcome") == "installed":
            yield of_deployment(version.model, version.version, "install", event.notes, version.actor, _end(event))
    elif event.execution_attempted:
        yield _failed(event)


def version_run(model: str, version: str, digest: str) -> str:
    """Name of the run of a version, which its tag `understudy.entry` has; what `ModelVersion.experiment` holds."""
    return f"{model}/version/{version}/{digest[:12]}"


def _event_run(model: str, event_id: str) -> str:
    return f"{model}/event/{event_id}"


def _closed(event: RetrainingEvent) -> Entry:
    status: Status = "FINISHED" if event.execution_successful else "FAILED"
    tags = {
        "event_id": event.id,
        "trigger": event.trigger_type,
        "severity": event.severity,
        "drift_type": event.drift_type,
        "reason": event.trigger_reason,
        "version": event.retrained_version,
        "notes": event.notes,
        "attempted": event.execution_attempted,
        "outcome": event.execution_metrics.get("outcome") or ("failed" if event.execution_attempted else "refused"),
    }
    return Entry(
        run=_event_run(event.model, event.id),
        part=f"closed {event.completed_at}",
        experiment="automated_retraining",
        name=event.id,
        model=event.model,
        at=event.triggered_at,
        ended=_end(event),
        status=status,
        tags=texts(tags),
        metrics=numbers(event.trigger_metrics, "trigger.") | _gains(event),
    )


def _judged(event: RetrainingEvent, version: ModelVersion, decision: Decision | None, files: tuple[str, ...]) -> Entry:
    told = {"event_id": event.id, "trigger": event.trigger_type, "outcome": event.execution_metrics.get("outcome")}
    verdict = {"decision_id": decision.id, "verdict": decision.outcome} if decision else {}
    return Entry(
        run=version_run(version.model, version.version, version.artifact_digest),
        part=f"judged {event.completed_at}",
        experiment="retraining_pipeline",
        name=f"{version.model} {version.version}",
        model=version.model,
        at=version.created_at - timedelta(seconds=max(0.0, version.duration_s)),
        ended=version.created_at,
        params=_version_params(version),
        tags=_version_tags(version) | texts(told | verdict | {"stage": version.stage, "notes": event.notes}),
        metrics=_version_numbers(version) | _gains(event) | (decision_numbers(decision) if decision else {}),
        data=_data(version),
        version=version,
        attachments=files,
    )


def _failed(event: RetrainingEvent) -> Entry:
    at = _end(event)
    return Entry(
        run=f"{event.model}/retraining/{event.id}/{utc(at):%Y%m%dT%H%M%S.%f}",
        experiment="retraining_pipeline",
        name=f"{event.model} {event.id}: failed",
        model=event.model,
        at=event.triggered_at,
        ended=at,
        status="FAILED",
        tags=texts({"event_id": event.id, "trigger": event.trigger_type, "error": event.notes}),
    )


def _end(event: RetrainingEvent) -> datetime:
    return event.completed_at or event.triggered_at


def _gains(event: RetrainingEvent) -> dict[str, float]:
    wanted = ("improvement_r2", "improvement_rmse", "improvement_accuracy")
    return numbers({name: getattr(event, name) for name in wanted})


def _version_params(version: ModelVersion) -> dict[str, str]:
    chosen = {"algorithm": version.algorithm, "task": version.task, "target": version.target, "seed": version.seed}
    features = {"features": ", ".join(feature.name for feature in version.features)}
    return texts(chosen | features | dict(flat(version.params)))


def _version_tags(version: ModelVersion) -> dict[str, str]:
    tags: dict[str, Any] = {
        "version": version.version,
        "stage": version.stage,
        "parent": version.parent,
        "serving": version.serving,
        "artifact_digest": version.artifact_digest,
        "data_version": version.data.version,
        "data_fingerprint": version.data.fingerprint,
        "code_version": version.code_version,
        "calibration": version.calibration,
        "actor": version.actor,
        "reason": version.reason,
        "trigger": version.trigger,
    }
    libraries = {f"library.{name}": number for name, number in version.dependencies.items()}
    return texts(tags | libraries | {f"environment.{name}": said for name, said in version.environment.items()})


def _version_numbers(version: ModelVersion) -> dict[str, float]:
    own = {"parity": version.parity, "duration_s": version.duration_s, "threshold": version.threshold}
    rows = {"rows": version.data.rows, "new_rows": version.data.new_rows}
    return numbers(version.metrics) | numbers(version.baseline_metrics, "baseline.") | numbers(own | rows)


def _data(version: ModelVersion) -> DataSet:
    data = version.data
    return DataSet(name=version.model, fingerprint=data.fingerprint, source=data.source, rows=data.rows)
