"""What every look at a model found: kept, read back as a history, and thinned out."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, Text, delete, func, insert, or_, select, type_coerce

from registry.records.base import unreadable, utc
from registry.records.history import PastFeature, PastLook
from registry.store.audit import append
from registry.store.base import Cause, Store
from registry.store.tables import drift_reports as reports
from registry.store.types import stamp

_ONLY_NEWEST_FIRST = (reports.c.at.desc(), reports.c.number.desc())


class Looks(Store):
    """Drift reports of every model."""

    def save_drift_report(self, model: str, at: datetime, report: dict[str, Any]) -> None:
        """Keep what a drift check of *model* found; NaN is kept as null."""
        with self._writes() as connection:
            connection.execute(insert(reports).values(model=model, at=at, report=report))

    def drift_reports(self, model: str, limit: int | None = None) -> list[dict[str, Any]]:
        """List reports, newest first; each has "at" (ISO 8601, UTC) beside what was saved."""
        with self._reads() as connection:
            found = connection.execute(_newest(select(reports.c.report, reports.c.at), model, limit))
            return [row.report | {"at": stamp(row.at)} for row in found]

    def drift_history(
        self, model: str, feature: str | None = None, since: datetime | None = None, limit: int | None = None
    ) -> list[PastLook]:
        """
        List looks, newest first; of each stored report only what a history shows is decoded.

        Args:
            model: Name of the model.
            feature: Only this one's numbers; all features if None.
            since: Looks at or after it.
            limit: At most so many, the newest.

        Raises:
            InvalidRecord: If a stored report cannot be read.
        """
        query = _newest(select(type_coerce(reports.c.report, Text).label("raw"), reports.c.at), model, limit)
        if since is not None:
            query = query.where(reports.c.at >= since)
        with self._reads() as connection:
            rows = connection.execute(query).all()
        return [_look(row.raw, row.at, feature) for row in rows]

    def prune_drift_reports(
        self,
        model: str,
        *,
        actor: str,
        reason: str,
        at: datetime,
        before: datetime | None = None,
        keep: int | None = None,
        dry_run: bool = False,
    ) -> int:
        """
        Remove reports of looks before a moment, or all but the newest; with an audit entry.

        Args:
            model: Name of the model.
            actor: Who asks for it.
            reason: Why.
            at: When, on the model's clock.
            before: Older ones go; none for their age if None.
            keep: All but so many of the newest go; none for their number if None.
            dry_run: Count, and remove nothing.

        Returns:
            How many reports went, or would go.
        """
        outdated = _outdated(model, before, keep)
        if outdated is None:
            return 0
        with self._reads() if dry_run else self._writes() as connection:
            count = connection.scalar(select(func.count()).where(outdated)) or 0
            if dry_run or not count:
                return count
            connection.execute(delete(reports).where(outdated))
            after = {"removed": count, "before": None if before is None else stamp(before), "kept": keep}
            append(connection, Cause(actor, reason, at), "history.pruned", model=model, subject=model, after=after)
            return count


def _newest(query: Select[Any], model: str, limit: int | None = None) -> Select[Any]:
    return query.where(reports.c.model == model).order_by(*_ONLY_NEWEST_FIRST).limit(limit)


def _outdated(model: str, before: datetime | None, keep: int | None) -> ColumnElement[bool] | None:
    own, reasons = reports.c.model == model, []
    if before is not None:
        reasons.append(reports.c.at < before)
    if keep is not None:
        newest = _newest(select(reports.c.number), model, keep).correlate(None)
        reasons.append(reports.c.number.not_in(newest))
    return own & or_(*reasons) if reasons else None


class _Feature(msgspec.Struct, frozen=True):
    name: str = ""
    enough: bool = True
    psi: float | None = None
    statistic: float | None = None
    adjusted: float | None = None
    missing_change: float | None = None
    drifted: bool = False
    high: bool = False


class _Drift(msgspec.Struct, frozen=True):
    rows: int = 0
    enough: bool = False
    features: tuple[_Feature, ...] = ()


class _Evidence(msgspec.Struct, frozen=True):
    error: float | None = None
    error_increase: float | None = None


class _Decision(msgspec.Struct, frozen=True):
    triggered: bool = False
    severity: str | None = None
    drift_type: str | None = None
    rule: str | None = None
    confidence: float | None = None
    harm: float | None = None
    held_back: str | None = None
    evidence: _Evidence = _Evidence()


class _Report(msgspec.Struct, frozen=True):
    """As stored; what is not named here is skipped by the decoder."""

    champion: str = ""
    decision: _Decision = _Decision()
    drift: _Drift = _Drift()
    event_id: str | None = None
    held_back: str | None = None


_decoder = msgspec.json.Decoder(_Report)


def _look(raw: str, at: datetime, feature: str | None) -> PastLook:
    try:
        found = _decoder.decode(raw)
    except msgspec.MsgspecError as error:
        raise unreadable("drift report", error) from error
    drift, decision = found.drift, found.decision
    return PastLook(
        at=utc(at),
        champion=found.champion,
        severity=decision.severity,
        triggered=decision.triggered,
        drift_type=decision.drift_type,
        rule=decision.rule,
        event_id=found.event_id,
        held_back=found.held_back or decision.held_back,
        confidence=decision.confidence,
        harm=decision.harm,
        rows=drift.rows,
        enough=drift.enough,
        error=decision.evidence.error,
        error_increase=decision.evidence.error_increase,
        drifted=tuple(one.name for one in drift.features if one.drifted),
        features={one.name: _point(one) for one in drift.features if feature in (None, one.name)},
    )


def _point(one: _Feature) -> PastFeature:
    known = one.enough
    return PastFeature(
        enough=known,
        psi=one.psi if known else None,
        statistic=one.statistic if known else None,
        adjusted=one.adjusted if known else None,
        missing_change=one.missing_change,
        drifted=one.drifted,
        high=one.high,
    )
