"""Rollbacks, written up in the transaction that gives the callers back; never changed, never deleted."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select

from registry.errors import NotFound
from registry.records.incident import Incident, IncidentKind
from registry.records.notice import Notice
from registry.records.plan import CHAMPION, TrafficPlan
from registry.records.rollout import Rollout
from registry.store.audit import append
from registry.store.base import Cause, Store
from registry.store.tables import incidents
from registry.telling import new_notice

_WHO: Mapping[IncidentKind, str] = {
    "rollout": "its rollout",
    "watch": "the watch after its promotion",
    "guard": "a guard of the router",
    "person": "a person",
}


class Incidents(Store):
    """The incidents of every model."""

    def next_incident_id(self) -> str:
        """Name the next incident, e.g. "i-0003"; taken only when it is written."""
        with self._reads() as connection:
            return _next_id(connection)

    def incidents(self, model: str | None = None) -> list[Incident]:
        """List incidents, newest first."""
        query = select(incidents.c.document).order_by(incidents.c.number.desc())
        if model is not None:
            query = query.where(incidents.c.model == model)
        with self._reads() as connection:
            return [Incident.from_json(document) for document in connection.scalars(query)]

    def incident(self, id: str) -> Incident:  # noqa: A002 (the record's own word)
        """
        Look up one incident.

        Raises:
            NotFound: With the newest that are known.
        """
        with self._reads() as connection:
            document = connection.scalar(select(incidents.c.document).where(incidents.c.id == id))
            if document is not None:
                return Incident.from_json(document)
            newest = connection.scalars(select(incidents.c.id).order_by(incidents.c.number.desc()).limit(5))
            known = ", ".join(newest) or "none yet"
        raise NotFound(f"There is no incident {id!r}.", f"Newest: {known}.", "List them: `understudy incidents`.")


def write_incident(connection: Connection, incident: Incident, cause: Cause) -> Incident:
    """
    Keep an incident; one whose id is empty, or was taken meanwhile, gets the next.

    The caller has written an audit entry before, so that nobody else numbers at the same time.
    """
    known = select(incidents.c.id).where(incidents.c.id == incident.id)
    if not incident.id or connection.execute(known).first():
        incident = msgspec.structs.replace(incident, id=_next_id(connection))
    row = {name: getattr(incident, name) for name in ("id", "model", "epoch", "at")}
    connection.execute(insert(incidents).values(**row, document=incident.to_json().decode()))
    append(
        connection,
        cause,
        "incident.written",
        model=incident.model,
        subject=incident.id,
        after={name: getattr(incident, name) for name in ("kind", "version", "restored", "rollout_id", "epoch")},
    )
    return incident


def kind_by(actor: str) -> IncidentKind:
    """Guess who took a version off from the name that was given."""
    first = actor.split()[0].split(":")[0] if actor.strip() else ""
    known: Mapping[str, IncidentKind] = {"router": "guard", "guard": "guard", "watch": "watch", "rollout": "rollout"}
    return known.get(first, "person")


def incident_of(
    plan: TrafficPlan,
    rollout: Rollout | None,
    version: str,
    kind: IncidentKind,
    cause: Cause,
    facts: Mapping[str, Any],
) -> Incident:
    """Write up that *plan* took *version* off."""
    return Incident(
        id="",
        model=plan.model,
        kind=kind,
        version=version,
        restored=plan.version_of(CHAMPION),
        rollout_id=rollout.id if rollout else None,
        epoch=plan.epoch,
        cause=cause.reason,
        at=cause.at,
        actor=cause.actor,
        facts=facts_of(rollout) | dict(facts),
    )


def facts_of(rollout: Rollout | None) -> dict[str, Any]:
    """What the registry knows of the state in which a rollout ended."""
    if rollout is None:
        return {}
    share = rollout.steps[rollout.step].share if rollout.step >= 0 else 0
    return {
        "status": rollout.status,
        "strategy": rollout.strategy,
        "step": rollout.step,
        "steps": len(rollout.steps),
        "share_ppm": share if rollout.weight is None else rollout.weight,
        "step_started_at": rollout.step_started_at,
        "decision_id": rollout.decision_id,
        "results": [{"step": one.step, "outcome": one.outcome, "by": one.by} for one in rollout.results],
    }


def notice_of(incident: Incident) -> Notice:
    """Tell people about a rollback; who sends it leaves out what nobody should read in a reason."""
    body = (
        f"{incident.restored} answers everybody by plan {incident.epoch}. {incident.version} was taken off by "
        f"{_WHO[incident.kind]}: {incident.cause}. See `understudy incidents show {incident.id}`."
    )
    title = f"{incident.model}: {incident.version} was rolled back"
    key = f"{incident.model}:rolled_back:{incident.epoch}"
    return new_notice("rollout.rolled_back", title, body, model=incident.model, key=key, level="warning")


def _next_id(connection: Connection) -> str:
    number = (connection.scalar(select(func.count()).select_from(incidents)) or 0) + 1
    while connection.execute(select(incidents.c.id).where(incidents.c.id == f"i-{number:04d}")).first():
        number += 1
    return f"i-{number:04d}"
