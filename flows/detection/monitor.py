"""The flow that looks after every model."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from prefect import flow, get_run_logger, runtime, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.events import emit_event

from flows.client import RouterClient
from flows.client.clock import lives_in_another_time
from flows.client.naming import named
from flows.client.patience import JITTER, WAITS, may_pass
from flows.config.forms import ModelName, Moment
from flows.config.load import registered_config
from flows.config.model import ModelConfig
from flows.detection.appointments import LastLook, extra, last_look, not_due, note_pace
from flows.detection.booking import book, tag
from flows.detection.look import Look
from flows.detection.pacing import adapt
from flows.detection.schedules import show_pace
from flows.detection.showing.markdown import markdown_of, table_of
from flows.detection.sources import Source, open_table
from flows.detection.standard import read_kept
from flows.detection.watch import Watched, watch
from flows.errors import ConfigError
from flows.notify import notice_of, tell_notice
from flows.notify.messages import drift_found
from flows.reports.drift.report import drift_report
from flows.reports.page import write_report
from flows.tracking.launch import send_soon
from flows.tracking.tracker import Tracker
from registry.artifacts import ArtifactStore
from registry.errors import NotFound, Refusal
from registry.home import Settings
from registry.records.base import utc
from registry.store.registry import Registry

DRIFT_DETECTED = "understudy.drift.detected"


SCHEDULED = "auto-scheduled"
"""Tag that Prefect's scheduler gives its runs."""


class Wanted(NamedTuple):
    """
    Which look is asked for.

    Attributes:
        now: On the model's clock.
        until: Only rows up to this moment; None by the wall clock.
        table: In place of the router's log.
    """

    now: datetime
    until: datetime | None = None
    table: str | None = None

    @property
    def live(self) -> bool:
        """Whether it is of what the router serves, by the wall clock: only such a look sets the pace of the next."""
        return self.until is None and self.table is None


@flow(name="monitor", flow_run_name=named("monitor"), timeout_seconds=3600)
def monitor(model: ModelName | None = None, as_of: Moment | None = None, table: str | None = None) -> dict[str, Any]:
    """
    Look for drift and degradation, and ask for a retraining where a rule says so.

    Args:
        model: Name of the model; every registered one if empty.
        as_of: The model's clock; now if empty. Replays set it.
        table: Rows to look at in place of the router's log: a CSV or Parquet file, a folder or pattern of them, or
            a Delta table (`@12` behind it for its version 12), with the columns that the configuration names. Labels
            may be absent; scores, too: the champion then scores the rows. Needs a model.

    Returns:
        By model, or of the one model: triggered, event_id and the decision.

    Raises:
        ConfigError: If there is a table, but no model.
    """
    settings = Settings().prepare()
    until = None if as_of is None else utc(as_of)
    wanted = Wanted(until or datetime.now(UTC), until, table or None)
    if model:
        waits = _waits(settings, model, wanted)
        return _left_out(waits) if waits else look_after(settings, model, wanted)
    if wanted.table is not None:
        why = f"{table} was given, and no model that it belongs to."
        raise ConfigError("Nothing was looked at.", why, "Name the model, too.")
    known = sorted(path.stem for path in settings.configs_dir.glob("*.yaml"))
    names = [name for name in known if as_of is not None or not lives_in_another_time(settings, name)]
    return {name: _patiently(settings, name, wanted) for name in names}


@task(retries=2, retry_delay_seconds=list(WAITS), retry_jitter_factor=JITTER, retry_condition_fn=may_pass)
def look_after(settings: Settings, model: str, wanted: Wanted) -> dict[str, Any]:
    """Look at one model, wake the retraining, and show what was found."""
    config = registered_config(model, settings)
    artifacts = ArtifactStore(settings.models_dir)
    with Registry.open(settings.registry_url) as registry, _opened(config, settings, registry, wanted) as rows:
        before = last_look(registry, model)
        seen = watch(config, registry, rows, lambda version: read_kept(artifacts, version), wanted.now, _wake)
        Tracker(settings, config).note_look(seen.look)
        _tell(settings, registry, seen.look)
        _attempt("The artifacts were not made", lambda: _show(settings, seen))
        if wanted.live:
            _attempt("The pace was not changed", lambda: _set_pace(config, registry, before, seen.look))
    send_soon(settings)
    look = seen.look
    get_run_logger().info("%s: %s", model, "; ".join(look.decision.causes) or look.drift.said)
    return {
        "triggered": look.event_id is not None,
        "event_id": look.event_id,
        "held_back": look.held_back,
        "decision": look.decision.to_dict(),
    }


@contextmanager
def _opened(
    config: ModelConfig, settings: Settings, registry: Registry, wanted: Wanted
) -> Iterator[RouterClient | Source]:
    """The rows that are wanted; the router is left alone where a table is given."""
    if wanted.table is None:
        with RouterClient(settings) as client:
            yield client
    else:
        until = None if wanted.live else wanted.now
        yield open_table(
            config, wanted.table, registry.champion(config.model), ArtifactStore(settings.models_dir), until
        )


def _patiently(settings: Settings, model: str, wanted: Wanted) -> dict[str, Any]:
    """A model that cannot be looked at must not hide the others."""
    try:
        waits = _waits(settings, model, wanted)
        return _left_out(waits) if waits else look_after(settings, model, wanted)
    except NotFound as error:
        return _left_out(str(error))
    except Refusal as error:
        get_run_logger().error("%s: %s", model, error)
        return _left_out(str(error))


def _left_out(why: str) -> dict[str, Any]:
    return {"triggered": False, "event_id": None, "held_back": why, "decision": None}


def _waits(settings: Settings, model: str, wanted: Wanted) -> str | None:
    """Why a look that nobody asked for by hand is left out."""
    tags = set(runtime.flow_run.tags)
    if not wanted.live or not tags & {SCHEDULED, tag(model)}:
        return None
    why = "a replay of it is under way" if lives_in_another_time(settings, model) else None
    if why is None and SCHEDULED in tags:
        config = registered_config(model, settings)
        with Registry.open(settings.registry_url) as registry:
            why = not_due(last_look(registry, model), wanted.now, config.detection.cadence)
    if why is not None:
        get_run_logger().info("%s was not looked at: %s", model, why)
    return why


def _set_pace(config: ModelConfig, registry: Registry, before: LastLook | None, look: Look) -> None:
    """Book an extra look if the schedule is too slow for what was found; note a new pace."""
    limits = config.detection.cadence
    sooner = extra(look, limits)
    if sooner is not None and book(look.model, sooner, f"severity {look.decision.severity}"):
        get_run_logger().info("%s is looked at again at %s", look.model, f"{sooner:%Y-%m-%d %H:%M} UTC")
    note_pace(registry, before, look, limits)
    wanted = adapt(registry, config, look.at)
    if show_pace(look.model, wanted, config.schedule.timezone):
        get_run_logger().info("%s: its schedules were changed: %s", look.model, wanted)


def _attempt(failed: str, work: Callable[[], None]) -> None:
    """Do what may fail without taking back a look that is kept already."""
    try:
        work()
    except Exception as error:  # noqa: BLE001  a server that is away, a full disk: the decision stands
        get_run_logger().warning("%s: %s: %s", failed, type(error).__name__, error)


def _show(settings: Settings, seen: Watched) -> None:
    look, file = seen.look, _written(settings, seen)
    where = f"\n\nThe whole report, with pictures: `{file}`" if file else ""
    create_markdown_artifact(
        key=f"monitor-{_slug(look.model)}", markdown=markdown_of(look) + where, description=look.drift.said
    )
    if look.drift.features:
        create_table_artifact(key=f"drift-{_slug(look.model)}", table=table_of(look), description=look.drift.said)


def _written(settings: Settings, seen: Watched) -> Path | None:
    """The report as a file; a full disk is no reason not to decide."""
    try:
        return write_report(
            settings, seen.look.model, f"drift-{seen.look.at:%Y-%m-%dT%H-%M}", drift_report(seen.content)
        )
    except Exception as error:  # noqa: BLE001  whatever a picture does, the decision stands
        get_run_logger().warning("The report was not written: %s: %s", type(error).__name__, error)
        return None


def _tell(settings: Settings, registry: Registry, look: Look) -> None:
    """Tell people of a retraining that was asked for, and once a day of what they should look into."""
    decision = look.decision
    if look.event_id is None and not decision.investigate:
        return
    message = drift_found(
        look.model,
        decision.severity,
        decision.drift_type,
        decision.rule,
        decision.affected_features,
        look.event_id,
    )
    key = look.event_id or f"{look.model}:{decision.severity}:{look.at:%Y-%m-%d}"
    tell_notice(settings, registry, notice_of(message, model=look.model, key=f"drift:{key}"))


def _wake(look: Look) -> None:
    emit_event(
        DRIFT_DETECTED,
        resource={"prefect.resource.id": f"understudy.model.{look.model}", "prefect.resource.name": look.model},
        payload={
            "model": look.model,
            "event_id": look.event_id,
            "trigger": look.decision.trigger,
            "reason": "; ".join(look.decision.causes)[:500],
            "severity": look.decision.severity,
            "confidence": look.decision.confidence,
            "drift_type": look.decision.drift_type,
            "affected_features": list(look.decision.affected_features[:20]),
            "as_of": look.at.isoformat(),
        },
    )


def _slug(name: str) -> str:
    return name.replace("_", "-")
